"""What the terminal shows while a search goes on, and when it has ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from rich.console import Console

from dlrun.checks.check import config_findings
from dlrun.checks.finding import refuse_errors
from dlrun.cli.console import print_summary
from dlrun.cli.lines import print_line
from dlrun.cli.options import print_json
from dlrun.cli.training import RunLog
from dlrun.config.schema import Config
from dlrun.config.yaml_writer import in_line
from dlrun.reports.differences import short_names
from dlrun.reports.summary import run_summary
from dlrun.text import counted, display_path, duration, figure
from dlrun.training.interrupt import announced
from dlrun.workflows.run import Run
from dlrun.workflows.search_results import TrialRow, best_of
from dlrun.workflows.search_run import SearchObserver
from dlrun.workflows.searching import run_search


class SearchLines(SearchObserver):
    """A line for every trial.

    Args:
        console: Where to.
        log: Of the search.
        quiet: Print nothing.
    """

    def __init__(self, console: Console, log: RunLog, *, quiet: bool) -> None:
        self._console, self._log, self._quiet = console, log, quiet
        self._score, self._direction = "score", "min"

    def _say(self, line: str) -> None:
        if self._quiet:
            self._log.add(line)
        else:
            print_line(self._console, line, self._log.add)

    def search_started(self, name: str, trials: int | None, score: str, direction: str) -> None:
        """Say what is searched, and how long."""
        self._score, self._direction = score, direction
        planned = "trials for a time" if trials is None else f"at most {counted(trials, 'trial')}"
        better = "lower" if direction == "min" else "higher"
        self._say(f"{name}: {planned}, score {score} ({better} is better)")

    def trial_ended(self, row: TrialRow, rows: Sequence[TrialRow]) -> None:
        """Say how a trial ended, and which one is the best so far."""
        number = f"trial {row.number}"
        if row.score is None:
            self._say(f"{number}: failed: {row.reason}")
            return
        best = best_of(rows, "min" if self._direction == "min" else "max")
        mark = ", the best so far" if best is row and len(rows) > 1 else ""
        what = "the config itself" if row.number == 0 else values_text(row.values)
        seconds = duration(row.seconds)
        self._say(f"{number}: {self._score} {figure(row.score)}{mark} ({what}; {seconds})")

    def found(self, headline: str, severity: str) -> None:
        """A finding of the checks, one line with its place."""
        self._say(headline)

    def note(self, text: str) -> None:
        """Something the user should know, one sentence."""
        self._say(f"note: {text}")


def values_text(values: dict[str, Any]) -> str:
    """Return the values of a trial on one line, with names as short as possible."""
    names = short_names([tuple(path.split(".")) for path in values])
    texts = [figure(v) if isinstance(v, float) else in_line(v) for v in values.values()]
    return ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))


def search_and_show(
    config: Config,
    runs_dir: Path,
    *,
    quiet: bool,
    as_json: bool,
    report: bool,
    trust_plugins: bool,
    force: bool,
) -> int:
    """Search, show how it goes and what was found, and return the exit status."""
    # Before anything heavy is imported: what is wrong is said at once.
    if not force:
        refuse_errors(config_findings(config))

    def start(lines: SearchLines, log: RunLog) -> Run:
        return run_search(
            config,
            runs_dir,
            lines,
            created=log.attach,
            trust_plugins=trust_plugins,
            force=force,
        )

    return show_search(start, quiet=quiet, as_json=as_json, report=report)


def show_search(
    start: Callable[[SearchLines, RunLog], Run], *, quiet: bool, as_json: bool, report: bool
) -> int:
    """Show how a search goes and what was found, and return the exit status.

    Args:
        start: Searches.
        quiet: Show only what was found.
        as_json: Print one JSON object and nothing else.
        report: Also write the search as an HTML page.
    """
    with closing(RunLog()) as log:
        console = Console()
        lines = SearchLines(console, log, quiet=quiet or as_json)
        elsewhere = redirect_stdout(sys.stderr) if as_json else nullcontext()
        with elsewhere, announced(lines.note):
            found = start(lines, log)
        page = None
        if report:
            from dlrun.workflows.report import report as write_report

            page = write_report(found.path)
        if as_json:
            written = {} if page is None else {"report": page}
            print_json({"run": found.path, "status": found.status, **found.result, **written})
            return 0
        where, following = display_path(found.path), found.result.get("next")
        print_summary(console, run_summary(found.result, where, following), log.add)
        if page is not None:
            print_line(console, f"  report written to {display_path(page)}", log.add)
    return 0
