"""One fit: what Keras' own `fit` gives, every epoch reported, stopped where it has to be."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlrun.errors import TrainingError
from dlrun.training.backend import reset
from dlrun.training.engine import FitRequest, FitResult
from dlrun.training.interrupt import deferred_interrupt
from dlrun.training.keras_engine import KerasEngine
from dlrun.training.rows import FitRows

Request = Callable[..., FitRequest]


@pytest.fixture
def request_of() -> Request:
    """Makes a fit of 3 epochs on 20 rows; keyword arguments change it."""
    import keras

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)).astype(np.float32), rng.normal(size=20).astype(np.float32)

    def make(optimizer: Any = "sgd", loss: Any = "mse", **changes: Any) -> FitRequest:
        reset(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(optimizer, loss=loss, metrics=["mae"])
        train, validation = FitRows(x[:14], y[:14]), FitRows(x[14:], y[14:])
        return replace(FitRequest(model, train, validation, 3, 4), **changes)

    return make


def test_every_epoch_and_step_is_told(request_of: Request) -> None:
    epochs: list[tuple[int, dict[str, float]]] = []
    steps: list[tuple[int, int, int]] = []
    request = request_of(
        on_epoch=lambda epoch, logs, seconds: epochs.append((epoch, logs)),
        on_step=lambda *step: steps.append(step),
        shuffle=False,
    )
    plain = request_of()
    fitted = KerasEngine().fit(request)
    theirs = plain.model.fit(
        plain.train.inputs,
        plain.train.targets,
        validation_data=(plain.validation.inputs, plain.validation.targets),
        epochs=3,
        batch_size=4,
        shuffle=False,
        verbose=0,
    ).history
    assert fitted.interrupted is False
    for name, values in theirs.items():
        assert fitted.history[name] == pytest.approx(values, rel=1e-6)
    assert fitted.history.keys() - theirs.keys() == {"learning_rate"}
    assert steps == [(epoch, step, 4) for epoch in (1, 2, 3) for step in (1, 2, 3, 4)]
    assert [epoch for epoch, _ in epochs] == [1, 2, 3]
    for index, (_, logs) in enumerate(epochs):
        assert logs == {name: values[index] for name, values in fitted.history.items()}


@pytest.mark.slow
def test_the_learning_rate_is_the_one_that_the_epoch_began_with(request_of: Request) -> None:
    import keras

    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=4, decay_rate=0.5)
    fitted = KerasEngine().fit(request_of(keras.optimizers.SGD(schedule)))
    assert fitted.history["learning_rate"] == pytest.approx([0.1, 0.05, 0.025])
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=0, min_delta=1e9)
    fitted = KerasEngine().fit(request_of(keras.optimizers.SGD(0.1), callbacks=[plateau]))
    assert fitted.history["learning_rate"] == pytest.approx([0.1, 0.1, 0.05])


@pytest.mark.parametrize(
    ("at", "epochs"),
    [
        ((3, 2), 2),
        pytest.param((1, 1), 0, marks=pytest.mark.slow),
        pytest.param((3, 4), 2, marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_ends_the_step_and_keeps_the_epochs_before(
    at: tuple[int, int], epochs: int, request_of: Request
) -> None:
    steps = []

    def press(epoch: int, step: int, of: int) -> None:
        steps.append((epoch, step))
        if (epoch, step) == at:
            signal.raise_signal(signal.SIGINT)

    fitted = KerasEngine().fit(request_of(on_step=press))
    assert fitted.interrupted is True
    assert steps[-1] == at
    assert {len(values) for values in fitted.history.values()} == ({epochs} if epochs else set())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_after_the_last_epoch_does_not_interrupt_the_fit(request_of: Request) -> None:
    def press(epoch: int, logs: dict[str, float], seconds: float) -> None:
        if epoch == 3:
            signal.raise_signal(signal.SIGINT)

    fits: list[FitResult] = []

    def run() -> None:
        with deferred_interrupt() as interrupt:
            fits.append(KerasEngine().fit(request_of(on_epoch=press)))
            assert interrupt.cause == "SIGINT"

    # It reaches the program once the run is written.
    with pytest.raises(KeyboardInterrupt):
        run()
    assert fits[0].interrupted is False


def test_a_second_ctrl_c_does_not_wait() -> None:
    with deferred_interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_program_that_handles_ctrl_c_in_its_own_way_is_left_to_it() -> None:
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with deferred_interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
        assert heard == [signal.SIGINT]
        assert not interrupt.asked
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_loss_that_becomes_nan_ends_the_training(request_of: Request) -> None:
    import keras

    told: list[int] = []
    request = request_of(
        keras.optimizers.SGD(1e30), on_epoch=lambda epoch, logs, seconds: told.append(epoch)
    )
    with pytest.raises(TrainingError) as error:
        KerasEngine().fit(replace(request, epochs=50))
    assert len(told) < 5
    assert str(error.value) == (
        f"the loss became NaN in epoch {told[-1]}, and training cannot recover; lower the "
        "learning rate, scale the inputs (`standardize`), or clip gradients (the optimizer's "
        "`clipnorm`)"
    )


def test_a_step_that_cannot_be_computed_is_a_training_error(request_of: Request) -> None:
    wrong = FitRows(np.zeros((14, 5), np.float32), np.zeros(14, np.float32))
    request = request_of(train=wrong, validation=None)
    with pytest.raises(TrainingError, match=r"^training failed in epoch 1: .*shape"):
        KerasEngine().fit(request)
