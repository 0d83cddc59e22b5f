"""Facts as text on the terminal: problems, findings, errors, tables and the summary of a run.

Whatever comes from the user (names, paths, lines of a file) is shown as it is: never read as
markup, never broken by the width of the terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from rich.console import Console
from rich.text import Text

from dlrun.errors import ConfigError, DlrunError
from dlrun.reports.columns import GAP, PIPE_WIDTH, Column, fitted
from dlrun.reports.summary import NOTE, Summary
from dlrun.text import duration, figure, first_few, steady_figure

if TYPE_CHECKING:
    from dlrun.checks.finding import PlacedFinding

OnLine = Callable[[str], None]
"""Takes every line that is shown, as plain text, for the run's log."""

MARGIN = "  "


@dataclass(frozen=True)
class FoldRow:
    """One row of the table of folds.

    Args:
        fold: Counted from 0.
        folds: How many there are.
        epochs: How many were trained.
        best_epoch: Counted from 1; None where nothing was measured while training.
        score: None where nothing was held out.
        mean: Mean score of the folds up to this one.
        seconds: How long the fold took.
    """

    fold: int
    folds: int
    epochs: int
    best_epoch: int | None
    score: float | None
    mean: float | None
    seconds: float


def print_problems(console: Console, error: ConfigError) -> None:
    """Print everything that is wrong with a config; without colours, exactly `str(error)`."""
    for problem in error.problems:
        lines = Text(str(problem)).split("\n", allow_blank=True)
        lines[0].stylize("bold", 0, len(problem.place) + 1)
        for line in lines[1:]:
            label, colon, _ = line.plain.partition(":")
            if line.plain.strip() == "^":
                line.stylize("bold red")
            elif colon and label in ("    expected", "    found", "    hint"):
                line.stylize("green" if label.endswith("hint") else "cyan", 0, len(label) + 1)
        print_line(console, Text("\n").join(lines))


def print_error(console: Console, error: DlrunError | str) -> None:
    """Print an error's message, line breaks as they are."""
    if isinstance(error, ConfigError):
        # Imported only here: a list of runs needs no config.
        from dlrun.checks.finding import FoundErrorsError

        if not isinstance(error, FoundErrorsError):
            print_problems(console, error)
            return
        for finding in error.errors:
            print_finding(console, finding)
        print_line(console, Text(error.advice, "bold"))
        return
    text = Text(f"error: {error}")
    text.stylize("bold red", 0, len("error:"))
    print_line(console, text)


def print_line(console: Console, text: Text | str, on_line: OnLine | None = None) -> None:
    """Print text as it is: no markup, no emoji codes, no line broken."""
    line = Text(text) if isinstance(text, str) else text
    console.print(line, soft_wrap=True)
    if on_line is not None:
        on_line(line.plain)


def fold_header(score_name: str) -> Text:
    """Return the names of the columns of `fold_line`."""
    names = ("epochs", "best epoch", score_name, "mean so far", "time")
    cells = [f"{name:>{width}}" for name, width in zip(names, _widths(score_name), strict=True)]
    return Text(f"{MARGIN}{'fold':<7}{''.join(cells)}", style="bold")


def fold_line(row: FoldRow, score_name: str) -> Text:
    """Return one fold as a line below `fold_header`."""
    epochs, best, score, mean, time = _widths(score_name)
    return Text.assemble(
        f"{MARGIN}{f'{row.fold + 1}/{row.folds}':<7}",
        f"{row.epochs:>{epochs}}",
        f"{figure(row.best_epoch):>{best}}",
        (f"{steady_figure(row.score):>{score}}", "bold"),
        f"{steady_figure(row.mean):>{mean}}",
        (f"{duration(row.seconds):>{time}}", "dim"),
    )


def print_summary(console: Console, summary: Summary, on_line: OnLine | None = None) -> None:
    """Print the score with its baseline, where the run is, and what to do next."""
    width = max(len(line.label) for line in summary.lines) + 2
    print_line(console, "", on_line)
    for line in summary.lines:
        text = Text(line.text, style=_SUMMARY_STYLES.get(line.label, ""))
        if line.label == NOTE and console.is_terminal:
            # Broken between words, later lines below the first word.
            indent = len(MARGIN) + width
            room = max(console.width - indent, 20)
            lines = textwrap.wrap(line.text, room, break_long_words=False, break_on_hyphens=False)
            text = Text(f"\n{' ' * indent}".join(lines))
        if line.label == "verdict" and summary.beats_baseline is not True:
            text.stylize("yellow" if summary.beats_baseline is None else "bold red")
        print_line(console, Text.assemble(MARGIN, (f"{line.label:<{width}}", "dim"), text), on_line)


_SUMMARY_STYLES = {"status": "bold red", "score": "bold", "next": "bold cyan"}


