"""What `train`, `kfold` and `finalize` have in common: run, show how it goes, say how it ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext, redirect_stdout, suppress
from pathlib import Path
from typing import Any, Unpack

from rich.console import Console

from dlrun.checks.check import config_findings
from dlrun.checks.finding import refuse_errors
from dlrun.cli.console import print_summary
from dlrun.cli.lines import MARGIN, print_line
from dlrun.cli.live_progress import progress_display
from dlrun.cli.options import TrainingOptions, print_json
from dlrun.cli.progress import QuietProgress
from dlrun.config.load import load_config, load_experiment
from dlrun.config.schema import Config, Experiment
from dlrun.errors import DlrunError, TrainingError
from dlrun.reports.summary import advice, run_summary
from dlrun.stages import current_stages
from dlrun.store.run_directory import RunDirectory
from dlrun.text import display_path, duration, visible
from dlrun.training.interrupt import announced, exit_status
from dlrun.workflows.plugins import runner
from dlrun.workflows.run import Run

OnScored = Callable[[Run], None]


class RunLog:
    """Lines for `log.txt`: collected first, written through once the run has a directory."""

    def __init__(self) -> None:
        self._early: list[str] = []
        self._directory: RunDirectory | None = None

    def add(self, line: str) -> None:
        """Take one line."""
        line = visible(line)
        if self._directory is None:
            self._early.append(line)
        else:
            self._directory.log(line)

    def attach(self, directory: RunDirectory) -> None:
        """Write what was collected, and everything from now on, to the run's log."""
        self._directory = directory
        early, self._early = self._early, []
        for line in early:
            directory.log(line)

    def close(self) -> None:
        """Let the run's manifest take in the whole log."""
        if self._directory is not None:
            # Of a log that it does not know all of, the manifest knows the beginning.
            with suppress(DlrunError):
                self._directory.end_log()


Start = Callable[[QuietProgress, RunLog, OnScored], Run]
"""Makes a run, telling of its progress, and calls back when its result is complete."""


def run_and_report(
    config: Path,
    change: Callable[[Config], Config] | None = None,
    **options: Unpack[TrainingOptions],
) -> int:
    """Run a config and return the exit status.

    Args:
        config: The YAML file.
        change: What the command itself changes in the config of a model that learns from data,
            which it then needs; None: it runs any task.
        options: Of the command line.
    """
    plugins = runner(options["trust_plugins"])
    # The config is read before anything heavy is imported: its errors answer at once.
    load = load_experiment if change is None else load_config
    given = load(
        config,
        options["overrides"],
        options["seed"],
        run_plugins=plugins,
        allow_outside=options["allow_outside"],
    )
    if isinstance(given, Config):
        start = _training(given if change is None else change(given), options)
    else:
        start = _other_task(given, options)
    return show_run(
        start,
        quiet=options["quiet"],
        as_json=options["as_json"],
        report=options["report"],
        verbose=options["verbose"],
    )


def _training(config: Config, options: TrainingOptions) -> Start:
    """Check the config of a model that learns from data; return what trains it."""
    if not options["force"]:
        refuse_errors(config_findings(config))

    def start(progress: QuietProgress, log: RunLog, scored: OnScored) -> Run:
        from dlrun.workflows.execute import execute

        return execute(
            config,
            options["runs_dir"],
            progress,
            created=log.attach,
            scored=scored,
            force=options["force"],
            time_limit=options["time_limit"],
        )

    return start


def _other_task(experiment: Experiment, options: TrainingOptions) -> Start:
    def start(progress: QuietProgress, log: RunLog, scored: OnScored) -> Run:
        from dlrun.workflows.other_task import run_task

        run = run_task(
            experiment,
            options["runs_dir"],
            created=log.attach,
            force=options["force"],
            time_limit=options["time_limit"],
        )
        scored(run)
        return run

    return start


