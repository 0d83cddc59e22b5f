"""Where a classifier errs, as charts: confusion, ROC, precision and recall, calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import escape

from dlrun.metrics.figures import Calibration, RankingCurves
from dlrun.metrics.formatting import figure, percent
from dlrun.reports.html.plot import Figure, LegendKey, Plot, svg
from dlrun.reports.html.scale import shares
from dlrun.text import shortened

SQUARE = 330.0
"""Height of a chart both of whose axes go from 0 to 1."""

MATRIX = 430.0


def roc_figure(curves: RankingCurves, name: str) -> Figure:
    """Return the ROC curve with its area."""
    plot = Plot(
        shares(),
        shares(),
        f"ROC curve for {name}: area {figure(curves.area)}.",
        x_label="false positive rate",
        y_label="true positive rate",
        height=SQUARE,
    )
    plot.rule((0, 0), (1, 1), "best")
    plot.line(list(curves.false_positive_rate), list(curves.true_positive_rate), "validation")
    return Figure(
        plot.svg(),
        title="ROC",
        keys=(LegendKey("line validation", "model"), LegendKey("best", "guessing")),
        note=f"Area under the curve {figure(curves.area)}: the chance that a row of {name} is "
        "ranked above one that is not.",
    )


def precision_recall_figure(curves: RankingCurves, name: str) -> Figure:
    """Return the precision-recall curve with its average precision."""
    plot = Plot(
        shares(),
        shares(),
        f"Precision against recall for {name}: average precision "
        f"{figure(curves.average_precision)}.",
        x_label="recall",
        y_label="precision",
        height=SQUARE,
    )
    plot.rule((0, curves.share), (1, curves.share), "best")
    # Between two thresholds the precision is that of the higher recall: steps, as
    # average precision counts them.
    recall, precision = curves.recall, curves.precision
    xs, ys = np.repeat(recall, 2)[1:-1], np.repeat(precision[1:], 2)
    plot.line(list(xs), list(ys), "validation")
    return Figure(
        plot.svg(),
        title="Precision and recall",
        keys=(LegendKey("line validation", "model"), LegendKey("best", "guessing")),
        note=f"Average precision {figure(curves.average_precision)}; guessing gives "
        f"{figure(curves.share)}, the share of {name}.",
    )


def reliability_figure(facts: Calibration, about: str) -> Figure:
    """Return the reliability diagram: what was said against what was seen.

    Args:
        facts: Its bins.
        about: What the probability is of.
    """
    plot = Plot(
        shares(),
        shares(),
        f"Reliability diagram: expected calibration error {figure(facts.error)}.",
        x_label=f"probability that the model gave to {about}",
        y_label="share that came true",
        height=SQUARE,
    )
    plot.rule((0, 0), (1, 1), "best")
    largest = max(part.rows for part in facts.bins)
    for part in facts.bins:
        plot.rule((part.said, part.said), (part.said, part.seen), "gap")
    plot.line([p.said for p in facts.bins], [p.seen for p in facts.bins], "validation thin")
    for part in facts.bins:
        radius = 2.5 + 4.5 * (part.rows / largest) ** 0.5
        plot.dots([part.said], [part.seen], "model", radius=radius)
    return Figure(
        plot.svg(),
        keys=(
            LegendKey("dot model", "rows in a tenth of the range"),
            LegendKey("best", "as it should be"),
        ),
        note=f"Expected calibration error {figure(facts.error)}: so far from the truth the "
        f"probabilities are on average, over {facts.rows:,} rows. Larger dots are more rows.",
    )


def matrix_figure(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> Figure:
    """Return the confusion matrix as shades: for more classes than a table can hold."""
    count = len(names)
    room = 6.4 * min(max(map(len, names)), 14) + 12
    cell = (MATRIX - room - 4) / count
    parts = []
    for i, (name, row) in enumerate(zip(names, confusion, strict=True)):
        total = sum(row) or 1
        y = 20 + i * cell
        if cell >= 9 or i % 2 == 0:
            parts.append(
                f'<text class="tick" x="{room - 6:.1f}" y="{y + cell / 2 + 3:.1f}" '
                f'text-anchor="end" font-size="{min(11.0, 1.6 * cell):.1f}">'
                f"{escape(shortened(name, 14))}</text>"
            )
        for j, rows in enumerate(row):
            if rows:
                kind = "right" if i == j else "wrong"
                parts.append(
                    f'<rect class="cell {kind}" x="{room + j * cell:.1f}" y="{y:.1f}" '
                    f'width="{cell:.1f}" height="{cell:.1f}" '
                    f'fill-opacity="{0.15 + 0.85 * rows / total:.2f}"/>'
                )
    side = count * cell
    parts.append(
        f'<rect class="frame" x="{room:.1f}" y="20" width="{side:.1f}" height="{side:.1f}"/>'
    )
    parts.append(
        f'<text class="name" x="{room:.1f}" y="12">called, in the same order</text>'
        '<text class="name" x="2" y="12">true</text>'
    )
    right = sum(confusion[i][i] for i in range(count))
    every = sum(map(sum, confusion)) or 1
    described = f"Confusion matrix of {count} classes: {percent(right / every)} on the diagonal."
    return Figure(
        svg(MATRIX, 26 + side, described, parts),
        title="Confusion matrix",
        note="A row is a true class; the darker a cell, the larger its share of that row.",
    )
