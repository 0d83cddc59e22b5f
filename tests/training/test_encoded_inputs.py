"""Inputs kept by the places of their ones, against the same inputs as an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fused_cases import CASES

from dlrun.data.encoded import DenseBlock, Encoded, sparse_ones
from dlrun.training.engine import FitRequest
from dlrun.training.fused.engine import FusedEngine
from dlrun.training.keras_engine import KerasEngine
from dlrun.training.prediction import predict
from dlrun.training.rows import FitRows, row_order

WIDTH = 40


def both(count: int, seed: int, **options: Any) -> tuple[FitRows, FitRows]:
    """The same rows, encoded and as an array; row 2 has no ones at all."""
    random = np.random.default_rng(seed)
    left = (random.random((count, 30)) < 0.1 + 0.2 * seed).astype(np.uint8)
    left[2:3] = 0
    numbers = random.normal(size=(count, 7)).astype(np.float32)
    right = (random.random((count, 3)) < 0.5).astype(np.uint8)
    encoded = Encoded((sparse_ones(left), DenseBlock(numbers), sparse_ones(right)))
    dense = np.concatenate([left, numbers, right], axis=1).astype(np.float32)
    targets = random.integers(0, 3, count).astype(np.int32)
    return FitRows(encoded, targets, **options), FitRows(dense, targets, **options)


def request_of(train: FitRows, validation: FitRows | None, **options: Any) -> FitRequest:
    import keras

    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    layers = [keras.Input((WIDTH,)), *CASES["dense"].layers(), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential(layers)
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return FitRequest(model, train, validation, epochs=3, batch_size=5, seed=4, **options)


def weights(model: Any) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in model.get_weights()])


@pytest.mark.slow
@pytest.mark.parametrize("xla", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_fused_histories_are_those_of_the_array(xla: bool) -> None:
    # Validation rows have more ones than training rows.
    (train, dense), (check, dense_check) = both(23, 0), both(301, 1)
    encoded = FusedEngine(xla).fit(request_of(train, check))
    plain = FusedEngine(xla).fit(request_of(dense, dense_check))
    assert encoded.history.keys() == plain.history.keys()
    for name, values in plain.history.items():
        np.testing.assert_allclose(encoded.history[name], values, rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(weights(encoded.model), weights(plain.model), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_fit_sees_the_rows_in_the_order_of_the_fused_engine() -> None:
    (train, _), (check, _) = both(23, 0), both(301, 1)
    by_fit = KerasEngine().fit(request_of(train, check))
    fused = FusedEngine(False).fit(request_of(train, check))
    assert by_fit.history.keys() == fused.history.keys()
    for name, values in fused.history.items():
        np.testing.assert_allclose(by_fit.history[name], values, rtol=1e-6, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_histories_of_fit_are_those_of_the_array_in_the_same_order(weighted: bool) -> None:
    options: dict[str, Any] = {"class_weight": {0: 0.2, 2: 3.0}}
    of_rows = {"weights": np.linspace(0.1, 2, 23, dtype=np.float32)} if weighted else {}
    train, dense = both(23, 0, **of_rows)
    check, dense_check = both(11, 1)
    fitted = KerasEngine().fit(request_of(train, check, **({} if weighted else options)))
    request = request_of(dense, None)
    history: dict[str, list[float]] = {}
    for epoch in range(3):
        order = row_order(23, seed=4, epoch=epoch, shuffle=True)
        told = request.model.fit(
            dense.inputs[order],
            dense.targets[order],
            sample_weight=None if dense.weights is None else dense.weights[order],
            class_weight=None if weighted else options["class_weight"],
            validation_data=(dense_check.inputs, dense_check.targets),
            batch_size=5,
            shuffle=False,
            verbose=0,
        ).history
        for name, values in told.items():
            history.setdefault(name, []).extend(values)
    for name, values in history.items():
        np.testing.assert_allclose(fitted.history[name], values, rtol=1e-6, err_msg=name)


def test_predictions_are_those_of_the_array() -> None:
    encoded, dense = both(300, 1)
    model = request_of(encoded, None).model
    np.testing.assert_array_equal(
        predict(model, encoded.inputs).values[None],
        model.predict(dense.inputs, batch_size=256, verbose=0),
    )
