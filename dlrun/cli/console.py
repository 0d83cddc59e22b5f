"""Facts as text on the terminal: problems, errors, tables and the summary of a run.

Whatever comes from the user (names, paths, lines of a file) is shown as it is: never read as
markup, never broken by the width of the terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from dlrun.errors import ConfigError, DlrunError, Problem
from dlrun.reports.columns import GAP, PIPE_WIDTH, Column, fitted
from dlrun.reports.summary import NOTE, Summary
from dlrun.text import duration, figure, steady_figure

OnLine = Callable[[str], None]
"""Takes every line that is shown, as plain text, for the run's log."""

MARGIN = "  "
WIDEST_TABLE = 100_000
"""Columns of a table in a file or pipe, at most."""


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
        print_line(console, _problem_text(problem))


def print_error(console: Console, error: DlrunError | str) -> None:
    """Print an error's message, line breaks as they are."""
    if isinstance(error, ConfigError):
        print_problems(console, error)
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


def print_table(
    console: Console,
    rows: Sequence[Sequence[object]],
    columns: Sequence[str],
    *,
    title: str | None = None,
) -> None:
    """Print rows below the names of their columns; numbers to the right, None as `–`.

    A terminal that is too narrow breaks cells; a file or pipe gets every row on one line.
    """
    heading = None if title is None else Text(title, style="bold not italic")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=heading, title_justify="left")
    for index, name in enumerate(columns):
        values = [row[index] for row in rows]
        numeric = all(value is None or _is_number(value) for value in values)
        table.add_column(
            Text(name), justify="right" if numeric else "left", overflow="fold", header_style="bold"
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if console.is_terminal:
        console.print(table)
        return
    wide = console.options.update(width=WIDEST_TABLE)
    natural = wide.update(width=Measurement.get(console, wide, table).maximum)
    lines = "".join(segment.text for segment in console.render(table, natural)).rstrip("\n")
    for line in lines.split("\n"):
        print_line(console, line.rstrip())


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
    """Print the score beside its baseline, where the run is, and what to do next."""
    width = max(len(line.label) for line in summary.lines) + 2
    print_line(console, "", on_line)
    for line in summary.lines:
        text = Text(line.text, style=_SUMMARY_STYLES.get(line.label, ""))
        if line.label == NOTE and console.is_terminal:
            text = _wrapped(text, len(MARGIN) + width, console.width)
        if line.label == "verdict" and summary.beats_baseline is not True:
            text.stylize("yellow" if summary.beats_baseline is None else "bold red")
        print_line(console, Text.assemble(MARGIN, (f"{line.label:<{width}}", "dim"), text), on_line)


_SUMMARY_STYLES = {"status": "bold red", "score": "bold", "next": "bold cyan"}


def _problem_text(problem: Problem) -> Text:
    """Return `str(problem)` with the place bold and the caret in colour."""
    lines = Text(str(problem)).split("\n", allow_blank=True)
    lines[0].stylize("bold", 0, len(problem.place) + 1)
    for line in lines[1:]:
        label, colon, _ = line.plain.partition(":")
        if line.plain.strip() == "^":
            line.stylize("bold red")
        elif colon and label in ("    expected", "    found", "    hint"):
            line.stylize("green" if label.endswith("hint") else "cyan", 0, len(label) + 1)
    return Text("\n").join(lines)


def _widths(score_name: str) -> tuple[int, ...]:
    return 8, 12, max(11, len(score_name) + 2), 13, 12


def _wrapped(text: Text, indent: int, width: int) -> Text:
    """Break a sentence between words, later lines below its first word."""
    lines = textwrap.wrap(
        text.plain, max(width - indent, 20), break_long_words=False, break_on_hyphens=False
    )
    return Text(f"\n{' ' * indent}".join(lines))


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: object) -> Text:
    if value is None or _is_number(value):
        return Text(figure(value))
    return Text(str(value))


NAMED = 3
"""Columns without room that are named at most."""

LEAST_WIDTH = 40

Style = Callable[[str], str]


def line_width(console: Console) -> int:
    """Return how many characters a line may have."""
    return max(console.width, LEAST_WIDTH) if console.is_terminal else PIPE_WIDTH


def print_columns(
    console: Console, columns: Sequence[Column], style: Style = lambda cell: ""
) -> None:
    """Print columns below their titles, after an empty line.

    Args:
        console: Where to.
        columns: From left to right; they fit.
        style: Returns the style of a cell.
    """
    print_line(console, "")
    titles = [column.title.split("\n") for column in columns]
    for place in range(-max(map(len, titles)), 0):
        parts = [title[place] if -place <= len(title) else "" for title in titles]
        _print_row(console, columns, parts, lambda cell: "bold")
    for cells in zip(*(column.cells for column in columns), strict=True):
        _print_row(console, columns, cells, style)


def print_fitted(console: Console, columns: Sequence[Column]) -> None:
    """Print as many columns as fit, and what there is no room for."""
    kept, left_out = fitted(columns, line_width(console))
    print_columns(console, kept)
    if left_out:
        print_line(console, f"no room for {named(left_out)}; a wider terminal shows more")


def print_by_run(
    console: Console,
    title: str,
    runs: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
) -> None:
    """Print a text for each run: a column a run where they fit, else a line a run.

    Args:
        console: Where to.
        title: What stands above the labels.
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


def named(titles: Sequence[str]) -> str:
    """Return the names of columns that were left out, not too many of them."""
    more = f" and {len(titles) - NAMED} more" if len(titles) > NAMED else ""
    return ", ".join(titles[:NAMED]) + more


def _print_row(
    console: Console, columns: Sequence[Column], cells: Sequence[str], style: Style
) -> None:
    line = Text()
    for cell, column in zip(cells, columns, strict=True):
        line.append(column.padded(cell) + " " * GAP, style(cell))
    line.rstrip()
    print_line(console, line)
