"""The last known class as a baseline of rows in the order of time, against pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss

from dlrun.config.load import load_config
from dlrun.metrics.arrays import EPSILON
from dlrun.protocols.experiment import folds_of
from dlrun.protocols.preparation import pipeline_of
from dlrun.scoring.baselines import common_sense, in_time
from dlrun.scoring.measures import measures_of, select_measure
from dlrun.scoring.model_scores import Truth, truths_of
from dlrun.workflows.loading import load_rows

N = 200
TABLE = "source: csv, path: rows.csv, target: kind"
WINDOWS = "source: timeseries, path: rows.csv, target: kind, time: day, lookback: 5, delay: 3"


def written() -> pd.DataFrame:
    """Weather that stays the same for days."""
    rng = np.random.default_rng(3)
    kinds = np.repeat(rng.choice(["dry", "fog", "wet"], N), rng.integers(2, 9, N))[:N]
    day = pd.date_range("2024-01-01", periods=N, freq="D").strftime("%Y-%m-%d")
    table = pd.DataFrame({"day": day, "heat": rng.normal(size=N).round(3), "kind": kinds})
    table.to_csv("rows.csv", index=False)
    return table


def config(dataset: str, score: str) -> Any:
    windows = dataset == WINDOWS
    flat = "Flatten, " if windows else ""
    evaluation = "" if windows else "time: day, "
    Path("c.yaml").write_text(
        f"dataset: {{{dataset}}}\n"
        f"architecture: {{layers: [{flat}{{Dense: {{units: 3, activation: softmax}}}}]}}\n"
        "loss: sparse_categorical_crossentropy\noptimizer: adam\nmetrics: [accuracy]\n"
        f"evaluation: {{{evaluation}validation: 0.25, score: {score}}}\n"
    )
    return load_config("c.yaml")


def truths(loaded: Any) -> tuple[Truth, Truth, Any]:
    dataset = load_rows(loaded)
    [fold] = folds_of(loaded, dataset)
    train, rows = dataset.samples.take(fold.train), dataset.samples.take(fold.scored)
    pipeline = pipeline_of(loaded, dataset, train)
    return truths_of(pipeline, train)[None], truths_of(pipeline, rows)[None], rows


@pytest.mark.parametrize(("dataset", "days"), [(TABLE, 1), (WINDOWS, 3)])
@pytest.mark.parametrize("score", ["accuracy", "loss"])
def test_the_last_known_class_is_scored_as_scikit_learn_does(
    dataset: str, days: int, score: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = written()
    loaded = config(dataset, score)
    train, rows, samples = truths(loaded)
    before = table.kind.shift(days)
    # Rows are counted from 0; of a window the last one counts.
    at = samples.rows + (0 if dataset == TABLE else days)
    names = sorted(table.kind.unique())
    expected, true = before[at].tolist(), table.kind[at].tolist()
    chosen = select_measure(measures_of(loaded.outputs), score)
    assert chosen.score is not None
    constant = common_sense("multiclass", chosen.score, train.own, rows.own, shape=(3,))
    forecast = rows.naive_forecasts["persistence"][0]
    found = in_time("persistence", forecast, constant, "multiclass", chosen.score, rows.own)
    if score == "accuracy":
        assert found.baseline.value == pytest.approx(accuracy_score(true, expected))
        assert found.baseline.value > constant.baseline.value
    else:
        sure = pd.get_dummies(pd.Categorical(expected, names)).to_numpy(float)
        clipped = np.clip(sure, EPSILON, 1 - EPSILON)
        assert found.baseline.value == pytest.approx(
            log_loss(true, clipped / clipped.sum(1, keepdims=True), labels=names), rel=1e-4
        )


def test_where_no_class_is_known_the_constant_is_predicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written()
    loaded = config(TABLE, "accuracy")
    train, _, _ = truths(loaded)
    forecast = train.naive_forecasts["persistence"][0]
    assert np.flatnonzero(np.isnan(forecast)).tolist() == [0]