def show_run(
    start: Start,
    *,
    quiet: bool,
    as_json: bool,
    report: bool = False,
    verbose: bool = False,
) -> int:
    """Show how a run goes and how it ended, and return the exit status.

    Args:
        start: Makes the run; once its result is complete the summary is printed, before the curves
            are drawn, unless more is to come.
        quiet: Show only the final result.
        as_json: Print one JSON object and nothing else.
        report: Also write the run as an HTML page.
        verbose: Also show what trained and where the time went.
    """
    with closing(RunLog()) as log:
        console = Console()
        # Callbacks of Keras print too.
        elsewhere = redirect_stdout(sys.stderr) if as_json else nullcontext()
        display = progress_display(console, quiet=quiet or as_json, on_line=log.add)
        more = verbose or report

        def scored(run: Run) -> None:
            if not as_json and not more:
                display.close()
                _print_run(console, run, log)

        try:
            with elsewhere, display as progress, announced(progress.note):
                run = start(progress, log, scored)
        except TrainingError as error:
            # The error itself ends the command, below what to try.
            if error.result and not as_json:
                print_summary(console, advice(error.result), log.add)
                print_line(console, "")
            if report and error.run is not None:
                _report_failure(console, error.run, silent=as_json)
            raise
        try:
            page = _write_report(run.path) if report else None
            if as_json:
                written = {} if page is None else {"report": page}
                print_json({"run": run.path, "status": run.status, **run.result, **written})
            elif more:
                _print_more(console, run, page, log, verbose=verbose)
        finally:
            # Last, so that the score stays on the screen, and whatever happens to the report.
            if more and not as_json:
                _print_run(console, run, log)
        if run.status != "interrupted":
            return 0
        return exit_status(RunDirectory.open(run.path).read_run().get("interrupted_by"))


def _print_run(console: Console, run: Run, log: RunLog) -> None:
    """Print the summary of a run."""
    from dlrun.workflows.next_step import open_findings

    found = open_findings(RunDirectory.open(run.path))
    where, following = display_path(run.path), run.result.get("next")
    print_summary(console, run_summary(run.result, where, following, open_findings=found), log.add)


def _print_more(
    console: Console, run: Run, page: Path | None, log: RunLog, *, verbose: bool
) -> None:
    """Print what trained, where the time went, and where the report is."""
    print_line(console, "", log.add)
    if verbose:
        facts = RunDirectory.open(run.path).read_run()
        for label, text in computed_lines(facts, current_stages().seconds()):
            print_line(console, f"{MARGIN}{label:<12}{text}", log.add, hang=14)
    if page is not None:
        print_line(console, f"{MARGIN}report written to {display_path(page)}", log.add)


def _write_report(run: Path) -> Path:
    from dlrun.workflows.report import report

    return report(run)


def _report_failure(console: Console, run: Path, *, silent: bool) -> None:
    """Write the page of a run that failed: the error that ends the command comes after it."""
    try:
        line = f"  report written to {display_path(_write_report(run))}\n"
    except DlrunError as error:
        line = f"  the report could not be written: {error}\n"
    if not silent:
        print_line(console, line)


LEAST_SECONDS = 0.05
"""Stages that took less are left out, the training itself aside."""


def computed_lines(run: Mapping[str, Any], seconds: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return labels and texts: engine with its reason, XLA, device, and seconds by stage.

    Args:
        run: What `run.json` holds.
        seconds: By stage, in the order in which they began.
    """
    engine, computed = run.get("engine"), (run["backend"], run.get("dtype_policy"))
    engine_lines = (
        []
        if engine is None
        else [
            ("engine", f"{engine['name']} ({engine['reason']})"),
            ("XLA", "on" if engine["xla"] else "off"),
        ]
    )
    devices = ", ".join(str(device) for device in run["devices"])
    stages = [
        f"{name} {duration(spent)}"
        for name, spent in seconds.items()
        if spent >= LEAST_SECONDS or name == "training"
    ]
    return [
        *engine_lines,
        ("device", f"{devices} with {', '.join(filter(None, computed))}"),
        ("time", ", ".join(stages)),
    ]
