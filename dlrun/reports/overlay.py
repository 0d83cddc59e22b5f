"""Validation curves of several runs over each other (the book's figures 4.4 to 4.9).

Epochs are counted from 1; a curve is one value an epoch, NaN where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

from dlrun.metrics.names import Direction
from dlrun.reports.charts import MOST_RUNS, Chart, DotsMark, Mark, axis_holding
from dlrun.reports.curve_charts import BEST, BEST_DOT, curve_line, epoch_axis
from dlrun.reports.curve_facts import (
    Best,
    Curve,
    History,
    curve_direction,
    dwarfing_epochs,
    facts_from_table,
    is_noisy,
    smoothed,
    smoothing_factor,
)


@dataclass(frozen=True)
class OverlaidCurve:
    """One run in one panel.

    Args:
        run: Its place among the runs.
        label: Of the run.
        values: The validation curve; of several folds their mean.
        best: Its best epoch, or None where it has none.
    """

    run: int
    label: str
    values: Curve
    best: Best | None


@dataclass(frozen=True)
class OverlayPanel:
    """One metric.

    Args:
        metric: Its name in the histories.
        label: Of the axis.
        curves: One for each run that measured it on validation rows.
        smoothing: Factor of the moving average that is drawn instead where curves are noisy, or
            None; `best` is that of the curve itself.
        logarithmic: Whether the axis should be.
    """

    metric: str
    label: str
    curves: tuple[OverlaidCurve, ...]
    smoothing: float | None
    logarithmic: bool


@dataclass(frozen=True)
class Overlay:
    """Curves of several runs.

    Args:
        title: Of the picture.
        epochs: Epochs of the longest training.
        panels: Below each other.
        left_out: Epochs at the beginning that are not shown.
    """

    title: str
    epochs: int
    panels: tuple[OverlayPanel, ...]
    left_out: int


def overlay_facts(
    tables: Sequence[History],
    labels: Sequence[str],
    metrics: Sequence[str],
    *,
    directions: Mapping[str, Direction] | None = None,
) -> Overlay:
    """Return the validation curves of runs, a panel for each metric that any of them measured.

    Args:
        tables: The columns of each run's `metrics.csv`.
        labels: Of the runs.
        metrics: Which metrics, without `val_`, in the order of the panels.
        directions: Which way is better, for metrics whose names Keras does not know.
    """
    facts = [facts_from_table(table, "", directions=directions) for table in tables]
    panels, left_out = [], 0
    for metric in dict.fromkeys(metrics):
        curves, logarithmic, axis = [], [], ""
        for run, (label, of_run) in enumerate(zip(labels, facts, strict=True)):
            for panel in of_run.panels:
                if panel.metric == metric and panel.validation:
                    axis = panel.label
                    curves.append(OverlaidCurve(run, label, panel.validation, panel.best))
                    logarithmic.append(panel.logarithmic)
        if not curves:
            continue
        better = curve_direction(metric, directions)
        # All runs are shown whole where one of them needs its beginning.
        left_out = max(left_out, min(dwarfing_epochs(curve.values, better) for curve in curves))
        panels.append((metric, axis, tuple(curves), all(logarithmic)))
    return Overlay(
        title=f"Validation curves of {len(tables)} runs",
        epochs=max((of_run.epochs for of_run in facts), default=0),
        panels=tuple(
            OverlayPanel(metric, axis, curves, _smoothing(curves, left_out), logarithmic)
            for metric, axis, curves, logarithmic in panels
        ),
        left_out=left_out,
    )


def _smoothing(curves: Sequence[OverlaidCurve], left_out: int) -> float | None:
    """One factor for all: curves that are smoothed differently cannot be compared by eye."""
    shown = [curve.values[left_out:] for curve in curves]
    if not any(is_noisy(values) for values in shown):
        return None
    return smoothing_factor(max(len(values) for values in shown))


def overlay_charts(overlay: Overlay) -> tuple[Chart, ...]:
    """Return a chart for each panel: the runs by colour, the best epoch of each as a dot."""
    return tuple(_chart(panel, overlay) for panel in overlay.panels)


def draw_overlay(overlay: Overlay, kind: str) -> bytes:
    """Return the picture as `png` or `svg`."""
    from dlrun.reports.picture import draw_picture

    file = BytesIO()
    draw_picture(overlay_charts(overlay), overlay.title, file, kind)
    return file.getvalue()


def _chart(panel: OverlayPanel, overlay: Overlay) -> Chart:
    first, marks, best, shown = overlay.left_out, list[Mark](), list[Mark](), list[float]()
    for curve in panel.curves:
        style = f"run {curve.run % MOST_RUNS}"
        values = curve.values
        if panel.smoothing is not None:
            values = smoothed(values, first, panel.smoothing)
        shown += values[first:]
        marks.append(curve_line(values, first, style, curve.label))
        if curve.best is not None and curve.best.epoch > first:
            epoch = curve.best.epoch
            dot = DotsMark([epoch], [values[epoch - 1]], style, size=BEST_DOT, ringed=True)
            best.append(dot)
    best.append(DotsMark([], [], "rival", BEST))
    # `MAE` and `R² score` keep their capitals.
    first_letter = panel.label[:1]
    word = first_letter.lower() if panel.label[1:2].islower() else first_letter
    label = f"Validation {word}{panel.label[1:]}{', log scale' if panel.logarithmic else ''}"
    runs = ", ".join(curve.label for curve in panel.curves)
    return Chart(
        epoch_axis(first, overlay.epochs),
        axis_holding(shown, label, logarithmic=panel.logarithmic),
        (*marks, *best),
        f"Validation {panel.label} over the epochs of {runs}.",
        note="" if panel.smoothing is None else f"moving average {panel.smoothing:g}",
    )
