"""The metrics of a model that sees targets and outputs in the target's own unit; needs Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import tree
from keras.src.backend import get_keras_mask, set_keras_mask
from keras.src.trainers.compile_utils import CompileMetrics

from dlrun.data.fitting.target_pipeline import TargetPipeline
from dlrun.training.prediction import mask_as_weights


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
            name: [[_variable(number) for number in step] for step in one.numbers]
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
                metric.update_state(truth[centred], measured, **mask_as_weights(metric, measured))

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
        return [(part, _masked(part - zero, part)) for part, zero in zip(own, zeros, strict=True)]

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


def _variable(number: Any) -> Any:
    return keras.Variable(number, dtype=keras.config.floatx(), trainable=False)


def _masked(values: Any, like: Any) -> Any:
    set_keras_mask(values, get_keras_mask(like))
    return values


def _one_number(value: Any) -> Any:
    return keras.ops.mean(value) if len(getattr(value, "shape", ())) else value
