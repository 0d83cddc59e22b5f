"""What a model has to beat: the scores of baselines and of the simple model on the same rows.

Legend: m scored rows, t columns of all targets, k columns of all outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import Array
from dlrun.metrics.names import TargetType
from dlrun.metrics.scores import Score
from dlrun.scoring.baselines import Baseline, CommonSense, common_sense, in_time
from dlrun.scoring.simple_models import SimpleScore, simple_name

NO_SIMPLE_MODEL = "the score is the sum of the losses of several outputs"


@dataclass(frozen=True)
class ScoredOutput:
    """One output on the scored rows, in the form that its measure takes.

    Args:
        task: What it predicts.
        classes: Class names; empty where they have none.
        score: What it is scored by.
        predictions: (m, ..., k) the model's.
        truth: (m, ...) or (m, ..., k) targets.
        known: Targets of the rows that trained the model.
        naive_forecasts: (m, k) what simple rules predict of rows in the order of time, by the
            rule's name.
        weight: What its score counts in the sum over outputs.
        mask: (m, ...) which steps count, or None for all.
        known_mask: The same of the rows that trained the model.
    """

    task: TargetType
    classes: Sequence[str]
    score: Score
    predictions: Array
    truth: Array
    known: Array
    naive_forecasts: Mapping[str, Array] = field(default_factory=dict)
    weight: float = 1.0
    mask: Array | None = None
    known_mask: Array | None = None


@dataclass(frozen=True)
class ComparedPredictions:
    """Predictions of all for the scored rows, in the form that the measure of success takes.

    Args:
        score: The measure of success.
        truth: (m,) or (m, t) targets.
        model: (m, k) the trained model's.
        baseline: (m, k) the baseline's.
        simple: (m, k) the simple model's, or None.
        weights: (m,) weights of the rows, or None.
        added: What regularizers of weights add to the model's score where that is the loss.
        trained: Number of training rows.
        mask: (m, ...) which steps count, or None for all.
    """

    score: Score
    truth: Array
    model: Array
    baseline: Array
    simple: Array | None
    weights: Array | None
    added: float
    trained: int
    mask: Array | None = None


@dataclass(frozen=True)
class Rivals:
    """The scores that a model has to beat, and the predictions that they come from.

    Args:
        baseline: The strongest baseline.
        simple: The simple model, or None.
        comparison: The predictions.
        others: Weaker baselines, the stronger first.
    """

    baseline: Baseline
    simple: SimpleScore | None
    comparison: ComparedPredictions
    others: tuple[CommonSense, ...] = ()


def rivals_of(
    output: ScoredOutput, simple: SimpleScore | None, weights: Array | None, added: float
) -> Rivals:
    """Score the baselines and the simple model on the rows that the model is scored on.

    Args:
        output: The output that gives the score.
        simple: The simple model with its predictions, not yet scored, or None.
        weights: (m,) weights of the rows in the score, or None.
        added: What regularizers of weights add to the model's score where that is the loss.
    """
    if simple is not None and simple.predictions is not None:
        value = output.score.function(output.truth, simple.predictions, weights, output.mask)
        simple = replace(simple, value=value)
    return _rivals(output, _common_sense(output, weights), simple, weights, added)


def rivals_of_sum(outputs: Sequence[ScoredOutput], weights: Array | None, added: float) -> Rivals:
    """Score the baselines of all outputs together, by the sum of their losses.

    Args:
        outputs: All of them, each with its loss.
        weights: (m,) weights of the rows in the losses, or None.
        added: What regularizers of weights add to the model's loss.
    """
    first = outputs[0]
    whole = replace(
        first,
        score=sum_of_losses(outputs),
        predictions=np.column_stack([_columns(output.predictions) for output in outputs]),
        truth=np.column_stack([_columns(output.truth) for output in outputs]),
        naive_forecasts={
            rule: np.column_stack([output.naive_forecasts[rule] for output in outputs])
            for rule in first.naive_forecasts
            if all(rule in output.naive_forecasts for output in outputs)
        },
        mask=None,
    )
    each = [_common_sense(output, weights) for output in outputs]
    predicted = np.column_stack([_columns(common.predictions) for common in each])
    baseline = Baseline(
        " and ".join(dict.fromkeys(common.baseline.name for common in each)),
        whole.score.function(whole.truth, predicted, weights),
        "predicts each output by the targets of the training rows alone",
    )
    simple = SimpleScore(simple_name(first.task), "", None, NO_SIMPLE_MODEL)
    return _rivals(whole, CommonSense(baseline, predicted), simple, weights, added)


def _rivals(
    output: ScoredOutput,
    common: CommonSense,
    simple: SimpleScore | None,
    weights: Array | None,
    added: float,
) -> Rivals:
    """The strongest of the constant baseline and the naive forecasts, and the simple model."""
    comparison = ComparedPredictions(
        output.score,
        output.truth,
        output.predictions,
        common.predictions,
        None if simple is None else simple.predictions,
        weights,
        added,
        len(output.known),
        output.mask,
    )
    forecasts = (
        in_time(
            rule, forecast, common, output.task, output.score, output.truth, weights, output.mask
        )
        for rule, forecast in output.naive_forecasts.items()
    )
    rivals = Rivals(common.baseline, simple, comparison, tuple(forecasts))
    return with_strongest_baseline([rivals])[0]


def sum_of_losses(outputs: Sequence[ScoredOutput]) -> Score:
    """Return the weighted sum of the outputs' losses as one score.

    It takes targets (m, t) and predictions (m, k), those of the outputs side by side in order;
    steps and pixels are columns. The rows are those of the outputs, whose masks count.
    """
    target_ends = np.cumsum([_columns(output.truth).shape[1] for output in outputs])[:-1]
    output_ends = np.cumsum([_columns(output.predictions).shape[1] for output in outputs])[:-1]

    def parts(y_true: ArrayLike, y_pred: ArrayLike) -> Iterator[tuple[ScoredOutput, Array, Array]]:
        true = np.split(np.asarray(y_true), target_ends, axis=1)
        predicted = np.split(np.asarray(y_pred), output_ends, axis=1)
        for output, t, p in zip(outputs, true, predicted, strict=True):
            shapes = output.truth.shape[1:], output.predictions.shape[1:]
            yield output, t.reshape(-1, *shapes[0]), p.reshape(-1, *shapes[1])

    def function(
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> float:
        return sum(
            output.weight * output.score.function(true, predicted, sample_weight, output.mask)
            for output, true, predicted in parts(y_true, y_pred)
        )

    def rows(
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> Array:
        values = [
            output.weight * output.score.rows(true, predicted, sample_weight, output.mask)
            for output, true, predicted in parts(y_true, y_pred)
            if output.score.rows is not None
        ]
        return np.sum(values, axis=0)

    scores = [output.score for output in outputs]
    by_row = all(score.rows is not None and score.of_mean is None for score in scores)
    # A mask belongs to these rows: those of several folds cannot be put together.
    by_row &= all(output.mask is None for output in outputs)
    return Score("loss", "min", function, rows=rows if by_row else None)


def with_strongest_baseline(folds: Sequence[Rivals]) -> list[Rivals]:
    """Return the same with the baseline first whose mean over all folds is best.

    Args:
        folds: Of one experiment, with baselines of the same names.
    """
    if not folds or not folds[0].others:
        return list(folds)
    known = [
        {
            one.baseline.name: one
            for one in (CommonSense(fold.baseline, fold.comparison.baseline), *fold.others)
        }
        for fold in folds
    ]
    sign = 1.0 if folds[0].comparison.score.direction == "min" else -1.0

    def weakness(name: str) -> float:
        mean = float(np.mean([baselines[name].baseline.value for baselines in known]))
        return sign * mean if np.isfinite(mean) else np.inf

    names = sorted(known[0], key=weakness)
    found = []
    for fold, baselines in zip(folds, known, strict=True):
        first, *others = (baselines[name] for name in names)
        comparison = replace(fold.comparison, baseline=first.predictions)
        found.append(Rivals(first.baseline, fold.simple, comparison, tuple(others)))
    return found


def _common_sense(output: ScoredOutput, weights: Array | None) -> CommonSense:
    return common_sense(
        output.task,
        output.score,
        output.known,
        output.truth,
        shape=output.predictions.shape[1:],
        classes=output.classes,
        sample_weight=weights,
        mask=output.mask,
        train_mask=output.known_mask,
    )


def _columns(targets: Array) -> Array:
    return targets.reshape(len(targets), -1)
