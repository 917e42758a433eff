"""What stands on the page, in its order, as values that the templates show."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from analyses import stats
from analyses.claims import verdicts
from analyses.claims.sentences import CLAIMS, ERROR_FACTOR, RETURN_SHARE
from analyses.claims.verdicts import SYMBOLS
from figures import style
from report import comments, forest, grid, pictures, words
from report.drawings import Drawing
from report.facts import FACTS
from report.study import Agent, Study

HERE = Path(__file__).parent
TREE = "search_tree"  # a figure with a section of its own


def contents(
    study: Study, *, foreign: Study | None, drawings: Sequence[Drawing], undrawn: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """What the page shows.

    Args:
        study: verdicts and tables.
        foreign: those of agents that others trained.
        drawings: the study's figures.
        undrawn: questions of figures without tables, and the commands that make these.
    """
    sources = [*_sources(study), *(_sources(foreign) if foreign else ())]
    return dict(
        study=study,
        css=(HERE / "style.css").read_text(),
        grid=grid.cells(study),
        sentences={name: claim.marked for name, claim in CLAIMS.items()},
        rule=[(verdict, SYMBOLS[verdict], grid.look(verdict), about) for verdict, about in grid.ABOUT.items()],
        margins=(ERROR_FACTOR, round(100 * RETURN_SHARE)),
        claims=list(_claims(study)),
        agents=[_agent(agent) for agent in study.agents],
        baselines=[row for agent in study.agents for row in _baselines(agent)],
        figures=[drawing for drawing in drawings if drawing.name != TREE],
        tree=next((drawing for drawing in drawings if drawing.name == TREE), None),
        undrawn=undrawn,
        foreign=foreign,
        foreign_grid=grid.cells(foreign) if foreign else {},
        counts=_counts(study),
        sources=sources,
        versions=_by_versions(sources),
        judged_at=study.commit,
        status=_status(study),
    )  # fmt: skip


def _status(study: Study) -> str:
    seen = [agent.title for agent in study.agents if study.seen(agent.name)]
    return words.status(seen, [agent.title for agent in study.agents if agent.title not in seen])


def render(shown: Mapping[str, Any], recordings: Mapping[str, str]) -> str:
    """The page as HTML; `recordings` are addresses of images by agent."""
    pictures = [(agent.title, recordings[agent.name]) for agent in shown["study"].agents if agent.name in recordings]
    return _environment(html=True).get_template("page.html").render(shown, recordings=pictures)


def results(study: Study) -> str:
    """Grid, effects and comments as Markdown."""
    return (
        _environment(html=False)
        .get_template("results.md")
        .render(
            study=study,
            grid=grid.markdown(study),
            claims=list(_claims(study, drawn=False)),
            word=grid.word,
            status=_status(study),
        )
    )


def _environment(*, html: bool) -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=html, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.filters["cell"] = grid.escaped
    return made


def stale_comments(study: Study) -> list[str]:
    """Claims whose comment was written for other verdicts than these."""
    return [claim for claim in CLAIMS if _comment(study, claim) is None]


def _comment(study: Study, claim: str) -> str | None:
    """The comment on a claim, empty if there is none; None if it goes with other verdicts."""
    if study.profile != comments.PROFILE or claim not in comments.COMMENTS:
        return ""
    comment = comments.COMMENTS[claim]
    names = {agent.name for agent in study.agents}
    if any(agent not in names or study.primary(claim, agent).verdict != v for agent, v in comment.verdicts.items()):
        return None
    at = {(agent, row.step): row for agent in names for row in study.checkpoints(claim, agent)}
    try:
        return comments.filled(
            comment.text, lambda agent, step: _number(study.primary(claim, agent) if step is None else at[agent, step])
        )
    except KeyError:  # a checkpoint that is no longer measured
        return None


def _number(row: Any) -> str:
    return words.effect(row.effect, row.low, row.high, row.unit)


def _claims(study: Study, *, drawn: bool = True) -> Iterator[dict[str, Any]]:
    for name, claim in CLAIMS.items():
        found = [_of_agent(study, name, agent, drawn=drawn) for agent in study.agents]
        reasons = {each["cell"].reason for each in found if each["cell"].verdict == verdicts.NOT_MEASURED}
        yield {
            "name": name,
            "claim": claim,
            "comment": _comment(study, name) or "",
            "measured": [each for each in found if each["cell"].n],
            "unmeasured": [each for each in found if not each["cell"].n],
            "reason": reasons.pop() if len(reasons) == 1 and not any(each["cell"].n for each in found) else "",
            "family": [agent.title for agent in study.family(name)],
            "described": [d for agent in study.agents if (d := _described(study, name, agent))["rows"]]
            if drawn
            else [],
        }


def _of_agent(study: Study, claim: str, agent: Agent, *, drawn: bool) -> dict[str, Any]:
    row = study.primary(claim, agent.name)
    found = {
        "cell": grid.cell(study, claim, agent),
        "p": words.p_value(row.p),
        "p_holm": words.p_value(row.p_holm) if math.isfinite(row.p_holm) else "",
        "otherwise": words.otherwise(row, repeated=agent.repeated),
        "svg": "",
        "checkpoints": [(style.step_name(at.step), _number(at)) for at in study.checkpoints(claim, agent.name) if at.n],
        "pooled": [style.step_name(step) for step in study.pooled(claim, agent.name)],
    }
    if drawn and row.n:
        picture = forest.draw(
            row, study.checkpoints(claim, agent.name), study.by_seed(claim, agent.name),
            study.pooled(claim, agent.name), sign=CLAIMS[claim].sign,
        )  # fmt: skip
        listed = "; ".join(f"step {step} {number}" for step, number in found["checkpoints"])
        found["svg"] = pictures.inline(
            picture,
            f"Claim {claim}, {agent.title}: a dot for each of {found['cell'].n}, pooled {_number(row)} "
            f"{words.unit_name(row.unit)}; by checkpoint: {listed}.",
        )
    return found


def _described(study: Study, claim: str, agent: Agent) -> dict[str, Any]:
    """Descriptive quantities of one agent: a row each, a column a checkpoint."""
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for row in study.described(claim, agent.name):
        shown = words.effect(row.effect, row.low, row.high, "", sign=False) if row.n else "none"
        rows.setdefault((row.quantity, row.unit), {})[row.step] = shown
    steps = sorted({step for cells in rows.values() for step in cells})
    return {
        "title": agent.title,
        "steps": [style.step_name(step) for step in steps],
        "rows": [(quantity, unit, [cells.get(step, "") for step in steps]) for (quantity, unit), cells in rows.items()],
    }


def _agent(agent: Agent) -> dict[str, Any]:
    """Who an agent is: how many, how long trained, what they return."""
    found: dict[str, Any] = {"agent": agent, "facts": FACTS.get(agent.name), "returns": {}, "step": "", "seeds": ""}
    found["training_steps"] = f"{agent.said('training_steps'):,}" if agent.said("training_steps") else "not said"
    if "returns" in agent.tables:
        last = agent.tables["returns"]
        last = last[last["step"] == last["step"].max()]
        found["step"] = f"{int(last['step'].max()):,}"
        across: Any = stats.across_seeds(last, "return_mean", by=["policy"])
        for row in across.itertuples(index=False):
            shown = words.effect(row.mean, row.low, row.high, "", sign=False)
            found["returns"][row.policy] = (shown, _iqm(row))
            found["seeds"] = words.count(row.n, repeated=agent.repeated)
    return found


def _baselines(agent: Agent) -> Iterator[dict[str, Any]]:
    """What agents without a model return after as many environment steps: a row per algorithm and way of playing."""
    if "baselines" not in agent.tables:
        return
    table = agent.tables["baselines"]
    steps = table.groupby("algorithm")["environment_steps"].max()
    across: Any = stats.across_seeds(table, "return_mean", by=["algorithm", "policy"])
    for row in across.itertuples(index=False):
        yield {
            "agent": agent,
            "algorithm": f"{row.algorithm.upper()}, {row.policy}",
            "seeds": words.count(row.n),
            "steps": f"{steps[row.algorithm]:,}",
            "returns": words.effect(row.mean, row.low, row.high, "", sign=False),
            "iqm": _iqm(row),
        }


def _iqm(row: Any) -> str:
    """The interquartile mean of a row of `stats.summary`, with the decimals of its interval."""
    return words.number(row.iqm, words.decimals(row.low, row.high)) if row.low < row.high else words.plain(row.iqm)


def _sources(study: Study) -> Iterator[dict[str, Any]]:
    """Where every table comes from."""
    for agent in study.agents:
        for name, table in agent.tables.items():
            said = table.attrs["provenance"]
            yield {
                "place": f"{agent.place}/{name}.csv",
                "digest": table.attrs["digest"][:12],
                "seeds": _listed(said.get("seeds")),
                "config": said.get("config_hash", "not ours"),
                "trained": [commit[:12] for commit in said.get("checkpoint_commits", [])],
                "measured": [commit[:12] for commit in said.get("measured_at", [])]
                or [str(said.get("commit", ""))[:12]],
                "versions": ", ".join(f"{package} {version}" for package, version in said.get("versions", {}).items()),
                "processor": said.get("processor", ""),
            }


def _by_versions(sources: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Packages' versions, and the tables that were measured with them."""
    found: dict[str, list[str]] = {}
    for source in sources:
        found.setdefault(source["versions"] or "not said", []).append(source["place"])
    return list(found.items())


def _counts(study: Study) -> list[tuple[str, str, str, int]]:
    """How often each verdict was reached: its word, symbol, look and number."""
    reached = [c for row in grid.cells(study).values() for c in row]
    found = {c.verdict: (c.verdict, c.symbol, c.look) for c in reached}
    return [(*found[verdict], sum(c.verdict == verdict for c in reached)) for verdict in grid.ABOUT if verdict in found]


def _listed(seeds: Any) -> str:
    """0 to 29, or each of them."""
    if not seeds:
        return "not said"
    in_a_row = list(range(seeds[0], seeds[-1] + 1)) == list(seeds)
    return f"{seeds[0]} to {seeds[-1]}" if in_a_row and len(seeds) > 2 else ", ".join(map(str, seeds))
