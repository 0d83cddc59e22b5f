"""Metrics that count column by column work for one output, and average over several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

TABLE = """
    dataset: {{source: csv, path: rows.csv, target: y}}
    preprocess: {preprocess}
    architecture: {{layers: [{{Dense: {{units: {units}, activation: {activation}}}}}]}}
    loss: {loss}
    optimizer: {{SGD: {{learning_rate: 0.5}}}}
    metrics: [{metric}]
    training: {{epochs: 2}}
    evaluation: {{protocol: holdout, validation: 0.5, shuffle: false}}
"""


@pytest.mark.parametrize("classes", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_f1_in_the_history_is_scikit_learns_mean(
    classes: int, tmp_path: Path, run: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), rng.integers(0, classes, 60)
    rows = [f"{a:.4f},{b:.4f},{label}" for (a, b), label in zip(x, y, strict=True)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    one = classes == 2
    text = TABLE.format(
        preprocess="[]" if one else "[{targets: [one_hot]}]",
        units=1 if one else classes,
        activation="sigmoid" if one else "softmax",
        loss="binary_crossentropy" if one else "categorical_crossentropy",
        metric="{F1Score: {threshold: 0.5}}" if one else "F1Score",
    )
    [fold] = run(text).outcome.folds
    output = fold.main.predictions
    called = output[:, 0] > 0.5 if one else output.argmax(axis=1)
    truth = y[fold.rows]
    expected = f1_score(truth, called, average="binary" if one else "macro", zero_division=0)
    name = "f1_score" if one else "F1Score"
    assert fold.history[f"val_{name}"][-1] == pytest.approx(expected, abs=1e-6)
    assert fold.measures[name] == pytest.approx(expected, abs=1e-6)
