"""Validation curves of several runs over each other: the facts, and that they are drawn."""

from __future__ import annotations

import math
from io import BytesIO

import numpy as np
import pytest

from dlrun.metrics.folds import moving_average
from dlrun.reports.curve_facts import Best
from dlrun.reports.drawing import STYLES
from dlrun.reports.overlay import draw_overlay, overlay_charts, overlay_facts
from dlrun.reports.picture import build_picture


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


def test_each_panel_holds_the_validation_curve_of_every_run() -> None:
    overlay = overlay_facts([SHORT, LONG], ["short", "long"], ["loss", "accuracy"])
    assert [panel.metric for panel in overlay.panels] == ["loss", "accuracy"]
    loss, accuracy = overlay.panels
    assert [curve.values for curve in loss.curves] == [(1.0, 0.5, 0.7), (2.0, 1.5, 1.0, 1.2)]
    assert [curve.best for curve in loss.curves] == [Best(2, 0.5), Best(3, 1.0)]
    assert [curve.best for curve in accuracy.curves] == [Best(2, 0.8), Best(3, 0.6)]
    assert [curve.label for curve in accuracy.curves] == ["short", "long"]
    assert (overlay.epochs, overlay.left_out) == (4, 0)


def test_of_folds_the_mean_is_shown() -> None:
    folds = table([1.0, 0.4], [0.5, 0.6])
    for name, values in table([3.0, 0.6, 0.9], [0.7, 0.8, 0.9], fold=1).items():
        folds[name] = folds[name] + values
    overlay = overlay_facts([folds, SHORT], ["folds", "one"], ["accuracy"])
    (panel,) = overlay.panels
    assert panel.curves[0].values == pytest.approx((0.6, 0.7))


def test_a_run_without_validation_has_no_curve() -> None:
    trained = {name: values for name, values in SHORT.items() if not name.startswith("val_")}
    overlay = overlay_facts([trained, LONG], ["final", "long"], ["loss"])
    assert [(curve.run, curve.label) for curve in overlay.panels[0].curves] == [(1, "long")]
    assert overlay_facts([trained], ["final"], ["loss"]).panels == ()


def test_noisy_curves_are_smoothed_alike_and_marked_where_they_were_best() -> None:
    draw = np.random.default_rng(0)
    noisy = (2 + draw.normal(size=100)).tolist()
    calm = np.linspace(2, 1, 60).tolist()
    tables = [table(noisy, noisy), table(calm, calm)]
    (panel,) = overlay_facts(tables, ["noisy", "calm"], ["loss"]).panels
    assert panel.smoothing is not None
    assert panel.curves[0].best == Best(int(np.argmin(noisy)) + 1, min(noisy))
    (chart,) = overlay_charts(overlay_facts(tables, ["noisy", "calm"], ["loss"]))
    lines = {line.label: line for line in chart.legend}
    np.testing.assert_allclose(lines["noisy"].y, moving_average(noisy, panel.smoothing))
    assert chart.note == f"moving average {panel.smoothing:g}"
    assert build_picture([chart], "").axes[0].get_title(loc="right") == chart.note


def test_a_first_epoch_that_would_press_every_curve_flat_is_left_out() -> None:
    steep = [100.0, 50.0, *np.linspace(2, 1, 60)]
    flat = np.linspace(2, 1, 62).tolist()
    both = [table(steep, steep), table([value * 100 for value in steep], steep)]
    assert overlay_facts(both, ["a", "b"], ["loss"]).left_out == 2
    # Where one run needs its beginning, all are shown whole.
    one = [table(steep, steep), table(flat, flat)]
    assert overlay_facts(one, ["a", "b"], ["loss"]).left_out == 0


def test_ten_runs_are_told_apart_by_colour_and_dashes() -> None:
    labels = [f"run {number}" for number in range(10)]
    overlay = overlay_facts([SHORT] * 10, labels, ["loss", "accuracy"])
    charts = overlay_charts(overlay)
    assert [chart.y.label for chart in charts] == ["Validation loss", "Validation accuracy"]
    styles = [STYLES[line.style] for line in charts[0].legend[:10]]
    assert len({(style.color, style.dashes) for style in styles}) == 10
    figure = build_picture(charts, overlay.title)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*labels, "best epoch"]
    # The legend stays inside the picture.
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= figure.axes[0].get_window_extent().y1


def test_an_abbreviation_keeps_its_capitals() -> None:
    history = {name.replace("accuracy", "mae"): values for name, values in SHORT.items()}
    (chart,) = overlay_charts(overlay_facts([history], ["one"], ["mae"]))
    assert chart.y.label == "Validation MAE"


def test_the_same_facts_give_the_same_picture() -> None:
    overlay = overlay_facts([SHORT, LONG], ["$short$", "long & <b>"], ["loss"])
    png = draw_overlay(overlay, "png")
    assert png == draw_overlay(overlay, "png")
    from PIL import Image

    assert Image.open(BytesIO(png)).width == 1600
    svg = draw_overlay(overlay, "svg").decode()
    assert "$short$" in svg
    assert "long &amp; &lt;b&gt;" in svg


def test_a_run_that_diverged_is_drawn_as_far_as_it_came() -> None:
    diverged = table([1.0, math.nan, math.nan], [0.5, math.nan, math.nan])
    overlay = overlay_facts([diverged, SHORT], ["diverged", "short"], ["loss"])
    assert overlay.panels[0].curves[0].best == Best(1, 1.0)
    assert draw_overlay(overlay, "png").startswith(b"\x89PNG")