def _widths(score_name: str) -> tuple[int, ...]:
    return 8, 12, max(11, len(score_name) + 2), 13, 12


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: object) -> str:
    return figure(value) if value is None or _is_number(value) else str(value)


NAMED = 3
"""Columns without room that are named at most."""

LEAST_WIDTH = 40

Style = Callable[[str], str]


def line_width(console: Console) -> int:
    """Return how many characters a line may have."""
    return max(console.width, LEAST_WIDTH) if console.is_terminal else PIPE_WIDTH


def as_columns(
    titles: Sequence[str], rows: Sequence[Sequence[object]], ranks: Sequence[int] = ()
) -> list[Column]:
    """Return rows as columns: numbers to the right, None as `–`.

    Args:
        titles: Of the columns.
        rows: A value for each column.
        ranks: Columns of a low rank stay where the table is too wide; default: the first ones.
    """
    columns = []
    for place, title in enumerate(titles):
        values = [row[place] for row in rows]
        to_right = all(value is None or _is_number(value) for value in values)
        rank = ranks[place] if ranks else place
        columns.append(Column(title, tuple(map(_cell, values)), rank, to_right))
    return columns


def print_columns(
    console: Console, columns: Sequence[Column], style: Style = lambda cell: ""
) -> tuple[str, ...]:
    """Print as many columns as fit below their titles, after an empty line; return the names of
    those that do not fit.

    Args:
        console: Where to.
        columns: From left to right.
        style: Returns the style of a cell.
    """
    kept, left_out = fitted(columns, line_width(console))
    print_line(console, "")
    titles = [column.title.split("\n") for column in kept]
    for place in range(-max(map(len, titles), default=0), 0):
        parts = [title[place] if -place <= len(title) else "" for title in titles]
        _print_row(console, kept, parts, lambda cell: "bold")
    for cells in zip(*(column.cells for column in kept), strict=True):
        _print_row(console, kept, cells, style)
    return left_out


def print_table(console: Console, columns: Sequence[Column]) -> None:
    """Print as many columns as fit, and name the rest."""
    if left_out := print_columns(console, columns):
        names = first_few(left_out, NAMED)
        print_line(console, f"no room for {names}; a wider terminal shows more")


def print_by_run(
    console: Console,
    title: str,
    runs: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
) -> None:
    """Print a text for each run: a column a run where they fit, else a line a run.

    Args:
        console: Where to.
        title: Above the labels.
        runs: What the runs are called.
        rows: A label, and a text for each run.
    """
    labels = Column(title, tuple(label for label, _ in rows), 0)
    by_run = [Column(run, tuple(texts[i] for _, texts in rows), 0) for i, run in enumerate(runs)]
    columns = [labels, *by_run]
    room = line_width(console)
    if not fitted(columns, room)[1]:
        print_columns(console, columns)
        return
    print_line(console, "")
    print_line(console, Text(title, "bold"))
    indent = len(MARGIN) + max(map(len, runs)) + GAP
    for label, texts in rows:
        print_line(console, label)
        for run, text in zip(runs, texts, strict=True):
            lines = textwrap.wrap(text, max(room - indent, 20), break_on_hyphens=False) or [""]
            print_line(console, f"{MARGIN}{run:<{indent - len(MARGIN)}}{lines[0]}")
            for line in lines[1:]:
                print_line(console, " " * indent + line)


def _print_row(
    console: Console, columns: Sequence[Column], cells: Sequence[str], style: Style
) -> None:
    line = Text()
    for cell, column in zip(cells, columns, strict=True):
        line.append(column.padded(cell) + " " * GAP, style(cell))
    line.rstrip()
    print_line(console, line)


STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
INDENT = 4
LABEL = len("write: ")


def print_finding(console: Console, finding: PlacedFinding) -> None:
    """Print one finding; without colours and width, exactly `str(finding)`."""
    first, *others = str(finding).split("\n")
    print_line(console, headline_text(first, finding.severity))
    for line in others:
        print_line(console, _line(console, line))


def headline_text(headline: str, severity: str) -> Text:
    """Return the first line of a finding with its place bold and its severity in colour."""
    text = Text(headline)
    start = headline.find(f" {severity} DL") + 1
    if start:
        text.stylize("bold", 0, start)
        text.stylize(STYLES[severity], start, headline.index(":", start))
    return text


def _line(console: Console, line: str) -> Text:
    if line.strip() == "^":
        return Text(line, "bold red")
    label = next((word for word in ("why:", "write:") if line.startswith(" " * INDENT + word)), "")
    if not label:
        return Text(line)
    if console.is_terminal and len(line) > console.width:
        indent = " " * (INDENT + LABEL)
        line = textwrap.fill(
            line,
            max(console.width, 40),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    text = Text(line)
    text.stylize("green" if label == "write:" else "cyan", INDENT, INDENT + len(label))
    return text
