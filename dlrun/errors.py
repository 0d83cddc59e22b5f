"""Every error that dlrun raises on purpose, and the exit status each one means.

Libraries raise these; only the command line prints them.
"""

from __future__ import annotations

import pathlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypedDict

INTERRUPTED = 130
"""Exit status of a command that the user interrupted with Ctrl-C; of one that another signal ended
it is 128 and the signal's number, as in a shell."""

TIMED_OUT = 75
"""Exit status of a training that its time limit ended, and that can be continued: `EX_TEMPFAIL`."""

KeyPath = tuple[str | int, ...]
"""Where a value is in a config: keys and list indices from the top."""


class DlrunError(Exception):
    """Base of all errors that a user can cause and fix. The text is the whole message."""

    exit_status = 1

    def as_dict(self) -> dict[str, Any]:
        """The error as plain data, for `--json`."""
        return {"type": type(self).__name__, "message": str(self)}


class UsageError(DlrunError):
    """A command was called with arguments that make no sense together."""

    exit_status = 2


class DataError(DlrunError):
    """The data cannot be used as the config says: names the file and the row or column.

    Args:
        message: What is wrong.
        column: The column that the config names and the data lacks, if that is what is wrong.
        path: Where in the config the mistake is, as far as that is known; for one in a step
            of the preprocessing, from that step on.
        advice: What to change in the config or the file; part of the text.

    Attributes:
        problem: The message alone.
        step: Number of the step on features that it concerns, from 0; None where there is none.
    """

    step: int | None = None

    def __init__(
        self, message: str, *, column: str | None = None, path: KeyPath = (), advice: str = ""
    ) -> None:
        super().__init__(f"{message}; {advice}" if advice else message)
        self.problem = message
        self.advice = advice
        self.column = column
        self.path = path


class RowError(DataError):
    """One row cannot be used: `data.csv:17: {found}{detail}; {advice}`, or, where the place in a
    file is not known, `{found} in row 15 (counted from 0){detail}; {advice}`.

    Whoever raises it counts the rows that it was given; whoever knows their numbers in the source,
    and their places, works within `rows_numbered`.

    Args:
        found: What is wrong.
        position: Of the row, from 0.
        advice: What to do.
        detail: What follows the place, such as the text that was found there.
        others: In how many more rows the same is wrong.
        place: Where the row is, as `data.csv:17`.
        path: As in `DataError`.
    """

    def __init__(
        self,
        found: str,
        position: int,
        advice: str = "",
        *,
        detail: str = "",
        others: int = 0,
        place: str | None = None,
        path: KeyPath = (),
    ) -> None:
        more = f" and in {others} more" if others else ""
        here = f"{found}{' here' if others else ''}"
        where = (
            f"{found} in row {position} (counted from 0)" if place is None else f"{place}: {here}"
        )
        super().__init__(f"{where}{more}{detail}", advice=advice, path=path)
        self.found, self.position, self.place = found, position, place
        self.detail, self.others = detail, others

    def at(self, row: int, place: str | None = None) -> RowError:
        """The same error with the number that the row has in the source, and its place."""
        return self.with_facts(position=row, place=place)

    def with_facts(self, **changes: Any) -> RowError:
        """The same error with other arguments."""
        names = ("found", "position", "advice", "detail", "others", "place", "path")
        facts = {name: getattr(self, name) for name in names} | changes
        return RowError(**facts)


class RunError(DlrunError):
    """A run directory is missing, damaged, or cannot do what was asked of it."""


class TrainingError(DlrunError):
    """Training started and could not go on.

    Args:
        message: What happened.
        result: What there is to say of it all the same: `diagnosis` and `suggestions`, as
            `result.json` holds them.

    Attributes:
        run: The run directory with what was reached, or None where there is none.
    """

    run: pathlib.Path | None = None

    def __init__(self, message: str, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = result or {}

    def as_dict(self) -> dict[str, Any]:
        return {**super().as_dict(), **self.result}


class ComponentError(DlrunError):
    """Keras refused a component of the config.

    Args:
        message: What was refused and why.
        path: Where the component is in the config.
    """

    exit_status = 2

    def __init__(self, message: str, path: KeyPath = ()) -> None:
        super().__init__(message)
        self.path = path


class Details(TypedDict, total=False):
    """What a problem may tell beside its message; see `Problem`. Its texts are not cut where they
    name the file `file`, as its name comes last."""

    expected: str | None
    found: str | None
    hint: str | None
    file: str | None


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a config file or an override.

    Args:
        place: `file.yaml:14:7`, or the text of the override that holds the value.
        message: What is wrong, one sentence without a full stop.
        expected: What was expected there, where that helps.
        found: What is there, where that helps.
        hint: What to do next.
        line: The offending line of the file, for the caret.
        column: 1-based column of the caret in `line`.
        order: Number of the file (overrides count as the last ones), line and column.
    """

    place: str
    message: str
    expected: str | None = None
    found: str | None = None
    hint: str | None = None
    line: str | None = None
    column: int | None = None
    order: tuple[int, int, int] = field(default=(0, 0, 0), compare=False)

    def __str__(self) -> str:
        parts = [f"{self.place}: {self.message}"]
        if self.line is not None and self.column is not None:
            parts += [f"    {self.line}", f"    {_blank(self.line, self.column - 1)}^"]
        for label in ("expected", "found", "hint"):
            if (text := getattr(self, label)) is not None:
                parts.append(f"    {label}: {text}")
        return "\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The problem as plain data, for `--json`."""
        facts = {key: value for key, value in vars(self).items() if value is not None}
        del facts["order"]
        return facts


def without_colours(text: str) -> str:
    """Return a text without the codes that colour it in a terminal: Keras puts some into errors."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def _blank(line: str, length: int) -> str:
    """Return white space that is as wide as the first `length` characters of a line."""
    return "".join(_blank_of(character) for character in line[:length].ljust(length))


def _blank_of(character: str) -> str:
    if character == "\t":
        return "\t"
    if unicodedata.combining(character):
        return ""
    return "  " if unicodedata.east_asian_width(character) in "WF" else " "


MOST_PROBLEMS, MOST_LINES = 5, 24
"""So many problems are shown in full at most, and in so many lines; the rest is counted."""


def number_shown(texts: Sequence[str], most_lines: int = MOST_LINES - 1) -> int:
    """Return how many of these texts are shown, at least one; a single one is not left out where
    there is room."""
    lines = list(accumulate(text.count("\n") + 1 for text in texts))
    if len(texts) <= MOST_PROBLEMS + 1 and lines and lines[-1] <= most_lines + 1:
        return len(texts)
    return max(sum(count <= most_lines for count in lines[:MOST_PROBLEMS]), 1)


class ConfigError(DlrunError):
    """Everything that is wrong with a config, in the order of the file; its text shows the first
    few problems and counts the rest.

    Attributes:
        problems: All of them.
        rest: Says how many are not shown; empty where all are.
        more: What `--json` shows beside the problems.
    """

    exit_status = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.order))
        texts = list(map(str, self.problems))
        self.shown = self.problems[: number_shown(texts)]
        more = len(texts) - len(self.shown)
        noun = "problem" if more == 1 else "problems"
        self.rest = f"and {more:,} more {noun}; fix these first" if more else ""
        super().__init__("\n".join([*texts[: len(self.shown)], *filter(None, [self.rest])]))
        self.more: dict[str, Any] = {}

    def as_dict(self) -> dict[str, Any]:
        problems = [problem.as_dict() for problem in self.problems]
        return {**super().as_dict(), "problems": problems, **self.more}
