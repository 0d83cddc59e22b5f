"""A trained model, and what it has to beat, scored on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from dlrun.config.layers import PlainLayer
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Samples
from dlrun.metrics.names import TargetType
from dlrun.scoring.baselines import Baseline
from dlrun.scoring.measures import SUM_OF_LOSSES, Measure
from dlrun.scoring.rivals import Rivals, ScoredOutput, rivals_of, rivals_of_sum
from dlrun.scoring.simple_models import SimpleScore, simple_name, simple_output
from dlrun.training.prediction import ModelOutput

Array = np.ndarray


@dataclass(frozen=True)
class Truth:
    """Targets of some rows.

    Args:
        for_loss: (n, ...) as the loss sees them.
        own: What metrics compare predictions with: quantities in their own unit, classes as
            the loss sees them.
        naive_forecasts: What simple rules predict of rows in the order of time, by the rule's
            name, in both forms; classes as (n,) indices.
        indices: Whether classes are indices, of any shape, and not one-hot rows.
    """

    for_loss: Array
    own: Array
    naive_forecasts: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    indices: bool = False

    def form(self, of_loss: bool) -> Array:
        """The targets as the loss sees them, or as metrics do."""
        return self.for_loss if of_loss else self.own


Truths = Mapping[str | None, Truth]
"""Targets of some rows by the name of the output; the only one has none."""


@dataclass(frozen=True)
class OutputRows:
    """What one output predicts for the scored rows, and what is true of them.

    Args:
        predictions: (m, ..., k) model output, in the target's own unit.
        targets: (m, ...) class indices, (m, ..., k) labels of 0 and 1, or (m, ...) or (m, ..., k)
            quantities in their own unit.
        mask: (m, ...) which steps count, or None for all.
    """

    predictions: Array
    targets: Array
    mask: Array | None = None


@dataclass(frozen=True)
class ModelScores:
    """A trained model on rows it has not seen.

    Args:
        main: The output that gives the score; the first where the score is the sum of losses.
        measures: Loss and metrics by name; metrics in the target's own unit, the loss as it
            is optimised, penalties on weights included.
        rivals: What the model has to beat in the measure of success; None where the measure is
            one that only Keras knows.
        outputs: Every output, where there are several.
    """

    main: OutputRows
    measures: dict[str, float]
    rivals: Rivals | None
    outputs: Mapping[str, OutputRows] = field(default_factory=dict)

    @property
    def baseline(self) -> Baseline | None:
        """The strongest baseline in the measure of success, or None."""
        return None if self.rivals is None else self.rivals.baseline

    @property
    def simple(self) -> SimpleScore | None:
        """The simple model in the measure of success, or None."""
        return None if self.rivals is None else self.rivals.simple


NOT_SCORED = ModelScores(OutputRows(np.empty((0, 0), np.float32), np.empty(0, np.int64)), {}, None)
"""Where no rows were held out."""


def truths_of(pipeline: Pipeline, samples: Samples) -> Truths:
    """Return the targets of rows for each output."""
    samples = pipeline.with_own_targets(samples)
    return {
        name: _truth(targets.task, pipeline.of_output(name), samples.of_target(name))
        for name, targets in pipeline.target_pipelines.items()
    }


def _truth(task: TargetType, pipeline: Pipeline, samples: Samples) -> Truth:
    for_loss = pipeline.targets(samples)
    if task != "regression":
        (fitted,) = [*pipeline.target_pipeline.targets.values()][:1]
        truth = Truth(for_loss, own=for_loss, indices=fitted.indices)
        classes = {
            rule: _as_classes(task, truth, pipeline, samples, forecast)
            for rule, forecast in samples.naive_forecasts.items()
        }
        return replace(truth, naive_forecasts={n: (each, each) for n, each in classes.items()})
    columns = [np.asarray(column, np.float64) for column in samples.targets.values()]
    own = columns[0] if len(columns) == 1 else np.column_stack(columns)
    forecasts = {
        rule: (_as_targets(pipeline, samples, forecast), forecast)
        for rule, forecast in samples.naive_forecasts.items()
    }
    return Truth(for_loss, own, forecasts)


def _as_targets(pipeline: Pipeline, samples: Samples, predictions: Array) -> Array:
    """Predictions of the targets, (n, k) in their own units, as the loss sees targets."""
    parts = samples.by_target(predictions)
    targets = {name: parts[name].reshape(own.shape) for name, own in samples.targets.items()}
    return pipeline.targets(replace(samples, targets=targets)).reshape(predictions.shape)


def _as_classes(
    task: TargetType, truth: Truth, pipeline: Pipeline, samples: Samples, forecast: Array
) -> Array:
    """Forecasts of the class of each row, (n, 1) as targets are written, as (n,) indices; NaN where
    there is none."""
    ((name, own),) = samples.targets.items()
    column = forecast[:, 0]
    known = column != None if column.dtype == object else ~np.isnan(column)  # noqa: E711 - by element
    filled = np.where(known, column, own).astype(own.dtype)
    made = pipeline.targets(replace(samples, targets={name: filled}))
    return np.where(known, true_values(task, replace(truth, own=made)), np.nan)


def true_values(task: TargetType, truth: Truth) -> Array:
    """What is true of rows: classes as indices, however the loss sees them."""
    own = truth.own
    if task not in ("binary", "multiclass"):
        return own
    if not truth.indices:
        return own.argmax(axis=-1)
    return own.reshape(-1).astype(np.int64) if own.ndim <= 2 and own.size == len(own) else own


@dataclass(frozen=True)
class ScoredModel:
    """A model, or the mean of several, on rows that it has not seen.

    Args:
        output: What it gives for them, in the form that the loss takes.
        pipeline: The preprocessing that brings the output back to the target's own unit.
        weights: (m,) weights of the rows in the loss, or None.
        truths: The targets of the rows.
        trained_on: Targets of the rows that trained it: all that the baselines know.
        train_masks: Which steps of those rows count, by the output's name, where it has a mask.
        measures: The loss and every metric.
    """

    output: ModelOutput
    pipeline: Pipeline
    weights: Array | None
    truths: Truths
    trained_on: Truths
    train_masks: Mapping[str | None, Array]
    measures: Sequence[Measure]

    @cached_property
    def predictions(self) -> dict[str | None, Array]:
        """The output in the target's own unit."""
        return {
            name: self.pipeline.of_output(name).invert(given)
            for name, given in self.output.values.items()
        }

    @property
    def _several(self) -> bool:
        return len(self.output.values) > 1

    @property
    def _losses(self) -> list[Measure]:
        return [measure for measure in self.measures if measure.is_loss and not measure.is_sum]

    def scores(self, chosen: Measure, simple: SimpleScore | None) -> ModelScores:
        """Measure the model, and what it has to beat.

        Args:
            chosen: The measure of success.
            simple: The simple model's predictions for the rows, or None.
        """
        names, masks = list(self.pipeline.target_pipelines), self.output.masks
        tasks = {name: self.pipeline.target_pipelines[name].task for name in names}
        outputs = {
            name: OutputRows(
                self.predictions[name], true_values(tasks[name], self.truths[name]), masks.get(name)
            )
            for name in names
        }
        main = names[0] if chosen.is_sum else chosen.output
        return ModelScores(
            outputs[main],
            self._values(),
            self._rivals(chosen, simple),
            {name: rows for name, rows in outputs.items() if name is not None},
        )

    def _values(self) -> dict[str, float]:
        """Every measure by its name; the sum of several outputs' losses first."""
        values = {
            measure.name: self._value(measure) for measure in self.measures if not measure.is_sum
        }
        added = self.output.penalty
        if not self._several:
            return {name: v + added if name == "loss" else v for name, v in values.items()}
        total = sum(measure.weight * values[measure.name] for measure in self._losses) + added
        return {SUM_OF_LOSSES.name: total, **values}

    def _value(self, measure: Measure) -> float:
        name, of_loss = measure.output, measure.is_loss
        return measure(
            self.truths[name].form(of_loss),
            (self.output.values if of_loss else self.predictions)[name],
            self.weights,
            self.output.masks.get(name),
            self.output.batch_size,
        )

    def _rivals(self, chosen: Measure, simple: SimpleScore | None) -> Rivals | None:
        added = self.output.penalty
        if chosen.is_sum:
            parts = [part for loss in self._losses if (part := self._part(loss))]
            whole = len(parts) == len(self._losses)
            return rivals_of_sum(parts, self.weights, added) if whole else None
        part = self._part(chosen)
        if part is None:
            return None
        weights = self.weights if chosen.is_loss else None
        return rivals_of(
            part, simple, weights, added if chosen.is_loss and not self._several else 0.0
        )

    def _part(self, measure: Measure) -> ScoredOutput | None:
        """The output of a measure in the form that it takes, where rivals can be scored by it."""
        name, of_loss = measure.output, measure.is_loss
        truth = self.truths[name]
        if measure.score is None:
            return None
        return ScoredOutput(
            self.pipeline.target_pipelines[name].task,
            self.pipeline.of_output(name).class_names,
            measure.score,
            (self.output.values if of_loss else self.predictions)[name],
            truth.form(of_loss),
            self.trained_on[name].form(of_loss),
            {rule: forms[not of_loss] for rule, forms in truth.naive_forecasts.items()},
            measure.weight,
            self.output.masks.get(name),
            self.train_masks.get(name),
        )


