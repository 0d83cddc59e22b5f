"""`dlrun evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from dlrun.cli.options import RunOptions, run_argument, run_options
from dlrun.errors import RunError


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
        notices, problem = list(evaluation.notices), evaluation.problem
        kept = {"path": evaluation.path, "notices": notices, "problem": problem}
        print_json({**evaluation.facts, **kept})
        raise SystemExit(0 if problem is None else 1)
    print_evaluation(evaluation.facts, evaluation.path, evaluation.notices)
    # Only now: a score that was counted must not be lost.
    if evaluation.problem is not None:
        raise RunError(evaluation.problem)
