"""Scores, and where predictions err, as charts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.metrics.figures import Calibration, RankingCurves
from dlrun.reports.charts import (
    SQUARE,
    Axis,
    BoxesMark,
    Chart,
    DotsMark,
    LineMark,
    Mark,
    TextMark,
    axis_holding,
    rule,
    share_axis,
)
from dlrun.reports.columns import shortened_apart
from dlrun.reports.summary import width
from dlrun.text import figure, figure_near, percent, shortened

ROW = 34.0
"""Height of one score in points."""

FOLD_ROW = 22.0
"""Height of one fold's score in points."""

LONGEST_NAME = 48
"""Characters of a name above its score."""

MOST_ROWS = 24
"""Folds that have a row each."""

MOST_POINTS = 2_000
"""Rows of the data that a chart shows at most."""

MOST_BARS = 40

LONGEST_CLASS = 14
"""Characters of a class next to a confusion matrix."""

MOST_NAMES = 32
"""Names of classes next to a confusion matrix, at most; of more classes every n-th is named."""


@dataclass(frozen=True)
class ScoreMark:
    """One score on the line of scores.

    Args:
        label: Whose it is.
        value: The score.
        text: The score, rounded.
        low: Lower end of its interval, or None.
        high: Upper end of its interval, or None.
        kind: `model`, or `rival` for what it has to beat.
    """

    label: str
    value: float
    text: str
    low: float | None = None
    high: float | None = None
    kind: str = "model"


def score_mark(label: str, score: Mapping[str, Any]) -> ScoreMark:
    """Return the mark of a score that is a number, with its interval."""
    value, interval = score["value"], score.get("interval") or {}
    text = figure_near(value, width(score))
    return ScoreMark(label, value, text, interval.get("low"), interval.get("high"))


def score_chart(scores: Sequence[ScoreMark], measure: str) -> Chart | None:
    """Return all scores of a measure on one axis, a row each; None where there is only one."""
    if len(scores) < 2:
        return None
    numbers = [n for s in scores for n in (s.value, s.low, s.high) if n is not None]
    x, count = axis_holding(numbers, measure, padding=0.06), len(scores)
    marks: list[Mark] = []
    for row, score in enumerate(scores):
        y = count - row - 0.7
        marks.append(rule((x.low, y), (x.high, y), "grid"))
        if score.low is not None and score.high is not None:
            marks.append(rule((score.low, y), (score.high, y), f"{score.kind} interval"))
        marks.append(DotsMark([score.value], [y], score.kind, size=10))
        name = shortened(score.label, LONGEST_NAME)
        marks.append(TextMark(x.low, y, name, (0, 7), "left"))
        marks.append(TextMark(x.high, y, score.text, (0, 7), "right", style="value"))
    described = ", ".join(f"{score.label} {score.text}" for score in scores)
    y_axis = Axis(0, count, ticks=())
    height = ROW * count + 40
    return Chart(x, y_axis, tuple(marks), f"{measure}: {described}.", height=height)


def folds_chart(
    scores: Sequence[float],
    groups: Sequence[int],
    *,
    mean: float,
    std: float | None,
    baseline: float | None,
    name: str,
    one: str = "fold",
) -> Chart:
    """Return a dot for each fold, with their mean, its spread and the baseline.

    Each fold has its own row; each iteration where there are several.

    Args:
        scores: One for each fold.
        groups: Which iteration each belongs to, from 0.
        mean: Their mean.
        std: Their standard deviation, or None.
        baseline: Mean score of the baseline, or None; left out where it would press the rest
            together.
        name: What the axis counts.
        one: The word for one training: `fold` or `repeat`.
    """
    iterated = one == "fold" and max(groups, default=0) > 0
    rows = list(groups) if iterated or len(scores) > MOST_ROWS else list(range(len(scores)))
    count = max(rows) + 1
    x = axis_holding([*scores, mean], name, padding=0.12)
    places = tuple(count - row - 0.5 for row in range(count))
    names = tuple(str(row + 1) for row in range(count)) if count > 1 else ("",)
    label = "" if count == 1 else "iteration" if iterated else one
    opacity = None if count == len(scores) else 0.6
    dots = DotsMark(
        scores, [places[row] for row in rows], "model", f"a {one}", 9.0, opacity=opacity
    )
    marks: list[Mark] = [dots, rule((mean, 0), (mean, count), "validation", "mean")]
    marks.append(TextMark(mean, count, f"mean {figure_near(mean, std)}", (0, 3)))
    if std is not None:
        box = (max(mean - std, x.low), 0.0, min(mean + std, x.high), float(count))
        marks.append(BoxesMark((box,), "spread", "± 1 standard deviation"))
    if baseline is not None and x.low < baseline < x.high:
        marks.append(rule((baseline, 0), (baseline, count), "reference", "baseline"))
    described = ", ".join(figure(score) for score in scores)
    return Chart(
        x,
        Axis(0, count, label, places, names),
        tuple(marks),
        f"Scores of {len(scores)} {one}s: {described}. Mean {figure_near(mean, std)}.",
        height=66 + (FOLD_ROW if count > 1 else 40.0) * count,
    )


