"""Measures that only Keras knows are what `Model.evaluate` says."""

from __future__ import annotations

import numpy as np
import pytest

from dlrun.registry.keras_component import KerasComponent, KerasKind
from dlrun.training.prediction import keras_measure, predict


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("kind", "name", "alias"),
    [
        ("loss", "BinaryFocalCrossentropy", "binary_focal_crossentropy"),
        ("loss", "Dice", "dice"),
        ("metric", "FalsePositives", "FalsePositives"),
        ("metric", "TruePositives", "true_positives"),
    ],
)
def test_keras_measures(kind: KerasKind, name: str, alias: str, weighted: bool) -> None:
    import keras

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 2)).astype(np.float32), rng.integers(0, 2, 40)
    weights = rng.uniform(0, 2, 40).astype(np.float32) if weighted else None
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    loss, metrics = (alias, []) if kind == "loss" else ("mse", [name])
    model.compile("sgd", loss=loss, weighted_metrics=metrics)
    theirs = model.evaluate(x, y, sample_weight=weights, batch_size=40, verbose=0)
    component = KerasComponent(kind, name, alias)
    ours = keras_measure(component, y, predict(model, x), weights)
    assert ours == pytest.approx(theirs if kind == "loss" else theirs[-1], rel=1e-5)


def test_predictions_come_in_batches_in_the_order_of_the_rows() -> None:
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(2.0)])
    rows = np.arange(1000, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(predict(model, rows), 2 * rows)
