"""Where a classifier errs: confusion, figures for each class, thresholds, calibration."""

from __future__ import annotations

import numpy as np

from dlrun.metrics.figures import (
    ClassificationFigures,
    calibration,
    classification_figures,
    ranking_curves,
    regression_figures,
)
from dlrun.reports.html.blocks import (
    Block,
    Charts,
    Matrix,
    MatrixCell,
    PageSection,
    PageTable,
    Prose,
)
from dlrun.reports.result_charts import (
    matrix_chart,
    precision_recall_chart,
    predicted_against_true,
    reliability_chart,
    residual_histogram,
    residuals_against_predicted,
    roc_chart,
)
from dlrun.reports.run_record import RunRecord, ScoredRows, scored_rows
from dlrun.reports.series import over_time, series_charts
from dlrun.text import percent, steady_figure

READABLE = 12
"""Classes whose confusion matrix is a table of numbers."""

DRAWN = 60
"""Classes whose confusion matrix is drawn."""

LISTED = 100
"""Classes that the table lists; the worst where there are more."""

CONFUSED = 10
"""Pairs of classes that are listed as taken for each other."""


def classes(scored: ScoredRows | None) -> PageSection | None:
    """Confusion matrix and a row of figures for each class."""
    if scored is None or scored.task == "regression":
        return None
    several = scored.task == "multilabel"
    figures = classification_figures(
        scored.true, scored.predictions, scored.names, multilabel=several
    )
    where = " in every label" if several else ""
    right = f"{percent(figures.accuracy)} of {len(scored):,} validation rows are correct{where}."
    blocks: list[Block] = [Prose(right)]
    if not several:
        blocks += _confusion(figures)
    listed, caption = figures.classes, f"Figures for each {'label' if several else 'class'}"
    if len(listed) > LISTED:
        listed = tuple(sorted(listed, key=lambda one: one.f1)[:LISTED])
        caption += f": the {LISTED} with the lowest F1 of {len(figures.classes)}"
    columns = ("class", "precision", "recall", "F1", "support")
    rows = tuple(
        (one.name, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", f"{one.support:,}")
        for one in (*listed, figures.macro, figures.weighted)
    )
    blocks.append(PageTable(caption, columns, rows, last=2))
    return PageSection("classes", "Labels" if several else "Classes", blocks)


def thresholds(scored: ScoredRows | None) -> PageSection | None:
    """ROC and precision-recall curves of two classes."""
    if scored is None or scored.task != "binary" or scored.predictions.shape[1] != 2:
        return None
    curves = ranking_curves(scored.true, scored.predictions[:, 1])
    if curves is None:
        return None
    name = f"‘{scored.names[1]}’"
    charts = (roc_chart(curves, name), precision_recall_chart(curves, name))
    return PageSection("thresholds", "Every threshold", [Charts(charts)])


def confidence(scored: ScoredRows | None) -> PageSection | None:
    """Whether predicted probabilities match observed shares."""
    if scored is None or scored.task == "regression" or not scored.has_probabilities:
        return None
    if scored.task == "binary":
        about, true, predicted = f"‘{scored.names[1]}’", scored.true == 1, scored.predictions[:, 1]
    elif scored.task == "multiclass":
        about = "the predicted class"
        true, predicted = scored.predicted_class == scored.true, scored.predictions.max(axis=1)
    else:
        about, true, predicted = (
            "each label",
            scored.true.reshape(-1),
            scored.predictions.reshape(-1),
        )
    if predicted.min() < -1e-6 or predicted.max() > 1 + 1e-6:
        return None
    chart = reliability_chart(calibration(np.asarray(true), predicted), about)
    return PageSection("calibration", "Calibration", [Charts((chart,))])


def _confusion(figures: ClassificationFigures) -> list[Block]:
    names = tuple(one.name for one in figures.classes)
    if len(names) <= READABLE:
        cells = tuple(
            tuple(MatrixCell(rows, rows / (sum(row) or 1), i == j) for j, rows in enumerate(row))
            for i, row in enumerate(figures.confusion)
        )
        caption = "Confusion matrix: a row is a true class, a column its predicted class"
        return [Matrix(caption, names, cells)]
    blocks: list[Block] = []
    if len(names) <= DRAWN:
        blocks.append(Charts((matrix_chart(figures.confusion, names),)))
    pairs = sorted(
        (
            (rows, names[i], names[j])
            for i, row in enumerate(figures.confusion)
            for j, rows in enumerate(row)
            if i != j and rows
        ),
        key=lambda pair: -pair[0],
    )[:CONFUSED]
    if pairs:
        rows = tuple((true, other, f"{count:,}") for count, true, other in pairs)
        columns = ("true class", "predicted class", "rows")
        blocks.append(PageTable("Most frequent confusions", columns, rows, frozenset({1})))
    return blocks


def outputs(record: RunRecord) -> PageSection | None:
    """Classes or errors of each output besides the one that the rest of the page is about."""
    blocks: list[Block] = []
    for name in record.output_names[1:]:
        scored = scored_rows(record.of_output(name))
        section = classes(scored) or quantities(scored)
        if section is not None:
            blocks += [Prose(f"Output ‘{name}’:"), *section.blocks]
    return PageSection("outputs", "Other outputs", blocks) if blocks else None


DRAWN_TARGETS = 6
"""Targets that are drawn, at most."""


def quantities(scored: ScoredRows | None) -> PageSection | None:
    """Charts and figures of the residuals of each target."""
    if scored is None or scored.task != "regression":
        return None
    figures = regression_figures(scored.true, scored.predictions, scored.names, worst=0)
    blocks: list[Block] = [
        Prose(f"Residuals are predicted − true, of {len(scored):,} validation rows.")
    ]
    for index, name in enumerate(scored.names[:DRAWN_TARGETS]):
        true, predicted = scored.true[:, index], scored.predictions[:, index]
        charts = [
            predicted_against_true(true, predicted, name),
            residuals_against_predicted(true, predicted, name),
        ]
        if len(scored.names) == 1:
            charts.append(residual_histogram(true, predicted, name))
        blocks.append(Charts(tuple(charts)))
    if len(scored.names) > DRAWN_TARGETS:
        blocks.append(
            Prose(f"{len(scored.names) - DRAWN_TARGETS} more targets are not drawn.", "quiet")
        )
    rows = tuple(
        (
            target.name,
            steady_figure(target.mean_error),
            steady_figure(target.mean_absolute_error),
            steady_figure(target.median_absolute_error),
            steady_figure(target.root_mean_squared_error),
            steady_figure(target.r2),
        )
        for target in figures.targets
    )
    columns = ("target", "mean error", "mean |error|", "median |error|", "RMSE", "R²")
    blocks.append(PageTable("Residuals of each target, in its own unit", columns, rows))
    return PageSection("residuals", "Residuals", blocks)


def series(record: RunRecord, scored: ScoredRows | None) -> PageSection | None:
    """Predicted against true over time, of a run on a series."""
    dataset = record.resolved.get("dataset")
    if scored is None or scored.task != "regression" or not isinstance(dataset, dict):
        return None
    if dataset.get("source") != "timeseries":
        return None
    baseline = str((record.result.get("baseline") or {}).get("name") or "")
    found = over_time(scored.rows, scored.true, scored.predictions, scored.names, dataset, baseline)
    shown = found if len(found) <= 2 else (found[0], found[-1])
    blocks: list[Block] = []
    for facts in shown:
        first, last = int(facts.places[0]), int(facts.places[-1])
        early, late = map(steady_figure, facts.half_errors)
        sentence = (
            f"{facts.name} in {len(facts):,} validation rows, from row {first:,} to {last:,} of "
            f"the file: the mean absolute error is {early} in the first half and {late} in the "
            "second."
        )
        blocks += [Prose(sentence), Charts(series_charts(facts))]
    if len(shown) < len(found):
        between = len(found) - len(shown)
        text = f"Only the first and the last step are drawn, not the {between} between them."
        blocks.append(Prose(text, "quiet"))
    return PageSection("over-time", "Over time", blocks)
