"""A trained model, and what it has to beat, scored on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dlrun.config.layers import PlainLayer
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Samples
from dlrun.metrics.names import TargetType
from dlrun.metrics.predictions import class_indices
from dlrun.scoring.baselines import Baseline
from dlrun.scoring.measures import SUM_OF_LOSSES, Measure
from dlrun.scoring.rivals import Rivals, ScoredOutput, rivals_of, rivals_of_sum
from dlrun.scoring.simple_models import SimpleScore, simple_output
from dlrun.training.prediction import ModelOutput

Array = np.ndarray


@dataclass(frozen=True)
class Truth:
    """Targets of some rows.

    Args:
        for_loss: (n,) or (n, k) as the loss sees them.
        own: What metrics compare predictions with: quantities in their own unit, classes as
            the loss sees them.
        naive_forecasts: What simple rules predict of rows in the order of time, by the rule's
            name, in both forms.
    """

    for_loss: Array
    own: Array
    naive_forecasts: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)

    def form(self, of_loss: bool) -> Array:
        """The targets as the loss sees them, or as metrics do."""
        return self.for_loss if of_loss else self.own


Truths = Mapping[str | None, Truth]
"""Targets of some rows by the name of the output; the only one has none."""


@dataclass(frozen=True)
class OutputRows:
    """What one output predicts for the scored rows, and what is true of them.

    Args:
        predictions: (m, k) model output, in the target's own unit.
        targets: As `FoldResult` has them.
    """

    predictions: Array
    targets: Array


@dataclass(frozen=True)
class ModelScores:
    """A trained model on rows it has not seen.

    Args:
        predictions: (m, k) model output, in the target's own unit.
        measures: Loss and metrics by name; metrics in the target's own unit, the loss as it
            is optimised, penalties on weights included.
        rivals: What the model has to beat in the measure of success; None where the measure is
            one that only Keras knows.
        outputs: Predictions of every output, where there are several; `predictions` are those of
            the output that gives the score, of the first where the score is their loss.
    """

    predictions: Array
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
        return Truth(for_loss, own=for_loss)
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


def true_values(task: TargetType, truth: Truth) -> Array:
    """What is true of rows: classes as indices, however the loss sees them."""
    own = truth.own
    return class_indices(own) if task in ("binary", "multiclass") and own.ndim <= 2 else own


def score_outputs(
    output: ModelOutput,
    pipeline: Pipeline,
    weights: Array | None,
    truths: Truths,
    trained_on: Truths,
    measures: Sequence[Measure],
    chosen: Measure,
    simple: SimpleScore | None = None,
) -> ModelScores:
    """Score what a model, or the mean of several, predicts for rows.

    Args:
        output: What the model gives for them.
        pipeline: The preprocessing that brings the output back to the target's own unit.
        weights: (m,) weights of the rows in the loss, or None.
        truths: The targets of the rows.
        trained_on: Targets of the rows that trained the model: all that the baselines know.
        measures: The loss and every metric.
        chosen: The measure of success among them.
        simple: The simple model's predictions for the rows, or None.
    """
    outputs, added, several = output.values, output.penalty, len(output.values) > 1
    predictions = {name: pipeline.of_output(name).invert(given) for name, given in outputs.items()}
    names = list(pipeline.target_pipelines)
    values: dict[str, float] = {}
    for name in names:
        truth = truths[name]
        for measure in (m for m in measures if m.output == name and not m.is_sum):
            if measure.is_loss:
                loss = measure(truth.for_loss, outputs[name], weights)
                values[measure.name] = loss if several else loss + added
            else:
                values[measure.name] = measure(truth.own, predictions[name])

    def scored(measure: Measure) -> ScoredOutput | None:
        """The output of a measure in the form that it takes, where rivals can be scored by it."""
        name, of_loss = measure.output, measure.is_loss
        truth = truths[name]
        if measure.score is None:
            return None
        return ScoredOutput(
            pipeline.target_pipelines[name].task,
            pipeline.of_output(name).class_names,
            measure.score,
            (outputs if of_loss else predictions)[name],
            truth.form(of_loss),
            trained_on[name].form(of_loss),
            {rule: forms[not of_loss] for rule, forms in truth.naive_forecasts.items()},
            measure.weight,
        )

    losses = [measure for measure in measures if measure.is_loss and not measure.is_sum]
    if several:
        total = sum(measure.weight * values[measure.name] for measure in losses) + added
        values = {SUM_OF_LOSSES.name: total, **values}
    rivals = None
    if chosen.is_sum:
        parts = [part for loss in losses if (part := scored(loss)) and part.predictions.ndim <= 2]
        if len(parts) == len(losses):
            rivals = rivals_of_sum(parts, weights, added)
    elif _is_of_rows(truths[chosen.output], outputs[chosen.output].shape) and (
        part := scored(chosen)
    ):
        of_loss = chosen.is_loss
        rivals = rivals_of(
            part, simple, weights if of_loss else None, added if of_loss and not several else 0.0
        )
    rows = {
        name: OutputRows(
            predictions[name], true_values(pipeline.target_pipelines[name].task, truths[name])
        )
        for name in names
        if name is not None
    }
    return ModelScores(
        predictions[names[0] if chosen.is_sum else chosen.output], values, rivals, rows
    )


def simple_beside(
    layers: Sequence[PlainLayer],
    task: TargetType,
    chosen: Measure,
    train: tuple[Any, Truths],
    rows: tuple[Any, Truths],
    output_shape: Sequence[int | None],
) -> SimpleScore | None:
    """Return what the simple model predicts for rows; None where the model has no rivals.

    Args:
        layers: The network's.
        task: What is predicted.
        chosen: The measure of success.
        train: Inputs and targets of the rows that trained the network.
        rows: Inputs and targets of the rows to predict.
        output_shape: Of the network's output that gives the score.
    """
    if chosen.score is None or not _is_of_rows(rows[1][chosen.output], output_shape):
        return None
    targets = train[1][chosen.output].form(chosen.is_loss)
    if _are_equal(train[0], targets):
        # A linear model copies its input.
        return None
    outputs = int(output_shape[-1] or 1)
    return simple_output(task, chosen.score, layers, (train[0], targets), rows[0], outputs)


def _are_equal(inputs: Any, targets: Array) -> bool:
    values = inputs.size if isinstance(inputs, np.ndarray) else 0
    return values == targets.size and bool(np.array_equal(inputs.ravel(), targets.ravel()))


def _is_of_rows(truth: Truth, output_shape: Sequence[int | None]) -> bool:
    """Whether each row has one answer or a list of them, without further axes."""
    axes = len(output_shape) - (output_shape[-1] == 1)
    return max(truth.own.ndim, axes) <= 2
