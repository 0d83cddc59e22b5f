"""Whole epochs of a Keras model as one `tf.function`.

Keras' own `train_step` and `test_step` run in `tf.while_loop`s over row numbers, so that loss,
metrics, regularizers, clipping, schedules and random layers work as in `fit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import tensorflow as tf
from keras.src.backend.tensorflow import numpy as keras_operations

from dlrun.models.objects import REFUSALS, reason
from dlrun.training.fused.program import (
    Array,
    CannotFuse,
    Chunk,
    EpochMetrics,
    Sizes,
    metric_names,
)
from dlrun.training.fused.tensorflow_rows import DeviceRows
from dlrun.training.rows import FitRows

Rows = tuple[Any, ...]
"""What `DeviceRows.put` makes of inputs, targets and, if there are any, weights."""


class TensorFlowProgram:
    """Training and validation of one model, compiled.

    It is traced once for any number of rows; XLA compiles it anew for each.

    Args:
        model: A compiled `keras.Model`.
        train: Training rows, of which only dtypes and shapes of one row count.
        validation: The same for validation rows, or None.
        sizes: Rows of a batch, and epochs of a call.
        xla: Whether XLA compiles it.

    Raises:
        CannotFuse: It cannot be traced, or a metric is not a single number.
    """

    def __init__(
        self, model: Any, train: FitRows, validation: FitRows | None, sizes: Sizes, *, xla: bool
    ) -> None:
        self.capacity = sizes.capacity
        self._model = model
        self._sizes = sizes
        self._xla = xla
        self._names: list[str] = []
        self._train: Rows = ()
        self._validation: Rows = ()
        self._train_rows = DeviceRows(train, xla)
        self._validation_rows = None if validation is None else DeviceRows(validation, xla)
        signature = (
            self._train_rows.specs,
            () if self._validation_rows is None else self._validation_rows.specs,
            tf.TensorSpec((sizes.capacity, None), tf.int32),
            tf.TensorSpec((5,), tf.int32),
        )
        self._function = tf.function(
            self._chunk, input_signature=signature, jit_compile=xla, autograph=False
        )
        self._trace(train)

    def load(self, train: FitRows, validation: FitRows | None) -> None:
        """Put rows on the device, in place of earlier ones."""
        self._train = self._train_rows.put(train)
        if self._validation_rows is not None and validation is not None:
            self._validation = self._validation_rows.put(validation)

    def put_orders(self, orders: Array) -> Any:
        """Put row orders, (capacity, n) int32, on the device for `run`."""
        return tf.constant(orders)

    def run(self, orders: Any, chunk: Chunk) -> EpochMetrics:
        """Train and measure in one call; see `Program`."""
        table = self._function(self._train, self._validation, orders, chunk.numbers())
        return EpochMetrics.of(self._names, table.numpy()[: chunk.epochs])

    def release(self) -> None:
        """Free the rows on the device."""
        self._train = self._validation = ()

    def _trace(self, train: FitRows) -> None:
        # Variables of metrics and optimizer cannot be made inside a traced function.
        try:
            row = self._train_rows.put(train.head(1))
            batch = self._train_rows.batch(row, tf.range(self._train_rows.count(row)))
            self._model._symbolic_build(data_batch=batch)
            self._names = metric_names(self._model)
            with divided_row_by_row() if self._xla else nullcontext():
                self._function.get_concrete_function()
        except (*REFUSALS, RuntimeError, tf.errors.OpError) as error:
            raise CannotFuse(f"TensorFlow cannot trace it: {reason(error)}") from error

    def _chunk(self, train: Rows, validation: Rows, orders: Any, chunk: Any) -> Any:
        """The traced function: all epochs of one chunk.

        Returns:
            (capacity, 1 + m) float32, or (capacity, 1 + 2 m) with validation: learning rate and
            the m metrics of each epoch.
        """
        epochs, first, last, first_check, last_check = tf.unstack(chunk)
        width = 1 + len(self._names) * (2 if validation else 1)
        answer = tf.TensorArray(tf.float32, size=self.capacity, element_shape=(width,))

        def an_epoch(epoch: Any, answer: Any) -> tuple[Any, Any]:
            values = [self._model.optimizer.learning_rate]
            self._reset_metrics_if((first == 0) & (last > 0))
            self._train_steps(train, orders[epoch], first, last)
            values += self._model.get_metrics_result().values()
            if validation and self._validation_rows is not None:
                self._reset_metrics_if((first_check == 0) & (last_check > 0))
                self._check_batches(self._validation_rows, validation, first_check, last_check)
                values += self._model.get_metrics_result().values()
            row = tf.stack([tf.cast(value, tf.float32) for value in values])
            return epoch + 1, answer.write(epoch, row)

        _, answer = tf.while_loop(
            lambda epoch, _: epoch < epochs, an_epoch, (0, answer), parallel_iterations=1
        )
        return answer.stack()

    def _train_steps(self, rows: Rows, order: Any, first: Any, last: Any) -> None:
        def step(numbers: Any) -> None:
            self._model.train_step(self._train_rows.batch(rows, numbers))

        self._batches(step, order, self._sizes.batch_size, first, last)

    def _check_batches(self, made: DeviceRows, rows: Rows, first: Any, last: Any) -> None:
        def check(numbers: Any) -> None:
            self._model.test_step(made.batch(rows, numbers))

        self._batches(
            check, tf.range(made.count(rows)), self._sizes.validation_batch_size, first, last
        )

    def _batches(
        self, action: Callable[[Any], None], order: Any, size: int, first: Any, last: Any
    ) -> None:
        """Do `action` with the row numbers of each batch from `first` to before `last`."""
        count = tf.shape(order)[0]
        if not self._xla:
            _loop(
                first, last, lambda i: action(order[i * size : tf.minimum((i + 1) * size, count)])
            )
            return
        # XLA knows no shapes that depend on values: the last partial batch is done apart.
        size = tf.minimum(size, count)
        whole = count // size
        _loop(first, tf.minimum(last, whole), lambda i: action(tf.slice(order, [i * size], [size])))
        _if((first <= whole) & (whole < last), lambda: action(order[whole * size :]))

    def _reset_metrics_if(self, condition: Any) -> None:
        _if(condition, self._model.reset_metrics)


def _loop(first: Any, last: Any, action: Callable[[Any], None]) -> None:
    def body(i: Any) -> tuple[Any]:
        action(i)
        return (i + 1,)

    tf.while_loop(lambda i: i < last, body, (first,), parallel_iterations=1)


def _if(condition: Any, action: Callable[[], None]) -> None:
    def yes() -> Any:
        action()
        return tf.constant(0)

    tf.cond(condition, yes, lambda: tf.constant(0))


@contextmanager
def divided_row_by_row() -> Iterator[None]:
    """Let optimizers divide the gradient of an embedding while their updates are traced.

    TensorFlow gives that gradient as some rows of the table. Keras divides it together with all
    rows in which the divisor is zero, whose number XLA cannot know; an optimizer's divisor is
    never zero. The numbers stay those of `fit`, which a dense gradient's would not: Keras squares
    each occurrence of a row on its own.
    """
    original = keras_operations.divide

    def divide(x1: Any, x2: Any) -> Any:
        if isinstance(x1, tf.IndexedSlices) and isinstance(x2, tf.Tensor) and x2.shape.rank:
            return tf.IndexedSlices(
                original(x1.values, tf.gather(x2, x1.indices)), x1.indices, x1.dense_shape
            )
        return original(x1, x2)

    keras_operations.divide = divide
    try:
        yield
    finally:
        keras_operations.divide = original
