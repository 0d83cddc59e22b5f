"""The engine that is Keras' own `fit`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np

from dlrun.data.inputs import Inputs, NamedInputs
from dlrun.models.objects import reason
from dlrun.training.engine import FitRequest, FitResult
from dlrun.training.reporting import (
    EpochReport,
    FitControl,
    callbacks_of,
    end_training,
    run_fit,
    step_errors,
)
from dlrun.training.rows import FitRows, row_order, with_class_weights
from dlrun.training.state import optimizer_variables

READ_AHEAD = 4
"""Batches that are read from disk before they are needed, at most."""


class KerasEngine:
    """Runs `keras.Model.fit`."""

    def fit(self, request: FitRequest) -> FitResult:
        """Train `request.model` in place, epoch by epoch.

        Ctrl-C ends it between two steps; the epochs completed by then are kept.

        Raises:
            TrainingError: A step failed, or the loss became NaN in the first epoch.
        """
        # ScheduleFreeAdamW copies the weights, which are not readable inside a compiled step.
        optimizer_variables(request.model)
        return run_fit(request, lambda: request.model.weights, partial(_train, request))


def _train(request: FitRequest, control: FitControl) -> None:
    saving = control.saving
    callbacks = [*saving.callbacks, _monitor(control)]
    if saving.ended:
        whole = callbacks_of(request, callbacks)
        whole.on_train_begin()
        end_training(request.model, whole, saving.logs)
        return
    options = {
        "validation_data": _validation_data(request),
        "validation_batch_size": request.validation_batch_size,
        "epochs": request.epochs,
        "initial_epoch": saving.done,
        "shuffle": False,
        "callbacks": callbacks,
        "verbose": 0,
    }
    train = with_class_weights(request.train, request.class_weight)
    if train.held and not request.shuffle:
        request.model.fit(
            whole_inputs(train.inputs),
            train.targets,
            sample_weight=train.weights,
            batch_size=request.batch_size,
            **options,
        )
        return
    if train.streamed:
        build_variables(request.model, train, request.batch_size)
    request.model.fit(_batches_in_order(request, train, control.report), **options)


def refused_batch(request: FitRequest) -> str | None:
    """Return why Keras itself cannot measure a batch of a fit's rows, or None."""
    try:
        request.model.test_on_batch(*batches_of(request.train.head(2), 2)[0])
    except step_errors() as error:
        return reason(error)
    return None


def build_variables(model: Any, rows: FitRows, batch_size: int) -> None:
    """Make all variables, those of metrics too, as `fit` otherwise does from the first batch.

    On JAX and PyTorch it takes that from the threads that read ahead, and then every epoch of this
    fit sees some batches twice and others not at all.
    """
    model._symbolic_build(data_batch=batches_of(rows, batch_size)[0])


def _batches_in_order(request: FitRequest, train: FitRows, report: EpochReport) -> Any:
    """The rows in the order of `row_order`; `fit` would shuffle them its own way."""
    import keras

    @lru_cache(maxsize=1)
    def order_of(epoch: int) -> np.ndarray:
        number = request.epochs_before + epoch
        return row_order(len(train), seed=request.seed, epoch=number, shuffle=True)

    def order() -> np.ndarray:
        # Before the first epoch, `fit` already asks for a batch.
        return order_of(max(report.epoch - 1, 0))

    if request.shuffle and train.held and keras.backend.backend() == "tensorflow":
        return tensorflow_batches(train, request.batch_size, order)
    return batches_of(train, request.batch_size, order if request.shuffle else None)


def _validation_data(request: FitRequest) -> Any:
    rows = request.validation
    if rows is None:
        return None
    if not rows.held:
        return batches_of(rows, request.validation_batch_size)
    parts = (whole_inputs(rows.inputs), rows.targets, rows.weights)
    return tuple(part for part in parts if part is not None)


def whole_inputs(inputs: Inputs) -> Any:
    """Inputs that are held, as `fit` takes them."""
    return dict(inputs.parts) if isinstance(inputs, NamedInputs) else inputs


def _monitor(control: FitControl) -> Any:
    """A callback that reports every step and epoch, learning rate included, and stops between
    two steps if the user asks for it."""
    import keras

    class Monitor(keras.callbacks.Callback):
        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
            control.saving.restore()

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            control.report.epoch = epoch + 1
            self.started = time.perf_counter()
            self.learning_rate = float(self.model.optimizer.learning_rate)

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            control.report.step(batch + 1)
            control.interrupt.check_signals()

        def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            control.interrupt.check_signals()

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            seconds = time.perf_counter() - self.started
            control.report.epoch_ended(logs or {}, self.learning_rate, seconds)
            control.finite.keep(epoch + 1)
            control.saving.epoch_ended(epoch + 1, logs or {})

    return Monitor()


def batches_of(
    rows: FitRows, batch_size: int, order: Callable[[], np.ndarray] | None = None
) -> Any:
    """Return a `keras.utils.PyDataset` of inputs, targets and, if there are any, weights.

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
    """Return a `tf.data.Dataset` of inputs, targets and, if there are any, weights.

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
