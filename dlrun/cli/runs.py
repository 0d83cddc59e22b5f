"""How runs are listed, shown, set beside each other and asked about."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.text import Text

from dlrun.cli.columns import line_width, named, print_by_run, print_columns
from dlrun.cli.render import MARGIN, print_line, print_summary
from dlrun.errors import UsageError
from dlrun.reports.run_table import run_table
from dlrun.store.run_list import RunEntry
from dlrun.text import display_path
from dlrun.workflows.runs import Listing
from dlrun.workflows.show import RunDiff, ShownRun

_STATUS_STYLES = {
    "running": "cyan",
    "failed": "red",
    "died": "red",
    "damaged": "bold red",
    "interrupted": "yellow",
}


def print_listing(listing: Listing, *, filtered: bool) -> None:
    """Print a table of runs, above it what all have in common, below it what was left out."""
    console = Console()
    folder = display_path(listing.runs_dir)
    if not listing.entries:
        what = "no such run" if filtered else "no run"
        print_line(console, f"{what} in {folder}; `dlrun train CONFIG` makes one")
        return
    table = run_table(listing.entries).fitted(line_width(console))
    count = len(listing.entries)
    heading = f"{count} run{'s' if count > 1 else ''} in {folder}"
    print_line(console, ", ".join((heading, *table.common)))
    print_columns(console, table.columns, lambda cell: _STATUS_STYLES.get(cell.split(",")[0], ""))
    print_line(console, "")
    if table.left_out:
        print_line(
            console,
            f"no room for {named(table.left_out)}; a wider terminal shows more, --json all",
        )
    for name, problem in table.damaged:
        print_line(console, f"damaged: {name}: {problem}")
    if listing.more:
        print_line(console, "there are more; --limit 0 shows all")


def print_run(shown: ShownRun) -> None:
    """Print the summary of a run, then what is known of it, a heading each."""
    console = Console()
    print_summary(console, shown.summary)
    for section in shown.sections:
        print_line(console, "")
        print_line(console, Text(section.title, style="bold"))
        width = max((len(line.label) for line in section.lines), default=0) + 2
        for line in section.lines:
            label = (f"{line.label:<{width}}", "dim") if line.label else ""
            print_line(console, Text.assemble(MARGIN, label, line.text))


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
    print_line(console, f"\nnext  {found.next_command}")


def confirm_removal(entries: Sequence[RunEntry]) -> bool:
    """Ask whether runs are to be removed.

    Raises:
        UsageError: Nobody answers.
    """
    for entry in entries:
        click.echo(f"{display_path(entry.path)}  {entry.status}", err=True)
    these = "this run" if len(entries) == 1 else f"these {len(entries)} runs"
    try:
        return click.confirm(f"Remove {these} with everything in it?", err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise UsageError("nothing was removed, for nobody answered; say --yes") from None
