"""Models whose target is their own input."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import dlrun

TABLE = """
dataset: {source: csv, path: rows.csv, targets: input, drop: [number], test: {fraction: 0.2}}
preprocess: [{standardize: {columns: [width, height]}}, one_hot]
architecture: {layers: [{Dense: {units: 2, activation: relu}}, {Dense: 4}]}
loss: mse
optimizer: adam
metrics: [mae]
training: {epochs: 2}
"""

ARRAYS = """
dataset: {source: npz, path: rows.npz, inputs: x, targets: x, test: {fraction: 0.2}}
preprocess: [{rescale: 0.1}]
architecture: {layers: [{Dense: 5}]}
loss: mse
optimizer: adam
training: {epochs: 1}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lines = [f"{i},{10 * rng.normal():.3f},{rng.normal():.3f},{'xy'[i % 2]}" for i in range(60)]
    Path("rows.csv").write_text("\n".join(["number,width,height,kind", *lines]))
    np.savez("rows.npz", x=rng.normal(size=(60, 5)).astype("float32"))
    return tmp_path


def loaded(run: dlrun.Run) -> keras.Model:
    """The model of a run; one batch takes less time than compiling it."""
    model = keras.models.load_model(run.path / "model.keras")
    model.run_eagerly = True
    return model


def test_the_target_is_the_prepared_input(folder: Path) -> None:
    Path("table.yaml").write_text(TABLE)
    run = dlrun.train("table.yaml")
    splits = np.load(run.path / "splits.npz")
    table = np.genfromtxt("rows.csv", delimiter=",", skip_header=1, usecols=(1, 2))
    kinds = np.arange(60)[:, None] % 2 == [0, 1]
    train, scored = splits["fold00_train"], splits["fold00_validation"]
    numbers = (table - table[train].mean(0)) / table[train].std(0)
    rows = np.column_stack([numbers, kinds]).astype("float32")
    model = loaded(run)
    loss, mae = model.evaluate(rows[scored], rows[scored], verbose=0)
    assert run.result["measures"]["mae"]["value"] == pytest.approx(mae, rel=1e-5)
    assert run.result["measures"]["loss"]["value"] == pytest.approx(loss, rel=1e-5)
    assert run.result["simple_model"] is None, "a linear model copies its input"
    test = splits["test"]
    facts = dlrun.evaluate(run.path).facts
    expected = model.evaluate(rows[test], rows[test], verbose=0)[1]
    assert facts["score"]["value"] == pytest.approx(expected, rel=1e-5)
    predicted = dlrun.predict(run.path, "rows.csv").table
    assert list(predicted) == ["width", "height", "kind=x", "kind=y"]
    np.testing.assert_allclose(predicted, model.predict(rows, verbose=0), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_an_array_may_be_input_and_target(folder: Path) -> None:
    Path("arrays.yaml").write_text(ARRAYS)
    run = dlrun.train("arrays.yaml")
    rows = np.load("rows.npz")["x"][np.load(run.path / "splits.npz")["fold00_validation"]]
    model = loaded(run)
    loss = model.evaluate(rows * np.float32(0.1), rows, verbose=0)
    assert run.result["measures"]["loss"]["value"] == pytest.approx(loss, rel=1e-5), (
        "as it is in the file"
    )
