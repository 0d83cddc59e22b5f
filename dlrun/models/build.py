"""From the layers of a config to a Keras model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlrun.config.graph import INPUT, INPUT_LAYER, LayerCall, LayerGraph, calling, layer_graph
from dlrun.config.layers import block_body
from dlrun.config.schema import Architecture, Block, LayerEntry
from dlrun.errors import ComponentError, KeyPath
from dlrun.models.applications import build_application
from dlrun.models.augment import NO_AUGMENTATION, Augmentation, InputSpec, Shape
from dlrun.models.objects import REFUSALS, build_object, reason
from dlrun.models.precision import exact_output
from dlrun.models.run_layer import build_run_layer
from dlrun.text import listed, shape_text

Blocks = Mapping[str, Block]

SEVERAL = (dict, list, tuple)
"""How Keras holds several outputs of one layer."""

_WRONG_AXES = re.compile(r"expected (min_|max_)?ndim=(\d+), found")
"""In Keras' message about an input with too few or too many axes."""


def build_model(
    architecture: Architecture,
    blocks: Blocks,
    inputs: Mapping[str, InputSpec],
    augmentation: Augmentation = NO_AUGMENTATION,
) -> Any:
    """Return a new Keras model with its weights made: a `keras.Sequential` where each layer
    takes the output of the one above, else a functional model.

    A model with several inputs takes a mapping by their names, one with several outputs gives a
    mapping by theirs. Layers that the config does not name are named as Keras names them in a
    fresh process (`dense`, `dense_1`), so that every fold's model has the same names.

    Args:
        architecture: The layers, and the names of inputs and outputs.
        blocks: The blocks of the config.
        inputs: What each input gets, by name; one alone may have any name.
        augmentation: What changes inputs while the model is trained.

    Raises:
        ComponentError: Keras refused a layer, or a layer cannot take what it is given; names the
            layer, the shapes it gets and what it wants.
    """
    import keras

    graph = layer_graph(architecture, blocks, _refuse)
    entrances = _entrances(graph, inputs)
    if graph.is_chain:
        [entrance] = entrances.values()
        return _sequential(graph, blocks, entrance, _augmented(augmentation, entrances)[0])
    augmented = _augmented(augmentation, entrances)[1]
    tensors = _called(graph, blocks, augmented, exact=graph.outputs)
    outputs = {name: tensors[name] for name in graph.outputs}
    for name in outputs:
        node = graph.node(name)
        gives_it = node is not None and node.name == name and node.calls == name
        if len(outputs) > 1 and not gives_it:
            # Keras names an output after the layer that gives it.
            outputs[name] = keras.layers.Identity(name=name)(outputs[name])
    return keras.Model(
        entrances if len(entrances) > 1 else next(iter(entrances.values())),
        outputs if len(outputs) > 1 else next(iter(outputs.values())),
        name="functional",
    )


def _refuse(path: KeyPath, message: str, **_: Any) -> None:
    raise ComponentError(message, path)


def _entrances(graph: LayerGraph, inputs: Mapping[str, InputSpec]) -> dict[str, Any]:
    """The symbolic input of each name."""
    import keras

    if len(graph.inputs) == 1:
        # One input may go by any name, such as that of the only array.
        [spec] = inputs.values()
        inputs = {graph.inputs[0]: spec}
    return {
        name: keras.Input(
            shape=inputs[name].shape,
            dtype=inputs[name].dtype,
            name=INPUT_LAYER if name == INPUT else name,
        )
        for name in graph.inputs
    }


