"""Whole runs on data that stays on disk, against the same runs in memory."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dlrun
from dlrun.cli.main import main

COMMON = """
architecture:
  layers: [Dense: {units: 4, activation: relu}, Dense: {units: 1, activation: sigmoid}]
loss: binary_crossentropy
optimizer: rmsprop
metrics: [accuracy]
training: {epochs: 2, batch_size: 32}
evaluation: {protocol: holdout, validation: 0.2, score: accuracy}
"""

ARRAYS = """
dataset: {source: npz, path: [x.npy, y.npy], test: {fraction: 0.1}}
preprocess: [standardize, flatten]
"""

TABLE = """
dataset: {source: csv, path: parts, target: y, test: {fraction: 0.1}}
preprocess: [impute: mean, standardize: {columns: [a, b]}, one_hot]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streamed")
    random = np.random.default_rng(0)
    np.save(folder / "x.npy", random.normal(size=(300, 3, 2)).astype(np.float32))
    np.save(folder / "y.npy", np.arange(300) % 2)
    np.save(folder / "new.npy", random.normal(size=(70, 3, 2)).astype(np.float32))
    (folder / "parts").mkdir()
    for part in range(2):
        frame = pd.DataFrame(random.normal(size=(150, 2)), columns=["a", "b"])
        frame["city"] = random.choice(np.array(["Bonn", "Ulm", None], object), 150)
        frame["y"] = random.choice(["no", "yes"], 150)
        frame.to_parquet(folder / "parts" / f"{part}.parquet")
    (folder / "arrays.yaml").write_text(ARRAYS + COMMON)
    (folder / "table.yaml").write_text(TABLE + COMMON)
    return folder


def run(folder: Path, name: str, *overrides: str) -> tuple[dlrun.Run, pd.DataFrame]:
    run = dlrun.train(folder / f"{name}.yaml", runs_dir=folder / "runs", overrides=overrides)
    return run, run.history.drop(columns="seconds")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arrays", pytest.param("table", marks=pytest.mark.slow)])
def test_streaming_changes_no_digit(name: str, folder: Path) -> None:
    _, held = run(folder, name, "dataset.stream=false", "training.engine=keras")
    streamed, first = run(folder, name, "dataset.stream=true")
    _, second = run(folder, name, "dataset.stream=true")
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    pd.testing.assert_frame_equal(held, first, rtol=1e-6)
    engine = json.loads((streamed.path / "run.json").read_text())["engine"]
    assert engine["name"] == "keras"
    assert engine["reason"] == "rows are read from disk as they are needed"
    assert "stream: true" in (streamed.path / "resolved.yaml").read_text()


def command(*arguments: Any) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code in (0, None), output.getvalue()
    return output.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arrays", "table"])
def test_every_command_takes_rows_on_disk(name: str, folder: Path, tmp_path: Path) -> None:
    config = folder / f"{name}.yaml"
    stream = ("--set", "dataset.stream=true")
    assert "270" in command("check", "--data", config, *stream)
    command("train", config, "--runs-dir", tmp_path / "runs", *stream)
    (trained,) = (tmp_path / "runs").iterdir()
    command("evaluate", trained)
    new = folder / ("new.npy" if name == "arrays" else "parts/0.parquet")
    command("predict", trained, "--input", new, "--output", tmp_path / "streamed.csv")
    held = ("--set", "dataset.stream=false")
    command("predict", trained, "--input", new, "--output", tmp_path / "held.csv", *held)
    streamed, plain = (pd.read_csv(tmp_path / f"{way}.csv") for way in ("streamed", "held"))
    pd.testing.assert_frame_equal(streamed, plain)
    command("kfold", config, "--runs-dir", tmp_path / "folds", *stream, "--folds", 2)
    (folded,) = (tmp_path / "folds").iterdir()
    assert len(json.loads((folded / "result.json").read_text())["score"]["folds"]) == 2
