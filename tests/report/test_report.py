"""Does the page show every claim and agent, whole and escaped, and refuse in one line what does not fit together?"""

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyses import tables as files
from analyses.claims.__main__ import read as read_tables
from analyses.claims.__main__ import show
from analyses.claims.sentences import CLAIMS
from analyses.claims.verdicts import judge
from figures import own_policy
from muzero_probe.files import sealed
from report.comments import COMMENTS
from report.drawings import Drawing
from report.page import contents, render
from report.study import read
from tests.analyses.studies import one_line
from tests.report import reduced
from tests.report.pages import Page

GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"


@pytest.fixture(scope="module")
def page(small_page: Path) -> Page:
    return Page(small_page.read_text())


@pytest.fixture
def own(small: Path, tmp_path: Path) -> Path:
    """A copy of the small study's tables."""
    return Path(shutil.copytree(small, tmp_path / "tables"))


def refused(root: Path, capsys: pytest.CaptureFixture[str], *words: str, code: int = 1) -> str:
    """What the program says of a study that it cannot show; it writes nothing."""
    out = root.parent / "out"
    capsys.readouterr()
    assert reduced.report(root, out, *words) == code
    said = capsys.readouterr()
    assert said.out == "" and not out.exists()
    return one_line(said.err, "python -m report")


def test_every_claim_meets_every_agent(small: Path, page: Page):
    """In the grid, and in the claim's own section, where one line may say that nobody was measured."""
    judged = files.read(small / "small" / "claims.csv")
    measured = set(judged[(judged["role"] == "primary") & (judged["n"] > 0)]["claim"])
    nobody = CLAIMS.keys() - measured
    met = Counter((t.nearest("data-claim"), t.nearest("data-agent"), t.within(id="claims")) for t in page.texts)
    for key in itertools.product(CLAIMS, ("cartpole", "lunar_lander"), (False, True)):
        assert met[key] or (key[2] and key[0] in nobody), key
    said = page.said()
    assert said.count("Not measured in any agent: ") == len(nobody) > 0
    for claim in CLAIMS.values():
        assert said.count(claim.sentence) >= 2
        assert claim.contrast in said and claim.caveat in said


def test_what_a_reader_is_told_of_the_rule(page: Page):
    """Every verdict has its line, and all contrasts are called exploratory."""
    said = page.said()
    for word in ("established", "contradicted", "equivalent", "open", "not measured", "outside", "small", "mixed"):
        assert any(word in t.text and t.within("dt") for t in page.texts), word
    assert "All contrasts are exploratory" in said and "Holm" in said


def test_reasons_can_be_reached_with_the_keyboard(page: Page):
    """Whatever is not measured says why: in a title, and in a text that unfolds."""
    reasons = [e.get("title") for e in page.all("details") if e.get("title")]
    unfolded = [t.text for t in page.texts if t.within("p", class_="why")]
    assert reasons == unfolded
    assert any("another game" in reason for reason in reasons)


