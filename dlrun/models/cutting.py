"""A model in two parts: a frozen base whose output never changes, and the head that is trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Cut:
    """Both parts share their layers, and so their weights, with the model that was cut.

    Args:
        base: From the model's inputs to the features.
        head: From the features to the model's outputs.
        name: The layer that gives the features.
    """

    base: Any
    head: Any
    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the features of a row."""
        return tuple(self.base.output_shape[1:])


def cut_of(model: Any) -> Cut | None:
    """Return the parts of a model whose frozen base gives the same in every epoch.

    The base is as long as it can be. It draws no random numbers, is frozen, adds nothing to the
    loss, its batch normalization has stopped to learn, and everything that reaches the head
    comes through one tensor of known shape.

    Returns:
        The parts, not compiled; None if there is no such base, or its only weights are tables
        of embeddings.
    """
    import keras

    graph = getattr(model, "_functional", model)
    if not isinstance(graph, keras.Model) or not hasattr(graph, "_outputs_struct"):
        return None
    outputs = keras.tree.flatten(graph._outputs_struct)
    tensors = tensors_in_order(outputs)
    for tensor in reversed(tensors):
        ending = any(tensor is output for output in outputs)
        whole = all(size is not None for size in tensor.shape[1:])
        if ending or not whole:
            continue
        layers = [layer_of(each) for each in tensors_in_order([tensor])]
        if not all(map(_is_fixed, layers)):
            continue
        leaves = (leaf for layer in layers for leaf in _leaves(layer))
        computes = any(leaf.weights and type(leaf).__name__ != "Embedding" for leaf in leaves)
        if computes and _separates(tensor, outputs):
            base = keras.Model(graph._inputs_struct, tensor, name=f"{model.name}_base")
            head = keras.Model(tensor, graph._outputs_struct, name=f"{model.name}_head")
            return Cut(base, head, str(layer_of(tensor).name))
    return None


def model_hash(model: Any) -> str:
    """Return a hash of what a model computes: its layers, precision and weights."""
    digest = hashlib.sha256(json.dumps(model.get_config(), sort_keys=True, default=str).encode())
    for weight in model.weights:
        value = np.ascontiguousarray(weight.numpy())
        digest.update(f"{value.shape}{value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def _separates(tensor: Any, outputs: list[Any]) -> bool:
    """Whether every path from an input to an output leads through the tensor."""
    waiting, seen = list(outputs), {id(tensor)}
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if node_of(each).is_input:
            return False
        waiting += sources_of(each)
    return True


def _is_fixed(layer: Any) -> bool:
    """Whether a layer always gives the same output for the same input, in training too."""
    import keras

    for leaf in _leaves(layer):
        if not type(leaf).__module__.startswith("keras.") or leaf.trainable_variables:
            return False
        if isinstance(leaf, keras.layers.BatchNormalization) and leaf.trainable:
            return False
        if isinstance(leaf, keras.layers.SpectralNormalization) or leaf.losses:
            return False
        if getattr(leaf, "stateful", False) or leaf.activity_regularizer is not None:
            return False
        # Of the generators that random layers draw from.
        if any("seed_generator_state" in variable.path for variable in leaf.variables):
            return False
    return True


def _leaves(layer: Any) -> Iterator[Any]:
    """The layers of nested models, and of wrappers the layer that they wrap."""
    import keras

    if not isinstance(layer, keras.layers.Layer):
        # An operation of `keras.ops` on tensors has neither weights nor a state.
        return
    if hasattr(layer, "layers"):
        for inner in layer.layers:
            yield from _leaves(inner)
        return
    if isinstance(layer, keras.layers.Wrapper):
        yield from _leaves(layer.layer)
    yield layer


def tensors_in_order(outputs: Sequence[Any]) -> list[Any]:
    """Return all tensors that layers give on the way to the outputs, each after those it is
    made of; inputs are left out."""
    found: dict[int, Any] = {}
    waiting = [(output, False) for output in outputs]
    while waiting:
        tensor, ready = waiting.pop()
        if id(tensor) in found:
            continue
        if ready:
            found[id(tensor)] = tensor
            continue
        waiting.append((tensor, True))
        waiting += [(each, False) for each in sources_of(tensor)]
    return [tensor for tensor in found.values() if not node_of(tensor).is_input]


def first_outputs(model: Any) -> dict[str, Any]:
    """Return what each layer gives where the model calls it first, by the layer's name; not what
    a nested model gives inside itself, which is what its own `output` is."""
    tensors = tensors_in_order(model.outputs)
    in_order = sorted(tensors, key=lambda tensor: tensor._keras_history.node_index)
    return {layer_of(tensor).name: tensor for tensor in reversed(in_order)}


def node_of(tensor: Any) -> Any:
    """Return the call that gave a tensor, as Keras keeps it."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def layer_of(tensor: Any) -> Any:
    """Return the layer, or nested model, that gave a tensor."""
    return tensor._keras_history.operation


def sources_of(tensor: Any) -> list[Any]:
    """Return the tensors that the layer was called with."""
    return list(node_of(tensor).input_tensors)
