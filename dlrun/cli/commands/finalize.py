"""`dlrun finalize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlrun.cli.options import (
    debug_option,
    json_option,
    overrides_option,
    quiet_option,
    run_argument,
    runs_dir_option,
    trust_plugins_option,
)

if TYPE_CHECKING:
    from dlrun.cli.progress import QuietProgress
    from dlrun.cli.training import OnScored, RunLog
    from dlrun.workflows.run import Run


@click.command(name="finalize", short_help="Train the final model on all non-test rows.")
@run_argument
@click.option(
    "--epochs", type=int, help="Train for this many epochs; default: as validation chose."
)
@click.option(
    "--ensemble", is_flag=True, help="Keep the models of the folds instead, and average them."
)
@overrides_option
@runs_dir_option
@quiet_option
@trust_plugins_option
@json_option
@debug_option
def command(
    run_dir: Path,
    epochs: int | None,
    ensemble: bool,
    overrides: tuple[str, ...],
    runs_dir: Path,
    quiet: bool,
    trust_plugins: bool,
    as_json: bool,
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
            runs_dir=runs_dir,
            overrides=overrides,
            observer=progress,
            created=log.attach,
            scored=scored,
            trust_plugins=trust_plugins,
        )

    return show_run(start, quiet=quiet, as_json=as_json)
