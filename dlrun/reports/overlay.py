"""Validation curves of several runs over each other (the book's figures 4.4 to 4.9).

Epochs are counted from 1; a curve is one value an epoch, NaN where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlrun.metrics.names import Direction
from dlrun.reports.charts import MOST_RUNS, Axis, Chart, DotsMark, Mark, axis_holding
from dlrun.reports.curve_charts import MARKED_DOT, curve_line, epoch_axis
from dlrun.reports.curve_facts import (
    CurvePanel,
    History,
    curve_direction,
    dwarfing_epochs,
    facts_from_table,
    is_noisy,
    smoothed,
    smoothing_factor,
)
from dlrun.reports.marked_epoch import BEST, KEPT, Kept

OverlaidCurve = tuple[str, str, CurvePanel]
"""The style and the label of a run, and its curve of one metric; of several folds their mean."""


def overlay_charts(
    tables: Sequence[History],
    labels: Sequence[str],
    metrics: Sequence[str],
    *,
    directions: Mapping[str, Direction] | None = None,
    kept: Sequence[Kept | None] = (),
) -> tuple[Chart, ...]:
    """Return a chart for each metric that any run measured on validation rows: the runs by colour,
    the epoch that each kept as a dot.

    Args:
        tables: The columns of each run's `metrics.csv`.
        labels: Of the runs.
        metrics: Which metrics, without `val_`, in the order of the charts.
        directions: Which way is better, for metrics whose names Keras does not know.
        kept: The epoch that each run marks; None for the best one of each curve.
    """
    runs = [
        facts_from_table(table, label, directions=directions, kept=epoch)
        for table, label, epoch in zip(tables, labels, kept or [None] * len(tables), strict=True)
    ]
    found, left_out = list[list[OverlaidCurve]](), 0
    for metric in dict.fromkeys(metrics):
        curves = [
            (f"run {number % MOST_RUNS}", run.title, panel)
            for number, run in enumerate(runs)
            for panel in run.panels
            if panel.metric == metric and panel.validation
        ]
        if curves:
            better = curve_direction(metric, directions)
            dwarfing = [dwarfing_epochs(panel.validation, better) for *_, panel in curves]
            # All runs are shown whole where one of them needs its beginning.
            left_out = max(left_out, min(dwarfing))
            found.append(curves)
    x = epoch_axis(left_out, max((run.epochs for run in runs), default=0))
    labels_of_marks = {run.mark for run in runs}
    mark = labels_of_marks.pop() if len(labels_of_marks) == 1 else f"{BEST}, or {KEPT}"
    return tuple(_chart(curves, x, left_out, mark) for curves in found)


def _chart(curves: Sequence[OverlaidCurve], x: Axis, first: int, mark: str) -> Chart:
    """One metric; `first` epochs are left out, and `mark` is what the dots are."""
    shown = [panel.validation[first:] for *_, panel in curves]
    factor: float | None = None
    if any(map(is_noisy, shown)):
        # One for all: curves that are smoothed differently cannot be compared by eye.
        factor = smoothing_factor(max(map(len, shown)))
    lines, marked, held = list[Mark](), list[Mark](), list[float]()
    for style, label, panel in curves:
        values = panel.validation
        if factor is not None:
            values = smoothed(values, first, factor)
        held += values[first:]
        lines.append(curve_line(values, first, style, label))
        if panel.marked is not None and panel.marked.epoch > first:
            epoch = panel.marked.epoch
            dot = DotsMark([epoch], [values[epoch - 1]], style, size=MARKED_DOT, ringed=True)
            marked.append(dot)
    marked.append(DotsMark([], [], "rival", mark))
    metric, logarithmic = curves[0][2].label, all(panel.logarithmic for *_, panel in curves)
    # `MAE` and `R² score` keep their capitals.
    word = metric[:1].lower() if metric[1:2].islower() else metric[:1]
    label = f"Validation {word}{metric[1:]}{', log scale' if logarithmic else ''}"
    return Chart(
        x,
        axis_holding(held, label, logarithmic=logarithmic),
        (*lines, *marked),
        f"Validation {metric} over the epochs of {', '.join(name for _, name, _ in curves)}.",
        note="" if factor is None else f"moving average {factor:g}",
    )
