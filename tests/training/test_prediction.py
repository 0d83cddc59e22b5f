"""Measures that only Keras knows are what `Model.evaluate` says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import jaccard_score, precision_score, recall_score

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
    model.compile("sgd", loss=loss, weighted_metrics=metrics, run_eagerly=True)
    theirs = model.evaluate(x, y, sample_weight=weights, batch_size=40, verbose=0)
    component = KerasComponent(kind, name, alias)
    ours = keras_measure(component, y, predict(model, x).values[None], weights)
    assert ours == pytest.approx(theirs if kind == "loss" else theirs[-1], rel=1e-5)


def test_predictions_come_in_batches_in_the_order_of_the_rows() -> None:
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(2.0)])
    rows = np.arange(1000, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(predict(model, rows).values[None], 2 * rows)


def test_masks_and_penalties_are_those_of_evaluate() -> None:
    import keras

    layers = keras.layers
    rng = np.random.default_rng(0)
    tokens, tags = rng.integers(0, 5, (300, 6)), rng.integers(0, 3, (300, 6))
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(5, 4, mask_zero=True, embeddings_regularizer="l2"),
            layers.Dense(3, activation="softmax", activity_regularizer="l1"),
        ]
    )
    # Three batches take less time than a graph.
    loss = "sparse_categorical_crossentropy"
    model.compile("sgd", loss, metrics=["accuracy"], run_eagerly=True)
    for _ in range(2):  # The second time with other weights.
        model.fit(tokens[:9], tags[:9], verbose=0)
        loss, accuracy = model.evaluate(tokens, tags, batch_size=256, verbose=0)
        given = predict(model, tokens)
        output, mask = given.values[None], given.masks[None]
        np.testing.assert_array_equal(output, model.predict(tokens, batch_size=256, verbose=0))
        np.testing.assert_array_equal(mask, tokens != 0)
        assert accuracy == pytest.approx((output.argmax(-1) == tags)[mask].mean())
        losses = -np.log(np.take_along_axis(output, tags[..., None], axis=-1))[..., 0]
        batches = [losses[rows][mask[rows]].mean() for rows in (slice(256), slice(256, 300))]
        assert loss == pytest.approx(given.penalty + np.average(batches, weights=[256, 44]))


def test_masked_steps_count_in_no_metric_of_the_history() -> None:
    """Keras itself counts them in what is no mean over steps."""
    import keras
    from keras import layers

    from dlrun.training.own_unit import measure_in_own_unit

    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, (40, 6)).astype(np.int32)
    tags = rng.integers(0, 2, (40, 6, 1)).astype(np.float32)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6,)), layers.Embedding(4, 3, mask_zero=True), layers.Dense(1, "sigmoid")]
    )
    metrics = ["Precision", "Recall", "RootMeanSquaredError", keras.metrics.BinaryIoU(name="iou")]
    model.compile(loss="binary_crossentropy", metrics=metrics)
    measure_in_own_unit(model, {})
    found = model.evaluate(tokens, tags, batch_size=16, verbose=0, return_dict=True)
    kept = tokens != 0
    output, truth = model.predict(tokens, verbose=0)[kept].ravel(), tags[kept].ravel()
    assert found["Precision"] == pytest.approx(precision_score(truth, output > 0.5))
    assert found["Recall"] == pytest.approx(recall_score(truth, output > 0.5))
    assert found["RootMeanSquaredError"] == pytest.approx(np.sqrt(np.mean((output - truth) ** 2)))
    both = jaccard_score(truth, output > 0.5, average=None).mean()
    assert found["iou"] == pytest.approx(both)


def test_parts_of_plugins_see_targets_in_the_shape_of_the_output() -> None:
    import keras

    class Bias(keras.metrics.Mean):
        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            super().update_state(keras.ops.sum(y_pred - y_true))

    class Quantile(keras.losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            error = y_true - y_pred
            return keras.ops.mean(keras.ops.maximum(0.9 * error, -0.1 * error), axis=-1)

    rng = np.random.default_rng(2)
    truth, predicted = rng.normal(size=(2, 30)).astype(np.float32)
    output = predicted[:, None]
    metric = KerasComponent("metric", "Bias", "Bias", {}, implementation=Bias)
    loss = KerasComponent("loss", "Quantile", "Quantile", {}, implementation=Quantile)
    bias = keras_measure(metric, truth, output)
    assert bias == pytest.approx((predicted - truth).sum(), rel=1e-5)
    weights = rng.uniform(0, 2, 30).astype(np.float32)
    found = keras_measure(loss, truth, output, weights)
    each = np.maximum(0.9 * (truth - predicted), -0.1 * (truth - predicted))
    assert found == pytest.approx(np.mean(weights * each), rel=1e-5)
