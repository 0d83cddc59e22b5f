"""The loss and the metrics of a config as functions of true and predicted values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlrun.config.keras_components import metric_names
from dlrun.config.schema import OutputEntry
from dlrun.metrics.cuts import meaning_by_loss
from dlrun.metrics.names import Direction, Kind, canonical, direction
from dlrun.metrics.scores import Score, find_score
from dlrun.metrics.table import MEASURES, MeasureFacts
from dlrun.models.plugins import own_direction
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.prediction import keras_measure

Array = np.ndarray

SUM_OF_LOSSES = KerasComponent("loss", "loss", "loss", {}, ("loss",))
"""What training minimises where there are several outputs."""


@dataclass(frozen=True)
class Measure:
    """One number that a model is measured by.

    Args:
        name: What Keras' history calls it.
        component: The metric or loss of the config.
        score: The NumPy version, or None where only Keras has one.
        output: Name of the output that it measures, where there are several; None for the sum of
            their losses.
        weight: What the loss of that output counts in the sum.
    """

    name: str
    component: KerasComponent
    score: Score | None
    output: str | None = None
    weight: float = 1.0

    @property
    def is_loss(self) -> bool:
        """Whether it is a loss, which is measured as it is optimised."""
        return self.component.kind == "loss"

    @property
    def is_sum(self) -> bool:
        """Whether it is the sum of the losses of several outputs."""
        return self.component is SUM_OF_LOSSES

    @property
    def direction(self) -> Direction:
        """`min` where lower is better, else `max`."""
        if self.score is not None:
            return self.score.direction
        own = self.component.implementation
        if own is not None:
            # A loss is better where it is lower, whatever Keras class it is derived from.
            given = getattr(own, "direction", None) if self.is_loss else own_direction(own)
            return "max" if given == "max" else "min"
        return direction(self.component.name, "loss" if self.is_loss else "metric")

    @property
    def facts(self) -> MeasureFacts | None:
        """What is known of the measure; None for one of a plugin."""
        kind: Kind = "loss" if self.is_loss else "metric"
        known = not self.component.implementation and canonical(self.component.name, kind)
        return MEASURES.get(known) if known else None

    def __call__(
        self,
        y_true: Array,
        y_pred: Array,
        weights: Array | None = None,
        mask: Array | None = None,
        batch_size: int | None = None,
    ) -> float:
        """Measure predictions, (n, ..., k), against the truth.

        A loss of masked steps, or one that sums, is the mean over batches in `Model.evaluate`:
        given `batch_size`, it is taken so. Metrics are taken over all rows.

        Args:
            y_true: (n, ...) or (n, ..., k).
            y_pred: As the model gives it.
            weights: (n,) or (n, t, ...); as in Keras' history, they count in the loss alone.
            mask: (n, ...) which steps count, as the model gives it beside `y_pred`, or None.
            batch_size: Rows of a batch; None for all rows at once.
        """
        if not np.isfinite(y_pred).all():
            return float("nan")
        weights = weights if self.is_loss else None
        apart = self.score is None or self.score.by_batch or mask is not None
        size = batch_size if batch_size and apart and self.is_loss else max(len(y_pred), 1)
        batches = [slice(start, start + size) for start in range(0, max(len(y_pred), 1), size)]
        values = [
            self._value(y_true[b], y_pred[b], *(w if w is None else w[b] for w in (weights, mask)))
            for b in batches
        ]
        return float(np.average(values, weights=[max(len(y_pred[b]), 1) for b in batches]))

    def _value(
        self, y_true: Array, y_pred: Array, weights: Array | None, mask: Array | None
    ) -> float:
        if self.score is not None:
            return self.score.function(y_true, y_pred, weights, mask)
        return keras_measure(self.component, y_true, y_pred, weights, mask)


def measures_of(outputs: Sequence[OutputEntry]) -> list[Measure]:
    """The loss first, then every metric, named as in Keras' history: of several outputs the sum of
    their losses, then for each its own loss and metrics."""
    if len(outputs) == 1:
        return _of_output(outputs[0])
    total = Measure("loss", SUM_OF_LOSSES, None)
    return [total, *(measure for output in outputs for measure in _of_output(output))]


def select_measure(measures: Sequence[Measure], name: str | None) -> Measure:
    """The measure of success by its name in the history; None for the first metric."""
    if name is None:
        metrics = (measure for measure in measures if not measure.is_loss)
        return next(metrics, measures[0])
    return next(measure for measure in measures if measure.name == name)


def _of_output(output: OutputEntry) -> list[Measure]:
    names = ["loss", *metric_names(output.metrics)]
    meaning = meaning_by_loss(output.loss)
    return [
        Measure(
            name if output.name is None else f"{output.name}_{name}",
            component,
            find_score(
                component.name,
                component.arguments,
                "loss" if component.kind == "loss" else "metric",
                meaning,
            ),
            output.name,
            output.weight,
        )
        for name, component in zip(names, [output.loss, *output.metrics], strict=True)
    ]
