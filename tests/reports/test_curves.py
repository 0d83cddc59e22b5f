"""What is drawn: asked of matplotlib's artists, and of the files."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import same_color
from PIL import Image

from dlrun.reports.curve_facts import CurveFacts, PhaseStart, fit_facts, folds_facts
from dlrun.reports.curve_panels import BLUE, epoch_ticks
from dlrun.reports.curves import build_figure, draw_run_curves, own_style, save_figure
from dlrun.store.training_folder import TrainingFolder

NAN = float("nan")


def drawn(facts: CurveFacts) -> tuple[bytes, bytes]:
    """The facts as PNG and as SVG."""
    picture, vectors = io.BytesIO(), io.BytesIO()
    with own_style():
        figure = build_figure(facts)
        save_figure(figure, picture, "png")
        save_figure(figure, vectors, "svg")
    return picture.getvalue(), vectors.getvalue()


def history(epochs: int, seed: int = 0) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    epoch = np.arange(1, epochs + 1)
    loss = 0.2 + np.exp(-epoch / 4) + rng.normal(0, 0.01, epochs)
    return {
        "loss": list(loss),
        "accuracy": list(1 - loss / 3),
        "val_loss": list(loss + 0.1 + epoch / epochs / 3),
        "val_accuracy": list(0.95 - loss / 3),
    }


def noisy(epochs: int, folds: int) -> list[dict[str, list[float]]]:
    epoch = np.arange(1, epochs + 1)
    error = 2.4 + 18 * np.exp(-epoch / 4) + epoch / epochs
    rng = np.random.default_rng(0)
    return [{"val_mae": list(error + rng.normal(0, 0.3, epochs))} for _ in range(folds)]


SITUATIONS = {
    "hold-out": fit_facts(history(20), "imdb-dense"),
    "one epoch": fit_facts(history(1), "mnist"),
    "500 epochs": fit_facts(history(500), "long"),
    "no validation": fit_facts({"loss": [3.0, 2.0]}, "final"),
    "diverged": fit_facts({"loss": [1.0, 2.0, NAN], "val_loss": [2.0, NAN, NAN]}, "diverged"),
    "only NaN": fit_facts({"loss": [NAN, NAN], "val_loss": [NAN, NAN]}, "diverged at once"),
    "five metrics": fit_facts(
        {f"{part}{name}": [0.1, 0.2] for name in "abcde" for part in ("", "val_")}, "many"
    ),
    "log": fit_facts({"loss": [1e6, 1e3, *[10.0] * 9]}, "steep"),
    "folds": folds_facts([history(8, seed) for seed in range(4)], "digits"),
    "noisy folds": folds_facts(noisy(500, 100), "boston", units={"mae": "thousand dollars"}),
    "one fold alone": folds_facts([history(5)], "x"),
    "long name": fit_facts(history(3), "a name with $maths_{ and 漢字 in it " * 4),
}


def lines(axes: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in axes.lines}


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_hold_out_has_a_panel_for_each_metric():
    facts = SITUATIONS["hold-out"]
    figure = build_figure(facts)
    loss, accuracy = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["Loss", "Accuracy"]
    assert accuracy.get_xlabel() == "Epoch"
    assert figure.texts[0].get_text() == "imdb-dense"
    dots, line = lines(loss)["training"], lines(loss)["validation"]
    assert (dots.get_linestyle(), dots.get_marker()) == ("None", "o")
    assert list(dots.get_xdata()) == list(range(1, 21))
    assert list(dots.get_ydata()) == history(20)["loss"]
    assert (line.get_linestyle(), line.get_marker()) == ("-", "None")
    assert list(line.get_ydata()) == history(20)["val_loss"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["training", "validation", "best epoch"]


@pytest.mark.parametrize("panel", [0, 1])
def test_the_best_epoch_is_marked_with_its_value(panel):
    figure = build_figure(SITUATIONS["hold-out"])
    name, choose = [("val_loss", np.argmin), ("val_accuracy", np.argmax)][panel]
    values = history(20)[name]
    best = int(choose(values))
    axes = figure.axes[panel]
    vertical = lines(axes)["best epoch"]
    assert list(vertical.get_xdata()) == [best + 1, best + 1]
    (marker,) = [line for line in axes.lines if list(line.get_ydata()) == [values[best]]]
    assert list(marker.get_xdata()) == [best + 1]
    (text,) = texts(axes)
    assert text.startswith(f"epoch {best + 1}: ")
    assert float(text.split(": ")[1]) == pytest.approx(values[best], abs=5e-5)


def test_one_epoch_shows_as_points():
    axes = build_figure(SITUATIONS["one epoch"]).axes[0]
    assert lines(axes)["validation"].get_marker() == "o"
    assert list(axes.get_xticks()) == [1]
    assert axes.get_xlim() == (0.5, 1.5)


def test_dots_of_500_epochs_do_not_touch():
    figure = build_figure(SITUATIONS["500 epochs"])
    figure.draw_without_rendering()
    axes = figure.axes[0]
    (dots,) = [line for line in axes.lines if str(line.get_label()).startswith("training")]
    assert dots.get_label() == "training (every third epoch)"
    apart = axes.bbox.width * 72 / figure.dpi / np.ptp(axes.get_xlim())
    assert len(dots.get_xdata()) == 500
    assert dots.get_markevery() * apart > dots.get_markersize() > 1.5


def test_first_epochs_of_one_training_are_left_out_and_it_says_so():
    facts = fit_facts({"mae": noisy(200, 1)[0]["val_mae"], **noisy(200, 2)[1]}, "x")
    (axes,) = build_figure(facts).axes
    assert facts.left_out > 0
    for line in (lines(axes)["training"], lines(axes)["validation"]):
        assert np.flatnonzero(np.isfinite(line.get_ydata()))[0] == facts.left_out
    assert axes.get_xlabel() == f"Epoch (the first {facts.left_out} are left out)"


def test_epochs_without_a_number_are_gaps_and_said_to_be():
    figure = build_figure(SITUATIONS["diverged"])
    (axes,) = figure.axes
    assert np.isnan(lines(axes)["validation"].get_ydata()).tolist() == [False, True, True]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[-1] == "no number (NaN)"
    (shade,) = axes.patches
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (2.5, 3.5)
    assert texts(axes) == ["epoch 1: 2"]


def test_validation_of_every_third_epoch_is_one_line():
    values = [NAN, NAN, 3.0, NAN, NAN, 2.0, NAN, NAN, 1.0]
    facts = fit_facts({"loss": [1.0] * 9, "val_loss": values}, "x")
    line = lines(build_figure(facts).axes[0])["validation"]
    assert list(line.get_xdata()) == [3, 6, 9]
    assert list(line.get_ydata()) == [3, 2, 1]


def test_without_validation_nothing_is_marked():
    (axes,) = build_figure(SITUATIONS["no validation"]).axes
    assert list(lines(axes)) == ["training"]
    assert texts(axes) == []


def test_folds_show_mean_band_and_every_fold():
    facts = SITUATIONS["folds"]
    figure = build_figure(facts)
    axes, panel = figure.axes[0], facts.panels[0]
    assert list(lines(axes)["mean of 4 folds"].get_ydata()) == list(panel.mean)
    drawn = [tuple(line.get_ydata()) for line in axes.lines]
    assert all(fold in drawn for fold in panel.folds)
    (band,) = axes.collections
    corners = {(x, round(y, 9)) for x, y in band.get_paths()[0].vertices.tolist()}
    for epoch, (mean, std) in enumerate(zip(panel.mean, panel.std, strict=True), 1):
        assert {(epoch, round(mean - std, 9)), (epoch, round(mean + std, 9))} <= corners
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["mean of 4 folds", "± 1 std", "each fold", "best epoch"]


def test_noisy_folds_are_smoothed_and_their_first_epochs_left_out_and_it_says_so():
    facts = SITUATIONS["noisy folds"]
    figure = build_figure(facts)
    (axes,) = figure.axes
    smooth = lines(axes)["mean of 100 folds, moving average 0.9"]
    assert np.array_equal(smooth.get_ydata(), facts.panels[0].smoothed.mean, equal_nan=True)
    assert same_color(smooth.get_color(), BLUE)
    raw = lines(axes)["not smoothed"].get_ydata()
    assert raw[facts.left_out] == facts.panels[0].mean[facts.left_out]
    assert np.isnan(raw[: facts.left_out]).all()
    assert axes.get_xlabel() == f"Epoch (the first {facts.left_out} are left out)"
    assert axes.get_xlim()[0] < facts.left_out + 1 < 0.1 * 500
    assert axes.get_ylabel() == "MAE (thousand dollars)"


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_is_drawn_without_a_warning(name):
    picture, vectors = drawn(SITUATIONS[name])
    with Image.open(io.BytesIO(picture)) as image:
        assert image.size[0] == 1600
    assert vectors.endswith(b"</svg>\n")


# Text is measured in the test itself, in a font that has no Chinese.
@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_fits_its_picture(name):
    figure = build_figure(SITUATIONS[name])
    figure.draw_without_rendering()
    frame = figure.bbox
    legend = figure.legends[0].get_window_extent()
    for box in [legend, *(text.get_window_extent() for text in figure.texts)]:
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
    for axes in figure.axes:
        panel = axes.get_tightbbox()
        assert panel.y1 <= legend.y0
        assert frame.x0 <= panel.x0
        assert panel.x1 <= frame.x1
        assert axes.get_window_extent().height > 0.15 * figure.dpi * 8
        assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_five_metrics_stand_in_two_columns():
    figure = build_figure(SITUATIONS["five metrics"])
    assert len(figure.axes) == 5
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "", "Epoch", "Epoch"]


def test_steep_curves_have_a_logarithmic_axis_and_it_says_so():
    (axes,) = build_figure(SITUATIONS["log"]).axes
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "Loss, log scale"


def test_same_facts_give_the_same_files_whatever_the_users_settings():
    first = drawn(SITUATIONS["folds"])
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30, "svg.fonttype": "path"}):
        before = dict(mpl.rcParams)
        second = drawn(SITUATIONS["folds"])
        assert dict(mpl.rcParams) == before
    assert first == second
    assert b">Accuracy</text>" in first[1]
    assert b"<dc:date>" not in first[1]


def test_a_run_is_drawn_from_its_metrics(tmp_path):
    folder = TrainingFolder(tmp_path)
    draw_run_curves(folder, "nothing yet")
    assert not folder.curves_png.exists()
    for fold in range(2):
        for epoch in range(1, 4):
            metrics = {"loss": 3.0 / epoch, "val_loss": 4.0 / epoch + fold}
            folder.append_metrics(fold, epoch, 0.1, metrics)
    draw_run_curves(folder, "two folds")
    with Image.open(folder.curves_png) as picture:
        assert picture.size[0] == 1600
    text = folder.curves_svg.read_text(encoding="utf-8")
    assert ">mean of 2 folds</text>" in text
    assert ">two folds</text>" in text
    folder.curves_png.unlink()
    folder.curves_svg.unlink()
    draw_run_curves(folder, "hold-out, twice", several="repeats")
    text = folder.curves_svg.read_text(encoding="utf-8")
    assert ">mean of 2 repeats</text>" in text
    assert ">each repeat</text>" in text
    assert "fold" not in text.replace("hold-out", "")


def test_drawing_needs_neither_pyplot_nor_keras(tmp_path):
    TrainingFolder(tmp_path).append_metrics(0, 1, 0.1, {"loss": 1.0})
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from dlrun.reports.curves import draw_run_curves\n"
        "from dlrun.store.training_folder import TrainingFolder\n"
        "assert 'matplotlib' not in sys.modules\n"
        "folder = TrainingFolder(Path(sys.argv[1]))\n"
        "draw_run_curves(folder, 'x')\n"
        "assert folder.curves_svg.exists()\n"
        "heavy = {'matplotlib.pyplot', 'keras', 'tensorflow', 'sklearn', 'pandas'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("first", "last", "ticks"),
    [
        (1, 1, [1]),
        (1, 4, [1, 2, 3, 4]),
        (1, 20, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]),
        (1, 80, [1, 10, 20, 30, 40, 50, 60, 70, 80]),
        (13, 500, [13, *range(50, 501, 50)]),
    ],
)
def test_epoch_ticks(first, last, ticks):
    assert epoch_ticks(first, last) == ticks


@pytest.mark.parametrize("values", [[0.5, 0.5, 0.5, 0.5], [1000.0, 10.0, 0.1, 0.001]])
def test_no_curve_strikes_the_names_of_phases_through(values: list[float]) -> None:
    facts = fit_facts({"loss": values, "val_loss": values, "phase": [1, 1, 2, 2]}, "photos")
    facts = replace(facts, phases=(PhaseStart(1, "head"), PhaseStart(3, "fine-tuning")))
    with own_style():
        figure = build_figure(facts)
        figure.canvas.draw()
        (axes,) = figure.axes
        names = [text for text in axes.texts if text.get_text() in ("head", "fine-tuning")]
        assert len(names) == 2
        highest = axes.transData.transform((1, max(values)))[1]
        assert all(text.get_window_extent().y0 >= highest for text in names)
