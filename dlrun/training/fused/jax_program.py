"""Whole epochs of a Keras model as one function compiled by JAX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from dlrun.training.fused.jax_epochs import (
    JaxEpochs,
    Rows,
    State,
    compiled,
    put_state,
    rows_of,
    state_of,
    stretch_numbers,
)
from dlrun.training.fused.program import Array, EpochMetrics, Stretch
from dlrun.training.rows import FitRows


class JaxProgram:
    """Training and validation of one model, compiled for each number of rows.

    Args:
        model: A compiled `keras.Model`.
        train: Training rows.
        validation: Validation rows, or None.
        batch_size: Rows in a gradient step.
        validation_batch_size: Rows that are measured at once.
        capacity: Epochs whose row orders a call takes.

    Raises:
        CannotFuse: It cannot be traced, or a metric is no single number.
    """

    def __init__(
        self,
        model: Any,
        train: FitRows,
        validation: FitRows | None,
        *,
        batch_size: int,
        validation_batch_size: int,
        capacity: int,
    ) -> None:
        self.capacity = capacity
        self._epochs = JaxEpochs(
            model,
            train,
            batch_size=batch_size,
            validation_batch_size=validation_batch_size,
            capacity=capacity,
        )
        self._train: Rows = ()
        self._validation: Rows = ()
        self._compiled: dict[object, Any] = {}
        self._function: Any = None
        self.load(train, validation)
        self.release()

    def load(self, train: FitRows, validation: FitRows | None) -> None:
        """Put rows on the device, in place of earlier ones."""
        self._train = jax.device_put(rows_of(train))
        self._validation = jax.device_put(rows_of(validation))
        rows = self._train, self._validation
        shapes = tuple((part.shape, part.dtype) for part in jax.tree.leaves(rows))
        if shapes not in self._compiled:
            orders = jax.ShapeDtypeStruct((self.capacity, len(train)), np.int32)
            numbers = jax.ShapeDtypeStruct((5,), np.int32)
            state = state_of(self._epochs.model)
            self._compiled[shapes] = compiled(self._epochs, state, *rows, orders, numbers)
        self._function = self._compiled[shapes]

    def put_orders(self, orders: Array) -> Any:
        """Put row orders, (capacity, n) int32, on the device for `run`."""
        return jax.device_put(orders)

    def run(self, orders: Any, stretch: Stretch) -> EpochMetrics:
        """Train and measure in one call; see `Program`."""
        model = self._epochs.model
        state, answer = self._function(
            state_of(model), self._train, self._validation, orders, stretch_numbers(stretch)
        )
        put_state(state, model)
        return self._epochs.measured(np.asarray(answer), stretch.epochs)

    def release(self) -> None:
        """Let go of the rows on the device."""
        self._train = self._validation = ()


class JaxFolds:
    """Training and validation of the folds of one model, compiled once for folds of one shape.

    Args:
        model: A compiled `keras.Model`; its own state is left as it is.
        train: Training rows of a fold, for their kind.
        batch_size: Rows in a gradient step.
        validation_batch_size: Rows that are measured at once.
        capacity: Epochs whose row orders a call takes.

    Raises:
        CannotFuse: It cannot be traced, or a metric is no single number.
    """

    def __init__(
        self,
        model: Any,
        train: FitRows,
        *,
        batch_size: int,
        validation_batch_size: int,
        capacity: int,
    ) -> None:
        self.capacity = capacity
        self._epochs = JaxEpochs(
            model,
            train,
            batch_size=batch_size,
            validation_batch_size=validation_batch_size,
            capacity=capacity,
        )
        self._rows: tuple[Rows, Rows] = ((), ())
        self._initial: Any = None
        self._state: Any = None
        self._function: Any = None
        self._compiled: dict[object, Any] = {}

    def prepare(self, train: FitRows, validation: FitRows | None, count: int) -> None:
        """Compile for so many folds with rows like these.

        Raises:
            CannotFuse: JAX cannot trace the model.
        """
        one = (state_of(self._epochs.model), rows_of(train), rows_of(validation))
        state, *rows = jax.tree.map(
            lambda part: jax.ShapeDtypeStruct((count, *part.shape), part.dtype), one
        )
        self._compile(state, *rows)

    def load(
        self,
        models: Sequence[Any],
        train: Sequence[FitRows],
        validation: Sequence[FitRows | None],
    ) -> None:
        """Take the state of k models of one config, and their rows.

        Raises:
            CannotFuse: JAX cannot trace the model.
        """
        # The metrics of a fresh model are not built yet; they start from nothing in all.
        metrics = state_of(self._epochs.model)[3]
        self._initial = _stacked([(*state_of(model)[:3], metrics) for model in models])
        self._state = jax.device_put(self._initial)
        self._rows = (
            jax.device_put(_stacked([rows_of(part) for part in train])),
            jax.device_put(_stacked([rows_of(part) for part in validation])),
        )
        self._function = self._compile(self._state, *self._rows)

    def _compile(self, state: Any, train: Rows, validation: Rows) -> Any:
        """Return the function for these shapes: the one at hand where there is one."""
        shapes = tuple(part.shape for part in jax.tree.leaves((train, validation)))
        if shapes not in self._compiled:
            count, rows, *_ = jax.tree.leaves(train[1])[0].shape
            orders = jax.ShapeDtypeStruct((count, self.capacity, rows), np.int32)
            numbers = jax.ShapeDtypeStruct((5,), np.int32)
            folds = jax.vmap(self._epochs, in_axes=(0, 0, 0, 0, None))
            self._compiled[shapes] = compiled(folds, state, train, validation, orders, numbers)
        return self._compiled[shapes]

    def run(self, orders: Array, stretch: Stretch) -> list[EpochMetrics]:
        """Train and measure all folds in one call; see `Program`.

        Args:
            orders: (k, capacity, n) int32 row orders.
            stretch: Which whole epochs.

        Returns:
            What was measured, fold by fold.
        """
        self._state, answer = self._function(
            self._state, *self._rows, orders, stretch_numbers(stretch)
        )
        return [self._epochs.measured(part, stretch.epochs) for part in np.asarray(answer)]

    def put_state(self, fold: int, model: Any) -> None:
        """Give a model the state that a fold has now."""
        put_state(jax.tree.map(lambda values: values[fold], self._state), model)

    def put_initial_state(self, fold: int, model: Any) -> None:
        """Give a model the state that a fold began with."""
        put_state(jax.tree.map(lambda values: values[fold].copy(), self._initial), model)

    def release(self) -> None:
        """Let go of the rows and the states."""
        self._rows, self._initial, self._state = ((), ()), None, None


def _stacked(trees: Sequence[State] | Sequence[Rows]) -> Any:
    """The arrays of all folds on one another."""
    return jax.tree.map(lambda *parts: np.stack(parts), *trees)
