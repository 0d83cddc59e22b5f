"""Scores beside each other: the model, its rivals, its folds, and other runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlrun.metrics.formatting import figure
from dlrun.reports.html.plot import Figure, LegendKey, Plot
from dlrun.reports.html.scale import Scale, linear
from dlrun.text import shortened

ROW = 34.0
"""Height of one score."""

MOST_LETTERS = 48
"""Letters of a name beside its score."""

MOST_LINES = 24
"""Folds that have a line each."""


@dataclass(frozen=True)
class ScoreMark:
    """One score on the line of scores.

    Args:
        label: Whose it is.
        value: The score.
        low: Lower end of its interval, or None.
        high: Upper end of its interval, or None.
        kind: `model`, or `rival` for what it has to beat.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    kind: str = "model"


def score_figure(marks: Sequence[ScoreMark], axis: str, description: str) -> Figure | None:
    """Return all scores on one axis, a line each; None where there is nothing to compare."""
    if len(marks) < 2:
        return None
    numbers = [n for m in marks for n in (m.value, m.low, m.high) if n is not None]
    x = linear(numbers, padding=0.06)
    height = ROW * len(marks) + 66
    plot = Plot(x, Scale(0, len(marks), (), ()), description, axis, height=height)
    for row, mark in enumerate(marks):
        y = len(marks) - row - 0.62
        plot.rule((x.low, y), (x.high, y), "grid")
        if mark.low is not None and mark.high is not None:
            plot.rule((mark.low, y), (mark.high, y), f"interval {mark.kind}")
        plot.dots([mark.value], [y], mark.kind, radius=5)
        plot.text(
            x.low,
            y,
            shortened(mark.label, MOST_LETTERS),
            shift=(0, -9),
            anchor="start",
            mark="name",
        )
        plot.text(x.high, y, figure(mark.value), shift=(0, -9), anchor="end", mark="value")
    return Figure(plot.svg())


def folds_figure(
    scores: Sequence[float],
    groups: Sequence[int],
    *,
    mean: float,
    std: float | None,
    baseline: float | None,
    name: str,
    one: str = "fold",
) -> Figure:
    """Return a dot for each fold, with their mean, its spread and the baseline.

    Each fold has a line of its own; each iteration where there are several.

    Args:
        scores: One for each fold.
        groups: Which iteration each belongs to, from 0.
        mean: Their mean.
        std: Their standard deviation, or None.
        baseline: Mean score of the baseline, or None; left out where it would press the rest
            together.
        name: What the axis counts.
        one: What a training is called: `fold` or `repeat`.
    """
    repeated = one == "repeat"
    iterated = not repeated and max(groups, default=0) > 0
    lines = list(groups) if iterated or len(scores) > MOST_LINES else list(range(len(scores)))
    count = max(lines) + 1
    x = linear([*scores, mean], padding=0.12)
    shows_baseline = baseline is not None and x.low < baseline < x.high
    described = ", ".join(figure(score) for score in scores)
    labels = tuple(str(line + 1) for line in range(count)) if count > 1 else ("",)
    ticks = tuple(count - line - 0.5 for line in range(count))
    plot = Plot(
        x,
        Scale(0, count, ticks, labels),
        f"Scores of {len(scores)} {one}s: {described}. Mean {figure(mean)}.",
        x_label=name,
        y_label="" if count == 1 else "iteration" if iterated else one,
        height=66 + (22.0 if count > 1 else 40.0) * count,
    )
    if std is not None:
        plot.box((max(mean - std, x.low), 0), (min(mean + std, x.high), count), "band")
    plot.rule((mean, 0), (mean, count), "mean")
    plot.text(mean, count, f"mean {figure(mean)}", shift=(0, -6), mark="name")
    keys = [LegendKey("dot model", f"a {one}"), LegendKey("line validation", "mean")]
    if std is not None:
        keys.append(LegendKey("band validation", "± 1 standard deviation"))
    if shows_baseline and baseline is not None:
        plot.rule((baseline, 0), (baseline, count), "best")
        keys.append(LegendKey("best", "baseline"))
    mark = "model" if count == len(scores) else "model translucent"
    plot.dots(scores, [ticks[line] for line in lines], mark, radius=5)
    return Figure(plot.svg(), keys=tuple(keys))
