"""`dlrun look`: views of runs and of data, where they are kept, and what is refused."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import dlrun
from dlrun.cli.main import main
from dlrun.config.load import load_config
from dlrun.errors import ConfigError, UsageError
from dlrun.registry.families import VIEWS
from dlrun.store.run_directory import RunDirectory
from dlrun.views import View
from dlrun.workflows.look import look

CONFIG = """
name: digits
dataset: {source: sklearn, name: digits, test: {fraction: 0.2}, limit: 300}
preprocess: [{rescale: 1/16}]
architecture:
  layers:
    - Reshape: {target_shape: [8, 8, 1]}
    - Conv2D: {filters: 8, kernel_size: 3, activation: relu}
    - MaxPooling2D
    - Flatten
    - Dense: {units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: adam
metrics: [accuracy]
training: {epochs: 2}
look:
  - rows: 6
  - activations: {rows: 2, layers: [conv2d, "max_pool*"]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("digits")
    (made / "digits.yaml").write_text(CONFIG)
    return made


@pytest.fixture(scope="module")
def run(folder: Path) -> Any:
    return dlrun.train(folder / "digits.yaml", runs_dir=folder / "runs")


def test_views_of_the_config_are_kept_in_the_run_with_pictures_and_numbers(run: Any) -> None:
    rows, activations = look(run.path)
    assert [one.path.name for one in (rows, activations)] == ["01-rows", "02-activations"]
    digits = load_digits()
    shown = rows.facts["rows"]
    assert len(shown) == 6
    np.testing.assert_allclose(rows.arrays["pictures"] * 16, digits.images[shown], atol=1e-6)
    assert rows.facts["labels"] == [str(digits.target[row]) for row in shown]
    splits = RunDirectory.open(run.path).read_splits()
    assert set(shown) <= set(splits["fold00_validation"].tolist())
    for one in (rows, activations):
        facts = json.loads((one.path / "look.json").read_text())
        assert facts["lines"]
        assert facts["view"] == one.view
        assert len(one.pictures) == len(facts["pictures"]) > 0
        for picture in one.pictures:
            pixels = np.asarray(Image.open(picture).convert("L"))
            assert pixels.shape[1] >= 600
            assert pixels.std() > 5


def test_activations_are_those_of_a_keras_model_with_several_outputs(run: Any) -> None:
    import keras

    drawn = run.look("activations", rows=3, layers=["conv2d", "max_pooling2d"])
    inputs = load_digits().data[drawn.arrays["rows"]].astype(np.float32) / 16
    model, names = run.model, ["conv2d", "max_pooling2d"]
    taps = keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])
    for name, expected in zip(names, taps.predict(inputs, verbose=0), strict=True):
        np.testing.assert_allclose(drawn.arrays[name], expected, rtol=1e-6, atol=1e-6)
        flat = expected.reshape(3, -1, expected.shape[-1])
        (facts,) = [one for one in drawn.facts["layers"] if one["layer"] == name]
        assert facts["blank"] == np.mean(flat.max(axis=1) == flat.min(axis=1))
        assert facts["zeros"] == pytest.approx(np.mean(expected == 0))
    assert "call" not in vars(model.get_layer("conv2d"))


def test_the_same_look_is_kept_once_and_another_one_beside_it(run: Any) -> None:
    first = run.look("rows", rows=3)
    assert run.look("rows", rows=3).path == first.path
    other = run.look("rows", rows={"training": 3})
    assert other.path != first.path
    assert "training rows" in other.lines[0]
    assert RunDirectory.open(run.path).files.faults() == []
    (other.path / "look.json").write_text("{}")
    assert [fault.name for fault in RunDirectory.open(run.path).files.faults()] == [
        f"look/{other.path.name}/look.json"
    ]
    shutil.rmtree(other.path)
    RunDirectory.open(run.path).files.seal()


def test_a_report_shows_what_was_looked_at(run: Any) -> None:
    drawn = run.look("rows", rows=5)
    from dlrun.workflows.report import report

    html = report(run.path).read_text()
    assert "A closer look" in html
    assert drawn.lines[0] in html
    assert html.count("data:image/png") >= len(drawn.pictures)
    assert drawn._repr_html_().count("<img") == len(drawn.pictures)


def test_test_rows_are_sealed(run: Any) -> None:
    test = RunDirectory.open(run.path).read_splits()["test"]
    with pytest.raises(ConfigError, match=f"row {test[0]} is a test row"):
        run.look("rows", rows=[int(test[0])])
    with pytest.raises(ConfigError, match="there is no row 99999"):
        run.look("rows", rows=[99999])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("- activation", "digits.yaml:16:5: unknown view 'activation'; did you mean 'activations'"),
        ("- rows: {row: 3}", "digits.yaml:16:12: unknown option 'row' of rows; did you mean"),
        ("- rows: 0", "digits.yaml:16:11: wrong value for 'rows'"),
        ("- rows: {rows: {validation: 2, training: 1}}", "give either `validation` or `training`"),
    ],
)
def test_a_wrong_view_is_reported_where_it_is_written(
    folder: Path, tmp_path: Path, given: str, message: str
) -> None:
    text = CONFIG[: CONFIG.index("  - rows: 6")].lstrip("\n") + f"  {given}\n"
    (tmp_path / "digits.yaml").write_text(text)
    with pytest.raises(ConfigError) as found:
        load_config(tmp_path / "digits.yaml")
    assert message in str(found.value)


def test_an_unknown_layer_is_reported_with_those_that_there_are(run: Any) -> None:
    with pytest.raises(ConfigError, match="no layer 'conv3d'; did you mean 'conv2d'") as found:
        run.look("activations", layers=["conv3d"])
    assert "look.0.activations.layers" in str(found.value)
    with pytest.raises(UsageError, match="unknown view 'heatmap'"):
        run.look("heatmap")


def test_data_can_be_looked_at_before_anything_is_trained(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(folder / "digits.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        main(["look", "digits.yaml", "--view", "rows", "--set", "rows=[4]", "--json"])
    assert end.value.code == 0
    (facts,) = json.loads(out.getvalue())["looks"]
    assert facts["rows"] == [4]
    assert (tmp_path / "digits-look" / "01-rows" / "rows.png").is_file()
    assert not (tmp_path / "runs").exists()
    with pytest.raises(UsageError, match="needs a trained model"):
        look("digits.yaml", ["activations"])
    assert [one.view for one in look("digits.yaml")] == ["rows"]


@pytest.mark.parametrize("name", VIEWS.names())
def test_every_view_says_what_it_shows_and_what_its_options_mean(name: str) -> None:
    view = VIEWS.get(name)
    assert issubclass(view, View)
    assert view.__doc__
    assert all(field.description for field in view.options().values())
