"""Facts as text on the terminal: problems, findings, errors, tables and the summary of a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from rich.console import Console
from rich.text import Text

from dlrun.cli.lines import INDENT, MARGIN, NARROW, OnLine, cropped, harmless, print_line, wrapped
from dlrun.errors import ConfigError, DlrunError
from dlrun.reports.columns import GAP, PIPE_WIDTH, Column, fitted
from dlrun.reports.summary import Summary
from dlrun.text import duration, figure, first_few, steady_figure

if TYPE_CHECKING:
    from dlrun.checks.finding import PlacedFinding


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
    """Print everything that is wrong with a config; without colours and width, exactly
    `str(error)`."""
    for problem in error.shown:
        first, *others = Text(str(problem)).split("\n", allow_blank=True)
        first.stylize("bold", 0, len(problem.place) + 1)
        print_line(console, first)
        _print_details(console, [line.plain for line in others])
    if error.rest:
        print_line(console, error.rest)


def _print_details(console: Console, lines: Sequence[str]) -> None:
    """Print what is below the first line of a problem: the line of the file, and labelled lines."""
    at = next((i for i, line in enumerate(lines) if line.strip() == "^"), None)
    excerpt, labelled = ([], lines) if at is None else (lines[: at + 1], lines[at + 1 :])
    if console.is_terminal:
        excerpt = cropped(excerpt, console.width)
    for line in excerpt:
        print_line(console, Text(line, "bold red" if line.strip() == "^" else ""), exact=True)
    for line in labelled:
        label = _LABEL.match(line)
        text, hang = Text(line), None
        if label:
            style = "green" if label[1] in ("hint", "write") else "cyan"
            text.stylize(style, INDENT, INDENT + len(label[1]) + 1)
            hang = len(label[0])
        print_line(console, text, hang=hang)


_LABEL = re.compile(r" {4}(expected|found|hint|why|write|also): *")


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
    text = harmless(f"error: {error}")
    text.stylize("bold red", 0, len("error:"))
    print_line(console, text)


FOLD_COLUMNS = ("fold", "SCORE", "mean so far", "time", "best epoch", "epochs")
"""Columns of the table of folds, the most important ones first."""


def fold_header(score_name: str, width: int = PIPE_WIDTH) -> Text:
    """Return the names of the columns of `fold_line` that fit into a width."""
    cells = [
        f"{score_name if name == 'SCORE' else name:{'<' if name == 'fold' else '>'}{size}}"
        for name, size in _fold_columns(score_name, width).items()
    ]
    return Text(f"{MARGIN}{''.join(cells)}", style="bold")


def fold_line(row: FoldRow, score_name: str, width: int = PIPE_WIDTH) -> Text:
    """Return one fold as a line below `fold_header`."""
    cells = {
        "fold": (f"{row.fold + 1}/{row.folds}", ""),
        "epochs": (str(row.epochs), ""),
        "best epoch": (figure(row.best_epoch), ""),
        "SCORE": (steady_figure(row.score), "bold"),
        "mean so far": (steady_figure(row.mean), ""),
        "time": (duration(row.seconds), "dim"),
    }
    text = Text(MARGIN)
    for name, size in _fold_columns(score_name, width).items():
        cell, style = cells[name]
        text.append(f"{cell:<{size}}" if name == "fold" else f"{cell:>{size}}", style)
    return text


def _fold_columns(score_name: str, width: int) -> dict[str, int]:
    """Return the columns that fit, from left to right, with their widths."""
    score = max(11, len(score_name) + 2)
    widths = {
        "fold": 7,
        "epochs": 8,
        "best epoch": 12,
        "SCORE": score,
        "mean so far": 13,
        "time": 12,
    }
    room, kept = width - len(MARGIN), set()
    for name in FOLD_COLUMNS:
        if widths[name] <= room:
            kept.add(name)
            room -= widths[name]
    return {name: size for name, size in widths.items() if name in kept}


def print_summary(console: Console, summary: Summary, on_line: OnLine | None = None) -> None:
    """Print where the run is, the score with its baseline, and what to do next."""
    width = max(len(line.label) for line in summary.lines) + 2
    hang, gap = len(MARGIN) + width, width
    if console.is_terminal and console.width - hang < ROOM_BESIDE:
        # No column for the labels: the text begins right behind each.
        hang, gap = 2 * len(MARGIN), 0
    print_line(console, "", on_line)
    for line in summary.lines:
        text = Text(line.text, style=_SUMMARY_STYLES.get(line.label, ""))
        if line.label == "verdict" and summary.beats_baseline is not True:
            text.stylize("yellow" if summary.beats_baseline is None else "bold red")
        whole = Text.assemble(MARGIN, (f"{line.label:<{width}}", "dim"), text)
        if on_line is not None:
            on_line(whole.plain)
        if gap == 0:
            whole = Text.assemble(MARGIN, (f"{line.label}  ", "dim"), text)
        if line.label in ("next", "try") and console.is_terminal:
            command = whole.plain.find("--set") if line.label == "try" else 0
            whole = wrapped(whole, console.width, hang, command=max(command, 0))
        print_line(console, whole, hang=hang, exact=line.label in ("next", "try"))


ROOM_BESIDE = 40
"""Columns beside the labels of a summary from which on these have a column of their own."""

_SUMMARY_STYLES = {"status": "bold red", "score": "bold", "next": "bold cyan"}


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
    hang = len(MARGIN) + max(map(len, runs)) + GAP
    if room - hang < NARROW:
        hang = 2 * len(MARGIN)
    for label, texts in rows:
        print_line(console, label)
        for run, text in zip(runs, texts, strict=True):
            line = f"{MARGIN}{run:<{hang - len(MARGIN) - GAP}}{' ' * GAP}{text}"
            print_line(console, line, hang=hang)


def _print_row(
    console: Console, columns: Sequence[Column], cells: Sequence[str], style: Style
) -> None:
    line = Text()
    for cell, column in zip(cells, columns, strict=True):
        line.append(column.padded(cell) + " " * GAP, style(cell))
    line.rstrip()
    print_line(console, line, exact=True)


STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def print_finding(console: Console, finding: PlacedFinding) -> None:
    """Print one finding; without colours and width, exactly `str(finding)`."""
    first, *others = str(finding).split("\n")
    print_line(console, headline_text(first, finding.severity))
    _print_details(console, others)


def headline_text(headline: str, severity: str) -> Text:
    """Return the first line of a finding with its place bold and its severity in colour."""
    text = Text(headline)
    start = headline.find(f" {severity} DL") + 1
    if start:
        text.stylize("bold", 0, start)
        text.stylize(STYLES[severity], start, headline.index(":", start))
    return text
