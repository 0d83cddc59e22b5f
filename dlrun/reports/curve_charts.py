"""Training curves as charts: dots for training, a line for validation, as in the book."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from dlrun.metrics.formatting import figure
from dlrun.reports.curve_facts import Curve, CurveFacts, FitPanel, FoldsPanel
from dlrun.reports.curve_panels import epoch_ticks
from dlrun.reports.html.plot import Figure, LegendKey, Plot
from dlrun.reports.html.scale import Scale, at_ticks, linear, logarithmic

MOST_DOTS = 60
"""Epochs that get a dot, at most; of longer trainings every n-th has one."""


def curve_figures(facts: CurveFacts, several: str = "folds") -> tuple[Figure, ...]:
    """Return a chart for each metric.

    Args:
        facts: What to draw.
        several: What the trainings of the run are called: `folds` or `repeats`.
    """
    return tuple(
        _fit_figure(panel, facts)
        if isinstance(panel, FitPanel)
        else _folds_figure(panel, facts, several)
        for panel in facts.panels
    )


def _fit_figure(panel: FitPanel, facts: CurveFacts) -> Figure:
    first = facts.left_out
    plot = _plot(panel, facts, [*panel.training[first:], *panel.validation[first:]])
    keys = []
    if panel.training:
        every = max(1, math.ceil(len(panel.training[first:]) / MOST_DOTS))
        shown = range(first, len(panel.training), every)
        epochs = [index + 1 for index in shown]
        plot.dots(epochs, [panel.training[index] for index in shown], "training")
        keys.append(LegendKey("dot training", _every("training", every)))
    if panel.validation:
        _draw_line(plot, panel.validation, first, "validation")
        keys.append(LegendKey("line validation", "validation"))
    return _finished(plot, panel, tuple(keys), facts)


def _folds_figure(panel: FoldsPanel, facts: CurveFacts, several: str) -> Figure:
    first, drawn = facts.left_out, panel.smoothed or panel
    shown = [value for curve in drawn.folds for value in curve[first:]]
    plot = _plot(panel, facts, shown)
    mean, std = np.array(drawn.mean), np.array(drawn.std)
    epochs = range(first + 1, len(mean) + 1)
    plot.band(list(epochs), list((mean - std)[first:]), list((mean + std)[first:]), "validation")
    for curve in drawn.folds:
        _draw_line(plot, curve, first, "fold")
    _draw_line(plot, drawn.mean, first, "validation")
    part = "" if panel.part == "validation" else ", training"
    smoothing = "" if panel.smoothed is None else f", moving average {panel.smoothed.factor:g}"
    keys = (
        LegendKey("line validation", f"mean of {len(panel.folds)} {several}{part}{smoothing}"),
        LegendKey("band validation", "± 1 standard deviation"),
        LegendKey("line fold", f"each {several.removesuffix('s')}"),
    )
    return _finished(plot, panel, keys, facts)


def _plot(panel: FitPanel | FoldsPanel, facts: CurveFacts, values: Sequence[float]) -> Plot:
    scale = ", log scale" if panel.logarithmic else ""
    best = (
        ""
        if panel.best is None
        else (f" Best in epoch {panel.best.epoch}: {figure(panel.best.value)}.")
    )
    return Plot(
        x=_epochs(facts.left_out + 1, facts.epochs),
        y=(logarithmic if panel.logarithmic else linear)(values),
        description=f"{panel.label} over {facts.epochs} epochs.{best}",
        x_label=_epoch_label(facts.left_out),
        y_label=panel.label + scale,
    )


def _finished(
    plot: Plot, panel: FitPanel | FoldsPanel, keys: tuple[LegendKey, ...], facts: CurveFacts
) -> Figure:
    for number, phase in enumerate(facts.shown_phases):
        if number:
            start = phase.epoch - 0.5
            plot.rule((start, plot.y.low), (start, plot.y.high), "gap")
        else:
            start = plot.x.low
        plot.text(start, plot.y.high, phase.name, shift=(4, 11), anchor="start")
    if panel.best is not None and panel.best.epoch > facts.left_out:
        epoch, value = panel.best.epoch, panel.best.value
        plot.rule((epoch, plot.y.low), (epoch, plot.y.high), "best")
        place = plot.x.place(epoch)
        anchor = "start" if place < 0.15 else "end" if place > 0.7 else "middle"
        plot.text(
            epoch,
            plot.y.high,
            f"epoch {epoch}: {figure(value)}",
            shift=(0, -6),
            anchor=anchor,
            mark="name",
        )
        if plot.y.low <= value <= plot.y.high:
            plot.dots([epoch], [value], "best-dot", radius=4.2)
        keys = (*keys, LegendKey("best", "best epoch"))
    missing = [not math.isfinite(value) for value in _reference(panel)]
    if any(missing):
        for start, end in _stretches(missing):
            plot.box((start + 0.5, plot.y.low), (end + 0.5, plot.y.high), "missing")
        keys = (*keys, LegendKey("missing", "no number (NaN)"))
    return Figure(plot.svg(), keys=keys)


def _reference(panel: FitPanel | FoldsPanel) -> Curve:
    return panel.training if isinstance(panel, FitPanel) else panel.mean


def _draw_line(plot: Plot, curve: Curve, first: int, mark: str) -> None:
    """Draw a curve; where only every n-th epoch was measured, those are joined."""
    measured = [i for i, value in enumerate(curve) if math.isfinite(value)]
    steps = {b - a for a, b in itertools.pairwise(measured)}
    if len(steps) == 1 and steps != {1}:
        shown = [index for index in measured if index >= first]
    else:
        shown = list(range(first, len(curve)))
    plot.line([index + 1 for index in shown], [curve[index] for index in shown], mark)


def _stretches(missing: Sequence[bool]) -> list[tuple[int, int]]:
    """Return where the missing epochs begin and end, counted from 0, the end not included."""
    found, start = [], None
    for index, gone in enumerate([*missing, False]):
        if gone and start is None:
            start = index
        elif not gone and start is not None:
            found.append((start, index))
            start = None
    return found


def _epochs(first: int, last: int) -> Scale:
    room = max(0.5, 0.02 * (last - first))
    return at_ticks(first - room, last + room, epoch_ticks(first, last, most=8))


def _epoch_label(left_out: int) -> str:
    if left_out == 0:
        return "epoch"
    if left_out == 1:
        return "epoch (the first is left out)"
    return f"epoch (the first {left_out} are left out)"


def _every(name: str, number: int) -> str:
    ordinal = {2: "2nd", 3: "3rd"}.get(number, f"{number}th")
    return name if number == 1 else f"{name} (every {ordinal} epoch)"
