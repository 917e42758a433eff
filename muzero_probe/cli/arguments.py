"""Typed command lines: a dataclass, the words that were given, and one line for whatever is wrong with them.

tyro parses; it draws its errors as boxes, and they are condensed here.
"""

import contextlib
import io
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import tyro

T = TypeVar("T")
MOST_DIGITS = 18  # of a whole number; no setting is larger, and more do not fit into 64 bits


def _checked(words: Sequence[str]) -> list[str]:
    """Returns the words of a command line, as they are.

    Raises:
        ValueError: in one line, if a word or the value of an option is empty, holds control characters, or is a number
            that is endless, or in other digits than 0 to 9, which Python would take.
    """
    for before, word in pairwise(["", *words]):
        value = word.partition("=")[2] if word.startswith("--") and "=" in word else word
        if not value.strip():
            option = word.rstrip("=") or before
            raise ValueError(f"{option} is empty, a value is needed" if option[:1] == "-" else "a word is empty")
        if any(unicodedata.category(character) in ("Cc", "Cf") for character in word):
            raise ValueError(f"{word!r} holds control characters, which no word of a command may")
        if re.fullmatch(rf"[-+]?[0-9]{{{MOST_DIGITS + 1},}}", value):
            raise ValueError(f"{value} is a number of {len(value)} digits, at most {MOST_DIGITS} are possible")
        if not value.isascii() and _is_number(value):
            raise ValueError(f"{value} must be written with the digits 0 to 9")
    return list(words)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse(
    kind: type[T],
    words: Sequence[str],
    *,
    program: str,
    defaults: Callable[[Sequence[str]], T] | None = None,
    description: str | None = None,
) -> T:
    """Returns what the words of a command line say.

    Args:
        kind: a dataclass, or a union of subcommands.
        words: without the program's name.
        program: its name, as people type it.
        defaults: gives the default from the words, where it depends on them (see `option`).
        description: for --help; by default that of the dataclass.

    Raises:
        ValueError: in one line, if anything is unknown, missing, of a wrong type or impossible.
        SystemExit: after --help.
    """
    settings: dict[str, Any] = {"prog": program, "args": list(words)}
    if description is not None:
        settings["description"] = description
    if defaults is not None:
        settings["default"] = defaults(words)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return tyro.cli(kind, **settings)
    except SystemExit as end:
        if end.code != 2:
            raise
    # Once more for the message, on lines that are wide enough: they are broken within names.
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100000"
    try:
        with contextlib.redirect_stderr(io.StringIO()) as box:
            return tyro.cli(kind, **settings)
    except SystemExit:
        raise ValueError(_condensed(box.getvalue())) from None
    finally:
        del os.environ["COLUMNS"]
        if columns is not None:
            os.environ["COLUMNS"] = columns


def option(words: Sequence[str], name: str) -> str | None:
    """Returns the last value that the words give an option such as --profile, before they are parsed properly."""
    parts = [part for word in words for part in (word.split("=", 1) if word.startswith(f"{name}=") else [word])]
    return next((value for word, value in reversed(list(pairwise(parts))) if word == name), None)


def run(
    program: str,
    words: Sequence[str],
    parse: Callable[[Sequence[str]], T],
    work: Callable[[T], int],
    *,
    troubles: tuple[type[Exception], ...] = (),
    interrupted: str = "interrupted",
) -> int:
    """Runs a command line and returns its exit code; trouble is one line on stderr, without a traceback.

    Args:
        program: its name.
        words: that it is given.
        parse: what they ask for; a ValueError is an impossible command, code 2.
        work: what is done; returns its code.
        troubles: what may go wrong with files, code 1, beside OSError, ImportError and MemoryError.
        interrupted: what to say of an interruption, code 130.
    """
    try:
        try:
            asked = parse(_checked(words))
        except ValueError as error:
            return trouble(program, error, 2)
        code = work(asked)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read has seen enough
        _drop_output()
        return 1
    except (ImportError, OSError, MemoryError, *troubles) as error:
        _drop_output()
        return trouble(program, error, 1)
    except RuntimeError as error:
        if not re.search(r"allocate memory|start new thread", str(error)):  # torch's, and Python's
            raise
        return trouble(program, error, 1)
    except KeyboardInterrupt:
        return trouble(program, interrupted, 130)


def _drop_output() -> None:
    """Drops what cannot be printed: at its end, Python would try again and say so."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def trouble(program: str, what: object, code: int) -> int:
    """Says in one line what is wrong, and returns the code."""
    line = what
    if isinstance(what, OSError) and what.filename is not None and what.strerror:
        line = f"{what.filename2 or what.filename}: {what.strerror}"
    print(f"{program}: {shown(line) or type(what).__name__}", file=sys.stderr)
    return code


def shown(what: object) -> str:
    """Returns a text for a terminal: one line, not endless, and without characters that would steer it."""
    line = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in " ".join(str(what).split()))
    return re.sub(r"\S{300,}", lambda long: f"{long[0][:40]}...{long[0][-40:]}", line)


def _condensed(box: str) -> str:
    """Returns the one line that matters of an error that tyro has drawn: what is wrong, and what is allowed."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    parts: list[list[str]] = [[]]
    for line in plain.splitlines()[1:]:  # the first is a title
        line = line.strip("│╭╮╰╯ ")
        if not line.strip("─-"):  # a rule; ASCII where the terminal has no more
            parts.append([])
        else:
            parts[-1].append(line)
    first, *others = (part for part in parts if part)
    message, hint = " ".join(first), ""
    for header, *rest in others:
        if header == "Argument helptext:" and rest:
            return f"{message}; allowed: {rest[0]}"
        if header == "Perhaps you meant:" or header.startswith("Arguments similar"):
            hint = f"; perhaps you meant {', '.join(dict.fromkeys(x for x in rest if x.startswith('--')))}"
        if header.startswith("For full helptext, run ") and message.startswith("Unrecognized") and not hint:
            hint = f"; see {header.removeprefix('For full helptext, run ')}"
    # What a dataclass itself refuses says which setting it is; tyro names the class.
    return re.sub(r"^Error parsing [^ ]*: ", "", message) + hint
