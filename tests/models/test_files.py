"""Models on disk come back as they were, or with a clear sentence."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlrun.errors import RunError
from dlrun.models.files import load_model, save_model

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def model() -> Any:
    layers = [
        keras.Input((6,), dtype="int32"),
        keras.layers.Embedding(10, 4),
        keras.layers.Bidirectional(keras.layers.LSTM(3, recurrent_dropout=0.1)),
        keras.layers.Dense(4, activation=keras.layers.LeakyReLU(0.2)),
        keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.01)),
    ]
    model = keras.Sequential(layers)
    model.compile("rmsprop", "mse", metrics=["mae"])
    x = np.arange(24).reshape(4, 6) % 10
    # One step takes less time than compiling it.
    model.run_eagerly = True
    model.fit(x, np.zeros((4, 1)), epochs=1, verbose=0)
    model.run_eagerly = False
    return model


@pytest.fixture
def saved(model: Any, tmp_path: Path) -> Path:
    path = tmp_path / ".model.1f2e.keras"
    save_model(model, path)
    return path


@pytest.mark.slow
def test_a_model_comes_back_with_its_weights_and_its_measures(model: Any, saved: Path) -> None:
    moved = saved.rename(saved.with_name("model.keras"))
    loaded = load_model(moved)
    x, y = np.arange(12).reshape(2, 6) % 10, np.ones((2, 1))
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert loaded.evaluate(x, y, verbose=0, return_dict=True) == model.evaluate(
        x, y, verbose=0, return_dict=True
    )


def test_nothing_in_the_file_is_a_pickle(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        assert set(archive.namelist()) == {"metadata.json", "config.json", "model.weights.h5"}


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^there is no model at .*model\.keras$"):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_file_cut_short_is_damaged(saved: Path, kept: int) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[:kept] if kept >= 0 else data[: len(data) // 2])
    with pytest.raises(RunError, match="is damaged: it is not a complete Keras model"):
        load_model(saved)


def test_a_changed_byte_in_the_weights_is_noticed(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    position = data.find(b"model.weights.h5") + 2000
    data[position] ^= 0xFF
    saved.write_bytes(bytes(data))
    with pytest.raises(RunError, match="is damaged"):
        load_model(saved)


def test_a_config_that_makes_no_sense_to_keras(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.keras"
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"{}" if name == "config.json" else old.read(name))
    with pytest.raises(RunError, match=r"^Keras cannot load the model .*other\.keras: "):
        load_model(other)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    layers = [keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)]
    path = tmp_path / "model.keras"
    keras.Sequential(layers).save(path)
    with pytest.raises(RunError, match=r"Keras cannot load the model .*Lambda"):
        load_model(path)