def roc_chart(curves: RankingCurves, name: str, unit: str = "rows") -> Chart:
    """Return the ROC curve with its area; `unit` is what has a class: rows, steps or pixels."""
    area = figure(curves.area)
    return Chart(
        share_axis("false positive rate"),
        share_axis("true positive rate"),
        (
            LineMark(curves.false_positive_rate, curves.true_positive_rate, "validation", "model"),
            rule((0, 0), (1, 1), "reference", "guessing"),
        ),
        f"ROC curve for {name}: area {area}.",
        title="ROC",
        note=f"Area under the curve {area}, over every threshold where Keras' AUC takes 200: the "
        f"chance that a {unit[:-1]} of {name} is ranked above one that is not.",
        height=SQUARE,
    )


def precision_recall_chart(curves: RankingCurves, name: str) -> Chart:
    """Return the precision-recall curve with its average precision."""
    average = figure(curves.average_precision)
    # Between two thresholds the precision is that of the higher recall: steps, as average precision
    # counts them.
    recall, precision = np.repeat(curves.recall, 2)[1:-1], np.repeat(curves.precision[1:], 2)
    return Chart(
        share_axis("recall"),
        share_axis("precision"),
        (
            LineMark(recall, precision, "validation", "model"),
            rule((0, curves.share), (1, curves.share), "reference", "guessing"),
        ),
        f"Precision against recall for {name}: average precision {average}.",
        title="Precision and recall",
        note=f"Average precision {average}; guessing gives {figure(curves.share)}, the share of "
        f"{name}.",
        height=SQUARE,
    )


def reliability_chart(facts: Calibration, about: str, unit: str = "rows") -> Chart:
    """Return the reliability diagram: predicted probabilities against observed shares.

    Args:
        facts: Its bins.
        about: What the probability is of.
        unit: What has a probability: rows, steps or pixels.
    """
    bins, error = facts.bins, figure(facts.error)
    largest = max(part.rows for part in bins)
    dots = [
        DotsMark(
            [part.predicted],
            [part.observed],
            "model",
            f"{unit} in a tenth of the range",
            size=5 + 9 * (part.rows / largest) ** 0.5,
        )
        for part in bins
    ]
    return Chart(
        share_axis(f"predicted probability of {about}"),
        share_axis("observed share"),
        (
            *dots,
            *(
                rule((part.predicted, part.predicted), (part.predicted, part.observed), "gap")
                for part in bins
            ),
            LineMark([part.predicted for part in bins], [part.observed for part in bins], "thin"),
            rule((0, 0), (1, 1), "reference", "perfect calibration"),
        ),
        f"Reliability diagram: expected calibration error {error}.",
        note=f"Expected calibration error {error}: the mean distance between predicted probability "
        f"and observed share, over {facts.rows:,} {unit}. Larger dots are more {unit}.",
        height=SQUARE,
    )


