"""Validation curves of several runs over each other: the facts, and that they are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dlrun.metrics.folds import moving_average
from dlrun.reports.charts import Chart, DotsMark, LineMark
from dlrun.reports.drawing import STYLES
from dlrun.reports.overlay import overlay_charts
from dlrun.reports.picture import build_picture, save_picture


def table(loss: list[float], accuracy: list[float], fold: float = 0) -> dict[str, list[float]]:
    return {
        "fold": [fold] * len(loss),
        "epoch": [float(epoch) for epoch in range(1, len(loss) + 1)],
        "seconds": [0.1] * len(loss),
        "loss": [value / 2 for value in loss],
        "accuracy": [1.0] * len(loss),
        "val_loss": loss,
        "val_accuracy": accuracy,
    }


SHORT = table([1.0, 0.5, 0.7], [0.5, 0.8, 0.7])
LONG = table([2.0, 1.5, 1.0, 1.2], [0.3, 0.4, 0.6, 0.5])


def lines(chart: Chart) -> dict[str, LineMark]:
    """The curves by the labels of their runs."""
    return {mark.label: mark for mark in chart.marks if isinstance(mark, LineMark)}


def best(chart: Chart) -> list[tuple[float, float]]:
    """The best epoch of each run, with the value there."""
    dots = [mark for mark in chart.marks if isinstance(mark, DotsMark) and mark.ringed]
    return [(dot.x[0], dot.y[0]) for dot in dots]


def drawn(charts: Sequence[Chart], kind: str) -> bytes:
    file = BytesIO()
    save_picture(build_picture(charts, "runs"), file, kind)
    return file.getvalue()


def test_each_chart_holds_the_validation_curve_of_every_run() -> None:
    loss, accuracy = overlay_charts([SHORT, LONG], ["short", "long"], ["loss", "accuracy"])
    assert [list(line.y) for line in lines(loss).values()] == [
        [1.0, 0.5, 0.7],
        [2.0, 1.5, 1.0, 1.2],
    ]
    assert best(loss) == [(2, 0.5), (3, 1.0)]
    assert best(accuracy) == [(2, 0.8), (3, 0.6)]
    assert list(lines(accuracy)) == ["short", "long"]
    assert loss.x.low < 1 < 4 < loss.x.high


def test_of_folds_the_mean_is_shown() -> None:
    folds = table([1.0, 0.4], [0.5, 0.6])
    for name, values in table([3.0, 0.6, 0.9], [0.7, 0.8, 0.9], fold=1).items():
        folds[name] = folds[name] + values
    (chart,) = overlay_charts([folds, SHORT], ["folds", "one"], ["accuracy"])
    assert list(lines(chart)["folds"].y) == pytest.approx([0.6, 0.7])


def test_a_run_without_validation_has_no_curve() -> None:
    trained = {name: values for name, values in SHORT.items() if not name.startswith("val_")}
    (chart,) = overlay_charts([trained, LONG], ["final", "long"], ["loss"])
    # The second run keeps the colour that it has everywhere.
    assert [(line.label, line.style) for line in lines(chart).values()] == [("long", "run 1")]
    assert overlay_charts([trained], ["final"], ["loss"]) == ()


def test_noisy_curves_are_smoothed_alike_and_marked_where_they_were_best() -> None:
    draw = np.random.default_rng(0)
    noisy = (2 + draw.normal(size=100)).tolist()
    calm = np.linspace(2, 1, 60).tolist()
    tables = [table(noisy, noisy), table(calm, calm)]
    (chart,) = overlay_charts(tables, ["noisy", "calm"], ["loss"])
    factor = float(chart.note.removeprefix("moving average "))
    assert best(chart)[0][0] == int(np.argmin(noisy)) + 1
    for label, values in (("noisy", noisy), ("calm", calm)):
        np.testing.assert_allclose(lines(chart)[label].y, moving_average(values, factor))
    assert build_picture([chart], "").axes[0].get_title(loc="right") == chart.note


def test_a_first_epoch_that_would_press_every_curve_flat_is_left_out() -> None:
    steep = [100.0, 50.0, *np.linspace(2, 1, 60)]
    flat = np.linspace(2, 1, 62).tolist()
    both = [table(steep, steep), table([value * 100 for value in steep], steep)]
    (chart,) = overlay_charts(both, ["a", "b"], ["loss"])
    assert [line.x[0] for line in lines(chart).values()] == [3, 3]
    # Where one run needs its beginning, all are shown whole.
    (chart,) = overlay_charts([table(steep, steep), table(flat, flat)], ["a", "b"], ["loss"])
    assert [line.x[0] for line in lines(chart).values()] == [1, 1]


def test_ten_runs_are_told_apart_by_colour_and_dashes() -> None:
    labels = [f"run {number}" for number in range(10)]
    charts = overlay_charts([SHORT] * 10, labels, ["loss", "accuracy"])
    assert [chart.y.label for chart in charts] == ["Validation loss", "Validation accuracy"]
    styles = [STYLES[line.style] for line in charts[0].legend[:10]]
    assert len({(style.color, style.dashes) for style in styles}) == 10
    figure = build_picture(charts, "runs")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*labels, "best epoch"]
    # The legend stays inside the picture.
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= figure.axes[0].get_window_extent().y1


def test_an_abbreviation_keeps_its_capitals() -> None:
    history = {name.replace("accuracy", "mae"): values for name, values in SHORT.items()}
    (chart,) = overlay_charts([history], ["one"], ["mae"])
    assert chart.y.label == "Validation MAE"


def test_the_same_facts_give_the_same_picture() -> None:
    charts = overlay_charts([SHORT, LONG], ["$short$", "long & <b>"], ["loss"])
    png = drawn(charts, "png")
    assert png == drawn(charts, "png")
    assert Image.open(BytesIO(png)).width == 1600
    svg = drawn(charts, "svg").decode()
    assert "$short$" in svg
    assert "long &amp; &lt;b&gt;" in svg


def test_a_run_that_diverged_is_drawn_as_far_as_it_came() -> None:
    diverged = table([1.0, math.nan, math.nan], [0.5, math.nan, math.nan])
    charts = overlay_charts([diverged, SHORT], ["diverged", "short"], ["loss"])
    assert best(charts[0])[0] == (1, 1.0)
    assert drawn(charts, "png").startswith(b"\x89PNG")
