"""A model beside what it is compared with, on the same rows in the measure of success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dlrun.metrics.scores import Score
from dlrun.scoring.baselines import Baseline, CommonSense

Array = np.ndarray


@dataclass(frozen=True)
class SimpleScore:
    """How well the simple model does.

    Args:
        name: `logistic regression` or `ridge regression`.
        description: What it is and does; empty where it was skipped.
        value: Its score; None where it was skipped.
        skipped: Why it was, one clause; None where it was not.
    """

    name: str
    description: str
    value: float | None
    skipped: str | None = None


@dataclass(frozen=True)
class ComparedPredictions:
    """Predictions of all for the scored rows, in the form that the measure of success takes.

    Args:
        score: The measure of success.
        truth: (m,) or (m, k) targets.
        model: (m, k) the trained model's.
        baseline: (m, k) the baseline's.
        simple: (m, k) the simple model's, or None.
        weights: (m,) weights of the rows, or None.
        added: What regularizers of weights add to the model's score where that is the loss.
        trained: Number of training rows.
    """

    score: Score
    truth: Array
    model: Array
    baseline: Array
    simple: Array | None
    weights: Array | None
    added: float
    trained: int


@dataclass(frozen=True)
class Rivals:
    """The scores beside the model's, and the predictions that they come from.

    Args:
        baseline: The strongest baseline, which the model has to beat.
        simple: The simple model, or None.
        comparison: The predictions.
        others: Weaker baselines, the stronger first.
    """

    baseline: Baseline
    simple: SimpleScore | None
    comparison: ComparedPredictions
    others: tuple[CommonSense, ...] = ()


def with_strongest_baseline(rivals: Sequence[Rivals]) -> list[Rivals]:
    """Return the same with the baseline in front whose mean over all of them is best.

    Args:
        rivals: Of the folds of one experiment, with baselines of the same names.
    """
    if not rivals or not rivals[0].others:
        return list(rivals)
    candidates = [
        {one.baseline.name: one for one in (_front(each), *each.others)} for each in rivals
    ]
    sign = 1.0 if rivals[0].comparison.score.direction == "min" else -1.0

    def weakness(name: str) -> float:
        return sign * float(np.mean([known[name].baseline.value for known in candidates]))

    names = sorted(candidates[0], key=weakness)
    pairs = zip(rivals, candidates, strict=True)
    return [_led_by(each, [known[name] for name in names]) for each, known in pairs]


def _front(rivals: Rivals) -> CommonSense:
    return CommonSense(rivals.baseline, rivals.comparison.baseline)


def _led_by(rivals: Rivals, order: Sequence[CommonSense]) -> Rivals:
    first, *others = order
    comparison = replace(rivals.comparison, baseline=first.predictions)
    return replace(rivals, baseline=first.baseline, comparison=comparison, others=tuple(others))
