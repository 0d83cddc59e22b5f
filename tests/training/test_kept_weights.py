"""A fit says which epoch's weights its model has, whatever the callbacks' settings."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from dlrun.training.engine import FitRequest, KeptWeights
from dlrun.training.rows import FitRows
from dlrun.training.trainer import Trainer

RESTORE: dict[str, Any] = {"restore_best_weights": True, "patience": 3}
SETTINGS: list[list[Any]] = [
    [],
    [("EarlyStopping", {"patience": 3})],
    [("EarlyStopping", RESTORE)],
    [("EarlyStopping", {**RESTORE, "patience": 99})],
    [("EarlyStopping", {**RESTORE, "min_delta": 0.02})],
    [("EarlyStopping", {**RESTORE, "start_from_epoch": 5})],
    [("EarlyStopping", {**RESTORE, "start_from_epoch": 50})],
    [("EarlyStopping", {**RESTORE, "baseline": 1e-9})],
    [("EarlyStopping", {**RESTORE, "monitor": "val_mae", "mode": "max"})],
    [("EarlyStopping", {**RESTORE, "min_delta": 0.5}), ("ReduceLROnPlateau", {"patience": 1})],
    [("EarlyStopping", RESTORE), ("EarlyStopping", {"patience": 2, "monitor": "loss"})],
    [("EarlyStopping", {**RESTORE, "min_delta": 0.1}), ("EarlyStopping", RESTORE)],
]
OPTIMIZER = {"learning_rate": 0.4, "momentum": 0.8}
"""It overshoots, so that the best epoch is not the last."""


def request(settings: list[Any], each: list[list[Any]], optimizer: Any = None) -> FitRequest:
    random = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    keras.utils.clear_session(free_memory=False)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.SGD(**OPTIMIZER), "mse", metrics=["mae"])
    inputs = random.normal(size=(40, 3)).astype(np.float32)
    targets = inputs.sum(axis=1, keepdims=True)
    callbacks = [getattr(keras.callbacks, name)(**options) for name, options in settings]
    # Before the others: EarlyStopping sees the weights after the epoch, too.
    keep = keras.callbacks.CSVLogger("unused")
    keep.on_train_begin = keep.on_train_end = lambda logs=None: None
    keep.on_epoch_end = lambda epoch, logs=None: each.append(model.get_weights())
    keep.set_model = lambda given: each.clear()
    rows = FitRows(inputs[:30], targets[:30]), FitRows(inputs[30:], targets[30:])
    return FitRequest(model, *rows, 12, 30, shuffle=False, callbacks=[keep, *callbacks])


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(one, marks=[] if i == 4 else [pytest.mark.slow])
        for i, one in enumerate(SETTINGS)
    ],
    ids=[str(i) for i in range(len(SETTINGS))],
)
def test_the_model_has_the_weights_of_the_epoch_that_is_named(settings: list[Any]) -> None:
    each: list[list[Any]] = []
    fitted = Trainer("keras").fit(request(settings, each))
    assert fitted.kept is not None
    for ours, theirs in zip(fitted.model.get_weights(), each[fitted.kept.epoch - 1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    restores = any(
        options.get("restore_best_weights") and options.get("start_from_epoch") != 50
        for _, options in settings
    )
    assert (fitted.kept.monitor is not None) == restores
    if not restores:
        assert fitted.kept == KeptWeights(len(each), None)


@pytest.mark.slow
def test_it_is_not_known_where_something_else_changes_them() -> None:
    swapping = [("SwapEMAWeights", {"swap_on_epoch": True})]
    mean = keras.optimizers.SGD(use_ema=True)
    assert Trainer("keras").fit(request(swapping, [], mean)).kept is None
    assert Trainer("keras").fit(request([], [], keras.optimizers.SGD(use_ema=True))).kept is None
