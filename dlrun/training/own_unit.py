"""Keras' metrics as the history, callbacks and progress show them: one number each, in the target's
own unit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from dlrun.data.fitting.target_pipeline import TargetPipeline
from dlrun.training.prediction import mask_as_weights


def measure_in_own_unit(model: Any, targets: Mapping[str | None, TargetPipeline]) -> None:
    """Let a compiled model's metrics see targets and outputs in the target's own unit.

    The loss stays as it is optimised, and the model is saved as it was compiled.

    Args:
        model: A `keras.Model`, compiled and not trained yet.
        targets: The preprocessing of each output's target, by its name; the only one has none.
    """
    from keras.src.utils.tracking import DotNotTrackScope

    compiled = model._compile_metrics
    if compiled is not None:
        changed = {name: one for name, one in targets.items() if one.changes_unit}
        with DotNotTrackScope():
            model._compile_metrics = _own_unit_metrics()(compiled, changed)


def own_unit_variables(model: Any) -> list[Any]:
    """Return the variables of a model's metrics that say how a fold's targets are brought back."""
    return list(getattr(model._compile_metrics, "learnt", ()))


@cache
def _own_unit_metrics() -> Any:
    """The class, which derives from one of Keras."""
    import keras
    from keras import tree
    from keras.src.backend import get_keras_mask, set_keras_mask
    from keras.src.trainers.compile_utils import CompileMetrics

    def variable(number: Any) -> Any:
        return keras.Variable(number, dtype=keras.config.floatx(), trainable=False)

    class OwnUnitMetrics(CompileMetrics):
        """The metrics of a model; what a fold's steps learnt from its targets is a part of their
        state, so that one compiled program trains all folds."""

        def __init__(self, compiled: Any, targets: Mapping[str | None, TargetPipeline]) -> None:
            super().__init__(
                compiled._user_metrics,
                compiled._user_weighted_metrics,
                output_names=compiled.output_names,
            )
            self._targets = targets
            self._numbers = {
                name: [[variable(number) for number in step] for step in one.numbers]
                for name, one in targets.items()
            }

        @property
        def learnt(self) -> list[Any]:
            return list(tree.flatten(self._numbers))

        @property
        def variables(self) -> list[Any]:
            return [*super().variables, *self.learnt]

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            """Update each metric; as `metrics` of `Model.compile`, they ignore weights.

            Masked steps count in none of them: Keras itself leaves them out of means alone.
            """
            if not self.built:
                self.build(y_true, y_pred)
            pairs = zip(self._parts(y_true), self._parts(y_pred), strict=True)
            for metrics, (truth, output) in zip(self._flat_metrics, pairs, strict=True):
                for metric in () if metrics is None else metrics.metrics:
                    # The sums of squares of R2Score lose the digits of values far from 0, and
                    # their distance from 0 makes no difference to it.
                    centred = isinstance(metric, keras.metrics.R2Score)
                    measured = output[centred]
                    metric.update_state(
                        truth[centred], measured, **mask_as_weights(metric, measured)
                    )

        def result(self) -> dict[str, Any]:
            """Metrics by name: of several numbers, such as F1 for each class, the mean."""
            return {name: _one_number(value) for name, value in super().result().items()}

        def _parts(self, values: Any) -> list[tuple[Any, Any]]:
            """The targets or outputs in their own unit, output by output, and the same as distance
            from what is 0 to the loss."""
            own = self._flatten_y(self._own(values))
            if not self._targets:
                return [(part, part) for part in own]
            zeros = self._flatten_y(self._own(tree.map_structure(keras.ops.zeros_like, values)))
            return [
                (part, _masked(part - zero, part)) for part, zero in zip(own, zeros, strict=True)
            ]

        def _own(self, values: Any) -> Any:
            if isinstance(values, dict):
                return {name: self._restored(name, part) for name, part in values.items()}
            return self._restored(None, values)

        def _restored(self, name: str | None, values: Any) -> Any:
            if name not in self._targets:
                return values
            floats = keras.ops.cast(values, keras.config.floatx())
            own = self._targets[name].restore(floats, self._numbers[name], keras.ops)
            return _masked(own, values)

    def _masked(values: Any, like: Any) -> Any:
        set_keras_mask(values, get_keras_mask(like))
        return values

    def _one_number(value: Any) -> Any:
        return keras.ops.mean(value) if len(getattr(value, "shape", ())) else value

    return OwnUnitMetrics
