"""What `train` and `kfold` have in common: run, show how it goes, say how it ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

from rich.console import Console

from dlrun.cli.boundary import INTERRUPTED
from dlrun.cli.display import progress_display
from dlrun.cli.output import print_json
from dlrun.cli.render import print_summary
from dlrun.config.load import load_config
from dlrun.config.schema import Config
from dlrun.reports.summary import run_summary
from dlrun.store.paths import display_path
from dlrun.workflows.run import Run
from dlrun.workflows.transcript import Transcript


def run_and_report(
    config: Path,
    overrides: Sequence[str],
    seed: int | None,
    runs_dir: Path,
    *,
    quiet: bool,
    as_json: bool,
    change: Callable[[Config], Config] = lambda config: config,
) -> int:
    """Run a config and return the exit status.

    Args:
        config: The YAML file.
        overrides: `KEY=VALUE` changes to it.
        seed: Used instead of the config's.
        runs_dir: Where the run directory is made.
        quiet: Show only the final result.
        as_json: Print one JSON object and nothing else.
        change: What the command itself changes in the config.
    """
    # The config is read before anything heavy is imported: its errors answer at once.
    loaded = change(load_config(config, overrides, seed))
    transcript = Transcript()
    console = Console()
    # Callbacks of Keras print too.
    elsewhere = redirect_stdout(sys.stderr) if as_json else nullcontext()
    display = progress_display(console, quiet=quiet or as_json, on_line=transcript.add)
    with elsewhere, display as progress:
        from dlrun.workflows.execute import execute

        run = execute(loaded, runs_dir, progress, transcript)
    if as_json:
        print_json({"run": run.path, "status": run.status, **run.result})
    else:
        _print_summary(console, run, transcript)
    return INTERRUPTED if run.status == "interrupted" else 0


def _print_summary(console: Console, run: Run, transcript: Transcript) -> None:
    summary = run_summary(run.result, display_path(run.path), run.result["next"])
    print_summary(console, summary, transcript.add)
