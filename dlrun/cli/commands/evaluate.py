"""`dlrun evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from dlrun.cli.options import RunOptions, run_argument, run_options


@click.command(name="evaluate", short_help="Score a run's model on the sealed test data.")
@run_argument
@run_options
def command(run_dir: Path, as_json: bool, **options: Unpack[RunOptions]) -> None:
    """Score the model of RUN_DIR on the test data: every metric of the config, and figures
    for each class or of the residuals. Every test evaluation is kept in the run directory and
    counted for all runs on the same test data.

    \b
    Examples:
      dlrun evaluate runs/20261121-101530-digits-3f2a
      dlrun evaluate 20261121-101530
    """
    from dlrun.cli.options import print_json
    from dlrun.cli.tables import print_evaluation
    from dlrun.workflows.evaluate import evaluate

    evaluation = evaluate(run_dir, **options)
    if as_json:
        notices = list(evaluation.notices)
        print_json({**evaluation.facts, "path": evaluation.path, "notices": notices})
    else:
        print_evaluation(evaluation.facts, evaluation.path, evaluation.notices)
