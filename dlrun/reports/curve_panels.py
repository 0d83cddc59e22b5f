"""Draws one panel of curves into an Axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.metrics.formatting import figure as as_text
from dlrun.reports.curve_facts import Best, Curve, CurveFacts, FitPanel, FoldsPanel
from dlrun.text import ordinal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette (2008), told apart with every kind of colour vision.
BLUE = "#0072B2"
PALE_BLUE = "#7FB9DD"
ORANGE = "#E69F00"
INK = "#222222"
MARK = "#5A5A5A"
FOLD = "#9C9C9C"
TICKS = "#9A9A9A"
GRID = "#E6E6E6"

DOT = 5.0
"""Size of a dot in points where there is room for it."""

AXIS_POINTS = 500.0
"""Width of a panel that has the figure to itself, in points."""

NAMES = 0.12
"""Share of a panel's height above the curves that holds the names of phases."""

BEST = "best epoch"
NOT_SMOOTHED = "not smoothed"
STD = "± 1 std"
EACH = "each"
NO_NUMBER = "no number (NaN)"
LEGEND = ("training", "validation", "mean", NOT_SMOOTHED, STD, EACH, BEST, NO_NUMBER)
"""How the legend's entries begin, in their order."""


def draw_panel(axes: Axes, panel: FitPanel | FoldsPanel, facts: CurveFacts, columns: int) -> None:
    """Draw one metric: curves, best epoch, axes. The label of the epochs is left to others."""
    scale = ", log scale" if panel.logarithmic else ""
    axes.set_ylabel(panel.label + scale).set_parse_math(False)
    if panel.logarithmic:
        axes.set_yscale("log")
    if isinstance(panel, FitPanel):
        shown = max(facts.epochs - facts.left_out, 1)
        _draw_fit(axes, panel, facts.left_out, AXIS_POINTS / columns / shown)
        curve = panel.validation
    else:
        _draw_folds(axes, panel, facts)
        curve = panel.mean
    _shade_missing(axes, curve if isinstance(panel, FoldsPanel) else panel.training)
    set_epochs(axes, facts.left_out + 1, facts.epochs)
    _mark_phases(axes, facts)
    if panel.best is not None:
        _mark_best(axes, panel.best, facts)


