"""`dlrun kfold`."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from dlrun.cli.options import TrainingOptions, config_argument, training_options


@click.command(name="kfold", short_help="Score a config by (iterated) K-fold cross-validation.")
@config_argument
@click.option("--folds", "-k", type=int, help="Number of parts K; default: the config's, else 5.")
@click.option(
    "--iterations", "-p", type=int, help="Reshuffle and split this many times: iterated K-fold."
)
@training_options
def command(
    config: Path,
    folds: int | None,
    iterations: int | None,
    **options: Unpack[TrainingOptions],
) -> int:
    """Train one model for each fold of CONFIG's data and score it on the rows it has not seen,
    whichever protocol the config names.

    \b
    Examples:
      dlrun kfold configs/digits.yaml --folds 5
      dlrun kfold configs/digits.yaml --folds 4 --iterations 3
    """
    from dlrun.cli.training import run_and_report
    from dlrun.workflows.kfold import cross_validated

    return run_and_report(
        config, change=lambda loaded: cross_validated(loaded, folds, iterations), **options
    )
