"""`python -m figures [NAME ...]`: draw the figures from the tables.

Tables lie at TABLES/PROFILE/AGENT/NAME.csv, pictures go to OUT/PROFILE/NAME.png and .pdf.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import tyro

from analyses import stats
from figures import (
    cross_checkpoint,
    own_policy,
    planning,
    prior_effect,
    returns,
    sequences,
    style,
)

FIGURES = {
    "returns": returns,
    "own_policy": own_policy,
    "sequences": sequences,
    "cross_checkpoint": cross_checkpoint,
    "prior_effect": prior_effect,
    "planning": planning,
}


class FigureError(Exception):
    """A figure that cannot be drawn, in one line."""


def read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read the named columns of a table."""
    try:
        table = pd.read_csv(
            path,
            usecols=lambda column: column in columns,
            # The model "none" is a word, not an empty cell.
            keep_default_na=False,
            na_values=["", "nan", "NaN"],
        )
    except pd.errors.EmptyDataError:
        raise FigureError(f"{path} is an empty file") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise FigureError(f"{path} is no CSV table: {' '.join(str(error).split())}") from None
    table.attrs["source"] = str(path)
    stats.require(table, columns)
    return table


def read_all(name: str, *, profile: str, agents: Sequence[str], root: Path) -> dict[str, pd.DataFrame]:
    """Read one figure's tables by agent; without agents, those of every agent that has one.

    An agent may be given as PROFILE/AGENT, to stand beside those of this profile.
    """
    wanted = agents or [path.parent.name for path in (root / profile).glob(f"*/{name}.csv")]
    tables = {}
    for given in wanted or ["cartpole"]:
        other, _, agent = given.rpartition("/")
        path = root / (other or profile) / agent / f"{name}.csv"
        if not path.is_file():
            command = f"python -m analyses {name} --profile {other or profile} --agent {agent}"
            raise FigureError(f"there is no table {path}: make it with `{command}`")
        tables[agent] = read(path, FIGURES[name].COLUMNS)
    return tables


def main(
    names: tyro.conf.Positional[tuple[str, ...]] = (),
    /,
    *,
    profile: str = "quick",
    agent: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    tables: Path = Path("analyses/tables"),
    out: Path = Path("figures/out"),
) -> int:
    """Draw figures from the analyses' tables.

    Args:
        names: the figures to draw; all by default.
        profile: the profile whose tables are drawn.
        agent: an agent to draw, again for each further one; by default every agent with a table. One of another
            profile is PROFILE/AGENT.
        tables: the folder of the tables.
        out: the folder of the pictures.
    """
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        print(f"no figure is named {unknown[0]}: there are {', '.join(FIGURES)}", file=sys.stderr)
        return 1
    failed = False
    for name in names or FIGURES:
        try:
            read_tables = read_all(name, profile=profile, agents=agent, root=tables)
            figure = FIGURES[name].draw(read_tables)
        except (FigureError, stats.TableError) as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        for path in style.save(figure, out / profile / name):
            print(path)
    return int(failed)


if __name__ == "__main__":
    sys.exit(tyro.cli(main, prog="python -m figures"))
