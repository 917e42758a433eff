"""`python -m report`: one HTML page of a profile's verdicts, effects and figures, which asks no network.

Reads TABLES/PROFILE/claims.csv and contrasts.csv, made by `python -m analyses.claims`, and the tables of the agents.
"""

from muzero_probe.cli import start  # isort: split

if __name__ == "__main__":  # before anything large is imported
    start.begin("python -m report")


import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from analyses.tables import TableError, check_agents
from muzero_probe import files
from muzero_probe.cli import arguments
from report import drawings, grid, page, pictures
from report.study import Study, read

PROGRAM = "python -m report"
MOST = 2_000_000  # bytes of the page; recordings that would not fit are left out
STUDY, FOREIGN = "study", "foreign"  # the study's page also shows agents that others trained


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Writes a report of one or several agents as one HTML page."""

    profile: str = "quick"
    """Profile whose verdicts are shown."""
    agent: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """An agent to show, again for each further one: its name, its file, or PROFILE/NAME for one of another profile; by
    default every agent with a table."""
    tables: Path = Path("analyses/tables")
    """Folder of the tables."""
    figures: Path = Path("figures/out")
    """Folder of the pictures: of recordings, PROFILE/play_AGENT.gif, and of the page where --out does not say."""
    out: Path | None = None
    """The page; by default FIGURES/PROFILE/report.html."""
    markdown: Path | None = None
    """Where to write the grid of verdicts in Markdown."""
    results: Path | None = None
    """Where to write verdicts, effects and comments in Markdown."""
    gif: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A recording of an agent, again for each further one: AGENT=PATH."""

    def __post_init__(self) -> None:
        """Refuses impossible names, recordings of nobody, and two files of one name."""
        check_agents(self.agent, profile=self.profile)
        for given in self.gif:
            if not all(given.partition("=")[::2]):
                raise ValueError(f"--gif {given}: must be AGENT=PATH")
        named = [given.partition("=")[0] for given in self.gif]
        if len(set(named)) < len(named):
            raise ValueError(f"--gif: one recording an agent is shown, there are those of {', '.join(named)}")
        places = {os.path.abspath(path) for path in self.outputs}
        if len(places) < len(self.outputs):
            raise ValueError("--out, --markdown and --results must name different files")

    @property
    def outputs(self) -> list[Path]:
        """The files that are written, the page first."""
        page = self.out or self.figures / self.profile / "report.html"
        return [path for path in (page, self.markdown, self.results) if path]


def _report(given: Arguments) -> int:
    for path in given.outputs:
        files.check_place(path)
    study = read(profile=given.profile, agents=given.agent, root=given.tables)
    others = (given.tables / FOREIGN / "claims.csv").is_file() and given.profile == STUDY
    foreign = read(profile=FOREIGN, agents=(), root=given.tables) if others else None
    recordings = _recordings(given, study)
    for claim in page.stale_comments(study):
        _say(f"left out: the comment on claim {claim} was written for other verdicts: see report/comments.py")
    shown = page.contents(study, foreign=foreign, drawings=drawings.draw(study), undrawn=drawings.undrawn(study))
    fitting: dict[str, str] = {}
    text = page.render(shown, fitting)
    for agent, address in recordings.items():
        longer = page.render(shown, {**fitting, agent: address})
        if len(longer.encode()) > MOST:
            _say(f"left out: the recording of {agent} does not fit into {MOST:,} bytes")
        else:
            text, fitting = longer, {**fitting, agent: address}
    if len(text.encode()) > MOST:
        _say(f"the page has {len(text.encode()):,} bytes, more than {MOST:,}")
    written = {given.outputs[0]: text}
    if given.markdown:
        written[given.markdown] = grid.markdown(study)
    if given.results:
        written[given.results] = page.results(study)
    for path, content in written.items():
        files.replace(path, [content.encode()])
        print(path)
    return 0


def _recordings(given: Arguments, study: Study) -> dict[str, str]:
    """Addresses of the recordings that are named or found, by agent.

    Raises:
        TableError: if one is of an agent that is not shown, or no GIF.
    """
    named = {agent: Path(path) for agent, _, path in (text.partition("=") for text in given.gif)}
    shown = [agent.name for agent in study.agents]
    strangers = sorted(named.keys() - set(shown))
    if strangers:
        raise TableError(f"--gif: {', '.join(strangers)} is not shown: {', '.join(shown)}")
    paths = {agent: named.get(agent, given.figures / given.profile / f"play_{agent}.gif") for agent in shown}
    try:
        return {agent: pictures.gif(path, agent) for agent, path in paths.items() if agent in named or path.is_file()}
    except ValueError as error:
        raise TableError(str(error)) from None


def _say(what: str) -> None:
    arguments.trouble(PROGRAM, what, 0)


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 1 for trouble with files, 2 for an impossible command."""
    given = sys.argv[1:] if words is None else list(words)
    return arguments.run(
        PROGRAM,
        given,
        lambda words: arguments.parse(Arguments, words, program=PROGRAM),
        _report,
        troubles=(TableError,),
    )


if __name__ == "__main__":
    sys.exit(main())
