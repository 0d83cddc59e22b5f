"""The engine that is Keras' own `fit`."""

from __future__ import annotations

import time
from typing import Any

from dlrun.training.engine import Arrays, FitRequest, FitResult
from dlrun.training.interrupt import Interrupt, waiting_interrupt
from dlrun.training.reporting import EpochReport, end_callbacks, failures_named


class KerasEngine:
    """Runs `keras.Model.fit`."""

    def fit(self, request: FitRequest) -> FitResult:
        """Train `request.model` in place, epoch by epoch.

        Ctrl-C ends it between two steps; the epochs completed by then are kept.

        Raises:
            TrainingError: A step failed, or the loss became NaN; names the epoch.
        """
        report = EpochReport(request)
        with waiting_interrupt() as interrupt:
            try:
                with failures_named(report):
                    _run(request, _monitor(report, interrupt))
            except KeyboardInterrupt:
                end_callbacks(request)
                return FitResult(request.model, report.history, interrupted=True)
        return FitResult(request.model, report.history, interrupted=interrupt.asked)


def _run(request: FitRequest, monitor: Any) -> None:
    request.model.fit(
        request.train.inputs,
        request.train.targets,
        sample_weight=request.train.weights,
        validation_data=_validation_data(request.validation),
        validation_batch_size=request.validation_batch_size,
        epochs=request.epochs,
        batch_size=request.batch_size,
        shuffle=request.shuffle,
        class_weight=request.class_weight,
        callbacks=[*request.callbacks, monitor],
        verbose=0,
    )


def _validation_data(validation: Arrays | None) -> tuple[Any, ...] | None:
    if validation is None:
        return None
    if validation.weights is None:
        return (validation.inputs, validation.targets)
    return (validation.inputs, validation.targets, validation.weights)


def _monitor(report: EpochReport, interrupt: Interrupt) -> Any:
    """A callback that reports every step and epoch, learning rate included, and stops between
    two steps where the user wants it."""
    import keras

    class Monitor(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            report.epoch = epoch + 1
            self.started = time.perf_counter()
            self.learning_rate = float(self.model.optimizer.learning_rate)

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            report.step(batch + 1)
            interrupt.heed()

        def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            interrupt.heed()

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            seconds = time.perf_counter() - self.started
            report.epoch_ended(logs or {}, self.learning_rate, seconds)

    return Monitor()
