"""Epochs of a Keras model as a pure function, which JAX compiles for one fold or for several.

Keras' own stateless `train_step` and `test_step` run in loops over row numbers, so that loss,
metrics, regularizers, clipping, schedules and random layers work as in `fit`.

Shapes: e epochs, n training rows, m metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras
import numpy as np
from jax import lax
from jax import numpy as jnp

from dlrun.data.encoded import Encoded
from dlrun.models.objects import REFUSALS, reason
from dlrun.training.fused.program import (
    Array,
    CannotFuse,
    Sizes,
    dtype_in_fit,
    encodings_of,
    mapped_rows,
    metric_names,
)
from dlrun.training.rows import FitRows
from dlrun.training.state import optimizer_variables

State = tuple[list[Any], list[Any], list[Any], list[Any]]
"""Values of trainable, non-trainable, optimizer and metrics variables, as Keras' steps take
them."""

Rows = tuple[Any, ...]
"""What `rows_of` makes of rows: inputs, targets and, if there are any, weights."""


class JaxEpochs:
    """Training and validation of one model as a function that JAX can compile.

    Args:
        model: A compiled `keras.Model`; its variables are made here if it has none yet.
        train: Training rows, of which only kind, dtypes and shapes of one row count.
        sizes: Rows of a batch, and epochs of a call.

    Raises:
        CannotFuse: Keras cannot build it, or a metric is not a single number.
    """

    def __init__(self, model: Any, train: FitRows, sizes: Sizes) -> None:
        self.model = model
        self._sizes = sizes
        self._encoded = encodings_of(train)
        self._compiled: dict[object, Any] = {}
        try:
            batch = jax.tree.map(_typed, train.inputs[:1])
            model._symbolic_build(data_batch=(batch, *rows_of(train.head(1))[1:]))
            self.names = metric_names(model)
        except (*REFUSALS, RuntimeError) as error:
            raise CannotFuse(f"JAX cannot trace it: {reason(error)}") from error

    def __call__(
        self, state: State, train: Rows, validation: Rows, orders: Any, chunk: Any
    ) -> tuple[State, Any]:
        """All epochs of one chunk; (5,) int32 numbers say which, see `Chunk.numbers`.

        Returns:
            The state after it, and (capacity, 1 + m) float32, or (capacity, 1 + 2 m) with
            validation: learning rate and the m metrics of each epoch.
        """
        epochs, first, last, first_check, last_check = chunk
        width = 1 + len(self.names) * (2 if validation else 1)

        def an_epoch(epoch: Any, carry: tuple[State, Any]) -> tuple[State, Any]:
            state, answer = carry
            values = [self._learning_rate(state)]
            state = self._fresh_metrics_if((first == 0) & (last > 0), state)
            state = self._train_steps(state, train, orders[epoch], first, last)
            values += self._metrics(state)
            if validation:
                state = self._fresh_metrics_if((first_check == 0) & (last_check > 0), state)
                state = self._check_batches(state, validation, first_check, last_check)
                values += self._metrics(state)
            row = jnp.stack([jnp.asarray(value, jnp.float32) for value in values])
            return state, answer.at[epoch].set(row)

        answer = jnp.zeros((self._sizes.capacity, width), jnp.float32)
        return lax.fori_loop(0, epochs, an_epoch, (state, answer))

    def compiled(self, state: Any, train: Rows, validation: Rows, folds: int | None = None) -> Any:
        """Return this function compiled for arguments of these shapes; the first one is used up by
        a call.

        Args:
            state: The state of a model, or of all folds.
            train: Training rows.
            validation: Validation rows, or nothing.
            folds: If given, every argument but the chunk has an axis of this length in front.

        Raises:
            CannotFuse: JAX cannot trace it.
        """
        shapes = tuple(part.shape for part in jax.tree.leaves((train, validation)))
        if shapes not in self._compiled:
            vectorized = self if folds is None else jax.vmap(self, in_axes=(0, 0, 0, 0, None))
            axes = () if folds is None else (folds,)
            rows = jax.tree.leaves(train[1])[0].shape[len(axes)]
            orders = jax.ShapeDtypeStruct((*axes, self._sizes.capacity, rows), np.int32)
            chunk = jax.ShapeDtypeStruct((5,), np.int32)
            try:
                function = jax.jit(vectorized, donate_argnums=0)
                lowered = function.lower(state, train, validation, orders, chunk)
                self._compiled[shapes] = lowered.compile()
            except (*REFUSALS, RuntimeError) as error:
                raise CannotFuse(f"JAX cannot trace it: {reason(error)}") from error
        return self._compiled[shapes]

    def _train_steps(self, state: State, rows: Rows, order: Any, first: Any, last: Any) -> State:
        def step(state: State, start: Any, size: int) -> State:
            numbers = lax.dynamic_slice_in_dim(order, start, size)
            _, after = self.model.train_step(state, self._batch(rows, numbers))
            return _like(state, after)

        return _batches(step, state, _count(rows), self._sizes.batch_size, first, last)

    def _check_batches(self, state: State, rows: Rows, first: Any, last: Any) -> State:
        def check(state: State, start: Any, size: int) -> State:
            numbers = start + jnp.arange(size, dtype=jnp.int32)
            trainable, non_trainable, optimizer, metrics = state
            _, (trainable, non_trainable, metrics) = self.model.test_step(
                (trainable, non_trainable, metrics), self._batch(rows, numbers)
            )
            return _like(state, (trainable, non_trainable, optimizer, metrics))

        return _batches(check, state, _count(rows), self._sizes.validation_batch_size, first, last)

    def _batch(self, rows: Rows, numbers: Any) -> Rows:
        """Inputs, targets and weights of some rows, as the model sees them."""
        inputs, *rest = rows

        def taken(part: Any) -> Any:
            return part.at[numbers].get(mode="promise_in_bounds")

        def made(name: str, part: Any) -> Any:
            expanded = self._encoded[name]
            return taken(part) if expanded is None else expanded.expand(part, numbers)

        others = [jax.tree.map(taken, part) for part in rest]
        if isinstance(inputs, dict):
            return ({name: made(name, part) for name, part in inputs.items()}, *others)
        return (made("", inputs), *others)

    def _fresh_metrics_if(self, condition: Any, state: State) -> State:
        *rest, metrics = state
        with self._metrics_at(metrics) as scope:
            self.model.reset_metrics()
        fresh = [scope.get_current_value(variable) for variable in self.model.metrics_variables]
        chosen = [jnp.where(condition, new, old) for new, old in zip(fresh, metrics, strict=True)]
        return _like(state, (*rest, chosen))

    def _metrics(self, state: State) -> list[Any]:
        with self._metrics_at(state[3]):
            return list(self.model.get_metrics_result().values())

    def _metrics_at(self, values: Sequence[Any]) -> Any:
        return keras.StatelessScope(zip(self.model.metrics_variables, values, strict=True))

    def _learning_rate(self, state: State) -> Any:
        optimizer = self.model.optimizer
        with keras.StatelessScope(zip(optimizer.variables, state[2], strict=True)):
            # A variable would be read after the scope, as it was when this was compiled.
            return keras.ops.convert_to_tensor(optimizer.learning_rate)


def variables_of(model: Any) -> tuple[list[Any], ...]:
    """Return a model's variables in the order of `State`."""
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        optimizer_variables(model),
        model.metrics_variables,
    )