def matrix_chart(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> Chart:
    """Return the confusion matrix as shades: for more classes than a table can hold.

    Args:
        confusion: (c, c) rows of each true class (first index) by predicted class.
        names: (c,) of the classes.
    """
    count = len(names)
    cells = defaultdict[tuple[str, float], list[tuple[float, float, float, float]]](list)
    for i, row in enumerate(confusion):
        total = sum(row) or 1
        for j, rows in enumerate(row):
            if rows:
                shade = 0.15 + 0.85 * round(rows / total, 1)
                cell = (float(j), count - i - 1.0, j + 1.0, float(count - i))
                cells["right" if i == j else "wrong", shade].append(cell)
    marks = [
        BoxesMark(tuple(boxes), style, opacity=shade) for (style, shade), boxes in cells.items()
    ]
    step = math.ceil(count / MOST_NAMES)
    ticks = tuple(count - i - 0.5 for i in range(0, count, step))
    right, every = sum(confusion[i][i] for i in range(count)), sum(map(sum, confusion)) or 1
    return Chart(
        Axis(0, count, "predicted class, in the same order", ticks=()),
        Axis(0, count, "true class", ticks, tuple(shortened_apart(names[::step], LONGEST_CLASS))),
        tuple(marks),
        f"Confusion matrix of {count} classes: {percent(right / every)} on the diagonal.",
        title="Confusion matrix",
        note="A row is a true class; the darker a cell, the larger its share of that row.",
        height=SQUARE + 40,
    )


def predicted_against_true(true: np.ndarray, predicted: np.ndarray, name: str) -> Chart:
    """Return a point for each row, and the line on which predictions are right.

    Args:
        true: (n,) quantities.
        predicted: (n,) in the same unit.
        name: The target.
    """
    both = axis_holding([*_ends(true), *_ends(predicted)])
    count, correlation = len(true), None
    if count > 1 and np.ptp(true) and np.ptp(predicted):
        correlation = float(np.corrcoef(true, predicted)[0, 1])
    return Chart(
        Axis(both.low, both.high, f"true {name}"),
        Axis(both.low, both.high, f"predicted {name}"),
        (
            _points(true, predicted),
            rule((both.low, both.low), (both.high, both.high), "reference", "no error"),
        ),
        f"Predicted against true {name}: correlation {figure(correlation)}.",
        title="Predicted against true",
        note="" if count <= MOST_POINTS else f"{MOST_POINTS:,} of {count:,} rows, drawn at random.",
        height=SQUARE,
    )


def residuals_against_predicted(true: np.ndarray, predicted: np.ndarray, name: str) -> Chart:
    """Return the error of each row against its prediction. Args as `predicted_against_true`."""
    errors = predicted - true
    x = axis_holding(_ends(predicted), f"predicted {name}")
    return Chart(
        x,
        axis_holding([*_ends(errors), 0.0], "residual (predicted − true)"),
        (_points(predicted, errors), rule((x.low, 0), (x.high, 0), "reference")),
        f"Residuals against predicted {name}: mean {figure(float(errors.mean()))}.",
        title="Residuals",
        note="A slope or a funnel is structure that the model has not learnt.",
        height=SQUARE,
    )


def residual_histogram(true: np.ndarray, predicted: np.ndarray, name: str) -> Chart:
    """Return how often errors of each size occur. Args as `predicted_against_true`."""
    errors = predicted - true
    counts, edges = np.histogram(errors, bins=_bars(errors))
    x = Axis(float(edges[0]), float(edges[-1]), f"residual of {name} (predicted − true)")
    y = Axis(0.0, 1.06 * float(counts.max()), "rows")
    bars = tuple(
        (float(low), 0.0, float(high), float(rows))
        for rows, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
        if rows
    )
    marks: list[Mark] = [BoxesMark(bars, "bars")]
    if x.low < 0 < x.high:
        marks.append(rule((0, y.low), (0, y.high), "reference"))
    return Chart(
        x,
        y,
        tuple(marks),
        f"Histogram of the residuals of {name}: from {figure(float(errors.min()))} to "
        f"{figure(float(errors.max()))}.",
        title="Distribution of the residuals",
        height=SQUARE,
    )


def _points(x: np.ndarray, y: np.ndarray) -> DotsMark:
    """Rows as points, of too many a random sample: the same for the same number of rows."""
    count, shown = len(x), np.arange(len(x))
    if count > MOST_POINTS:
        shown = np.sort(np.random.default_rng(0).choice(count, MOST_POINTS, replace=False))
    size = 6.4 if len(shown) <= 300 else 4.4 if len(shown) <= 1000 else 3.2
    return DotsMark(x[shown], y[shown], "model", "a row", size, opacity=0.6)


def _ends(values: np.ndarray) -> list[float]:
    return [float(values.min()), float(values.max())]


def _bars(errors: np.ndarray) -> int:
    """Number of bars by the rule of Freedman and Diaconis, within reason."""
    low, high = np.quantile(errors, [0.25, 0.75])
    width = 2 * (high - low) / len(errors) ** (1 / 3)
    if np.ptp(errors) == 0 or not width > np.ptp(errors) / MOST_BARS:
        return 1 if np.ptp(errors) == 0 else MOST_BARS
    return max(5, round(float(np.ptp(errors) / width)))
