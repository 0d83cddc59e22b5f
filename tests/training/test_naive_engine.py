"""The naive engine's losses and weights are those of Keras' own `fit`, and of NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fused_cases import CASES, Case
from test_engines_agree import EPOCHS, request_of

from dlrun.training.engine import FitRequest, FitResult
from dlrun.training.keras_engine import KerasEngine
from dlrun.training.naive_engine import NaiveEngine, loss_and_gradients

OPTIMIZERS = {
    "plain": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.05, "momentum": 0.9},
    "nesterov": {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
}


def _sgd(**options: Any) -> Callable[[], Any]:
    def make() -> Any:
        import keras

        return keras.optimizers.SGD(**options)

    return make


def _assert_same(ours: FitResult, theirs: FitResult) -> None:
    assert list(ours.history) == list(theirs.history)
    for name, values in theirs.history.items():
        np.testing.assert_allclose(ours.history[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    for one, other in zip(ours.model.get_weights(), theirs.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    states = (result.model.optimizer.variables for result in (ours, theirs))
    for one, other in zip(*states, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_losses_and_weights_are_those_of_fit_without_shuffling() -> None:
    case = replace(CASES["dense"], optimizer=_sgd(**OPTIMIZERS["nesterov"]))
    losses: list[float] = []
    request = request_of(case, shuffle=False, on_losses=lambda _, some: losses.extend(some))
    ours, theirs = NaiveEngine().fit(request), case.model()
    rows, checked = request.train, request.validation
    assert checked is not None
    data = {"validation_data": (checked.inputs, checked.targets), "epochs": EPOCHS}
    history = theirs.fit(
        rows.inputs, rows.targets, **data, batch_size=5, shuffle=False, verbose=0
    ).history
    for name, values in history.items():
        np.testing.assert_allclose(ours.history[name], values, rtol=1e-5, err_msg=name)
    for one, other in zip(ours.model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    # Five steps an epoch, the last one of three rows.
    assert len(losses) == EPOCHS * 5
    means = np.reshape(losses, (EPOCHS, 5)) @ np.array([5, 5, 5, 5, 3]) / 23
    np.testing.assert_allclose(means, history["loss"], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.engines
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_sgd_of_every_kind_is_that_of_keras_on_shuffled_rows(optimizer: str) -> None:
    case = replace(CASES["dense"], optimizer=_sgd(**OPTIMIZERS[optimizer]))
    _assert_same(NaiveEngine().fit(request_of(case)), KerasEngine().fit(request_of(case)))


def _everything() -> list[Any]:
    """Layers with whatever a step changes or adds to the loss besides weights and targets."""
    import keras

    penalised = {"kernel_regularizer": "L1L2", "activity_regularizer": "l2"}
    # On PyTorch the loader of batches that only `fit` has draws from the generator of dropout.
    rate = 0.0 if keras.backend.backend() == "torch" else 0.4
    return [
        keras.layers.Dense(8, activation="relu", kernel_constraint="max_norm", **penalised),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(rate),
    ]


@pytest.mark.slow
@pytest.mark.engines
def test_penalties_constraints_weights_and_random_layers_are_those_of_fit() -> None:
    case = Case(_everything, optimizer=CASES["schedule"].optimizer, weights=True)
    _assert_same(NaiveEngine().fit(request_of(case)), KerasEngine().fit(request_of(case)))


@pytest.mark.slow
@pytest.mark.engines
def test_the_gradient_of_an_embedding_is_that_of_every_row() -> None:
    case = replace(CASES["pooled embedding"], optimizer=_sgd(learning_rate=0.1, momentum=0.5))
    _assert_same(NaiveEngine().fit(request_of(case)), KerasEngine().fit(request_of(case)))


def _line(rate: float, momentum: float) -> tuple[Any, FitRequest]:
    """A linear model of two inputs with squared error, whose gradient is known."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(rate, momentum=momentum), loss="mse")
    rows = replace(CASES["weighted line"], weights=False, shape=(2,)).rows(8)
    return model, request_of(CASES["dense"], model=model, train=rows, validation=None)


def test_loss_gradient_and_momentum_are_those_of_numpy() -> None:
    rate, momentum = 0.1, 0.9
    model, request = _line(rate, momentum)
    request = replace(request, batch_size=8, shuffle=False)
    x, y = np.c_[request.train.inputs, np.ones(8)], request.train.targets[:, None]  # type: ignore[index,call-overload]
    weights = np.concatenate([weight.reshape(-1, 1) for weight in model.get_weights()])
    losses, velocity = [], 0.0
    for _ in range(EPOCHS):
        error = x @ weights - y
        losses.append(np.mean(error**2))
        velocity = momentum * velocity - rate * 2 * x.T @ error / 8
        weights = weights + velocity
    steps: list[float] = []
    NaiveEngine().fit(replace(request, on_losses=lambda _, some: steps.extend(some)))
    np.testing.assert_allclose(steps, losses, rtol=1e-5)
    found = np.concatenate([weight.reshape(-1, 1) for weight in model.get_weights()])
    np.testing.assert_allclose(found, weights, rtol=1e-5)


def _smooth() -> list[Any]:
    import keras

    return [keras.layers.Dense(5, activation="tanh")]


def test_the_gradient_of_a_step_is_a_difference_of_losses() -> None:
    import keras

    # Smooth: the slope of relu changes between two losses.
    case = Case(_smooth)
    model, rows = case.model(), case.rows(16)

    def loss_of_batch() -> Any:
        predictions = model(rows.inputs, training=True)
        return model.compute_loss(rows.inputs, rows.targets, predictions)

    _, gradients = loss_and_gradients(model, loss_of_batch)
    draw, step = np.random.default_rng(0), 1e-2
    for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
        values, slopes = weight.numpy().copy(), np.asarray(gradient)
        for place in [tuple(draw.integers(0, size) for size in values.shape) for _ in range(4)]:
            losses = []
            for sign in (1, -1):
                moved = values.copy()
                moved[place] += sign * step
                weight.assign(moved)
                losses.append(float(keras.ops.convert_to_numpy(loss_of_batch())))
            weight.assign(values)
            slope = (losses[0] - losses[1]) / (2 * step)
            assert slopes[place] == pytest.approx(slope, rel=2e-2, abs=2e-3)


def test_a_callback_stops_it_and_sees_every_batch() -> None:
    import keras

    class Stop(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.batches: list[int] = []

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            self.batches.append(batch)

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            assert logs is not None
            assert {"loss", "val_loss", "accuracy", "val_accuracy"} == logs.keys()
            self.model.stop_training = epoch == 1

    stop = Stop()
    case = replace(CASES["dense"], optimizer=_sgd(learning_rate=0.1))
    fitted = NaiveEngine().fit(request_of(case, callbacks=[stop]))
    assert len(fitted.history["loss"]) == 2
    assert stop.batches == [*range(5), *range(5)]
