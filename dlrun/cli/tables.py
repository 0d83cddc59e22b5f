"""How facts of runs are shown: lists, single runs, comparisons, test evaluations."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from dlrun.cli.console import (
    NAMED,
    as_columns,
    line_width,
    print_by_run,
    print_columns,
    print_summary,
    print_table,
)
from dlrun.cli.lines import MARGIN, print_line, wrapped
from dlrun.cli.options import echo
from dlrun.errors import UsageError
from dlrun.reports.columns import Column, fitted
from dlrun.reports.differences import short_names
from dlrun.reports.run_facts import fact_groups
from dlrun.reports.run_table import run_table
from dlrun.reports.summary import ends_text, evaluation_summary, quantity_text, width
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import RunEntry, can_go_on
from dlrun.text import (
    counted,
    display_path,
    duration,
    figure,
    figure_beside,
    figure_near,
    first_few,
)
from dlrun.workflows.next_step import resume_command
from dlrun.workflows.runs import RunDiff, RunListing, ShownRun

if TYPE_CHECKING:
    from dlrun.reports.comparison import Comparison
    from dlrun.store.recorded_files import Fault
    from dlrun.workflows.verification import Verification, VerifiedRun

_STATUS_STYLES = {
    "running": "cyan",
    "failed": "red",
    "died": "red",
    "changed": "bold red",
    "damaged": "bold red",
    "unreadable": "bold red",
    "interrupted": "yellow",
}


def print_listing(listing: RunListing, *, filtered: bool) -> None:
    """Print a table of runs, above it what all have in common, below it what was left out."""
    console = Console()
    folder = display_path(listing.runs_dir)
    if not listing.entries:
        what = "no such run" if filtered else "no run"
        print_line(console, f"{what} in {folder}; `dlrun train CONFIG` makes one")
        return
    table = run_table(listing.entries)
    heading = f"{counted(len(listing.entries), 'run')} in {folder}"
    print_line(console, ", ".join((heading, *table.common)))
    left_out = print_columns(
        console, table.columns, lambda cell: _STATUS_STYLES.get(cell.split(",")[0], "")
    )
    print_line(console, "")
    if left_out:
        names = first_few(left_out, NAMED)
        print_line(console, f"no room for {names}; a wider terminal shows more, --json all")
    for status, name, problem in table.damaged:
        print_line(console, f"{status}: {name}: {problem}")
    broken_off = [run for run in listing.entries if can_go_on(run.status, run.facts)]
    for entry in broken_off[:NAMED]:
        print_line(console, f"{entry.status}: {resume_command(RunDirectory(entry.path))} goes on")
    if len(broken_off) > NAMED:
        print_line(console, f"and {len(broken_off) - NAMED} more that `dlrun resume` goes on with")
    if listing.more:
        print_line(console, "there are more; --limit 0 shows all")


def print_run(shown: ShownRun) -> None:
    """Print what is known of a run, a heading each, then its summary."""
    console = Console()
    for section in fact_groups(shown.files):
        print_line(console, "")
        print_line(console, Text(section.title, style="bold"))
        width = max((len(line.label) for line in section.lines), default=0) + 2
        for line in section.lines:
            label = (f"{line.label:<{width}}", "dim") if line.label else ""
            print_line(console, Text.assemble(MARGIN, label, line.text))
    print_summary(console, shown.summary)


def print_diff(found: RunDiff) -> None:
    """Print what differs, first of the configs, then of the results."""
    console = Console()
    if found.config:
        rows = [(one.name, one.texts()) for one in found.config]
        print_by_run(console, "config", found.names, rows)
    else:
        print_line(console, "the configs are the same")
    lines = [(line[0], line[1:]) for line in found.lines]
    print_by_run(console, "result", found.names, lines)
    line = Text(f"\nnext  {found.next_command}")
    if console.is_terminal:
        line = wrapped(line, console.width, command=0)
    print_line(console, line, exact=True)


def print_verification(found: Verification) -> None:
    """Print what is wrong with each run, then how many are sound."""
    console = Console()
    for run in found.runs:
        if run.faults:
            print_line(console, Text(run.path.name, style="bold"))
            _print_faults(console, run.faults)
    for notice in found.notices:
        print_line(console, Text(f"warning: {notice}", style="bold red"))
    for run in found.runs:
        if run.sealed is not None:
            print_line(console, f"{run.path.name} was sealed by hand: {run.sealed}")
    if unknown := [run for run in found.runs if run.files is None and not run.faults]:
        named = first_few([run.path.name for run in unknown], NAMED)
        print_line(console, f"no manifest.json to verify by: {named}")
    whole = [run for run in found.runs if run.files is not None and not run.faults]
    files = sum(run.files or 0 for run in whole)
    what = f"{counted(len(whole), 'run')} of {len(found.runs)} verified"
    print_line(console, f"{what}: {counted(files, 'file')} as written")


def print_sealed(run: VerifiedRun) -> None:
    """Print what was accepted."""
    console = Console()
    _print_faults(console, run.faults)
    print_line(console, f"{counted(run.files or 0, 'file')} of {run.path.name} sealed as they are")


def _print_faults(console: Console, faults: Sequence[Fault]) -> None:
    for fault in faults:
        print_line(console, f"{MARGIN}{fault.name} {fault.text}")


def confirm_removal(entries: Sequence[RunEntry]) -> bool:
    """Ask whether runs are to be removed.

    Raises:
        UsageError: Nobody answers.
    """
    for entry in entries:
        echo(f"{display_path(entry.path)}  {entry.status}", err=True)
    these = "this run" if len(entries) == 1 else f"these {len(entries)} runs"
    try:
        return click.confirm(f"Remove {these} with everything in it?", err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise UsageError("nothing was removed: no answer was given; use --yes") from None


MOST_COLUMNS = 3
"""Runs that get a column each; more get a row each."""


def print_comparison(comparison: Comparison) -> None:
    """Print the answer, the scores, what differs, and every pair."""
    console = Console()
    for sentence in comparison.answer():
        print_line(console, Text(sentence, style="bold"))
    if comparison.rows:
        print_line(console, f"scored on {comparison.rows}")
    _print_scores(console, comparison)
    _print_differences(console, comparison)
    _print_pairs(console, comparison)
    print_line(console, "")
    for note in dict.fromkeys(pair.note for pair in comparison.pairs if pair.note):
        print_line(console, f"note: {note}")


def _print_scores(console: Console, comparison: Comparison) -> None:
    names = {str(run.score.get("name")) for run in comparison.runs}
    score = names.pop() if len(names) == 1 else "score"
    rows = []
    for run in comparison.runs:
        text = quantity_text(run.score)
        rows.append(
            (
                run.label,
                text if score != "score" else f"{run.score.get('name')} {text}",
                ends_text(run.score.get("interval")) or "–",
                figure_beside((run.baseline or {}).get("value"), width(run.score)),
                "–" if run.best_epoch is None else f"{run.best_epoch} of {run.epochs}",
                figure(run.parameters),
                "–" if run.seconds is None else duration(run.seconds),
            )
        )
    titles = ("run", score, "interval", "baseline", "best epoch", "parameters", "time")
    # Where columns do not fit, those of the training go first, the results last.
    print_table(console, as_columns(titles, rows, ranks=(0, 1, 2, 3, 4, 6, 5)))


def _print_differences(console: Console, comparison: Comparison) -> None:
    if not comparison.differs:
        print_line(console, "the configs are the same")
        return
    labels = [run.label for run in comparison.runs]
    if len(labels) > MOST_COLUMNS:
        titles = short_names([one.key for one in comparison.differs])
        columns = [
            Column("what differs", tuple(labels), 0),
            *(
                Column(title, tuple(one.texts()), place)
                for place, (title, one) in enumerate(zip(titles, comparison.differs, strict=True))
            ),
        ]
        if not fitted(columns, line_width(console))[1]:
            print_columns(console, columns)
            return
    rows = [(one.name, one.texts()) for one in comparison.differs]
    print_by_run(console, "what differs", labels, rows)


def _print_pairs(console: Console, comparison: Comparison) -> None:
    """Print every pair; of two runs the answer has given the figures already."""
    rows = [
        (
            pair.better,
            pair.worse,
            figure_beside(pair.difference, width(asdict(pair))),
            ends_text(pair.interval) or "–",
            "–" if pair.p_value is None else f"{pair.p_value:.2g}",
            "–" if pair.corrected_p is None else f"{pair.corrected_p:.2g}",
            {True: "yes", False: "not shown", None: "–"}[pair.different],
        )
        for pair in comparison.pairs
        if pair.comparable
    ]
    if rows and len(comparison.pairs) > 1:
        titles = ("better", "than", "by", "interval", "p", "p\ncorrected", "more than\nchance")
        print_table(console, as_columns(titles, rows, ranks=(0, 1, 2, 4, 6, 5, 3)))


RESIDUALS = {
    "mean_error": "mean error (predicted - true)",
    "mean_absolute_error": "mean absolute error",
    "median_absolute_error": "median absolute error",
    "root_mean_squared_error": "root mean squared error",
}
R2 = "share of variance explained (R2)"

WORST_SHOWN = 5
"""Rows with the largest errors that are shown."""


def print_evaluation(
    facts: Mapping[str, Any], path: Path | None, notices: Sequence[str] = ()
) -> None:
    """Print the figures of classes or residuals, the score and what it is compared with, which test
    evaluation it was, and what is wrong with the ledger of test evaluations."""
    console = Console()
    for name, figures in (facts.get("figures_of_outputs") or {"": facts["figures"]}).items():
        if name:
            print_line(console, Text(f"output {name}", style="bold"))
        _print_figures(console, figures)
    for notice in notices:
        print_line(console, Text(f"warning: {notice}", style="bold red"))
    print_summary(console, evaluation_summary(facts, "" if path is None else display_path(path)))


def _print_figures(console: Console, figures: Mapping[str, Any]) -> None:
    if "classes" in figures:
        lines = [*figures["classes"], figures["macro"], figures["weighted"]]
        shares = [
            Column(name, tuple(f"{line[name]:.3f}" for line in lines), place, to_right=True)
            for place, name in enumerate(("precision", "recall", "f1"), 1)
        ]
        rows = [[line["name"], line["support"]] for line in lines]
        name, count = as_columns(["class", figures.get("unit", "rows")], rows)
        print_columns(console, [name, *shares, count])
        return
    for target in figures["targets"]:
        error = target["root_mean_squared_error"]
        # Twice a mean's standard error to either side: the width of its interval.
        width_of_mean = 4 * error / math.sqrt(target["rows"])
        texts = [figure_near(target[key], width_of_mean) for key in RESIDUALS]
        r2 = figure_near(target["r2"], 4 / math.sqrt(target["rows"]))
        residuals = [
            Column(f"residuals of {target['name']}", (*RESIDUALS.values(), R2), 0),
            Column("", (*texts, r2), 1, to_right=True),
        ]
        print_columns(console, residuals)
        placed = any("place" in row for row in target["worst"])
        titles = {"place": "worst rows"} if placed else {"row": "worst rows (from 0)"}
        titles |= {"true": "true", "predicted": "predicted"}
        if any("time" in row for row in target["worst"]):
            titles = {"time": "worst times"} | titles | ({"place": "row"} if placed else {})
        if any("series" in row for row in target["worst"]):
            titles = {"series": "series"} | titles
        worst = [[row[key] for key in titles] for row in target["worst"][:WORST_SHOWN]]
        columns = as_columns(list(titles.values()), worst)
        for place, key in enumerate(titles):
            if key in ("true", "predicted"):
                cells = tuple(figure_beside(values[place], error) for values in worst)
                columns[place] = replace(columns[place], cells=cells)
        print_columns(console, columns)
