"""Whole epochs of a Keras model, or of several folds at once, compiled by JAX.

Legend: k folds, n training rows of a fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from dlrun.training.fused.jax_epochs import JaxEpochs, Rows, put_state, rows_of, state_of
from dlrun.training.fused.program import Array, Chunk, EpochMetrics, Sizes
from dlrun.training.own_unit import own_unit_variables
from dlrun.training.rows import FitRows

NO_ROWS: tuple[Rows, Rows] = ((), ())


class JaxProgram:
    """Training and validation of one model, compiled for each number of rows.

    Args:
        model: A compiled `keras.Model`.
        train: Training rows.
        validation: Validation rows, or None.
        sizes: Rows of a batch, and epochs of a call.

    Raises:
        CannotFuse: It cannot be traced, or a metric is not a single number.
    """

    def __init__(
        self, model: Any, train: FitRows, validation: FitRows | None, sizes: Sizes
    ) -> None:
        self.capacity = sizes.capacity
        self._model = model
        self._epochs = JaxEpochs(model, train, sizes)
        self._rows = NO_ROWS
        self._function: Any = None
        self.load(train, validation)
        self.release()

    def load(self, train: FitRows, validation: FitRows | None) -> None:
        """Put rows on the device, in place of earlier ones."""
        self._rows = jax.device_put((rows_of(train), rows_of(validation)))
        self._function = self._epochs.compiled(state_of(self._model), *self._rows)

    def put_orders(self, orders: Array) -> Any:
        """Put row orders, (capacity, n) int32, on the device for `run`."""
        return jax.device_put(orders)

    def run(self, orders: Any, chunk: Chunk) -> EpochMetrics:
        """Train and measure in one call; see `Program`."""
        state, table = self._function(state_of(self._model), *self._rows, orders, chunk.numbers())
        put_state(state, self._model)
        return EpochMetrics.of(self._epochs.names, np.asarray(table)[: chunk.epochs])

    def release(self) -> None:
        """Free the rows on the device."""
        self._rows = NO_ROWS


class JaxFolds:
    """Training and validation of the folds of one model, compiled once for folds of one shape.

    Every array has an axis in front that counts the folds; `jax.vmap` trains along it.

    Args:
        model: A compiled `keras.Model`; its own state is left as it is.
        train: Training rows of a fold, for their kind.
        sizes: Rows of a batch, and epochs of a call.

    Raises:
        CannotFuse: It cannot be traced, or a metric is not a single number.
    """

    def __init__(self, model: Any, train: FitRows, sizes: Sizes) -> None:
        self.capacity = sizes.capacity
        self._model = model
        self._epochs = JaxEpochs(model, train, sizes)
        self._rows = NO_ROWS
        self._initial: Any = None
        self._state: Any = None
        self._function: Any = None

    def prepare(self, train: FitRows, validation: FitRows | None, count: int) -> None:
        """Compile for a number of folds with rows like these.

        Raises:
            CannotFuse: JAX cannot trace the model.
        """
        one = (state_of(self._model), rows_of(train), rows_of(validation))
        state, train_shapes, validation_shapes = jax.tree.map(
            lambda part: jax.ShapeDtypeStruct((count, *part.shape), part.dtype), one
        )
        self._epochs.compiled(state, train_shapes, validation_shapes, count)

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
        self._initial = _stacked(
            [(*state_of(model)[:3], self._metrics_of(model)) for model in models]
        )
        self._state = jax.device_put(self._initial)
        rows = ([rows_of(part) for part in train], [rows_of(part) for part in validation])
        self._rows = jax.device_put((_stacked(rows[0]), _stacked(rows[1])))
        self._function = self._epochs.compiled(self._state, *self._rows, len(models))

    def _metrics_of(self, model: Any) -> list[Any]:
        """The state of a fold's metrics, which in a fresh model are not built yet: they start from
        nothing in all folds, but know the unit of their targets."""
        pairs = zip(own_unit_variables(self._model), own_unit_variables(model), strict=True)
        known = {id(kept): own for kept, own in pairs}
        return [known.get(id(one), one).value for one in self._model.metrics_variables]

    def run(self, orders: Array, chunk: Chunk) -> list[EpochMetrics]:
        """Train and measure all folds in one call; see `Program`.

        Args:
            orders: (k, capacity, n) int32 row orders.
            chunk: Which whole epochs.

        Returns:
            What was measured, fold by fold.
        """
        self._state, tables = self._function(self._state, *self._rows, orders, chunk.numbers())
        names = self._epochs.names
        return [EpochMetrics.of(names, table[: chunk.epochs]) for table in np.asarray(tables)]

    def put_state(self, fold: int, model: Any) -> None:
        """Give a model the state that a fold has now."""
        put_state(jax.tree.map(lambda values: values[fold], self._state), model)

    def put_initial_state(self, fold: int, model: Any) -> None:
        """Give a model the state that a fold began with."""
        put_state(jax.tree.map(lambda values: values[fold].copy(), self._initial), model)

    def release(self) -> None:
        """Free the rows and the states."""
        self._rows, self._initial, self._state = NO_ROWS, None, None


def _stacked(trees: Sequence[Any]) -> Any:
    """The arrays of all folds, one above the other."""
    return jax.tree.map(lambda *parts: np.stack(parts), *trees)