def legend_entries(figure: Figure) -> tuple[list[Any], list[str]]:
    """Return handles and labels of all panels, each label once."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    labels = sorted(entries, key=_rank)
    return [entries[label] for label in labels], labels


def epoch_ticks(first: int, last: int, most: int = 10) -> list[int]:
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


def _draw_fit(axes: Axes, panel: FitPanel, left_out: int, spacing: float) -> None:
    """Draw dots and a line; `spacing` is the distance of two epochs in points."""
    if panel.training:
        size = float(np.clip(0.6 * spacing, 2.0, DOT))
        every = max(1, math.ceil(1.2 * size / spacing))
        axes.plot(
            _epochs(panel.training),
            hidden_first(panel.training, left_out),
            linestyle="none",
            marker="o",
            markersize=size,
            markeredgewidth=0,
            markevery=every,
            color=ORANGE,
            label="training" if every == 1 else f"training (every {ordinal(every)} epoch)",
        )
    if panel.validation:
        width = float(np.clip(0.8 * spacing, 1.1, 1.8))
        validation = hidden_first(panel.validation, left_out)
        draw_line(axes, validation, color=BLUE, linewidth=width, label="validation")


def _draw_folds(axes: Axes, panel: FoldsPanel, facts: CurveFacts) -> None:
    """Draw every fold thinly, their mean and its spread; all of them smoothed where noisy."""
    count, left_out = len(panel.folds), facts.left_out
    each_fold = f"{EACH} {facts.several.removesuffix('s')}"
    drawn = panel.smoothed or panel
    for index, curve in enumerate(drawn.folds):
        draw_line(
            axes,
            hidden_first(curve, left_out),
            color=FOLD,
            alpha=float(np.clip(4.0 / count, 0.25, 0.8)),
            linewidth=0.8,
            label=each_fold if index == 0 else None,
        )
    mean = hidden_first(drawn.mean, left_out)
    middle, std = np.array(mean), np.array(drawn.std)
    if np.isfinite(std).any():
        band = (middle - std, middle + std)
        axes.fill_between(_epochs(mean), *band, color=BLUE, alpha=0.16, linewidth=0, label=STD)
    if panel.smoothed:
        raw = hidden_first(panel.mean, left_out)
        draw_line(axes, raw, color=PALE_BLUE, linewidth=0.9, label=NOT_SMOOTHED)
    part = "" if panel.part == "validation" else ", training"
    smoothing = f", moving average {panel.smoothed.factor:g}" if panel.smoothed else ""
    name = f"mean of {count} {facts.several}{part}{smoothing}"
    draw_line(axes, mean, color=BLUE, linewidth=2.4, label=name)


def draw_line(axes: Axes, values: Sequence[float], **style: Any) -> None:
    """Draw a line that is broken where values are missing.

    Values measured every so many epochs are joined, and lonely ones are dots.
    """
    measured = [index for index, value in enumerate(values) if math.isfinite(value)]
    steps = {after - before for before, after in itertools.pairwise(measured)}
    dots = {"marker": "o", "markersize": 2.0 * style["linewidth"] + 1, "markeredgewidth": 0}
    if len(steps) == 1 and steps != {1}:
        axes.plot([i + 1 for i in measured], [values[i] for i in measured], **style, **dots)
        return
    (line,) = axes.plot(_epochs(values), values, solid_capstyle="round", **style)
    lonely = _lonely(values)
    if lonely:
        line.set(**dots)
        line.set_markevery(lonely)


def _mark_best(axes: Axes, best: Best, facts: CurveFacts) -> None:
    axes.axvline(best.epoch, color=MARK, linewidth=1.1, linestyle=(0, (4, 3)), label=BEST, zorder=1)
    axes.plot(
        [best.epoch],
        [best.value],
        linestyle="none",
        marker="o",
        markersize=7,
        markerfacecolor=BLUE,
        markeredgecolor=INK,
        markeredgewidth=1.2,
        zorder=5,
    )
    low, high = axes.get_xlim()
    place = (best.epoch - low) / (high - low)
    side = "left" if place < 0.12 else "right" if place > 0.88 else "center"
    axes.annotate(
        f"epoch {best.epoch}: {as_text(best.value)}",
        (best.epoch, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha=side,
        va="bottom",
        size=10,
        annotation_clip=False,
    )


def _mark_phases(axes: Axes, facts: CurveFacts) -> None:
    """Draw a line where a phase of training begins, and name the phases above the curves."""
    if facts.shown_phases:
        low, high = axes.get_ylim()
        is_log = axes.get_yscale() == "log"
        room = high * ((high / low) ** NAMES - 1) if is_log else NAMES * (high - low)
        axes.set_ylim(low, high + room)
    for number, phase in enumerate(facts.shown_phases):
        if number:
            axes.axvline(phase.epoch - 0.5, color=TICKS, linewidth=1.0, zorder=1)
        low, _ = axes.get_xlim()
        axes.annotate(
            phase.name,
            (phase.epoch - 0.5 if number else low, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -3),
            textcoords="offset points",
            ha="left",
            va="top",
            size=9,
            color=MARK,
        ).set_parse_math(False)


def _shade_missing(axes: Axes, curve: Curve) -> None:
    """Shade the epochs that have no number: training has diverged."""
    missing = [not math.isfinite(value) for value in curve]
    start: int | None = None
    label: str | None = NO_NUMBER
    for index, gone in enumerate([*missing, False]):
        if gone and start is None:
            start = index
        elif not gone and start is not None:
            axes.axvspan(
                start + 0.5, index + 0.5, color="#F0F0F0", linewidth=0, zorder=0, label=label
            )
            start = label = None


def set_epochs(axes: Axes, first: int, last: int) -> None:
    """Set the range and the ticks of the axis of epochs."""
    padding = max(0.5, 0.015 * (last - first))
    axes.set_xlim(first - padding, last + padding)
    axes.set_xticks(epoch_ticks(first, last))


def _epochs(curve: Sequence[float]) -> range:
    return range(1, len(curve) + 1)


def hidden_first(curve: Sequence[float], count: int) -> Curve:
    """Return a curve whose first values are NaN."""
    return (math.nan,) * min(count, len(curve)) + tuple(curve[count:])


def _lonely(values: Sequence[float]) -> list[int]:
    """Positions of values that no neighbour connects to a line."""
    there = [False, *(math.isfinite(value) for value in values), False]
    return [
        i - 1 for i in range(1, len(there) - 1) if there[i] and not (there[i - 1] or there[i + 1])
    ]


def _rank(label: str) -> int:
    ranks = (i for i, beginning in enumerate(LEGEND) if label.startswith(beginning))
    return next(ranks, -1)