def _augmented(
    augmentation: Augmentation, entrances: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The layers that augment, and the symbolic inputs after them."""
    inputs = {name: InputSpec(tuple(t.shape[1:]), str(t.dtype)) for name, t in entrances.items()}
    layers, tensors = list[Any](), dict(entrances)
    for name, components in augmentation.on(inputs).items():
        made, tensors[name] = augmentation.apply(components, entrances[name])
        layers += made
    return layers, tensors


def _sequential(graph: LayerGraph, blocks: Blocks, entrance: Any, before: Sequence[Any]) -> Any:
    """The model of a chain, with layers before it."""
    import keras

    built, shape = list[Any](), entrance.shape
    for node in graph.nodes:
        spec = InputSpec(shape[1:], "float32" if before or built else entrance.dtype)
        with exact_output(node.name in graph.outputs):
            layer = _made(node, blocks, [spec])
        built.append(layer)
        if any(follower.entry.layer is None for follower in graph.nodes[len(built) :]):
            shape = _shape_after(layer, shape)
    try:
        model = keras.Sequential([entrance, *before, *built], name="sequential")
    except REFUSALS as error:
        raise _failed_chain(graph, built, entrance, error) from error
    if len(model.outputs) > 1:
        raise several_outputs(graph.nodes[-1], len(model.outputs))
    return model


def _shape_after(layer: Any, shape: Shape) -> Shape:
    """The shape that a layer gives, without making its weights; the same where it refuses."""
    try:
        return tuple(layer.compute_output_shape(shape))
    except REFUSALS:
        return shape


def _failed_chain(
    graph: LayerGraph, built: Sequence[Any], entrance: Any, error: Exception
) -> ComponentError:
    """The error that says which layer failed, found by passing shapes through one by one."""
    tensors = {graph.inputs[0]: entrance}
    for node, layer in zip(graph.nodes, built, strict=True):
        try:
            answer = layer(tensors[node.sources[0]])
        except REFUSALS as refusal:
            return shape_error(graph, node, tensors, built, refusal)
        if isinstance(answer, SEVERAL):
            return several_outputs(node, len(answer))
        tensors[node.name] = answer
    return shape_error(graph, graph.nodes[0], tensors, built, error)


def _called(
    graph: LayerGraph, blocks: Blocks, entrances: Mapping[str, Any], exact: Sequence[str]
) -> dict[str, Any]:
    """Every output of every node by its name, from the symbolic inputs."""
    tensors, made = dict(entrances), dict[str, Any]()
    exact_layers = {node.calls for name in exact if (node := graph.node(name)) is not None}
    for node in graph.nodes:
        given = [tensors[name] for name in node.sources]
        if node.calls == node.name:
            specs = [InputSpec(tuple(t.shape[1:]), str(t.dtype)) for t in given]
            with exact_output(node.name in exact_layers):
                made[node.name] = _made(node, blocks, specs)
        origin = graph.node(node.calls) or node
        try:
            answer = _call(made[node.calls], origin, given)
        except REFUSALS as refusal:
            raise shape_error(graph, node, tensors, list(made.values()), refusal) from refusal
        if isinstance(answer, SEVERAL) and origin.entry.block is None:
            raise several_outputs(node, len(answer))
        if isinstance(answer, dict):
            tensors.update({f"{node.name}.{name}": value for name, value in answer.items()})
        else:
            tensors[node.name] = answer
    return tensors


def _call(layer: Any, origin: LayerCall, given: Sequence[Any]) -> Any:
    """The output of a layer for these inputs."""
    if origin.entry.layer is None:
        return layer(given[0] if len(given) == 1 else list(given))
    how = calling(origin.entry.layer)
    if how == "list" or (origin.entry.layer.implementation is not None and len(given) > 1):
        return layer(list(given))
    if how == "state" and len(given) > 1:
        states = list(given[1:])
        return layer(given[0], initial_state=states[0] if len(states) == 1 else states)
    return layer(*given)


def _made(node: LayerCall, blocks: Blocks, inputs: Sequence[InputSpec]) -> Any:
    """The new layer or model of a node."""
    entry = node.entry
    if entry.layer is not None:
        arguments = {**entry.layer.arguments, "name": node.name}
        return build_object(replace(entry.layer, arguments=arguments))
    if entry.block is not None:
        return _block(node, block_body(entry.block, blocks), blocks, inputs)
    if entry.application is not None:
        if len(inputs) != 1:
            raise ComponentError(f"{entry.application.alias} takes one input", entry.path)
        [pixels] = inputs
        return build_application(entry.application, node.name, pixels.shape, pixels.dtype)
    assert entry.run is not None
    return build_run_layer(entry.run, node.name, entry.path)


def _block(node: LayerCall, body: Architecture, blocks: Blocks, inputs: Sequence[InputSpec]) -> Any:
    """The nested model of a block."""
    import keras

    graph = layer_graph(body, blocks)
    entrances = _entrances(graph, dict(zip(graph.inputs, inputs, strict=True)))
    tensors = _called(graph, blocks, entrances, exact=())
    outputs = {name: tensors[name] for name in graph.outputs}
    taken = list(entrances.values())
    return keras.Model(
        taken[0] if len(taken) == 1 else taken,
        outputs if len(outputs) > 1 else next(iter(outputs.values())),
        name=node.name,
    )


def shape_error(
    graph: LayerGraph,
    node: LayerCall,
    tensors: Mapping[str, Any],
    built: Sequence[Any],
    error: Exception,
) -> ComponentError:
    """Return the error that says which layer failed, which shapes it gets, and who gives them.

    Args:
        graph: The architecture.
        node: The call that failed.
        tensors: What is known by each name.
        built: The layers made so far.
        error: What Keras says.
    """
    givers = [(shape_text(tensors[name].shape[1:]), _giver(graph, name)) for name in node.sources]
    if len(givers) == 1:
        [(shape, giver)] = givers
        given = f"the shape {shape} that {giver} gives"
    else:
        given = f"the shapes {listed(f'{shape} from {giver}' for shape, giver in givers)}"
    message = f"{_title(node)} cannot take {given}: {_wanted(error)}"
    for name in node.sources:
        source = graph.node(name)
        layer = next((made for made in built if source and made.name == source.calls), None)
        if getattr(layer, "return_sequences", None) is False and _WRONG_AXES.search(reason(error)):
            giver = _giver(graph, name).partition(" (")[0]
            message += f"; {giver} may need return_sequences: true"
    return ComponentError(message, node.entry.path)


def several_outputs(node: LayerCall, count: int) -> ComponentError:
    """Return the error of a layer that gives several outputs, although its name can mean only one.

    Args:
        node: The call of the layer.
        count: How many it gives.
    """
    layer, path = node.entry.layer, node.entry.path
    message = f"{_title(node)} gives {count} outputs, and its name can mean only one of them"
    if layer is not None and layer.arguments.get("return_state"):
        message, path = f"{message}; leave out `return_state`", (*layer.path, "return_state")
    return ComponentError(message, path)


def _giver(graph: LayerGraph, name: str) -> str:
    node = graph.node(name)
    if node is not None:
        return _title(node)
    return "the data" if name == INPUT or len(graph.inputs) == 1 else f"the input '{name}'"


def _title(node: LayerCall) -> str:
    """A layer by its number and kind, and the block that it is in."""
    path = node.entry.path
    index, place = path[-1] if path else 0, ""
    if path[:1] == ("blocks",):
        place = f" of the block '{path[1]}'"
    number = f"{int(index) + 1}" if isinstance(index, int) else str(index)
    return f"layer {number}{place} ({what_of(node.entry)})"


def what_of(entry: LayerEntry) -> str:
    """Return the name of what an entry holds."""
    if entry.layer is not None:
        return entry.layer.name
    if entry.application is not None:
        return entry.application.name
    if entry.block is not None:
        return entry.block.name
    return f"use: {entry.use}" if entry.use is not None else "run"


def _wanted(error: Exception) -> str:
    """What a layer wants of its input, counted without the batch axis."""
    text = reason(error)
    match = _WRONG_AXES.search(text)
    if match is None:
        return text
    count = int(match[2]) - 1
    bound = {"min_": "at least ", "max_": "at most ", None: ""}[match[1]]
    return f"it wants {bound}{count} {'axis' if count == 1 else 'axes'} a row"
