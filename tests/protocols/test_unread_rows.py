"""Rows that a training must not read change nothing that it is given: splits, statistics, rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from dlrun.config.load import load_config
from dlrun.data.pipeline import fit_pipeline
from dlrun.data.samples import Samples
from dlrun.protocols.experiment import folds_of
from dlrun.workflows.loading import load_rows

HUGE = 1e12
N = 240
REST = """
preprocess: [{impute: mean}, standardize, {targets: standardize}]
architecture: {layers: [Flatten, {Dense: 1}]}
loss: mse
optimizer: adam
training: {epochs: 1}
"""

DATASETS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a share": ({"test": {"fraction": 0.2}}, {}),
    "the first rows": ({"test": {"fraction": 0.2}, "limit": 90}, {}),
    "some rows": ({"test": {"fraction": 0.2}, "limit": {"random": 90}}, {}),
    "groups": ({"test": {"fraction": 0.2}}, {"groups": "shop"}),
    "time": ({"test": {"fraction": 0.2}}, {"time": "day"}),
    "a file": ({"test": {"fraction": 0.2}}, {"validation": {"path": "later.csv"}}),
    "windows": ({"source": "timeseries", "lookback": 4, "test": {"fraction": 0.2}}, {}),
    "sorted windows": (
        {"source": "timeseries", "lookback": 4, "sort": True, "test": {"fraction": 0.2}},
        {},
    ),
    "windows of each series": (
        {"source": "timeseries", "lookback": 4, "series": "shop", "test": {"fraction": 0.2}},
        {},
    ),
}


def written(folder: Path, name: str) -> Path:
    dataset, evaluation = DATASETS[name]
    asked = {"source": "csv", "path": "rows.csv", "target": "y"} | dataset
    if asked["source"] == "csv":
        asked["drop"] = [n for n in ("shop", "day") if n not in evaluation.values()]
    text = yaml.safe_dump({"dataset": asked, "evaluation": evaluation}) + REST
    (folder / "c.yaml").write_text(text)
    return folder / "c.yaml"


def fitted(file: Path) -> tuple[Samples, dict[str, Any], dict[str, np.ndarray]]:
    """The training rows of the first fold, and what preprocessing learns from them."""
    config = load_config(file)
    dataset = load_rows(config)
    train = dataset.samples.take(folds_of(config, dataset)[0].train)
    return train, *fit_pipeline(config.preprocess, config.target_steps, dataset, train).to_state()


def read_by(train: Samples) -> np.ndarray:
    """The numbers of the rows in the file that training reads."""
    if (windows := train.windows) is None:
        return train.rows
    assert windows.target_numbers is not None
    covered = windows.series.numbers[windows.covered()]
    return np.union1d(covered, windows.target_numbers.reshape(-1))


@pytest.mark.parametrize("name", DATASETS)
def test_rows_that_are_not_trained_on_change_nothing(tmp_path: Path, name: str) -> None:
    random = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=N, freq="D")
    frame = pd.DataFrame({"a": random.normal(5, 2, N), "b": random.normal(size=N)})
    frame["y"] = frame.a + random.normal(size=N)
    frame["shop"] = [f"s{row % 8}" for row in range(N)]
    frame["day"] = days
    if "series" in DATASETS[name][0]:
        frame["day"] = days[np.arange(N) // 8]
    if "sort" in DATASETS[name][0]:
        frame = frame.iloc[random.permutation(N)].reset_index(drop=True)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.assign(y=frame.y + 1).to_csv(tmp_path / "later.csv", index=False)
    config = written(tmp_path, name)
    train, facts, arrays = fitted(config)
    unread = np.setdiff1d(np.arange(N), read_by(train))
    assert len(unread) >= N // 5
    for columns in (["a", "b", "y"], ["y"]):
        spoilt = frame.copy()
        spoilt.loc[unread, columns] = HUGE
        spoilt.to_csv(tmp_path / "rows.csv", index=False)
        frame.assign(a=HUGE, y=-HUGE).to_csv(tmp_path / "later.csv", index=False)
        other, other_facts, other_arrays = fitted(config)
        np.testing.assert_array_equal(other.rows, train.rows)
        assert other_facts == facts
        for key, array in arrays.items():
            np.testing.assert_array_equal(other_arrays[key], array)
        np.testing.assert_array_equal(other.targets["y"], train.targets["y"])
        if train.windows is None:
            np.testing.assert_array_equal(other.features["a"], train.features["a"])
