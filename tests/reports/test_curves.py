"""Training curves: what their charts show, and that they are drawn into files."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from dlrun.reports.charts import BandMark, BoxesMark, Chart, DotsMark, LineMark, TextMark
from dlrun.reports.curve_charts import curve_charts, draw_run_curves, epoch_ticks
from dlrun.reports.curve_facts import CurveFacts, PhaseStart, curve_facts, facts_from_table
from dlrun.reports.drawing import own_style
from dlrun.reports.picture import build_picture, save_picture
from dlrun.store.training_folder import TrainingFolder

NAN = float("nan")


def drawn(facts: CurveFacts) -> tuple[bytes, bytes]:
    """The facts as PNG and as SVG."""
    picture, vectors = io.BytesIO(), io.BytesIO()
    figure = build_figure(facts)
    save_picture(figure, picture, "png")
    save_picture(figure, vectors, "svg")
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


def fit_facts(history: dict[str, list[float]], title: str) -> CurveFacts:
    return curve_facts([history], title)


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
    "folds": curve_facts([history(8, seed) for seed in range(4)], "digits"),
    "noisy folds": curve_facts(noisy(500, 100), "boston"),
    "long name": fit_facts(history(3), "a name with $maths_{ and 漢字 in it " * 4),
}


def build_figure(facts: CurveFacts) -> Any:
    return build_picture(curve_charts(facts), facts.title)


def marks(chart: Chart) -> dict[str, Any]:
    return {mark.label: mark for mark in chart.legend if not isinstance(mark, TextMark)}


def texts(chart: Chart) -> list[str]:
    return [mark.text for mark in chart.marks if isinstance(mark, TextMark)]


def test_hold_out_has_a_chart_for_each_metric():
    loss, accuracy = curve_charts(SITUATIONS["hold-out"])
    assert [loss.y.label, accuracy.y.label] == ["Loss", "Accuracy"]
    assert accuracy.x.label == "Epoch"
    dots, line = marks(loss)["training"], marks(loss)["validation"]
    assert isinstance(dots, DotsMark)
    assert list(dots.x) == list(range(1, 21))
    assert list(dots.y) == history(20)["loss"]
    assert isinstance(line, LineMark)
    assert list(line.y) == history(20)["val_loss"]
    figure = build_figure(SITUATIONS["hold-out"])
    assert figure.texts[0].get_text() == "imdb-dense"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["training", "validation", "best epoch"]


@pytest.mark.parametrize("panel", [0, 1])
def test_the_best_epoch_is_marked_with_its_value(panel):
    chart = curve_charts(SITUATIONS["hold-out"])[panel]
    name, choose = [("val_loss", np.argmin), ("val_accuracy", np.argmax)][panel]
    values = history(20)[name]
    best = int(choose(values))
    assert list(marks(chart)["best epoch"].x) == [best + 1, best + 1]
    (dot,) = [mark for mark in chart.marks if isinstance(mark, DotsMark) and mark.ringed]
    assert (list(dot.x), list(dot.y)) == ([best + 1], [values[best]])
    (text,) = texts(chart)
    assert text.startswith(f"epoch {best + 1}: ")
    assert float(text.split(": ")[1]) == pytest.approx(values[best], abs=5e-5)
    assert chart.description.endswith(f"Best epoch {best + 1}: {text.split(': ')[1]}.")


def test_one_epoch_shows_as_points():
    axes = build_figure(SITUATIONS["one epoch"]).axes[0]
    assert list(axes.get_xticks()) == [1]
    assert axes.get_xlim() == (0.5, 1.5)
    # The line has no length: what is seen are dots of training, validation and the best epoch.
    dots = [patch for patch in axes.patches if patch.get_capstyle() == "round"]
    assert len(dots) == 4
    assert all(dot.get_path().vertices[0, 0] == 1 for dot in dots)


def test_dots_of_500_epochs_do_not_touch():
    chart = curve_charts(SITUATIONS["500 epochs"])[0]
    dots = marks(chart)["training (every fifth epoch)"]
    assert set(np.diff(dots.x)) == {5}
    apart = 5 * 370 / 500
    assert apart > dots.size > 1.5


def test_first_epochs_of_one_training_are_left_out_and_it_says_so():
    facts = fit_facts({"mae": noisy(200, 1)[0]["val_mae"], **noisy(200, 2)[1]}, "x")
    (chart,) = curve_charts(facts)
    assert facts.left_out > 0
    for label in ("training (every second epoch)", "validation"):
        assert marks(chart)[label].x[0] == facts.left_out + 1
    assert chart.x.label == f"Epoch (the first {facts.left_out} are left out)"


def test_epochs_without_a_number_are_gaps_and_said_to_be():
    (chart,) = curve_charts(SITUATIONS["diverged"])
    assert np.isnan(marks(chart)["validation"].y).tolist() == [False, True, True]
    shade = marks(chart)["no number (NaN)"]
    assert isinstance(shade, BoxesMark)
    ((left, _, right, _),) = shade.boxes
    assert (left, right) == (2.5, 3.5)
    assert texts(chart) == ["epoch 1: 2"]
    figure = build_figure(SITUATIONS["diverged"])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[-1] == "no number (NaN)"


def test_validation_of_every_third_epoch_is_one_line():
    values = [NAN, NAN, 3.0, NAN, NAN, 2.0, NAN, NAN, 1.0]
    facts = fit_facts({"loss": [1.0] * 9, "val_loss": values}, "x")
    line = marks(curve_charts(facts)[0])["validation"]
    assert list(line.x) == [3, 6, 9]
    assert list(line.y) == [3, 2, 1]


def test_without_validation_nothing_is_marked():
    (chart,) = curve_charts(SITUATIONS["no validation"])
    assert list(marks(chart)) == ["training"]
    assert texts(chart) == []


def test_folds_show_mean_band_and_every_fold():
    facts = SITUATIONS["folds"]
    chart, panel = curve_charts(facts)[0], facts.panels[0]
    assert tuple(marks(chart)["mean of 4 folds"].y) == panel.validation
    drawn = [tuple(mark.y) for mark in chart.marks if isinstance(mark, LineMark)]
    assert all(fold in drawn for fold in panel.folds)
    band = marks(chart)["± 1 standard deviation"]
    assert isinstance(band, BandMark)
    mean, std = np.array(panel.validation), np.array(panel.std)
    np.testing.assert_allclose(band.low, mean - std)
    np.testing.assert_allclose(band.high, mean + std)
    figure = build_figure(facts)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["mean of 4 folds", "± 1 standard deviation", "each fold", "best epoch"]


def test_noisy_folds_are_smoothed_and_their_first_epochs_left_out_and_it_says_so():
    facts = SITUATIONS["noisy folds"]
    (chart,) = curve_charts(facts)
    first = facts.left_out
    smooth = marks(chart)["mean of 100 folds, moving average 0.9"]
    assert tuple(smooth.y) == facts.panels[0].smoothed.mean[first:]
    raw = marks(chart)["not smoothed"]
    assert (raw.x[0], tuple(raw.y)) == (first + 1, facts.panels[0].validation[first:])
    assert chart.x.label == f"Epoch (the first {first} are left out)"
    assert chart.x.low < first + 1 < 0.1 * 500
    assert chart.y.label == "MAE"


QUICK = ("hold-out", "only NaN", "noisy folds")
every_situation = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in SITUATIONS],
)


@every_situation
def test_every_situation_is_drawn_without_a_warning(name):
    picture, vectors = drawn(SITUATIONS[name])
    with Image.open(io.BytesIO(picture)) as image:
        assert image.size[0] == 1600
    assert vectors.endswith(b"</svg>\n")


# Text is measured in the test itself, in a font that has no Chinese.
@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
@every_situation
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
    draw_run_curves(folder, facts_from_table(folder.history(), "nothing yet"))
    assert not folder.curves_png.exists()
    for fold in range(2):
        for epoch in range(1, 4):
            metrics = {"loss": 3.0 / epoch, "val_loss": 4.0 / epoch + fold}
            folder.append_metrics(fold, epoch, 0.1, metrics)
    draw_run_curves(folder, facts_from_table(folder.history(), "two folds"))
    with Image.open(folder.curves_png) as picture:
        assert picture.size[0] == 1600
    text = folder.curves_svg.read_text(encoding="utf-8")
    assert ">mean of 2 folds</text>" in text
    assert ">two folds</text>" in text
    folder.curves_png.unlink()
    folder.curves_svg.unlink()
    facts = facts_from_table(folder.history(), "hold-out, twice", several="repeats")
    draw_run_curves(folder, facts)
    text = folder.curves_svg.read_text(encoding="utf-8")
    assert ">mean of 2 repeats</text>" in text
    assert ">each repeat</text>" in text
    assert "fold" not in text.replace("hold-out", "")


def test_drawing_needs_neither_pyplot_nor_keras(tmp_path):
    TrainingFolder(tmp_path).append_metrics(0, 1, 0.1, {"loss": 1.0})
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from dlrun.reports.curve_charts import draw_run_curves\n"
        "from dlrun.reports.curve_facts import facts_from_table\n"
        "from dlrun.store.training_folder import TrainingFolder\n"
        "assert 'matplotlib' not in sys.modules\n"
        "folder = TrainingFolder(Path(sys.argv[1]))\n"
        "draw_run_curves(folder, facts_from_table(folder.history(), 'x'))\n"
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
        (1, 20, [1, 5, 10, 15, 20]),
        (1, 80, [1, 10, 20, 30, 40, 50, 60, 70, 80]),
        (13, 500, [13, 100, 200, 300, 400, 500]),
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