def test_the_page_is_well_formed(page: Page):
    """Elements close, names are unique, links lead somewhere, headings skip no level, a picture says what it is."""
    names = Counter(e.get("id") for e in page.elements if e.get("id"))
    assert not [name for name, count in names.items() if count > 1]
    links = [e.get("href") for e in page.all("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= names.keys()
    assert "#main" in links
    inner = re.findall(r'(?:href="#|url\(#)([^")]+)', " ".join(str(e) for e in page.elements).replace("'", '"'))
    assert set(inner) <= names.keys()
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch(r"h\d", e.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert page.all("html")[0].get("lang") == "en"
    for picture in page.all("svg"):
        assert picture.get("role") == "img" and len(picture.get("aria-label")) > 40
    for element in page.elements:
        if element.get("class") == "scroll":
            assert element.get("tabindex") == "0" and element.get("role") == "region" and element.get("aria-label")


def test_nothing_is_loaded(small_page: Path, page: Page):
    """No script, and no address that a browser would ask by itself; its policy forbids what we may have missed."""
    assert not {e.tag for e in page.elements} & {"script", "link", "iframe", "object", "video", "audio", "base"}
    assert not re.search(r"@import|url\((?!#)", small_page.read_text())
    for element in page.elements:
        loaded = [element.get(name) for name in ("src", "srcset", "data", "poster", "xlink:href")]
        assert all(address.startswith(("data:", "#")) for address in loaded if address), element
    (policy,) = [e.get("content") for e in page.all("meta") if e.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def test_titles_are_escaped(small_page: Path, page: Page):
    """A title of markup is shown as it is, on the page and in Markdown."""
    assert reduced.TITLES["cartpole"] in page.said()
    assert "<b>" not in small_page.read_text()
    for name in ("grid.md", "results.md"):
        text = (small_page.parent / name).read_text()
        assert "<b>" not in re.sub(r"\\<", "", text)
        assert r"Lunar \| Lander" in text


def test_the_markdown_grid_says_what_the_claims_say(small: Path, small_page: Path):
    """The same verdicts as `python -m analyses.claims` prints."""
    tables = read_tables(profile=reduced.PROFILE, agents=(), root=small)
    wanted = show(judge(tables), {"cartpole": "a", "lunar_lander": "b"}).splitlines()[2:]
    ours = (small_page.parent / "grid.md").read_text().splitlines()[2:]
    assert [line.replace("\\", "") for line in ours] == wanted


def test_the_same_bytes_again(small: Path, small_page: Path, tmp_path: Path):
    """Another process, with other hashes, writes no other byte; nor does it load what only training needs."""
    code = (
        "import sys\nfrom report.__main__ import main\n"
        f"assert main(['--profile', 'small', '--tables', {str(small)!r}, '--figures', {str(tmp_path)!r}]) == 0\n"
        "assert not {'torch', 'numba', 'gymnasium'} & sys.modules.keys()\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=reduced.COMMITTED.parents[1], env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    written = tmp_path / "small" / "report.html"
    assert done.stdout == f"{written}\n"
    assert written.read_bytes() == small_page.read_bytes()


def test_size_of_the_study(study_page: Path):
    """The page of all committed tables is below 2 MB."""
    assert study_page.stat().st_size < 2_000_000


def test_comments_go_with_the_study_s_verdicts(study_page: Path, capsys: pytest.CaptureFixture[str]):
    """Every comment on the committed tables is shown, numbers filled in."""
    text = (study_page.parents[1] / "results.md").read_text()
    for claim, comment in COMMENTS.items():
        pieces = re.split(r"\{[^}]*\}", comment.text)
        assert re.search("[^{}]+".join(map(re.escape, pieces)), text), claim
    assert COMMENTS.keys() <= CLAIMS.keys()


def test_a_table_that_was_made_anew(own: Path, capsys: pytest.CaptureFixture[str]):
    """Verdicts of other tables than today's are not shown."""
    reduced.altered(own / "small" / "cartpole" / "returns.csv", lambda t: t.assign(return_mean=t["return_mean"] + 1))
    said = refused(own, capsys)
    assert said == (
        f"{own}/small/claims.csv is older than small/cartpole/returns.csv: run `python -m analyses.claims --profile "
        "small --agent small/cartpole --agent small/lunar_lander` again"
    )


def strangers(table: Any) -> Any:
    return table.assign(agent="somebody")


def spoilt(table: Any) -> Any:
    return table.assign(verdict=table["verdict"].replace("established", "certain"))


BAD: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "another agent's rows": ("cartpole/returns.csv", strangers, "returns.csv holds rows of somebody, not of cartpole"),
    "a renamed column": ("claims.csv", lambda t: t.drop(columns="effect"), "claims.csv lacks the column effect"),
    "no seeds": ("contrasts.csv", lambda t: t.drop(columns=["value"]), "contrasts.csv lacks the column value"),
    "an unknown verdict": ("claims.csv", spoilt, "claims.csv says 'certain' on claim"),
    "a claim twice": (
        "claims.csv", lambda t: t.loc[[*t.index, 0]], "' on claim 1 for cartpole, where one of"
    ),
    "a claim missing": (
        "claims.csv", lambda t: t[t["claim"] != "7"], "says nothing on claim 7 for cartpole, where one of established"
    ),
    "an agent too few": (
        "claims.csv", lambda t: t.assign(agent="cartpole"), "claims.csv says"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_tables_that_do_not_fit(own: Path, name: str, capsys: pytest.CaptureFixture[str]):
    """One line names the file and what is wrong."""
    file, change, wanted = BAD[name]
    reduced.altered(own / "small" / file, change)
    assert wanted in refused(own, capsys)


def test_a_column_that_only_a_figure_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A table without it is named, although its claims could be judged."""
    root = tmp_path / "tables"
    reduced.write(root, "paper/cartpole", seeds=3, only=("own_policy",), changes={"own_policy": _without_errors})
    (path,) = (root / "small" / "cartpole").glob("*.csv")
    shutil.copytree(reduced.COMMITTED / "foreign", root / "foreign")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("figures.own_policy.COLUMNS", (*own_policy.COLUMNS, "monte_carlo_se"))
        reduced.judge(root)
        assert refused(root, capsys) == f"{path} lacks the column monte_carlo_se"


def _without_errors(table: Any) -> Any:
    return table.drop(columns="monte_carlo_se")


def test_files_that_are_not_there(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """No verdicts, no agents, no such agent, a table cut short: a line each."""
    assert "nobody: there are no tables" in refused(own, capsys, "--agent", "nobody")
    assert "is about cartpole, lunar_lander, not about cartpole: run" in refused(own, capsys, "--agent", "cartpole")
    assert "there is no table" in (gone := refused(_without(own, "contrasts.csv"), capsys)) and "again" in gone
    cut = own / "small" / "lunar_lander" / "planning.csv"
    cut.write_text(cut.read_text()[:-20])
    assert f"{cut} was cut or altered" in refused(own, capsys)
    empty = tmp_path / "none"
    empty.mkdir()
    assert "no agent has tables there" in refused(empty, capsys)


def _without(root: Path, name: str) -> Path:
    (root / "small" / name).unlink()
    return root


def test_impossible_commands(own: Path, capsys: pytest.CaptureFixture[str]):
    """Words that mean nothing are refused with code 2."""
    assert "Unrecognized" in refused(own, capsys, "--figure", "x", code=2)
    assert refused(own, capsys, "--gif", "cartpole", code=2).endswith("--gif cartpole: must be AGENT=PATH")


def test_one_seed_and_seeds_without_a_measurement(tmp_path: Path):
    """One seed makes a page on which nothing is judged; a seed with NaN is said to be missing."""
    root = tmp_path / "tables"
    reduced.write(root, "paper/cartpole", seeds=1, only=("returns", "sequences"))
    reduced.write(root, "desk/lunar_lander", seeds=7, only=("returns",), changes={"returns": _with_gap})
    reduced.judge(root)
    assert reduced.report(root, tmp_path / "out") == 0
    page = Page((tmp_path / "out" / "report.html").read_text())
    texts = [t.text for t in page.texts if t.nearest("data-agent") == "cartpole" and t.nearest("data-claim") == "1"]
    assert "one seed has no interval" in texts
    assert "established" not in {text.strip() for text in texts}
    assert "1 of 7 seeds have no measurement" in page.said()
    assert "No table sequences: Lunar | Lander." in page.said()
    assert not re.search(r"\bnan\b|\binf\b", page.said())


def _with_gap(table: Any) -> Any:
    return table.assign(return_mean=table["return_mean"].where(table["seed"] != 3, np.nan))


def test_one_search_has_a_section_of_its_own(tmp_path: Path):
    """Where there is such a figure, it stands there and in the contents, and not among the others."""
    reduced.write(tmp_path, "paper/cartpole", seeds=2, only=("returns",))
    reduced.judge(tmp_path)
    study = read(profile=reduced.PROFILE, agents=(), root=tmp_path)
    drawn = [
        Drawing(name, f"What of {name}?", "<svg></svg>", "Look.", "figures/x.py", (), ())
        for name in ("returns", "search_tree")
    ]
    for shown in (drawn, drawn[:1]):
        page = Page(render(contents(study, foreign=None, drawings=shown), {}))
        looked_into = [t.text for t in page.texts if t.within(id="search")]
        assert ("What of search_tree?" in looked_into) == (len(shown) == 2)
        assert ("#search" in [e.get("href") for e in page.all("a")]) == (len(shown) == 2)
        assert [t.text for t in page.texts if t.within("h3") and t.within(id="figures")] == ["What of returns?"]


def test_baselines_stand_beside_the_agents(tmp_path: Path):
    """A row per algorithm and way of playing, with mean, interval and interquartile mean; none without a table."""
    root, out = tmp_path / "tables", tmp_path / "out"
    reduced.write(root, "paper/cartpole", seeds=2, only=("returns",))
    reduced.judge(root)
    assert reduced.report(root, out) == 0
    assert "Baselines" not in Page((out / "report.html").read_text()).said()
    ways = {("dqn", "greedy"): [10.0, 20.0, 30.0, 40.0], ("ppo", "sampled"): [5.0, 5.0, 5.0, 5.0]}
    rows = [
        {
            "agent": "cartpole",
            "seed": seed,
            "algorithm": algorithm,
            "policy": policy,
            "environment_steps": 1_024,
            "return_mean": x,
        }
        for (algorithm, policy), returns in ways.items()
        for seed, x in enumerate(returns)
    ]
    kinds = {"seed": "int", "environment_steps": "int", "return_mean": "float"}
    columns = {name: files.Column(kinds.get(name, "word"), "", "") for name in rows[0]}
    said = {"analysis": "baselines", "agent": "cartpole", "profile": reduced.PROFILE, "title": "Cart Pole"}
    files.write(root / "small" / "cartpole" / "baselines.csv", rows, columns, said)
    assert reduced.report(root, out) == 0
    page = Page((out / "report.html").read_text())
    of_agent = " ".join(t.text for t in page.texts if t.nearest("data-agent") == "cartpole" and t.within(id="agents"))
    # 25 +- t(0.975; 3) sqrt(500 / 3) / 2, and the mean of 20 and 30
    assert "DQN, greedy 4 seeds 1,024 25 [4, 46] 25" in of_agent
    assert "PPO, sampled 4 seeds 1,024 5 5" in of_agent
    assert "2 seeds 100,000" in of_agent  # MuZero's training steps, which this table does not say


def test_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One that is found or named is on the page as data, folded; one too large is left out with a line."""
    root, out = tmp_path / "tables", tmp_path / "out"
    for place in reduced.STUDY[:2]:
        reduced.write(root, place, seeds=2, only=("returns",))
    reduced.judge(root)
    capsys.readouterr()
    found = out / "small" / "play_cartpole.gif"
    found.parent.mkdir(parents=True)
    found.write_bytes(sealed(GIF, "cartpole"))
    large = tmp_path / "large.gif"
    large.write_bytes(sealed(GIF + bytes(2_000_000), "lunar_lander"))
    assert reduced.report(root, out, "--gif", f"lunar_lander={large}") == 0
    said = capsys.readouterr().err
    assert one_line(said, "python -m report") == (
        "left out: the recording of lunar_lander does not fit into 2,000,000 bytes"
    )
    (picture,) = Page((out / "report.html").read_text()).all("img")
    assert picture.get("src").startswith("data:image/gif;base64,R0lGOD") and "Cart" in picture.get("alt")


def test_recordings_that_are_none(own: Path, capsys: pytest.CaptureFixture[str]):
    """Of nobody, missing, of another kind, of another agent, or altered."""
    (own / "x.gif").write_bytes(GIF)
    (own / "other.gif").write_bytes(sealed(GIF, "minatar"))
    (own / "altered.gif").write_bytes(sealed(GIF, "cartpole").replace(b"\x01", b"\x02", 1))
    assert "somebody is not shown: cartpole, lunar_lander" in refused(own, capsys, "--gif", f"somebody={own}/x.gif")
    for name, said in (
        ("x", "does not end with a digest"),
        ("altered", "cut or altered"),
        ("other", "of minatar, not"),
    ):
        assert said in refused(own, capsys, "--gif", f"cartpole={own}/{name}.gif")
    assert "y.gif" in refused(own, capsys, "--gif", f"cartpole={own}/y.gif")


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance of #rrggbb."""
    linear = [
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4
        for x in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    ]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("scheme", [0, 1])
def test_contrast(scheme: int):
    """Text stands out from its ground by 4.5 to 1, in the light and the dark scheme."""
    css = (reduced.COMMITTED.parents[1] / "report" / "style.css").read_text()
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", css, re.S)[scheme]))
    pairs = [(text, ground) for text in ("text", "muted", "link") for ground in ("ground", "card")]
    pairs += [(name, name.removesuffix("-text")) for name in colours if name.endswith("-text")]
    assert len(pairs) == 12
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
