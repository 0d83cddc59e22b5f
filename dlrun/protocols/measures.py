"""The loss and the metrics of a config as functions of true and predicted values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlrun.config.components import metric_names
from dlrun.metrics.names import Direction, direction
from dlrun.metrics.scores import Score, find_score
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.prediction import keras_measure

Array = np.ndarray


@dataclass(frozen=True)
class Measure:
    """One number that a model is judged by.

    Args:
        name: What Keras' history calls it.
        component: The metric or loss of the config.
        score: The NumPy version, or None where only Keras has one.
    """

    name: str
    component: KerasComponent
    score: Score | None

    @property
    def direction(self) -> Direction:
        """`min` where lower is better, else `max`."""
        return self.score.direction if self.score else direction(self.component.name, self._kind)

    @property
    def _kind(self) -> Literal["loss", "metric"]:
        return "loss" if self.component.kind == "loss" else "metric"

    @property
    def unit_power(self) -> int:
        """Power of the target's unit that the measure is in; 0 where it has none."""
        return self.score.unit_power if self.score else 0

    def __call__(self, y_true: Array, y_pred: Array, weights: Array | None = None) -> float:
        """Measure predictions ((n, k)) against the truth ((n,) or (n, k)).

        As in Keras' history, the weights of the rows, (n,), count in the loss alone.
        """
        if not np.isfinite(y_pred).all():
            return float("nan")
        weights = weights if self.component.kind == "loss" else None
        if self.score is not None:
            return self.score.function(y_true, y_pred, weights)
        return keras_measure(self.component, y_true, y_pred, weights)


def measures_of(loss: KerasComponent, metrics: Sequence[KerasComponent]) -> list[Measure]:
    """The loss first, then every metric, named as in Keras' history."""
    named = [("loss", loss), *zip(metric_names(metrics), metrics, strict=True)]
    logits = bool(loss.arguments.get("from_logits"))
    return [
        Measure(
            name,
            component,
            find_score(
                component.name,
                component.arguments,
                from_logits=logits,
                kind="loss" if component.kind == "loss" else "metric",
            ),
        )
        for name, component in named
    ]


def select_measure(measures: Sequence[Measure], name: str | None) -> Measure:
    """The measure of success by its name in the history; None for the first metric."""
    if name is None:
        return measures[min(1, len(measures) - 1)]
    return next(measure for measure in measures if measure.name == name)
