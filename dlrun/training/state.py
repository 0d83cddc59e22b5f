"""One model object for all fits of the same config, so that what is compiled is compiled once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def are_interchangeable(kept: Any, fresh: Any) -> bool:
    """Whether `kept`, given the state of `fresh`, is the same model.

    True where both are built and compiled from the same config and have variables of the same
    shapes.
    """
    if kept is fresh:
        return True
    return (
        kept.get_config() == fresh.get_config()
        and kept.get_compile_config() == fresh.get_compile_config()
        and [(v.shape, v.dtype) for v in state_of(kept)]
        == [(v.shape, v.dtype) for v in state_of(fresh)]
    )


def copy_state(source: Any, target: Any) -> None:
    """Give a model the weights, random state and optimizer state of one of the same config."""
    for value, variable in zip(state_of(source), state_of(target), strict=True):
        variable.assign(value)


def state_of(model: Any) -> list[Any]:
    """Return all variables that training starts from; metrics start from nothing."""
    # A LossScaleOptimizer makes its variables anew each time it is asked to.
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    metrics = {id(variable) for variable in model.metrics_variables}
    layers = [variable for variable in model.variables if id(variable) not in metrics]
    return layers + list(model.optimizer.variables)


SMALL = 2**16
"""Numbers up to which a copy in NumPy takes less time than the calls on the device."""


class LastFiniteState:
    """The values of a model's variables as they were at the end of an epoch.

    Large ones stay on the device. TensorFlow does not even copy them before the next step writes
    to the variable: a tensor that was read from it keeps what it had.

    Args:
        variables: Returns the `keras.Variable`s to keep: the weights, or where epochs may have to
            be trained again from the copy, all state that training starts from.
    """

    def __init__(self, variables: Callable[[], Sequence[Any]]) -> None:
        self._variables = variables
        self._values: list[Any] = []
        self.epoch = 0
        """The epoch (from 1) that left the variables so; 0 where nothing is kept."""

    def keep(self, epoch: int) -> None:
        """Keep the variables as an epoch left them, if they are all numbers: its last step may
        have spoilt them after the loss was measured."""
        values = [_held(variable) for variable in self._variables()]
        if all(map(_is_finite, values)):
            self._values, self.epoch = values, epoch

    def restore(self) -> bool:
        """Put the values back; False where there are none."""
        if not self.epoch:
            return False
        for value, variable in zip(self._values, self._variables(), strict=True):
            variable.assign(value)
        return True


def _held(variable: Any) -> Any:
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
