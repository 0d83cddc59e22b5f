"""`dlrun finalize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from dlrun.cli.options import (
    RunOptions,
    quiet_option,
    run_argument,
    run_options,
    time_limit_option,
)

if TYPE_CHECKING:
    from dlrun.cli.progress import QuietProgress
    from dlrun.cli.training import OnScored, RunLog
    from dlrun.training.interrupt import TimeLimit
    from dlrun.workflows.run import Run


@click.command(name="finalize", short_help="Train the final model on all non-test rows.")
@run_argument
@click.option(
    "--epochs", type=int, help="Train for this many epochs; default: as validation chose."
)
@click.option(
    "--ensemble", is_flag=True, help="Keep the models of the folds instead, and average them."
)
@quiet_option
@time_limit_option
@run_options
def command(
    run_dir: Path,
    epochs: int | None,
    ensemble: bool,
    time_limit: TimeLimit | None,
    quiet: bool,
    as_json: bool,
    **options: Unpack[RunOptions],
) -> int:
    """Train a fresh model on all non-test rows with the settings of RUN_DIR, for as many epochs
    as validation chose, as a new run that `dlrun evaluate` then scores.

    \b
    Examples:
      dlrun finalize runs/20261121-101530-houses-3f2a
      dlrun finalize runs/20261121-101530-houses-3f2a --epochs 40
      dlrun finalize runs/20261121-101530-houses-3f2a --ensemble
    """
    from dlrun.cli.training import show_run

    def start(progress: QuietProgress, log: RunLog, scored: OnScored) -> Run:
        from dlrun.workflows.finalize import finalize

        return finalize(
            run_dir,
            epochs=epochs,
            ensemble=ensemble,
            observer=progress,
            created=log.attach,
            scored=scored,
            time_limit=time_limit,
            **options,
        )

    return show_run(start, quiet=quiet, as_json=as_json)
