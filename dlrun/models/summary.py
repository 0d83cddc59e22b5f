"""What a built model consists of: a row a layer, in numbers, and how much memory it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class LayerFacts:
    """One layer of a model.

    Args:
        name: Its name.
        kind: Its class.
        calls: The layers that each call of it takes its inputs from; several for a layer that is
            used several times, nothing for an input.
        uses: For each of these inputs which use of its layer gives it, from 0.
        parts: For each of these inputs which output of that use it is, from 0.
        outputs: Shapes that it gives a row, one for each output of a call; None is any length.
        parameters: Number of weights.
        trainable: How many of them training changes.
        layers: What it consists of, where it is a model.
    """

    name: str
    kind: str
    calls: tuple[tuple[str, ...], ...]
    uses: tuple[tuple[int, ...], ...]
    parts: tuple[tuple[int, ...], ...]
    outputs: tuple[Shape, ...]
    parameters: int
    trainable: int
    layers: tuple[LayerFacts, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {**vars(self), "layers": [layer.as_dict() for layer in self.layers]}


@dataclass(frozen=True)
class Memory:
    """Bytes that a model takes; what a framework needs besides is not in them.

    Args:
        weights: Of all weights.
        optimizer: Of what the optimizer keeps for them; None where the model is not compiled.
        activations: Of what all layers give for a batch, as training keeps them; a length that
            varies counts as 1.
        batch_size: Rows of that batch.
        at_least: Whether lengths vary.
    """

    weights: int
    optimizer: int | None
    activations: int
    batch_size: int
    at_least: bool


@dataclass(frozen=True)
class ModelSummary:
    """A model in numbers.

    Args:
        layers: In the order in which they are computed.
        inputs: Names of the inputs.
        outputs: Names of the layers whose outputs the model gives.
        parameters: Number of weights.
        trainable: How many of them training changes.
        memory: How much it takes.
    """

    layers: tuple[LayerFacts, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: int
    trainable: int
    memory: Memory

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {
            **vars(self),
            "layers": [layer.as_dict() for layer in self.layers],
            "memory": vars(self.memory),
        }


def summary_of(model: Any, batch_size: int) -> ModelSummary:
    """Return what a built `keras.Model` consists of.

    Args:
        model: Functional, Sequential or subclassed; the inputs of a subclassed model's layers are
            unknown.
        batch_size: Rows for which activations are counted.
    """
    layers = tuple(_layers(model))
    sizes = list(_activations(model, 1))
    graph = _graph(model)
    outputs = () if graph is None else tuple(t._keras_history[0].name for t in graph.outputs)
    memory = Memory(
        weights=_bytes(model.weights),
        optimizer=_optimizer_bytes(model),
        activations=batch_size * sum(size for size, _ in sizes),
        batch_size=batch_size,
        at_least=any(varies for _, varies in sizes),
    )
    return ModelSummary(
        layers=layers,
        inputs=tuple(layer.name for layer in layers if layer.kind == "InputLayer"),
        outputs=tuple(dict.fromkeys(outputs)),
        parameters=_count(model.weights),
        trainable=_count(model.trainable_weights),
        memory=memory,
    )


def _layers(model: Any) -> Iterator[LayerFacts]:
    graph = _graph(model)
    for layer in model.layers if graph is None else graph.operations:
        nodes = _nodes(graph, layer)
        called = [node for node in nodes if node.parent_nodes]
        yield LayerFacts(
            name=layer.name,
            kind=type(layer).__name__,
            calls=tuple(
                tuple(tensor._keras_history[0].name for tensor in node.input_tensors)
                for node in called
            ),
            uses=tuple(_uses(graph, node) for node in called),
            parts=tuple(
                tuple(tensor._keras_history.tensor_index for tensor in node.input_tensors)
                for node in called
            ),
            outputs=_shapes(nodes[0].output_tensors) if nodes else (),
            parameters=_count(getattr(layer, "weights", ())),
            trainable=_count(getattr(layer, "trainable_weights", ())),
            layers=tuple(_layers(layer)) if hasattr(layer, "layers") else (),
        )


def _graph(model: Any) -> Any:
    """The functional graph of a model, or None where it has none."""
    inner = getattr(model, "_functional", model)
    return inner if hasattr(inner, "operations") and hasattr(inner, "_nodes_by_depth") else None


def _nodes(graph: Any, layer: Any) -> list[Any]:
    """The calls of a layer in a model; others may use it elsewhere."""
    if graph is None:
        return []
    own = {id(node) for nodes in graph._nodes_by_depth.values() for node in nodes}
    return [node for node in layer._inbound_nodes if id(node) in own]


def _uses(graph: Any, node: Any) -> tuple[int, ...]:
    """Which use of its layer each input comes from."""
    found = []
    for tensor in node.input_tensors:
        layer, index, _ = tensor._keras_history
        own = _nodes(graph, layer)
        found.append([id(other) for other in own].index(id(layer._inbound_nodes[index])))
    return tuple(found)


def _shapes(tensors: Sequence[Any]) -> tuple[Shape, ...]:
    return tuple(tuple(tensor.shape[1:]) for tensor in tensors)


def _activations(model: Any, calls: int) -> Iterator[tuple[int, bool]]:
    """Bytes a row that each call of each layer gives, and whether a length in it varies."""
    graph = _graph(model)
    for layer in () if graph is None else graph.operations:
        nodes = _nodes(graph, layer)
        if hasattr(layer, "layers") and _graph(layer) is not None:
            yield from _activations(layer, calls * len(nodes))
            continue
        for node in nodes:
            for tensor in node.output_tensors:
                shape = tensor.shape[1:]
                size = math.prod(length or 1 for length in shape) * _item_bytes(tensor)
                yield calls * size, None in shape


def _item_bytes(tensor_or_weight: Any) -> int:
    from keras import backend

    dtype = backend.standardize_dtype(tensor_or_weight.dtype)
    digits = "".join(character for character in dtype if character.isdigit())
    # The names of `bool` and `string` say no size.
    return int(digits) // 8 if digits else 1


def _bytes(weights: Sequence[Any]) -> int:
    return sum(math.prod(weight.shape) * _item_bytes(weight) for weight in weights)


def _count(weights: Sequence[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _optimizer_bytes(model: Any) -> int | None:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return None
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    return _bytes(optimizer.variables)
