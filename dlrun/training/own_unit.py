"""Keras' metrics as the history, callbacks and progress show them: one number each, in the target's
own unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.data.fitting.target_pipeline import TargetPipeline


def measure_in_own_unit(model: Any, targets: Mapping[str | None, TargetPipeline]) -> None:
    """Let a compiled model's metrics see targets and outputs in the target's own unit.

    The loss stays as it is optimised, and the model is saved as it was compiled.

    Args:
        model: A `keras.Model`, compiled and not trained yet.
        targets: The preprocessing of each output's target, by its name; the only one has none.
    """
    from keras.src.utils.tracking import DotNotTrackScope

    from dlrun.training.own_unit_metrics import OwnUnitMetrics

    compiled = model._compile_metrics
    if compiled is not None:
        changed = {name: one for name, one in targets.items() if one.changes_unit}
        with DotNotTrackScope():
            model._compile_metrics = OwnUnitMetrics(compiled, changed)


def own_unit_variables(model: Any) -> list[Any]:
    """Return the variables of a model's metrics that say how a fold's targets are brought back."""
    return list(getattr(model._compile_metrics, "learnt", ()))
