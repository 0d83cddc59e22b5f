"""Which layers a view shows, what they give, and gradients with regard to it.

A layer is watched by taking the place of its `call` while the model runs: this works for Sequential
models, graphs, nested models and layers that are used several times alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from dlrun.registry.names import closest
from dlrun.views.parts.subject import Subject

Array = np.ndarray

PASSING = (
    "ActivityRegularization",
    "Dropout",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "Rescaling",
    "Reshape",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "ZeroPadding2D",
)
"""Layers that compute nothing worth looking at."""


def chosen_layers(subject: Subject, patterns: Sequence[str], option: str = "layers") -> list[str]:
    """Return the addresses of the layers that names or patterns such as `conv2d*` name.

    Raises:
        ComponentError: One names none; says which there are.
    """
    known, chosen = list(subject.layers), list[str]()
    for number, pattern in enumerate(patterns):
        found = [
            name
            for name in known
            if fnmatchcase(name, pattern) or name == pattern or name.startswith(f"{pattern}.")
        ]
        if not found:
            inner = [name for name in known if fnmatchcase(name.rpartition(".")[2], pattern)]
            near = inner[0] if inner else closest(pattern.rstrip("*?"), known)
            advice = f"did you mean '{near}'?" if near else _there_are(known)
            place = (option,) if option == "layer" else (option, number)
            raise subject.problem(f"the model has no layer '{pattern}'; {advice}", *place)
        chosen += [name for name in found if name not in chosen]
    return chosen


def _there_are(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"its layers are {', '.join(names[:8])}{more}"


@contextmanager
def watched(
    layers: Mapping[str, Any],
    change: Callable[[str, int, Any], Any] = lambda name, use, value: value,
) -> Iterator[dict[str, list[Any]]]:
    """Keep what layers give while a model runs in the body.

    Args:
        layers: By name.
        change: Gets the name, how often the layer was called before, and what it gives; what it
            returns goes on to the next layers.

    Yields:
        What each layer gave, a tensor for each call, in the order of the calls.
    """
    given: dict[str, list[Any]] = {}
    calls = {name: layer.call for name, layer in layers.items()}

    def replacement(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            value = calls[name](*arguments, **options)
            uses = given.setdefault(name, [])
            value = change(name, len(uses), value)
            uses.append(value)
            return value

        return call

    try:
        for name, layer in layers.items():
            layer.__dict__["call"] = replacement(name)
        yield given
    finally:
        for layer in layers.values():
            del layer.__dict__["call"]


def layer_outputs(model: Any, layers: Mapping[str, Any], batch: Any) -> dict[str, list[Array]]:
    """Return what layers give for a batch, (n, ...) float32 for each call, by name; layers that
    give no single tensor, or are not called, are left out."""
    import keras

    with watched(layers) as given:
        model(tensors_of(batch), training=False)
    return {
        name: [_as_array(value) for value in values]
        for name, values in given.items()
        if all(keras.ops.is_tensor(value) for value in values)
    }


def tensors_of(batch: Any) -> Any:
    """Return a batch, an array or arrays by name, as Keras' tensors."""
    import keras

    return keras.tree.map_structure(keras.ops.convert_to_tensor, batch)


def _as_array(value: Any) -> Array:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(value, "float32")))


Function = Callable[[list[Any]], tuple[Any, list[Any]]]


def gradients(function: Function, at: Sequence[Array]) -> tuple[Array, list[Array], list[Array]]:
    """Return the value of a function of tensors, and its gradients.

    Args:
        function: Returns (n,) numbers, whose sum is derived, and other tensors.
        at: The arrays where.

    Returns:
        The (n,) numbers, the other tensors, and the gradient with regard to each array; zeros where
        the function does not depend on one.
    """
    import keras

    backend = keras.backend.backend()
    derive = {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}[backend]
    tensors = [keras.ops.convert_to_tensor(array) for array in at]
    values, others, slopes = derive(function, tensors)
    return _as_array(values), [_as_array(one) for one in others], [_as_array(one) for one in slopes]


def _by_tensorflow(function: Function, at: list[Any]) -> tuple[Any, list[Any], list[Any]]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(at)
        values, others = function(at)
        total = tf.reduce_sum(values)
    slopes = tape.gradient(total, at, unconnected_gradients="zero")
    return values, others, [tf.convert_to_tensor(slope) for slope in slopes]


def _by_torch(function: Function, at: list[Any]) -> tuple[Any, list[Any], list[Any]]:
    import torch

    at = [tensor.detach().clone().requires_grad_() for tensor in at]
    with torch.enable_grad():
        values, others = function(at)
        slopes = torch.autograd.grad(values.sum(), at, allow_unused=True, materialize_grads=True)
    return values.detach(), [one.detach() for one in others], list(slopes)


def _by_jax(function: Function, at: list[Any]) -> tuple[Any, list[Any], list[Any]]:
    import jax

    def total(tensors: list[Any]) -> tuple[Any, tuple[Any, list[Any]]]:
        values, others = function(tensors)
        return values.sum(), (values, others)

    (_, (values, others)), slopes = jax.value_and_grad(total, has_aux=True)(at)
    return values, others, slopes
