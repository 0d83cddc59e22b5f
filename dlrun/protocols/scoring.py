"""A trained model, and common sense, scored on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Samples, Task
from dlrun.metrics.baselines import Baseline, baseline
from dlrun.protocols.measures import Measure
from dlrun.training.engine import Arrays
from dlrun.training.prediction import predict

Array = np.ndarray


@dataclass(frozen=True)
class Truth:
    """Targets of some rows.

    Args:
        for_loss: (n,) or (n, k) as the loss sees them.
        own: What metrics compare predictions with: quantities in their own unit, classes as
            the loss sees them.
    """

    for_loss: Array
    own: Array


@dataclass(frozen=True)
class Scored:
    """A trained model on rows it has not seen.

    Args:
        predictions: (m, k) model output, in the target's own unit.
        measures: Loss and metrics by name; metrics in the target's own unit, the loss as it
            is optimised, penalties on weights included.
        baseline: The common-sense baseline in the measure of success, or None.
    """

    predictions: Array
    measures: dict[str, float]
    baseline: Baseline | None


def truth_of(task: Task, pipeline: Pipeline, samples: Samples) -> Truth:
    """Return the targets of rows in both forms."""
    for_loss = pipeline.targets(samples)
    if task != "regression":
        return Truth(for_loss, own=for_loss)
    columns = [np.asarray(column, np.float64) for column in samples.targets.values()]
    return Truth(for_loss, columns[0] if len(columns) == 1 else np.column_stack(columns))


def score_rows(
    model: Any,
    pipeline: Pipeline,
    task: Task,
    arrays: Arrays,
    truth: Truth,
    trained_on: Truth,
    measures: Sequence[Measure],
    chosen: Measure,
) -> Scored:
    """Score a trained model on rows.

    Args:
        model: A trained `keras.Model`.
        pipeline: The preprocessing that it was trained with.
        task: What is predicted.
        arrays: The rows as the model sees them.
        truth: Their targets.
        trained_on: Targets of the rows that trained the model: all that the baseline knows.
        measures: The loss and every metric.
        chosen: The measure of success among them.
    """
    output = predict(model, arrays.inputs)
    predictions = pipeline.invert(output)
    values = {
        measure.name: measure(truth.for_loss, output, arrays.weights) + _penalties(model)
        if measure.component.kind == "loss"
        else measure(truth.own, predictions)
        for measure in measures
    }
    return Scored(
        predictions, values, _baseline(pipeline, task, truth, trained_on, output.shape, chosen)
    )


def _penalties(model: Any) -> float:
    """What regularizers of weights add to the loss of a history."""
    return float(sum(float(penalty) for penalty in model.losses))


def _baseline(
    pipeline: Pipeline,
    task: Task,
    truth: Truth,
    trained_on: Truth,
    output_shape: tuple[int, ...],
    chosen: Measure,
) -> Baseline | None:
    if chosen.score is None or truth.own.ndim > 2:
        return None
    of_loss = chosen.component.kind == "loss"
    return baseline(
        task,
        chosen.score,
        trained_on.for_loss if of_loss else trained_on.own,
        truth.for_loss if of_loss else truth.own,
        outputs=output_shape[-1],
        classes=pipeline.class_names,
    )
