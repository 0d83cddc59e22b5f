"""Windows that engines cut from a series themselves, against the same windows as an array."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from dlrun.data.encoded import Encoded
from dlrun.data.windows import Series, Windows
from dlrun.training.engine import FitRequest
from dlrun.training.fused.engine import FusedEngine
from dlrun.training.keras_engine import KerasEngine
from dlrun.training.prediction import predict
from dlrun.training.rows import FitRows

TABLE = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)


def both(first: int, count: int) -> tuple[FitRows, FitRows]:
    """The same windows, cut when needed and as an array."""
    windows = Windows(Series(TABLE, ("a", "b", "c"), np.arange(90)), np.arange(count) + first, 5, 3)
    targets = TABLE[windows.last + 2, 1]
    part = windows.take(slice(None))
    return FitRows(Encoded((part,)), targets), FitRows(windows[:], targets)


def request_of(train: FitRows, validation: FitRows | None, layer: str = "GRU") -> FitRequest:
    import keras

    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    first = {"GRU": lambda: keras.layers.GRU(4), "Flatten": keras.layers.Flatten}[layer]()
    model = keras.Sequential([keras.Input((5, 3)), first, keras.layers.Dense(1)])
    model.compile("rmsprop", "mae", metrics=["mse"])
    return FitRequest(model, train, validation, epochs=2, batch_size=8, seed=4)


def assert_alike(one: Any, other: Any) -> None:
    assert one.history.keys() == other.history.keys()
    for name, values in other.history.items():
        np.testing.assert_allclose(one.history[name], values, rtol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("xla", "layer"),
    [
        (False, "GRU"),
        pytest.param(True, "Flatten", marks=pytest.mark.slow),
        pytest.param(True, "GRU", marks=pytest.mark.slow),
    ],
)
def test_fused_histories_are_those_of_the_array(xla: bool, layer: str) -> None:
    (train, dense), (check, dense_check) = both(0, 43), both(60, 14)
    cut = FusedEngine(xla).fit(request_of(train, check, layer))
    plain = FusedEngine(xla).fit(request_of(dense, dense_check, layer))
    assert_alike(cut, plain)


@pytest.mark.slow
def test_fit_trains_on_the_windows_of_the_fused_engine() -> None:
    (train, _), (check, _) = both(0, 43), both(60, 14)
    assert_alike(
        KerasEngine().fit(request_of(train, check)),
        FusedEngine(False).fit(request_of(train, check)),
    )


def test_predictions_are_those_of_the_array() -> None:
    cut, dense = both(3, 50)
    model = request_of(cut, None).model
    expected = model.predict(dense.inputs, batch_size=256, verbose=0)
    np.testing.assert_array_equal(predict(model, cut.inputs).values[None], expected)


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow",
    reason="the others have no tf.data",
)
def test_windows_are_those_of_keras_own_function() -> None:
    """https://keras.io/api/data_loading/timeseries/#timeseriesdatasetfromarray-function"""
    import keras

    delay, length, step = 2, 5, 3
    # As in Keras' example: the first target is that of the first window.
    first_target = (length - 1) * step + delay
    batches = keras.utils.timeseries_dataset_from_array(
        TABLE[:-delay],
        TABLE[first_target:, 1],
        sequence_length=length,
        sampling_rate=step,
        batch_size=200,
    )
    inputs, targets = next(iter(batches))
    cut, _ = both(0, len(targets))
    assert len(targets) == 90 - first_target
    np.testing.assert_array_equal(cut.inputs[:], inputs)
    np.testing.assert_array_equal(cut.targets, targets)
