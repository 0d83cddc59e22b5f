"""Rows with a target at every timestep are trained and scored; one target a row is not enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml

import dlrun
from dlrun.errors import ConfigError
from dlrun.workflows.check import check

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5, 3)).astype(np.float32)


def write(folder: Path, targets: np.ndarray, loss: str, **changes: Any) -> Path:
    np.savez(folder / "rows.npz", x=X, y=targets)
    units, activation = (2, "softmax") if loss.startswith("sparse") else (1, None)
    config = {
        "dataset": {"source": "npz", "path": "rows.npz"},
        "architecture": {
            "layers": [
                {"GRU": {"units": 4, "return_sequences": True}},
                {"Dense": {"units": units, "activation": activation}},
            ]
        },
        "loss": loss,
        "optimizer": "adam",
        "training": {"epochs": 1},
    }
    file = folder / "steps.yaml"
    file.write_text(yaml.safe_dump(config | changes))
    return file


@pytest.mark.slow
def test_a_class_at_every_timestep(tmp_path: Path) -> None:
    targets = (X[..., 0] > 0).astype(np.int32)
    loss = "sparse_categorical_crossentropy"
    run = dlrun.train(write(tmp_path, targets, loss), runs_dir=tmp_path / "runs")
    rows = np.load(run.path / "splits.npz")["fold00_validation"]
    said = run.model.predict(X[rows], verbose=0)
    expected = keras.losses.SparseCategoricalCrossentropy()(targets[rows], said)
    assert run.score == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.slow
def test_a_quantity_at_every_timestep_comes_back_in_its_own_unit(tmp_path: Path) -> None:
    targets = X[..., 0] * [1, 2, 4, 8, 16] + 100
    steps = {"preprocess": [{"targets": "standardize"}], "metrics": ["mae"]}
    run = dlrun.train(write(tmp_path, targets, "mse", **steps), runs_dir=tmp_path / "runs")
    splits = np.load(run.path / "splits.npz")
    known, rows = targets[splits["fold00_train"]], splits["fold00_validation"]
    said = run.model.predict(X[rows], verbose=0)[..., 0] * known.std(0) + known.mean(0)
    assert run.score == pytest.approx(np.abs(said - targets[rows]).mean(), rel=1e-5)


def test_one_quantity_a_row_is_told_before_training(tmp_path: Path) -> None:
    file = write(tmp_path, X[:, 0, 0], "mse")
    with pytest.raises(ConfigError) as error:
        dlrun.train(file, runs_dir=tmp_path / "runs")
    (problem,) = error.value.problems
    assert problem.message == (
        "the last layer gives (5, 1) a row, but one value is needed; put Flatten or "
        "GlobalAveragePooling1D before it, or leave out `return_sequences` of the layer above"
    )
    assert not list((tmp_path / "runs").glob("*"))
    with pytest.raises(ConfigError, match=r"gives \(5, 1\) a row"):
        check(file, with_data=True)
