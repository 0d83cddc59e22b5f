"""The sum of the losses of several outputs beside that of the common-sense baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import Array
from dlrun.metrics.names import TargetType
from dlrun.metrics.scores import Score
from dlrun.scoring.baselines import Baseline, CommonSense, common_sense, in_time
from dlrun.scoring.measures import Measure
from dlrun.scoring.rivals import (
    ComparedPredictions,
    Rivals,
    SimpleScore,
    with_strongest_baseline,
)
from dlrun.scoring.simple_models import simple_name

NO_SIMPLE_MODEL = "the score is the sum of the losses of several outputs"


@dataclass(frozen=True)
class ComparedOutput:
    """One output on the scored rows, in the form that its loss takes.

    Args:
        task: What it predicts.
        classes: Class names; empty where they have none.
        loss: Its loss.
        said: (m, k) what the model says.
        truth: (m,) or (m, k) targets.
        known: Targets of the rows that trained the model.
        references: What common sense says of rows in the order of time, by the name of the rule.
    """

    task: TargetType
    classes: Sequence[str]
    loss: Measure
    said: Array
    truth: Array
    known: Array
    references: Mapping[str, Array] = field(default_factory=dict)


def rivals_of_sum(
    outputs: Sequence[ComparedOutput], weights: Array | None, added: float
) -> Rivals | None:
    """Score the baselines of all outputs together; None where only Keras knows a loss, or an
    output has more axes.

    Args:
        outputs: All of them.
        weights: (m,) weights of the rows in the losses, or None.
        added: What regularizers of weights add to the model's loss.
    """
    if any(each.loss.score is None or each.said.ndim > 2 for each in outputs):
        return None
    beside = [_common_sense(each, weights) for each in outputs]
    terms = [
        Term(each.loss.score, each.loss.weight, _columns(each.truth).shape[1], each.said.shape[-1])
        for each in outputs
        if each.loss.score is not None
    ]
    score = sum_of(terms)
    truth = np.column_stack([_columns(each.truth) for each in outputs])
    model = np.column_stack([each.said for each in outputs])
    predicted = np.column_stack([common.predictions for common in beside])
    baseline = Baseline(
        " and ".join(dict.fromkeys(common.baseline.name for common in beside)),
        score.function(truth, predicted, weights),
        "predicts each output by the targets of the training rows alone",
    )
    simple = SimpleScore(simple_name(outputs[0].task), "", None, NO_SIMPLE_MODEL)
    trained = len(outputs[0].known)
    comparison = ComparedPredictions(score, truth, model, predicted, None, weights, added, trained)
    constant = CommonSense(baseline, predicted)
    others = tuple(
        in_time(
            rule,
            np.column_stack([each.references[rule] for each in outputs]),
            constant,
            score,
            truth,
            weights,
        )
        for rule in outputs[0].references
        if all(rule in each.references for each in outputs)
    )
    return with_strongest_baseline([Rivals(baseline, simple, comparison, others)])[0]


def _common_sense(output: ComparedOutput, weights: Array | None) -> CommonSense:
    assert output.loss.score is not None
    return common_sense(
        output.task,
        output.loss.score,
        output.known,
        output.truth,
        outputs=output.said.shape[-1],
        classes=output.classes,
        sample_weight=weights,
    )


def _columns(targets: Array) -> Array:
    return targets.reshape(len(targets), -1)


@dataclass(frozen=True)
class Term:
    """The loss of one output.

    Args:
        score: What it is.
        weight: What it counts in the sum.
        targets: Number of columns of its targets.
        outputs: Number of columns of its output.
    """

    score: Score
    weight: float
    targets: int
    outputs: int


def sum_of(terms: Sequence[Term]) -> Score:
    """Return the weighted sum of losses as a score.

    It takes targets (n, t) and predictions (n, k), those of each term side by side in order.
    """

    def parts(y_true: ArrayLike, y_pred: ArrayLike) -> Iterator[tuple[Term, Array, Array]]:
        true = np.split(np.asarray(y_true), np.cumsum([t.targets for t in terms])[:-1], axis=1)
        said = np.split(np.asarray(y_pred), np.cumsum([t.outputs for t in terms])[:-1], axis=1)
        yield from zip(terms, true, said, strict=True)

    def function(
        y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        return sum(
            term.weight * term.score.function(true, said, sample_weight)
            for term, true, said in parts(y_true, y_pred)
        )

    def rows(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        values = [
            term.weight * _rows_of(term.score)(true, said, sample_weight)
            for term, true, said in parts(y_true, y_pred)
        ]
        return np.sum(values, axis=0)

    by_row = all(term.score.rows is not None and term.score.of_mean is None for term in terms)
    return Score("loss", "min", function, rows=rows if by_row else None)


def _rows_of(score: Score) -> Callable[..., Array]:
    assert score.rows is not None
    return score.rows
