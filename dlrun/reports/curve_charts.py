"""Training curves as charts: dots for training, a line for validation, as in the book."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlrun.reports.charts import (
    Axis,
    BandMark,
    BoxesMark,
    Chart,
    DotsMark,
    LineMark,
    Mark,
    TextMark,
    axis_holding,
    rule,
)
from dlrun.reports.curve_facts import Curve, CurveFacts, CurvePanel
from dlrun.reports.marked_epoch import MarkedEpoch
from dlrun.text import ordinal

if TYPE_CHECKING:
    from dlrun.store.training_folder import TrainingFolder

MOST_DOTS = 100
"""Epochs that get a dot, at most; of longer trainings every n-th has one."""

DOTS_WIDTH = 220.0
"""Width in points that the dots of a narrow chart have together, gaps left out."""

LEAST_DOT, DOT, MARKED_DOT = 2.4, 5.0, 7.0
"""Diameters in points."""

PHASE_NAMES = 0.12
"""Share of a chart's height above the curves that holds the names of phases."""


def draw_run_curves(folder: TrainingFolder, facts: CurveFacts) -> None:
    """Draw the curves of a run, or of one fold, as its `curves.png` and `curves.svg`; nothing where
    no epoch was completed.

    Raises:
        RunError: The curves exist already.
    """
    from dlrun.reports.picture import build_picture, save_picture

    charts = curve_charts(facts)
    if charts:
        picture = build_picture(charts, facts.title)
        folder.save_curves(lambda path: save_picture(picture, path, path.suffix.removeprefix(".")))


def curve_charts(facts: CurveFacts) -> tuple[Chart, ...]:
    """Return a chart for each metric."""
    return tuple(_chart(panel, facts) for panel in facts.panels)


def epoch_axis(left_out: int, last: int) -> Axis:
    """Return the axis of epochs.

    Args:
        left_out: How many first epochs are not shown.
        last: The last epoch.
    """
    label = "Epoch"
    if left_out:
        first = "the first is" if left_out == 1 else f"the first {left_out} are"
        label += f" ({first} left out)"
    room = max(0.5, 0.02 * (last - left_out - 1))
    ticks = tuple(map(float, epoch_ticks(left_out + 1, last)))
    return Axis(left_out + 1 - room, last + room, label, ticks, tuple(f"{t:g}" for t in ticks))


def epoch_ticks(first: int, last: int, most: int = 9) -> list[int]:
    """Return at most about `most` epochs to label: the first, and round numbers up to the last."""
    step = 1
    for candidate in (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000):
        step = candidate
        if (last - first + 1) / step <= most:
            break
    ticks = [tick for tick in range(step, last + 1, step) if tick >= first]
    if not ticks or ticks[0] - first > 0.6 * step or step == 1:
        ticks = sorted({first, *ticks})
    return ticks


def curve_line(
    curve: Sequence[float],
    left_out: int,
    style: str,
    label: str = "",
    opacity: float | None = None,
) -> LineMark:
    """Return a curve from the first shown epoch on; values of every n-th epoch are joined.

    Args:
        curve: A value an epoch, NaN where there is none.
        left_out: How many first epochs are not shown.
        style: How it is drawn.
        label: What it is.
        opacity: From 0 to 1; None for that of the style.
    """
    measured = [index for index, value in enumerate(curve) if math.isfinite(value)]
    steps = {after - before for before, after in itertools.pairwise(measured)}
    joined = len(steps) == 1 and steps != {1}
    shown = [index for index in (measured if joined else range(len(curve))) if index >= left_out]
    return LineMark(
        [index + 1 for index in shown], [curve[index] for index in shown], style, label, opacity
    )


def _chart(panel: CurvePanel, facts: CurveFacts) -> Chart:
    first, drawn = facts.left_out, panel.smoothed.folds if panel.smoothed else panel.folds
    marks = _folds_marks(panel, first, facts.several) if drawn else _fit_marks(panel, first)
    curves = drawn or (panel.training, panel.validation)
    values = [value for curve in curves for value in curve[first:]]
    measured = panel.curve if panel.folds else panel.training
    x = epoch_axis(first, facts.epochs)
    y = axis_holding(
        values,
        panel.label + (", log scale" if panel.logarithmic else ""),
        logarithmic=panel.logarithmic,
    )
    top = y.value(1 + PHASE_NAMES) if facts.shown_phases else y.high
    y = Axis(y.low, top, y.label, logarithmic=y.logarithmic)
    marked, described = panel.marked, ""
    if marked is not None:
        described = f" {facts.mark[:1].upper()}{facts.mark[1:]} {marked.epoch}: {marked.text}."
        marks += _epoch_marks(marked, facts.mark, x, y) if marked.epoch > first else []
    return Chart(
        x,
        y,
        (
            *marks,
            *_missing_marks(measured, y),
            *_phase_marks(facts, x, y),
        ),
        f"{panel.label} over {facts.epochs} epochs.{described}",
    )


