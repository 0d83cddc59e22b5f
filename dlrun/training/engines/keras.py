"""The engine that is Keras' own `fit`."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from dlrun.errors import TrainingError
from dlrun.models.objects import REFUSALS, reason
from dlrun.training.engine import Arrays, FitRequest, FitResult, History
from dlrun.training.interrupt import Interrupt, waiting_interrupt

# Validation has no gradient to keep small: larger batches give the same means sooner.
VALIDATION_BATCH_SIZE = 256


class KerasEngine:
    """Runs `keras.Model.fit`."""

    def fit(self, request: FitRequest) -> FitResult:
        """Train `request.model` in place, epoch by epoch.

        Ctrl-C ends it between two steps; the epochs completed by then are kept.

        Raises:
            TrainingError: A step failed, or the loss became NaN; names the epoch.
        """
        with waiting_interrupt() as interrupt:
            monitor = _monitor(request, interrupt)
            try:
                _run(request, monitor)
            except KeyboardInterrupt:
                return FitResult(history=monitor.history_so_far, interrupted=True)
            except _failures() as error:
                raise TrainingError(
                    f"training failed in epoch {monitor.epoch}: {reason(error)}"
                ) from error
        return FitResult(history=monitor.history_so_far, interrupted=interrupt.asked)


def _run(request: FitRequest, monitor: Any) -> None:
    request.model.fit(
        request.train.inputs,
        _as_column(request.model, request.train.targets),
        sample_weight=request.train.weights,
        validation_data=_validation_data(request.model, request.validation),
        validation_batch_size=max(request.batch_size, VALIDATION_BATCH_SIZE),
        epochs=request.epochs,
        batch_size=request.batch_size,
        shuffle=request.shuffle,
        class_weight=request.class_weight,
        callbacks=[*request.callbacks, monitor],
        verbose=0,
    )


def _failures() -> tuple[type[Exception], ...]:
    """What Keras and the backend raise where a step cannot be computed."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return (*REFUSALS, RuntimeError)
    import tensorflow as tf

    return (*REFUSALS, RuntimeError, tf.errors.OpError)


def _validation_data(model: Any, validation: Arrays | None) -> tuple[Any, ...] | None:
    if validation is None:
        return None
    targets = _as_column(model, validation.targets)
    if validation.weights is None:
        return (validation.inputs, targets)
    return (validation.inputs, targets, validation.weights)


def _as_column(model: Any, targets: np.ndarray) -> np.ndarray:
    """Targets (n,) as (n, 1) where the output is: F1Score takes no others, and the metric hinge
    broadcasts them against each other."""
    one_column = model.built and tuple(model.output_shape[1:]) == (1,)
    return targets[:, None] if one_column and targets.ndim == 1 else targets


def _monitor(request: FitRequest, interrupt: Interrupt) -> Any:
    """A callback that reports every step and epoch, learning rate included, and stops between
    two steps where the user wants it."""
    import keras

    class Monitor(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.history_so_far: History = {}
            self.epoch = 0
            self.started = 0.0

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            self.epoch = epoch + 1
            self.started = time.perf_counter()
            self.learning_rate = float(self.model.optimizer.learning_rate)

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            request.on_step(self.epoch, batch + 1, self.params["steps"])
            interrupt.heed()

        def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            interrupt.heed()

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            # F1 over several classes is a number for each of them.
            values = {name: float(np.mean(value)) for name, value in (logs or {}).items()}
            values["learning_rate"] = self.learning_rate
            for name, value in values.items():
                self.history_so_far.setdefault(name, []).append(value)
            request.on_epoch(self.epoch, values, time.perf_counter() - self.started)
            if math.isnan(values["loss"]):
                raise TrainingError(
                    f"the loss became NaN in epoch {self.epoch}, and no later epoch can mend that; "
                    "lower the learning rate, scale the inputs (`standardize`), or clip gradients "
                    "(the optimizer's `clipnorm`)"
                )

    return Monitor()
