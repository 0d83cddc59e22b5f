"""The engine that is Keras' own `fit`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dlrun.data.streamed import Inputs, NamedInputs
from dlrun.training.engine import FitRequest, FitResult
from dlrun.training.interrupt import Interrupt, deferred_interrupt
from dlrun.training.reporting import (
    DivergedError,
    EpochReport,
    as_training_errors,
    diverged_result,
    end_callbacks,
)
from dlrun.training.rows import FitRows, row_order, with_class_weights
from dlrun.training.state import LastFiniteState


class KerasEngine:
    """Runs `keras.Model.fit`."""

    def fit(self, request: FitRequest) -> FitResult:
        """Train `request.model` in place, epoch by epoch.

        Ctrl-C ends it between two steps; the epochs completed by then are kept.

        Raises:
            TrainingError: A step failed, or the loss became NaN in the first epoch.
        """
        report = EpochReport(request)
        finite = LastFiniteState(lambda: request.model.weights)
        with deferred_interrupt() as interrupt:
            try:
                with as_training_errors(report):
                    _run(request, report, _monitor(report, interrupt, finite))
            except DivergedError as error:
                return diverged_result(request, report, finite, error)
            except KeyboardInterrupt:
                end_callbacks(request)
                return FitResult(request.model, report.history, interrupted=True)
        return FitResult(request.model, report.history, interrupted=interrupt.asked)


def _run(request: FitRequest, report: EpochReport, monitor: Any) -> None:
    options = {
        "validation_data": _validation_data(request),
        "validation_batch_size": request.validation_batch_size,
        "epochs": request.epochs,
        "shuffle": False,
        "callbacks": [*request.callbacks, monitor],
        "verbose": 0,
    }
    train = with_class_weights(request.train, request.class_weight)
    if train.held and not request.shuffle:
        request.model.fit(
            _whole(train.inputs),
            train.targets,
            sample_weight=train.weights,
            batch_size=request.batch_size,
            **options,
        )
        return
    if train.streamed:
        _build(request.model, train, request.batch_size)
    request.model.fit(_shuffled(request, train, report), **options)


def _build(model: Any, rows: FitRows, batch_size: int) -> None:
    """Make all variables, as `fit` otherwise does from the first batch.

    On JAX and PyTorch it takes that from the threads that read ahead, and then every epoch of this
    fit sees some batches twice and others not at all.
    """
    model._symbolic_build(data_batch=batches_of(rows, batch_size)[0])


def _shuffled(request: FitRequest, train: FitRows, report: EpochReport) -> Any:
    """The rows in the order of `row_order`, which `fit` would put into one of its own."""
    import keras

    order = _EpochOrder(request, report) if request.shuffle else None
    if keras.backend.backend() != "tensorflow" or not train.held:
        return batches_of(train, request.batch_size, order)
    assert order is not None
    return tensorflow_batches(train, request.batch_size, order)


class _EpochOrder:
    """The order of the rows in the epoch that is trained; before the first, in the first."""

    def __init__(self, request: FitRequest, report: EpochReport) -> None:
        self._request = request
        self._report = report
        self._epoch = -1
        self._numbers = np.empty(0, np.int32)

    def __call__(self) -> np.ndarray:
        epoch = max(self._report.epoch - 1, 0)
        if epoch != self._epoch:
            rows = len(self._request.train)
            self._numbers = row_order(
                rows,
                seed=self._request.seed,
                epoch=self._request.epochs_before + epoch,
                shuffle=True,
            )
            self._epoch = epoch
        return self._numbers


def _validation_data(request: FitRequest) -> Any:
    rows = request.validation
    if rows is None:
        return None
    if not rows.held:
        return batches_of(rows, request.validation_batch_size)
    parts = (_whole(rows.inputs), rows.targets, rows.weights)
    return tuple(part for part in parts if part is not None)


def _whole(inputs: Inputs) -> Any:
    """Inputs that are held, as `fit` takes them."""
    return dict(inputs.parts) if isinstance(inputs, NamedInputs) else inputs


def _monitor(report: EpochReport, interrupt: Interrupt, finite: LastFiniteState) -> Any:
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
            interrupt.check()

        def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            interrupt.check()

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            seconds = time.perf_counter() - self.started
            report.epoch_ended(logs or {}, self.learning_rate, seconds)
            finite.keep(epoch + 1)

    return Monitor()


READ_AHEAD = 4
"""Batches that are read from disk before they are needed, at most."""


def batches_of(
    rows: FitRows, batch_size: int, order: Callable[[], np.ndarray] | None = None
) -> Any:
    """Return a `keras.utils.PyDataset` of inputs, targets and, where there are any, weights.

    Args:
        rows: What the batches are cut from; a last partial batch is one too.
        batch_size: Rows of a batch.
        order: Returns the row numbers of the epoch that is trained, as they are seen; None: every
            epoch sees the rows as they are.
    """
    import keras

    # A thread reads ahead where rows come from disk; batches keep their order.
    reads = rows.streamed

    class Batches(keras.utils.PyDataset):
        def __init__(self) -> None:
            super().__init__(workers=2 if reads else 1, max_queue_size=READ_AHEAD)

        def __len__(self) -> int:
            return -(-len(rows) // batch_size)

        def __getitem__(self, index: int) -> tuple[Any, ...]:
            numbers: slice | np.ndarray = slice(index * batch_size, (index + 1) * batch_size)
            if order is not None:
                numbers = order()[numbers]
            parts = (rows.inputs, rows.targets, rows.weights)
            return tuple(_batch(part, numbers) for part in parts if part is not None)

    return Batches()


def _batch(part: Any, numbers: slice | np.ndarray) -> Any:
    if isinstance(part, dict):
        return {name: np.asarray(column[numbers]) for name, column in part.items()}
    rows = part[numbers]
    return rows if isinstance(rows, dict) else np.asarray(rows)


def tensorflow_batches(rows: FitRows, batch_size: int, order: Callable[[], np.ndarray]) -> Any:
    """Return a `tf.data.Dataset` of inputs, targets and, where there are any, weights.

    It is as fast as what Keras' `fit` makes of arrays; a `keras.utils.PyDataset` is slower.

    Args:
        rows: What the batches are cut from; a last partial batch is one too.
        batch_size: Rows of a batch.
        order: Returns (n,) int32, the row numbers of the epoch that begins, as they are seen.
    """
    import tensorflow as tf

    from dlrun.training.fused.tensorflow_rows import DeviceRows

    count, steps = len(rows), -(-len(rows) // batch_size)
    # The pipeline runs on the CPU, whatever the model computes on.
    with tf.device("CPU:0"):
        device_rows = DeviceRows(rows, xla=False)
        tensors = device_rows.put(rows)

    def epoch(_: Any) -> Any:
        numbers = tf.ensure_shape(tf.numpy_function(order, [], tf.int32), (count,))
        return tf.data.Dataset.range(0, count, batch_size, output_type=tf.int32).map(
            lambda first: numbers[first : tf.minimum(first + batch_size, count)]
        )

    return (
        tf.data.Dataset.range(1)
        .flat_map(epoch)
        .map(lambda numbers: device_rows.batch(tensors, numbers), tf.data.AUTOTUNE)
        .apply(tf.data.experimental.assert_cardinality(steps))
        .prefetch(tf.data.AUTOTUNE)
    )