def _fit_marks(panel: CurvePanel, first: int) -> list[Mark]:
    marks: list[Mark] = []
    if panel.training:
        every = max(1, math.ceil(len(panel.training[first:]) / MOST_DOTS))
        shown = range(first, len(panel.training), every)
        size = float(np.clip(DOTS_WIDTH / max(len(shown), 1), LEAST_DOT, DOT))
        label = "training" if every == 1 else f"training (every {ordinal(every)} epoch)"
        values = [panel.training[index] for index in shown]
        marks.append(DotsMark([i + 1 for i in shown], values, "training", label, size))
    if panel.validation:
        marks.append(curve_line(panel.validation, first, "validation", "validation"))
    return marks


def _folds_marks(panel: CurvePanel, first: int, several: str) -> list[Mark]:
    """Every fold thinly, their mean and its spread; all of them smoothed where noisy."""
    smoothed, count = panel.smoothed, len(panel.folds)
    curve = smoothed.mean if smoothed else panel.curve
    deviations = smoothed.std if smoothed else panel.std
    part = "" if panel.validation else ", training"
    smoothing = f", moving average {smoothed.factor:g}" if smoothed else ""
    name = f"mean of {count} {several}{part}{smoothing}"
    marks: list[Mark] = [curve_line(curve, first, "mean", name)]
    if smoothed:
        marks.append(curve_line(panel.curve, first, "unsmoothed", "not smoothed"))
    mean, std = np.array(curve[first:]), np.array(deviations[first:])
    if np.isfinite(std).any():
        epochs = np.arange(first + 1, first + 1 + len(mean))
        label = "± 1 standard deviation"
        marks.append(BandMark(epochs, mean - std, mean + std, "spread", label))
    opacity = float(np.clip(3 / count, 0.2, 0.5))
    for index, fold in enumerate(smoothed.folds if smoothed else panel.folds):
        label = "" if index else f"each {several.removesuffix('s')}"
        marks.append(curve_line(fold, first, "fold", label, opacity))
    return marks


def _epoch_marks(marked: MarkedEpoch, label: str, x: Axis, y: Axis) -> list[Mark]:
    """A line through the marked epoch, with its value above."""
    position = x.position(marked.epoch)
    align = "left" if position < 0.15 else "right" if position > 0.8 else "center"
    text = f"epoch {marked.epoch}: {marked.text}"
    marks: list[Mark] = [
        rule((marked.epoch, y.low), (marked.epoch, y.high), "reference", label),
        TextMark(marked.epoch, y.high, text, (0, 3), align),
    ]
    if y.low <= marked.value <= y.high:
        point = [marked.epoch], [marked.value]
        marks.append(DotsMark(*point, "validation", size=MARKED_DOT, ringed=True))
    return marks


def _missing_marks(curve: Curve, y: Axis) -> list[Mark]:
    """The epochs that have no number: training has diverged."""
    boxes, start = [], None
    for index, value in enumerate([*curve, 0.0]):
        if not math.isfinite(value):
            start = index if start is None else start
        elif start is not None:
            boxes.append((start + 0.5, y.low, index + 0.5, y.high))
            start = None
    return [BoxesMark(tuple(boxes), "missing", "no number (NaN)")] if boxes else []


def _phase_marks(facts: CurveFacts, x: Axis, y: Axis) -> list[Mark]:
    """A line where a phase of training begins, and the names of the phases above the curves."""
    marks: list[Mark] = []
    for number, phase in enumerate(facts.shown_phases):
        start = phase.epoch - 0.5 if number else x.low
        if number:
            marks.append(rule((start, y.low), (start, y.high), "phase"))
        marks.append(TextMark(start, y.high, phase.name, (3, -3), "left", below=True))
    return marks
