"""The curves of a run from what its directory holds: drawn when it ends, or later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.metrics.names import Direction
from dlrun.reports.curve_charts import draw_run_curves
from dlrun.reports.curve_facts import CurveFacts, History, facts_from_table
from dlrun.reports.marked_epoch import kept_epoch
from dlrun.reports.summary import folds_word
from dlrun.store.run_directory import RunDirectory

MOST_DRAWN_FOLDS = 10
"""Folds whose curves are drawn one by one; more would take longer than their training."""


def stored_curves(
    history: History,
    title: str,
    config: Mapping[str, Any],
    result: Mapping[str, Any],
    fold: int | None = None,
) -> CurveFacts:
    """Return the facts of the curves of a run, or of one of its folds.

    Args:
        history: Columns of the `metrics.csv`.
        title: Name of the experiment.
        config: Its config with everything filled in, as plain data.
        result: What `result.json` holds; empty where there is none.
        fold: Counted from 0; None for the run.
    """
    score = result.get("score") or {}
    directions: dict[str, Direction] = {}
    if score.get("name") and score.get("direction") in ("min", "max"):
        directions[score["name"]] = score["direction"]
    phases = _mapping(config.get("training")).get("phases")
    return facts_from_table(
        history,
        title,
        directions=directions,
        phases=[
            str(_mapping(phase).get("name") or f"phase {number}")
            for number, phase in enumerate(phases if isinstance(phases, list) else (), start=1)
        ],
        several=folds_word(_mapping(config.get("evaluation"))),
        kept=kept_epoch(result, fold),
    )


def draw_curves(directory: RunDirectory, *, every_fold: bool = True) -> None:
    """Draw the curves of a run and, where they are few, of each fold, as far as they are missing.

    Args:
        directory: The run, which has a config.
        every_fold: Whether those of folds are drawn.

    Raises:
        RunError: A file cannot be read, or the curves cannot be written.
    """
    run = directory.read_run()
    result = directory.read_result() if directory.has_result else {}
    folds = directory.folds() if every_fold else []
    for folder in (directory, *(folds if len(folds) <= MOST_DRAWN_FOLDS else ())):
        if folder.curves_png.exists() and folder.curves_svg.exists():
            continue
        fold = None if isinstance(folder, RunDirectory) else folder.index
        title, config = str(run.get("name")), _mapping(run.get("config"))
        draw_run_curves(folder, stored_curves(folder.history(), title, config, result, fold))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
