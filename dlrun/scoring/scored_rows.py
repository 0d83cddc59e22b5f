"""A trained model, and common sense, scored on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dlrun.config.walk import PlainLayer
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Samples
from dlrun.metrics.names import TargetType
from dlrun.metrics.predictions import class_indices
from dlrun.metrics.scores import Score
from dlrun.scoring.baselines import Baseline, common_sense, in_time
from dlrun.scoring.measures import Measure
from dlrun.scoring.rivals import (
    ComparedPredictions,
    Rivals,
    SimpleScore,
    with_strongest_baseline,
)
from dlrun.scoring.simple_models import SimpleOutput, simple_output
from dlrun.scoring.sum_of_losses import ComparedOutput, rivals_of_sum
from dlrun.stages import stage
from dlrun.training.prediction import predict
from dlrun.training.rows import FitRows

Array = np.ndarray


@dataclass(frozen=True)
class Truth:
    """Targets of some rows.

    Args:
        for_loss: (n,) or (n, k) as the loss sees them.
        own: What metrics compare predictions with: quantities in their own unit, classes as
            the loss sees them.
        references: What common sense says of rows in the order of time, by the name of the rule,
            in both forms.
    """

    for_loss: Array
    own: Array
    references: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)


Truths = Mapping[str | None, Truth]
"""Targets of some rows by the name of the output; the only one has none."""


@dataclass(frozen=True)
class OutputRows:
    """What one output says about the scored rows, and what is true of them.

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
        rivals: What stands beside the measure of success: the common-sense baseline and the
            simple model; None where the measure is one that only Keras knows.
        outputs: Predictions of every output, where there are several; `predictions` are those of
            the output that gives the score, of the first where the score is their loss.
    """

    predictions: Array
    measures: dict[str, float]
    rivals: Rivals | None
    outputs: Mapping[str, OutputRows] = field(default_factory=dict)

    @property
    def baseline(self) -> Baseline | None:
        """The common-sense baseline in the measure of success, or None."""
        return None if self.rivals is None else self.rivals.baseline

    @property
    def simple(self) -> SimpleScore | None:
        """The simple model in the measure of success, or None."""
        return None if self.rivals is None else self.rivals.simple


def truth_of(task: TargetType, pipeline: Pipeline, samples: Samples) -> Truth:
    """Return the targets of rows in both forms."""
    for_loss = pipeline.targets(samples)
    if task != "regression":
        return Truth(for_loss, own=for_loss)
    columns = [np.asarray(column, np.float64) for column in samples.targets.values()]
    own = columns[0] if len(columns) == 1 else np.column_stack(columns)
    references = {
        name: (_for_loss(pipeline, samples, said), said)
        for name, said in samples.naive_forecasts.items()
    }
    return Truth(for_loss, own, references)


def truths_of(pipeline: Pipeline, samples: Samples) -> Truths:
    """Return the targets of rows for each output."""
    return {
        name: truth_of(targets.task, pipeline.of_output(name), samples.of_target(name))
        for name, targets in pipeline.target_pipelines.items()
    }


def true_values(task: TargetType, truth: Truth) -> Array:
    """What is true of rows: classes as indices, however the loss sees them."""
    own = truth.own
    return class_indices(own) if task in ("binary", "multiclass") and own.ndim <= 2 else own


def _for_loss(pipeline: Pipeline, samples: Samples, said: Array) -> Array:
    """Predictions of the targets, (n, k) in their own units, as the loss sees targets."""
    parts = samples.by_target(said)
    targets = {name: parts[name].reshape(own.shape) for name, own in samples.targets.items()}
    return pipeline.targets(replace(samples, targets=targets)).reshape(said.shape)


@stage("scoring")
def score_rows(
    model: Any,
    pipeline: Pipeline,
    arrays: FitRows,
    truths: Truths,
    trained_on: Truths,
    measures: Sequence[Measure],
    chosen: Measure,
    simple: SimpleOutput | None = None,
) -> ModelScores:
    """Score a trained model on rows.

    Args:
        model: A trained `keras.Model`.
        pipeline: The preprocessing that it was trained with.
        arrays: The rows as the model sees them.
        truths: Their targets.
        trained_on: Targets of the rows that trained the model: all that the baseline knows.
        measures: The loss and every metric.
        chosen: The measure of success among them.
        simple: What the simple model says about the rows, or None.
    """
    return score_outputs(
        predict(model, arrays.inputs),
        penalties(model),
        pipeline,
        arrays.weights,
        truths,
        trained_on,
        measures,
        chosen,
        simple,
    )


def score_outputs(
    said: Any,
    added: float,
    pipeline: Pipeline,
    weights: Array | None,
    truths: Truths,
    trained_on: Truths,
    measures: Sequence[Measure],
    chosen: Measure,
    simple: SimpleOutput | None = None,
) -> ModelScores:
    """Score what a model, or the mean of several, says about rows; see `score_rows`.

    Args:
        said: (m, k), in the form that the loss takes; by the output's name where there are several.
        added: What regularizers of weights add to the loss.
        pipeline: The preprocessing that brings the output back to the target's own unit.
        weights: (m,) weights of the rows in the loss, or None.
        truths: The targets of the rows.
        trained_on: Targets of the rows that trained the model.
        measures: The loss and every metric.
        chosen: The measure of success among them.
        simple: What the simple model says about the rows, or None.
    """
    several = isinstance(said, dict)
    scored = {
        name: score_output(
            said[name] if several else said,
            0.0 if several else added,
            pipeline.of_output(name),
            targets.task,
            weights,
            truths[name],
            trained_on[name],
            [measure for measure in measures if measure.output == name],
            chosen if chosen.output == name and not chosen.is_sum else None,
            simple,
        )
        for name, targets in pipeline.target_pipelines.items()
    }
    if not several:
        return scored[None]
    values = {name: value for one in scored.values() for name, value in one.measures.items()}
    losses = [m for m in measures if m.component.kind == "loss" and not m.is_sum]
    total = sum(measure.weight * values[measure.name] for measure in losses) + added
    main = next(iter(scored)) if chosen.is_sum else chosen.output
    rivals = scored[main].rivals
    if chosen.is_sum:
        rivals = rivals_of_sum(
            [
                ComparedOutput(
                    pipeline.target_pipelines[loss.output].task,
                    pipeline.of_output(loss.output).class_names,
                    loss,
                    said[loss.output],
                    truths[loss.output].for_loss,
                    trained_on[loss.output].for_loss,
                    {name: said[0] for name, said in truths[loss.output].references.items()},
                )
                for loss in losses
            ],
            weights,
            added,
        )
    outputs = {
        name: OutputRows(
            one.predictions, true_values(pipeline.target_pipelines[name].task, truths[name])
        )
        for name, one in scored.items()
        if name is not None
    }
    return ModelScores(scored[main].predictions, {"loss": total, **values}, rivals, outputs)


def score_output(
    output: Array,
    added: float,
    pipeline: Pipeline,
    task: TargetType,
    weights: Array | None,
    truth: Truth,
    trained_on: Truth,
    measures: Sequence[Measure],
    chosen: Measure | None,
    simple: SimpleOutput | None = None,
) -> ModelScores:
    """Score what one output says about rows; see `score_outputs`.

    Args:
        output: (m, k), in the form that the loss takes.
        added: What regularizers of weights add to the loss.
        pipeline: The preprocessing that brings the output back to the target's own unit.
        task: What is predicted.
        weights: (m,) weights of the rows in the loss, or None.
        truth: The targets of the rows.
        trained_on: Targets of the rows that trained the model.
        measures: The loss and every metric.
        chosen: The measure of success among them; None where that is another output's.
        simple: What the simple model says about the rows, or None.
    """
    predictions = pipeline.invert(output)
    values = {
        measure.name: measure(truth.for_loss, output, weights) + added
        if measure.component.kind == "loss"
        else measure(truth.own, predictions)
        for measure in measures
    }
    rivals = None
    of_rows = _is_of_rows(truth, output.shape)
    if chosen is not None and chosen.score is not None and of_rows:
        of_loss = chosen.component.kind == "loss"
        rivals = _rivals(
            chosen.score,
            task,
            pipeline.class_names,
            truth=truth.for_loss if of_loss else truth.own,
            known=trained_on.for_loss if of_loss else trained_on.own,
            output=output if of_loss else predictions,
            references={n: said[not of_loss] for n, said in truth.references.items()},
            simple=simple,
            weights=weights if of_loss else None,
            added=added if of_loss else 0.0,
        )
    return ModelScores(predictions, values, rivals)


@stage("scoring")
def simple_beside(
    layers: Sequence[PlainLayer],
    task: TargetType,
    chosen: Measure,
    train: tuple[Any, Truths],
    rows: tuple[Any, Truths],
    output_shape: Sequence[int | None],
) -> SimpleOutput | None:
    """Return what the simple model says about rows; None where nothing is scored beside the model.

    Args:
        layers: The network's.
        task: What is predicted.
        chosen: The measure of success.
        train: Inputs and targets of the rows that trained the network.
        rows: Inputs and targets of the rows to predict.
        output_shape: Of the network's output that gives the score.
    """
    if chosen.is_sum:
        return None
    known, inputs = train[0], rows[0]
    trained_on, truth = train[1][chosen.output], rows[1][chosen.output]
    if chosen.score is None or not _is_of_rows(truth, output_shape):
        return None
    of_loss = chosen.component.kind == "loss"
    targets = trained_on.for_loss if of_loss else trained_on.own
    outputs = int(output_shape[-1] or 1)
    return simple_output(task, chosen.score, layers, (known, targets), inputs, outputs)


def _is_of_rows(truth: Truth, output_shape: Sequence[int | None]) -> bool:
    """Whether each row has one answer or a list of them, and none that lie on further axes."""
    axes = len(output_shape) - (output_shape[-1] == 1)
    return max(truth.own.ndim, axes) <= 2


def penalties(model: Any) -> float:
    """Return what regularizers of weights add to the loss of a history."""
    return float(sum(float(penalty) for penalty in model.losses))


def _rivals(
    score: Score,
    task: TargetType,
    classes: Sequence[str],
    *,
    truth: Array,
    known: Array,
    output: Array,
    references: Mapping[str, Array],
    simple: SimpleOutput | None,
    weights: Array | None,
    added: float,
) -> Rivals:
    """Score the baseline and the simple model on the rows that the model is scored on."""
    common = common_sense(
        task,
        score,
        known,
        truth,
        outputs=output.shape[-1],
        classes=classes,
        sample_weight=weights,
    )
    predicted = None if simple is None else simple.predictions
    beside = None
    if simple is not None:
        value = None if predicted is None else score.function(truth, predicted, weights)
        beside = SimpleScore(simple.name, simple.description, value, simple.skipped)
    comparison = ComparedPredictions(
        score, truth, output, common.predictions, predicted, weights, added, len(known)
    )
    others = tuple(
        in_time(name, said, common, score, truth, weights) for name, said in references.items()
    )
    return with_strongest_baseline([Rivals(common.baseline, beside, comparison, others)])[0]