OF_STEPS = "each row has an answer for every step or pixel"


def simple_beside(
    layers: Sequence[PlainLayer],
    task: TargetType,
    chosen: Measure,
    train: tuple[Any, Truths],
    rows: tuple[Any, Truths],
    output: ModelOutput,
    pipeline: Pipeline,
) -> SimpleScore | None:
    """Return what the simple model predicts for rows; None where the model has no rivals.

    Args:
        layers: The network's.
        task: What is predicted.
        chosen: The measure of success.
        train: Inputs and targets of the rows that trained the network.
        rows: Inputs and targets of the rows to predict.
        output: The network's for them.
        pipeline: The preprocessing of both.
    """
    if chosen.score is None or chosen.is_sum:
        return None
    shape, name = output.values[chosen.output].shape, chosen.output
    if name in output.masks or not _is_of_rows(task, rows[1][name], shape):
        return SimpleScore(simple_name(task), "", None, OF_STEPS)
    steps = pipeline.of_output(name).target_pipeline
    # A linear model of targets that are only shifted and scaled is the same in their own unit.
    as_trained = not steps.is_linear
    targets = train[1][name].form(chosen.is_loss or as_trained)
    if _are_equal(train[0], targets):
        # A linear model copies its input.
        return None
    simple = simple_output(
        task, chosen.score, layers, (train[0], targets), rows[0], int(shape[-1] or 1)
    )
    if simple.predictions is None or not as_trained:
        return simple
    predictions = simple.predictions if chosen.is_loss else steps.invert(simple.predictions)
    description = f"{simple.description}, of the targets that the network is trained on"
    return replace(simple, predictions=predictions, description=description)


def _are_equal(inputs: Any, targets: Array) -> bool:
    values = inputs.size if isinstance(inputs, np.ndarray) else 0
    return values == targets.size and bool(np.array_equal(inputs.ravel(), targets.ravel()))


def _is_of_rows(task: TargetType, truth: Truth, output_shape: Sequence[int]) -> bool:
    """Whether each row has one answer or a list of them, without further axes."""
    if task in ("binary", "multiclass"):
        return len(output_shape) == 2 and len(true_values(task, truth).shape) == 1
    axes = len(output_shape) - (output_shape[-1] == 1)
    return max(truth.own.ndim, axes) <= 2
