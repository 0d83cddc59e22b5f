"""Where predictions of a quantity err, as charts."""

from __future__ import annotations

import numpy as np

from dlrun.metrics.formatting import figure
from dlrun.reports.html.plot import MOST_POINTS, Figure, LegendKey, Plot, sampled
from dlrun.reports.html.scale import linear, spanning

SQUARE = 330.0
MOST_BARS = 40


def predicted_against_true(true: np.ndarray, predicted: np.ndarray, name: str) -> Figure:
    """Return a point for each row, beside the line on which predictions are right.

    Args:
        true: (n,) quantities.
        predicted: (n,) in the same unit.
        name: The target.
    """
    both = linear([*_ends(true), *_ends(predicted)])
    plot = Plot(
        both,
        both,
        f"Predicted against true {name}: correlation {figure(_correlation(true, predicted))}.",
        x_label=f"true {name}",
        y_label=f"predicted {name}",
        height=SQUARE,
    )
    plot.rule((both.low, both.low), (both.high, both.high), "best")
    _points(plot, true, predicted)
    return Figure(
        plot.svg(),
        title="Predicted against true",
        keys=(LegendKey("dot model", "a row"), LegendKey("best", "as it should be")),
        note=_sample_note(len(true)),
    )


def residuals_against_predicted(true: np.ndarray, predicted: np.ndarray, name: str) -> Figure:
    """Return the error of each row against its prediction. Args as `predicted_against_true`."""
    errors = predicted - true
    plot = Plot(
        linear(_ends(predicted)),
        linear([*_ends(errors), 0.0]),
        f"Residuals against predicted {name}: mean {figure(float(errors.mean()))}.",
        x_label=f"predicted {name}",
        y_label="residual (predicted − true)",
        height=SQUARE,
    )
    plot.rule((plot.x.low, 0), (plot.x.high, 0), "best")
    _points(plot, predicted, errors)
    return Figure(
        plot.svg(),
        title="Residuals",
        keys=(LegendKey("dot model", "a row"),),
        note="A slope or a funnel is something that the model has not learnt.",
    )


def residual_histogram(true: np.ndarray, predicted: np.ndarray, name: str) -> Figure:
    """Return how often errors of each size occur. Args as `predicted_against_true`."""
    errors = predicted - true
    counts, edges = np.histogram(errors, bins=_bars(errors))
    x = spanning(float(edges[0]), float(edges[-1]))
    y = spanning(0.0, 1.06 * float(counts.max()), most=5)
    plot = Plot(
        x,
        y,
        f"Histogram of the residuals of {name}: from {figure(float(errors.min()))} to "
        f"{figure(float(errors.max()))}.",
        x_label=f"residual of {name} (predicted − true)",
        y_label="rows",
        height=SQUARE,
    )
    for count, low, high in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        if count:
            plot.box((float(low), 0.0), (float(high), count), "bar")
    if x.low < 0 < x.high:
        plot.rule((0, y.low), (0, y.high), "best")
    return Figure(plot.svg(), title="How large the errors are")


def _points(plot: Plot, xs: np.ndarray, ys: np.ndarray) -> None:
    shown = sampled(len(xs))
    radius = 3.2 if len(shown) <= 300 else 2.2 if len(shown) <= 1000 else 1.6
    plot.dots(xs[shown].tolist(), ys[shown].tolist(), "model translucent", radius=radius)


def _sample_note(count: int) -> str:
    return "" if count <= MOST_POINTS else f"{MOST_POINTS:,} of {count:,} rows, drawn at random."


def _ends(values: np.ndarray) -> list[float]:
    return [float(values.min()), float(values.max())]


def _bars(errors: np.ndarray) -> int:
    """Number of bars by the rule of Freedman and Diaconis, within reason."""
    low, high = np.quantile(errors, [0.25, 0.75])
    width = 2 * (high - low) / len(errors) ** (1 / 3)
    if np.ptp(errors) == 0 or not width > np.ptp(errors) / MOST_BARS:
        return 1 if np.ptp(errors) == 0 else MOST_BARS
    return max(5, round(float(np.ptp(errors) / width)))


def _correlation(true: np.ndarray, predicted: np.ndarray) -> float | None:
    if len(true) < 2 or np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return None
    return float(np.corrcoef(true, predicted)[0, 1])
