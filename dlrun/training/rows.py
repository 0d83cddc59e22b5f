"""The rows that engines train on: their weights, their order and their integers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dlrun.data.inputs import Inputs, NamedInputs, OneInput, are_arrays, parts_of
from dlrun.data.lazy import LazyArray, in_memory, take_rows
from dlrun.errors import DataError

Array = np.ndarray
Targets = Array | dict[str, Array]
"""(n,) or (n, k); of a model with several outputs such an array for each, by the output's name."""


@dataclass(frozen=True)
class FitRows:
    """Rows ready for a model.

    Args:
        inputs: (n, ...) numbers of any dtype that the model's input takes, held or made a batch
            at a time.
        targets: (n,) or (n, k), by the output's name if there are several.
        weights: (n,) float32 weights in the loss, or None.
    """

    inputs: Inputs
    targets: Targets
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def head(self, count: int) -> FitRows:
        """Return the first rows."""
        weights = None if self.weights is None else self.weights[:count]
        rows = slice(count)
        return FitRows(take_rows(self.inputs, rows), rows_of_targets(self.targets, rows), weights)

    @property
    def held(self) -> bool:
        """Whether the inputs are plain arrays in memory."""
        return are_arrays(self.inputs)

    @property
    def streamed(self) -> bool:
        """Whether rows of an input stay on disk."""
        return not all(map(in_memory, parts_of(self.inputs).values()))


def rows_of_targets(targets: Targets, rows: slice | Array) -> Targets:
    """Return the targets of some rows."""
    if isinstance(targets, dict):
        return {name: column[rows] for name, column in targets.items()}
    return targets[rows]


def every_target(targets: Targets) -> list[Array]:
    """Return the targets of all outputs."""
    return list(targets.values()) if isinstance(targets, dict) else [targets]


def with_class_weights(rows: FitRows, class_weight: Mapping[int, float] | None) -> FitRows:
    """Return rows whose weights are those of their classes; a class left out weighs 1.

    Raises:
        ValueError: The rows already have weights; Keras' `fit` refuses both at once.
    """
    if class_weight is None:
        return rows
    if rows.weights is not None:
        raise ValueError("class_weight and sample_weight cannot be used together; remove one")
    targets = rows.targets
    if isinstance(targets, dict):
        raise ValueError("class_weight is for a model with one output; remove it")
    one_hot = targets.ndim > 1 and targets.shape[-1] != 1
    classes = targets.argmax(axis=-1) if one_hot else targets.reshape(len(targets))
    classes = np.round(classes).astype(np.int64)
    present, positions = np.unique(classes, return_inverse=True)
    weights = np.array([class_weight.get(int(label), 1.0) for label in present], np.float32)
    return replace(rows, weights=weights[positions])


def row_order(rows: int, *, seed: int, epoch: int, shuffle: bool) -> np.ndarray:
    """Return the order of one epoch, (rows,) int32.

    It depends on the arguments alone: not on the epochs before it, nor on how training is cut
    into calls.

    Args:
        rows: Number of training rows.
        seed: The fit's seed.
        epoch: Counted from 0.
        shuffle: Whether the rows are put in a random order; else they stay as they are.
    """
    if not shuffle:
        return np.arange(rows, dtype=np.int32)
    return np.random.default_rng((seed, epoch)).permutation(rows).astype(np.int32)


WIDE = ("int64", "uint64", "uint32")
"""Types that JAX lacks unless it computes in 64 bits."""


def narrow_integers(inputs: Inputs) -> Inputs:
    """Return inputs with 32-bit integers on JAX, which would truncate longer ones.

    What is read or made a batch at a time is left as it is.

    Raises:
        DataError: A number is too large for 32 bits.
    """
    keras = sys.modules.get("keras")
    if keras is None or keras.backend.backend() != "jax":
        return inputs
    if isinstance(inputs, NamedInputs):
        return NamedInputs({name: _narrow(part) for name, part in inputs.parts.items()})
    return _narrow(inputs)


def _narrow(numbers: OneInput) -> OneInput:
    if isinstance(numbers, LazyArray) or numbers.dtype.name not in WIDE or not numbers.size:
        return numbers
    limits = np.iinfo(np.int32)
    for extreme in (int(numbers.min()), int(numbers.max())):
        if not limits.min <= extreme <= limits.max:
            raise DataError(
                f"the inputs hold the whole number {extreme}, but JAX computes with 32 bits, up "
                f"to {limits.max}; standardize or rescale such a column, leave it out if it is "
                "an identifier, or set `backend: tensorflow`"
            )
    return numbers.astype(np.int32)