def state_of(model: Any) -> State:
    """Return the values of a model's variables."""
    trainable, rest, optimizer, metrics = ([v.value for v in vs] for vs in variables_of(model))
    return trainable, rest, optimizer, metrics


def put_state(state: Any, model: Any) -> None:
    """Give a model's variables new values."""
    for variables, values in zip(variables_of(model), state, strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def rows_of(rows: FitRows | None) -> Rows:
    """Return rows as the compiled function takes them, in memory; nothing for None."""
    return () if rows is None else mapped_rows(rows, _typed, _padded)


def _padded(inputs: Encoded) -> tuple[Array, ...]:
    """The arrays of encoded inputs, alike in several folds: JAX compiles for exact shapes."""
    return tuple(array for block in inputs.blocks for array in block.padded_arrays)


def _count(rows: Rows) -> int:
    """Number of the rows: targets are arrays in any case, or several of them."""
    return len(jax.tree.leaves(rows[1])[0])


def _typed(array: Any) -> Array:
    return np.asarray(array, dtype_in_fit(array))


def _like(state: State, after: Any) -> State:
    """New values in the types of the old ones, which a loop does not change."""
    return jax.tree.map(
        lambda old, new: lax.convert_element_type(new, old.dtype), state, tuple(after)
    )


def _batches(
    action: Callable[[State, Any, int], State],
    state: State,
    count: int,
    size: int,
    first: Any,
    last: Any,
) -> State:
    """Do `action` with the start and the length of each batch from `first` to before `last`."""
    # XLA knows no shapes that depend on values: the last partial batch is done apart.
    size = min(size, count)
    whole = count // size
    state = lax.fori_loop(
        first, jnp.minimum(last, whole), lambda i, state: action(state, i * size, size), state
    )
    if whole * size == count:
        return state
    return lax.cond(
        (first <= whole) & (whole < last),
        lambda state: action(state, whole * size, count - whole * size),
        lambda state: state,
        state,
    )
