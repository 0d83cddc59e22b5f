"""The sections on where a model errs: classes, residuals, thresholds, calibration, time."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlrun.metrics.figures import (
    ClassificationFigures,
    calibration,
    classification_figures,
    ranking_curves,
    regression_figures,
)
from dlrun.reports.html.sections import Section
from dlrun.reports.result_charts import (
    matrix_chart,
    precision_recall_chart,
    predicted_against_true,
    reliability_chart,
    residual_histogram,
    residuals_against_predicted,
    roc_chart,
)
from dlrun.reports.run_record import RunRecord
from dlrun.reports.series import OverTime, over_time, series_charts

READABLE = 12
"""Classes whose confusion matrix is a table of numbers."""

DRAWN = 60
"""Classes whose confusion matrix is drawn."""

LISTED = 100
"""Classes that the table lists; the worst where there are more."""

CONFUSED = 10
"""Pairs of classes that are listed as taken for each other."""

DRAWN_TARGETS = 6
"""Targets that are drawn, at most."""


def classes(record: RunRecord, output: str | None = None) -> Section | None:
    """Confusion matrix and a row of figures for each class, of the first output or another one."""
    scored = record.scored if output is None else record.scored_rows(output)
    if scored is None or scored.task == "regression":
        return None
    several = scored.task == "multilabel"
    figures = classification_figures(
        scored.true, scored.predictions, scored.names, multilabel=several
    )
    listed, caption = figures.classes, f"Figures for each {'label' if several else 'class'}"
    if len(listed) > LISTED:
        listed = tuple(sorted(listed, key=lambda one: one.f1)[:LISTED])
        caption += f": the {LISTED} with the lowest F1 of {len(figures.classes)}"
    facts = {"figures": figures, "rows": len(scored), "several": several, "unit": scored.unit}
    facts |= {"listed": listed, "caption": caption, **({} if several else _confusion(figures))}
    return Section("classes", "Labels" if several else "Classes", facts)


def _confusion(figures: ClassificationFigures) -> dict[str, Any]:
    """The confusion matrix, readable or drawn, and of many classes the most frequent confusions."""
    names, confusion = [one.name for one in figures.classes], figures.confusion
    if len(names) <= READABLE:
        return {"names": names}
    pairs = [
        (rows, names[i], names[j])
        for i, row in enumerate(confusion)
        for j, rows in enumerate(row)
        if i != j and rows
    ]
    chart = matrix_chart(confusion, names) if len(names) <= DRAWN else None
    return {"chart": chart, "confused": sorted(pairs, key=lambda pair: -pair[0])[:CONFUSED]}


def thresholds(record: RunRecord) -> Section | None:
    """ROC and precision-recall curves of two classes."""
    scored = record.scored
    if scored is None or scored.task != "binary" or scored.predictions.shape[1] != 2:
        return None
    curves = ranking_curves(scored.true, scored.predictions[:, 1])
    if curves is None:
        return None
    name = f"‘{scored.names[1]}’"
    charts = (roc_chart(curves, name, scored.unit), precision_recall_chart(curves, name))
    return Section("thresholds", "Every threshold", {"charts": charts})


def confidence(record: RunRecord) -> Section | None:
    """Whether predicted probabilities match observed shares."""
    scored = record.scored
    if scored is None or scored.task == "regression" or not scored.has_probabilities:
        return None
    true, predicted = scored.true, scored.predictions
    if scored.task == "binary":
        about, true, predicted = f"‘{scored.names[1]}’", true == 1, predicted[:, 1]
    elif scored.task == "multiclass":
        about = "the predicted class"
        true, predicted = scored.predicted_class == true, predicted.max(axis=1)
    else:
        about, true, predicted = "each label", true.reshape(-1), predicted.reshape(-1)
    if predicted.min() < -1e-6 or predicted.max() > 1 + 1e-6:
        return None
    chart = reliability_chart(calibration(np.asarray(true), predicted), about, scored.unit)
    return Section("calibration", "Calibration", {"charts": [chart]})


def outputs(record: RunRecord) -> Section | None:
    """Classes or errors of each output besides the one that the rest of the page is about."""
    parts = []
    for name in record.output_names[1:]:
        if (part := classes(record, name) or residuals(record, name)) is not None:
            parts.append((name, part))
    return Section("outputs", "Other outputs", {"parts": parts}) if parts else None


def residuals(record: RunRecord, output: str | None = None) -> Section | None:
    """Charts and figures of the residuals of each target, of the first output or another one."""
    scored = record.scored if output is None else record.scored_rows(output)
    if scored is None or scored.task != "regression":
        return None
    drawn = []
    for index, name in enumerate(scored.names[:DRAWN_TARGETS]):
        true, predicted = scored.true[:, index], scored.predictions[:, index]
        charts = [
            predicted_against_true(true, predicted, name),
            residuals_against_predicted(true, predicted, name),
        ]
        if len(scored.names) == 1:
            charts.append(residual_histogram(true, predicted, name))
        drawn.append(charts)
    figures = regression_figures(scored.true, scored.predictions, scored.names, worst=0)
    facts = {"targets": figures.targets, "rows": len(scored), "drawn": drawn, "unit": scored.unit}
    return Section("residuals", "Residuals", facts)


def series(record: RunRecord) -> Section | None:
    """Predicted against true over time, of a run on a series."""
    scored, dataset = record.scored, record.config.get("dataset")
    if scored is None or scored.task != "regression" or not isinstance(dataset, dict):
        return None
    if dataset.get("source") != "timeseries":
        return None
    baseline = str((record.result.get("baseline") or {}).get("name") or "")
    labels, places, times = (record.predictions.get(n) for n in ("series", "places", "moments"))
    if times is not None and len(times) != len(scored.rows):
        times = None
    if dataset.get("series") and (labels is None or places is None):
        # A run of an earlier version does not keep which series the rows of its folds are of.
        return None
    found: list[OverTime] = []
    for label in (None,) if labels is None else sorted(set(labels.tolist())):
        own = slice(None) if label is None else labels == label
        where = scored.rows if places is None else places
        names = tuple(n if label is None else f"{n} of {label}" for n in scored.names)
        rows_of = "the file" if label is None else "the table sorted by series"
        found += over_time(
            where[own],
            scored.true[own],
            scored.predictions[own],
            names,
            dataset,
            baseline,
            rows_of,
            None if times is None else times[own],
        )
    shown = found if len(found) <= 2 else [found[0], found[-1]]
    steps = [(facts, series_charts(facts)) for facts in shown]
    return Section("over_time", "Over time", {"steps": steps, "between": len(found) - len(shown)})
