"""Rows on TensorFlow's device, and batches of them.

Legend: b rows of a batch, f features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from dlrun.training.fused.program import Array, dtype_in_fit, encodings_of, mapped_rows
from dlrun.training.rows import FitRows


class DeviceRows:
    """How rows of one kind lie on the device and become batches.

    Args:
        rows: Rows of the kind; only dtypes and the shape of one row count.
        xla: Whether XLA compiles what makes the batches.
    """

    def __init__(self, rows: FitRows, xla: bool) -> None:
        self._encoded = encodings_of(rows)
        # Ops on rows of any length are made for CPUs alone, and unknown to XLA.
        self._ragged = not xla and not tf.config.list_physical_devices("GPU")
        self.specs = _tensors(rows, lambda a: tf.TensorSpec((None, *a.shape[1:]), _dtype(a)))
        """Tensor specifications of what `put` returns, for any number of rows."""

    def put(self, rows: FitRows) -> Any:
        """Return rows as tensors: inputs (several where they are encoded), targets, weights."""
        return _tensors(rows, lambda array: tf.constant(array, _dtype(array)))

    def batch(self, rows: Any, numbers: Any) -> tuple[Any, ...]:
        """Return inputs, targets and weights of some rows as the model sees them.

        Args:
            rows: From `put`.
            numbers: (b,) int32.
        """
        inputs, *others = rows
        if isinstance(inputs, dict):
            made = {name: self._input(name, part, numbers) for name, part in inputs.items()}
        else:
            made = self._input("", inputs, numbers)
        return (made, *(tf.nest.map_structure(lambda t: tf.gather(t, numbers), p) for p in others))

    def count(self, rows: Any) -> Any:
        """Number of the rows, a tensor."""
        return tf.shape(tf.nest.flatten(rows[1])[0])[0]

    def _input(self, name: str, inputs: Any, numbers: Any) -> Any:
        expanded = self._encoded[name]
        if expanded is None:
            return tf.gather(inputs, numbers)
        if not self._ragged:
            return expanded.expand(inputs, numbers)
        parts = [
            _dense(numbers, block.row_shape[-1], *own)
            if block.is_sparse
            else block.expand(own, numbers)
            for block, own in expanded.by_block(inputs)
        ]
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)


def _dense(numbers: Any, width: int, places: Any, splits: Any, _: Any, values: Any = None) -> Any:
    """Return (b, width) float32: ones at the places, or the values that belong there.

    A count of each row's places is several times faster than a scatter.
    """
    of_batch, found = _gathered(splits, places, numbers)
    weights = tf.zeros((0,), tf.float32)
    if values is not None:
        _, weights = _gathered(splits, values, numbers)
    dense = tf.raw_ops.RaggedBincount(
        splits=tf.cast(of_batch, tf.int64),
        values=tf.cast(found, tf.int32),
        size=width,
        weights=weights,
        binary_output=values is None,
    )
    return tf.ensure_shape(dense, (None, width))


def _gathered(splits: Any, values: Any, numbers: Any) -> tuple[Any, Any]:
    """The splits and the values of some rows."""
    gathered = tf.raw_ops.RaggedGather(
        params_nested_splits=[splits],
        params_dense_values=values,
        indices=numbers,
        OUTPUT_RAGGED_RANK=1,
    )
    (of_batch,) = gathered.output_nested_splits
    return of_batch, gathered.output_dense_values


def _tensors(rows: FitRows, make: Callable[[Array], Any]) -> Any:
    return mapped_rows(rows, make, lambda encoded: tuple(map(make, encoded.arrays)))


def _dtype(array: Array) -> Any:
    return tf.as_dtype(dtype_in_fit(array))
