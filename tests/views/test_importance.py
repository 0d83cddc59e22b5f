"""Permutation importance against scikit-learn's, on columns that are known to matter or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import permutation_importance
from sklearn.metrics import mean_absolute_error, roc_auc_score
from subjects import subject_of

from dlrun.errors import ComponentError
from dlrun.views.importance import Importance

TABLE = """
dataset: {source: csv, path: table.csv, target: y}
architecture: {layers: [{Dense: 1}]}
loss: mse
optimizer: adam
metrics: [METRIC]
evaluation: {validation: {fraction: 0.5}}
"""
MATTER = {"x3": 4.0, "x11": 2.0, "x20": -1.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    """Thirty columns, of which three matter, and a copy of one of them."""
    random = np.random.default_rng(0)
    columns = {f"x{i}": random.normal(size=400).round(6) for i in range(30)}
    columns["copy"] = columns["x11"]
    noise = random.normal(0, 0.5, 400)
    columns["y"] = sum(w * columns[name] for name, w in MATTER.items()) + noise
    frame = pd.DataFrame(columns)
    frame.to_csv(folder / "table.csv", index=False)
    return frame


def subject(folder: Path, text: str, weights: dict[str, float]) -> Any:
    """What the view sees of a linear model with these weights."""
    seen = subject_of(folder, text)
    kernel, bias = seen.model.get_weights()
    names = list(seen.pipeline.feature_names)
    kernel[:] = [[weights.get(name, 0.0)] for name in names]
    seen.model.set_weights([kernel, bias * 0])
    return seen


class Linear(RegressorMixin, BaseEstimator):
    """The same model for scikit-learn."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel

    def fit(self, x: Any, y: Any) -> Linear:
        return self

    def predict(self, x: Any) -> Any:
        return x @ self.kernel


def test_the_columns_that_matter_are_found_with_scikit_learns_numbers(
    folder: Path, table: pd.DataFrame
) -> None:
    weights = {"x3": 4.0, "x11": 1.0, "copy": 1.0, "x20": -1.0}
    view = Importance(repeats=8)
    seen = view.look(subject(folder, TABLE.replace("METRIC", "mae"), weights))
    rows = table.iloc[seen.arrays["rows"]]
    x = rows.drop(columns="y")
    kernel = np.array([weights.get(name, 0.0) for name in x.columns])
    assert seen.facts["score"]["value"] == pytest.approx(
        mean_absolute_error(rows["y"], x.to_numpy() @ kernel), rel=1e-5
    )
    theirs = permutation_importance(
        Linear(kernel).fit(x, rows["y"]),
        x.to_numpy(),
        rows["y"],
        scoring="neg_mean_absolute_error",
        n_repeats=8,
        random_state=0,
    )
    expected = dict(zip(x.columns, theirs.importances_mean, strict=True))
    found = {one["name"]: one for one in seen.facts["columns"]}
    for name, value in expected.items():
        assert found[name]["loss"] == pytest.approx(value, rel=0.2, abs=1e-6)
        assert found[name]["matters"] == (name in weights)
    for name in weights:
        assert found[name]["low"] < expected[name] < found[name]["high"]
    assert seen.facts["columns"][0]["name"] == "x3"
    # A copy hides what it is a copy of, until both are shuffled together.
    assert seen.facts["correlated"] == [{"columns": ["x11", "copy"], "correlation": 1.0}]
    assert any("x11 is a copy of copy" in line for line in seen.lines)
    assert found["x11 + copy"]["loss"] > 1.5 * found["x11"]["loss"]
    assert len(found) == 32


@pytest.mark.slow
def test_a_group_is_shuffled_as_one_and_any_score_has_an_interval(
    folder: Path, table: pd.DataFrame
) -> None:
    labelled = table.assign(y=np.where(table["y"] > 0, "yes", "no"))
    labelled.to_csv(folder / "labels.csv", index=False)
    text = TABLE.replace("METRIC", "AUC").replace("table.csv", "labels.csv")
    text = text.replace("loss: mse", "loss: binary_crossentropy")
    text = text.replace("{Dense: 1}", "{Dense: {units: 1, activation: sigmoid}}")
    view = Importance(groups={"both": ["x3", "x20"]}, correlated=1.0, repeats=2)
    seen = view.look(subject(folder, text, MATTER))
    found = {one["name"]: one for one in seen.facts["columns"]}
    rows = labelled.iloc[seen.arrays["rows"]]
    score = roc_auc_score(rows["y"] == "yes", sum(w * rows[n] for n, w in MATTER.items()))
    assert seen.facts["score"]["value"] == pytest.approx(score, abs=0.01)
    assert found["both"]["columns"] == ["x3", "x20"]
    assert found["both"]["loss"] > found["x3"]["loss"] > found["x11"]["loss"] > 0
    assert found["both"]["low"] > 0
    assert found["x5"]["loss"] == 0
    assert not found["x5"]["matters"]


def test_the_same_numbers_come_back(folder: Path, table: pd.DataFrame) -> None:
    linear = subject(folder, TABLE.replace("METRIC", "mae"), MATTER)
    first, second = (Importance(repeats=1).look(linear).facts for _ in range(2))
    assert first == second


def test_an_unknown_column_is_refused_at_its_group(folder: Path, table: pd.DataFrame) -> None:
    linear = subject(folder, TABLE.replace("METRIC", "mae"), MATTER)
    view = Importance(groups={"both": ["x3", "lost"]})
    with pytest.raises(ComponentError, match="there is no column 'lost'") as found:
        view.look(linear.at(("look", 0, "importance")))
    assert found.value.path == ("look", 0, "importance", "groups", "both")


def test_quantities_of_a_series_are_shuffled_over_whole_windows(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=200), "b": random.normal(size=200)})
    frame["c"] = frame["a"].rolling(3).mean().shift(1).fillna(0)
    frame.to_csv(tmp_path / "series.csv", index=False)
    text = """
dataset: {source: timeseries, path: series.csv, target: c, features: [a, b], lookback: 3, delay: 1}
architecture: {layers: [Flatten, {Dense: 1}]}
loss: mse
optimizer: adam
metrics: [mae]
evaluation: {validation: {fraction: 0.5}}
"""
    seen = subject_of(tmp_path, text)
    seen.model.set_weights([np.array([[1.0], [0], [1], [0], [1], [0]]) / 3, np.zeros(1)])
    found = {one["name"]: one for one in Importance().look(seen).facts["columns"]}
    assert found["a"]["loss"] > 0.3
    assert found["b"]["loss"] == 0
