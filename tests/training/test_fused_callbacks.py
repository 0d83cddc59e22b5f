"""Keras' callbacks under the fused engine: they act at the epochs at which they act under `fit`."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fused_cases import CASES
from test_fused_histories import assert_equal, keras_fit, request_of

from dlrun.errors import TrainingError
from dlrun.training.fused.engine import FusedEngine

EPOCHS = 14


def fit_both(callbacks: Any, tmp_path: Path, **options: Any) -> tuple[list[Any], list[Any]]:
    """Fit by both engines and compare; return the callbacks of each."""
    case = CASES["regression"]
    ours, theirs = callbacks(tmp_path / "ours"), callbacks(tmp_path / "theirs")
    request = request_of(case, 23, 5, epochs=EPOCHS, callbacks=ours, model=case.model(), **options)
    fused = FusedEngine(xla=False).fit(request)
    model = case.model()
    history = keras_fit(request, model, callbacks=theirs)
    history.pop("learning_rate", None)
    assert_equal(fused, history, model, 1e-6)
    return ours, theirs


def test_early_stopping_stops_at_the_same_epoch_and_restores_the_same_weights(
    tmp_path: Path,
) -> None:
    (ours,), (theirs,) = fit_both(
        lambda _: [
            keras.callbacks.EarlyStopping(patience=2, min_delta=0.05, restore_best_weights=True)
        ],
        tmp_path,
    )
    assert ours.stopped_epoch == theirs.stopped_epoch > 0
    assert ours.best_epoch == theirs.best_epoch


@pytest.mark.slow
def test_learning_rates_are_reduced_and_scheduled_at_the_same_epochs(tmp_path: Path) -> None:
    rates: list[float] = []

    def callbacks(_: Path) -> list[Any]:
        return [
            keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.5),
            keras.callbacks.LearningRateScheduler(
                lambda epoch, rate: rate * 0.5 if epoch == 3 else rate
            ),
        ]

    fit_both(
        callbacks, tmp_path, on_epoch=lambda epoch, logs, _: rates.append(logs["learning_rate"])
    )
    assert rates[0] == pytest.approx(1e-3)
    # On the weights that other backends draw, no plateau may be met.
    if keras.backend.backend() == "tensorflow":
        assert rates[3] <= 0.5e-3 * (1 + 1e-6)
    assert rates == sorted(rates, reverse=True)


@pytest.mark.slow
def test_checkpoints_hold_the_weights_of_the_same_epochs(tmp_path: Path) -> None:
    def callbacks(folder: Path) -> list[Any]:
        folder.mkdir(parents=True)
        path = str(folder / "{epoch:02d}.weights.h5")
        return [keras.callbacks.ModelCheckpoint(path, save_best_only=True, save_weights_only=True)]

    fit_both(callbacks, tmp_path)
    names = sorted(path.name for path in (tmp_path / "ours").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "theirs").iterdir())
    models = [CASES["regression"].model() for _ in range(2)]
    for model, side in zip(models, ("ours", "theirs"), strict=True):
        model.optimizer.build(model.trainable_variables)
        model.load_weights(tmp_path / side / names[-1])
    for left, right in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_allclose(np.asarray(left), np.asarray(right), rtol=1e-6)


@pytest.mark.slow
def test_a_callback_that_reads_logs_alone_gets_every_epoch(tmp_path: Path) -> None:
    def callbacks(folder: Path) -> list[Any]:
        folder.mkdir(parents=True)
        return [keras.callbacks.CSVLogger(folder / "log.csv")]

    fit_both(callbacks, tmp_path)
    tables = []
    for side in ("ours", "theirs"):
        with (tmp_path / side / "log.csv").open() as file:
            tables.append(list(csv.DictReader(file)))
    assert [row["epoch"] for row in tables[0]] == [str(epoch) for epoch in range(EPOCHS)]
    assert tables[0][0].keys() == tables[1][0].keys()
    for ours, theirs in zip(*tables, strict=True):
        for name, value in ours.items():
            assert float(value) == pytest.approx(float(theirs[name]), rel=1e-6)


def test_ctrl_c_keeps_the_epochs_that_were_told() -> None:
    def press(epoch: int, logs: dict[str, float], seconds: float) -> None:
        if epoch == 3:
            os.kill(os.getpid(), signal.SIGINT)

    request = request_of(CASES["dense"], 23, 5, epochs=10_000, on_epoch=press)
    result = FusedEngine(xla=False).fit(request)
    assert result.interrupted
    steps = int(result.model.optimizer.iterations)
    assert 3 <= len(result.history["loss"]) == steps / 5 < 10_000
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
def test_a_step_that_cannot_be_computed_is_a_training_error() -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("JAX takes the last row of an embedding where there is none")
    case = CASES["lstm"]
    request = request_of(case, 23, 5)
    request.train.inputs[7] = 99  # beyond the embedding's 20 rows
    with pytest.raises(TrainingError, match="training failed in epoch 1: "):
        FusedEngine(xla=False).fit(request)
