"""The variables that a model's training starts from: compared, copied, kept and put back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dlrun.training.own_unit import own_unit_variables

SMALL = 2**16
"""Numbers up to which a copy in NumPy takes less time than the calls on the device."""


def layer_variables(model: Any) -> list[Any]:
    """Return the weights and the random state of a model's layers."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]


def optimizer_variables(model: Any) -> list[Any]:
    """Return the optimizer's variables, made if it has none yet."""
    # A LossScaleOptimizer makes its variables anew each time it is asked to.
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return list(model.optimizer.variables)


def state_of(model: Any) -> list[Any]:
    """Return all variables that training starts from; metrics start from nothing, but know the
    unit of the targets."""
    optimizer = optimizer_variables(model)
    return [*layer_variables(model), *optimizer, *own_unit_variables(model)]


def are_interchangeable(kept: Any, fresh: Any) -> bool:
    """Whether `kept`, given the state of `fresh`, is the same model: built and compiled from the
    same config, with variables of the same shapes."""
    return kept is fresh or (
        kept.get_config() == fresh.get_config()
        and kept.get_compile_config() == fresh.get_compile_config()
        and [(v.shape, v.dtype) for v in state_of(kept)]
        == [(v.shape, v.dtype) for v in state_of(fresh)]
    )


def copy_state(source: Any, target: Any) -> None:
    """Give a model the weights, random state and optimizer state of one of the same config."""
    _assign(state_of(source), state_of(target))


def copy_layer_state(source: Any, target: Any) -> None:
    """Give a model the weights and the random state of another one of the same layers."""
    _assign(layer_variables(source), layer_variables(target))


def copy_optimizer_state(source: Any, target: Any) -> None:
    """Give a model the optimizer state of one that shares its trained weights; does nothing if
    they are in another order."""
    theirs, ours = source.trainable_variables, target.trainable_variables
    if [id(v) for v in theirs] == [id(v) for v in ours]:
        _assign(optimizer_variables(source), optimizer_variables(target))


def _assign(values: Sequence[Any], variables: Sequence[Any]) -> None:
    for value, variable in zip(values, variables, strict=True):
        variable.assign(value)


class LastFiniteState:
    """The values of a model's variables as they were at the end of an epoch.

    Large ones stay on the device. TensorFlow copies them only when the next step writes to the
    variable: a tensor that was read from it keeps its values.

    Args:
        variables: Returns the `keras.Variable`s to keep: the weights, or if epochs may have
            to be trained again from the copy, all state that training starts from.
    """

    def __init__(self, variables: Callable[[], Sequence[Any]]) -> None:
        self._variables = variables
        self._values: list[Any] = []
        self.epoch = 0
        """The epoch (from 1) that left the variables so; 0 if nothing is kept."""

    def keep(self, epoch: int) -> None:
        """Keep the variables as an epoch left them, if all of them are finite: its last step may
        have spoilt them after the loss was measured."""
        values = [_copy_of(variable) for variable in self._variables()]
        if all(map(_is_finite, values)):
            self._values, self.epoch = values, epoch

    def put_back(self) -> bool:
        """Give the variables the values that are kept; False if there are none."""
        if not self.epoch:
            return False
        _assign(self._values, self._variables())
        return True

    def state(self) -> dict[str, Any]:
        """Return the epoch, and those values that the variables do not have now."""
        kept = zip(self._values, self._variables(), strict=True) if self.epoch else ()
        pairs = ((_in_memory(value), _in_memory(variable)) for value, variable in kept)
        values = {
            str(index): value for index, (value, now) in enumerate(pairs) if not _same(value, now)
        }
        return {"epoch": self.epoch, "values": values}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Keep what `state` returned; the variables have the values again that they had then."""
        self.epoch = state["epoch"]
        self._values = [_copy_of(variable) for variable in self._variables()] if self.epoch else []
        for index, value in state["values"].items():
            self._values[int(index)] = value


def _in_memory(value: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(value))


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays of one shape and type have the same bits."""
    width = f"u{one.itemsize}"
    return bool(np.array_equal(one.view(width), other.view(width)))


def _copy_of(variable: Any) -> Any:
    """The value of a variable, which later changes of the variable leave as it is."""
    import keras

    if math.prod(variable.shape) <= SMALL:
        return np.array(variable.numpy())
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.convert_to_tensor(variable.value)
    if backend == "torch":
        return variable.value.detach().clone()
    # A compiled step takes over the arrays that it is given.
    return variable.value.copy()


def _is_finite(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "f" or bool(np.isfinite(value).all())
    import keras

    if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(value.dtype)):
        return True
    # A sum takes half the time and no memory; it may be infinite though no part of it is.
    if bool(keras.ops.isfinite(keras.ops.sum(value))):
        return True
    return bool(keras.ops.all(keras.ops.isfinite(value)))
