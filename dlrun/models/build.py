"""From the layers of a config to a Keras model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlrun.config.calls import call_arguments, calling
from dlrun.config.graph import layer_graph
from dlrun.config.layer_calls import INPUT, INPUT_LAYER, POSITIONS, LayerCall, LayerGraph
from dlrun.config.layers import block_body
from dlrun.config.model_schema import Architecture, Block, LayerEntry
from dlrun.errors import ComponentError, KeyPath
from dlrun.models.applications import build_application
from dlrun.models.augment import NO_AUGMENTATION, Augmentation, InputSpec, Shape
from dlrun.models.memory import weights_within_memory
from dlrun.models.objects import REFUSALS, build_object, reason
from dlrun.models.precision import exact_output
from dlrun.models.run_layer import build_run_layer
from dlrun.registry.names import did_you_mean
from dlrun.text import listed, shape_text

Blocks = Mapping[str, Block]

SEVERAL = (dict, list, tuple)
"""How Keras holds several outputs of one layer."""

_WRONG_AXES = re.compile(r"expected (min_|max_)?ndim=(\d+), found")
"""In Keras' message about an input with too few or too many axes."""


@weights_within_memory()
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
        ComponentError: Keras refused a layer, a layer cannot take what it is given, or its weights
            do not fit into memory; names the layer, the shapes it gets and what it wants.
    """
    import keras

    graph = layer_graph(architecture, blocks, _refuse)
    entrances = _entrances(graph, inputs)
    if graph.is_chain:
        [entrance] = entrances.values()
        before = _augmented(augmentation, entrances)[0]
        if (model := _sequential(graph, blocks, entrance, before)) is not None:
            return model
    augmented = _augmented(augmentation, entrances)[1]
    tensors = _called(graph, blocks, augmented, exact=graph.outputs)
    outputs = {n: _tensor(tensors, n, (*architecture.path, "outputs")) for n in graph.outputs}
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
    augmented = augmentation.on(inputs)
    for name, components in augmented.items():
        entrance = name if len(augmented) > 1 else None
        made, tensors[name] = augmentation.apply(components, entrances[name], entrance)
        layers += made
    return layers, tensors


def _sequential(
    graph: LayerGraph, blocks: Blocks, entrance: Any, before: Sequence[Any]
) -> Any | None:
    """The model of a chain, with layers before it; None where a layer of a plugin gives several
    outputs, of which only a graph can take the first."""
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
        if (failed := _failed_chain(graph, built, entrance, error)) is None:
            return None
        raise failed from error
    return model if len(model.outputs) == 1 else None


def _shape_after(layer: Any, shape: Shape) -> Shape:
    """The shape that a layer gives, without making its weights; the same where it refuses."""
    try:
        return tuple(layer.compute_output_shape(shape))
    except REFUSALS:
        return shape


def _failed_chain(
    graph: LayerGraph, built: Sequence[Any], entrance: Any, error: Exception
) -> ComponentError | None:
    """The error that says which layer failed, found by passing shapes through one by one; None
    where a layer gives several outputs."""
    tensors = {graph.inputs[0]: entrance}
    for node, layer in zip(graph.nodes, built, strict=True):
        try:
            answer = layer(tensors[node.sources[0]])
        except REFUSALS as refusal:
            return shape_error(graph, node, tensors, built, refusal)
        if isinstance(answer, SEVERAL):
            return None
        tensors[node.name] = answer
    return shape_error(graph, graph.nodes[0], tensors, built, error)


def _called(
    graph: LayerGraph, blocks: Blocks, entrances: Mapping[str, Any], exact: Sequence[str]
) -> dict[str, Any]:
    """Every output of every node by its name, from the symbolic inputs."""
    tensors, made = dict(entrances), dict[str, Any]()
    exact_layers = {node.calls for name in exact if (node := graph.node(name)) is not None}
    for node in graph.nodes:
        place = (*node.entry.path, "from") if node.entry.sources else node.entry.path
        given = [_tensor(tensors, name, place) for name in node.sources]
        if node.calls == node.name:
            specs = [InputSpec(tuple(t.shape[1:]), str(t.dtype)) for t in given]
            with exact_output(node.name in exact_layers):
                made[node.name] = _made(node, blocks, specs)
        origin = graph.node(node.calls) or node
        _check_states(made[node.calls], origin, node, given)
        try:
            answer = _call(made[node.calls], origin, node, given)
        except REFUSALS as refusal:
            raise shape_error(graph, node, tensors, list(made.values()), refusal) from refusal
        _check_places(made[node.calls], node, given)
        tensors.update(_by_name(node, answer))
    return tensors


def _tensor(tensors: dict[str, Any], name: str, place: KeyPath) -> Any:
    """What a name means; the places of a sequence's steps are made the first time."""
    import keras

    if name in tensors:
        return tensors[name]
    if name.endswith(POSITIONS):
        sequence = _tensor(tensors, name.removesuffix(POSITIONS), place)
        if len(sequence.shape) not in (2, 3):
            shape = shape_text(sequence.shape[1:])
            message = f"'{name}' counts the steps of a sequence, but a row has the shape {shape}"
            raise ComponentError(message, place)
        # As a model of Keras' own operations it is one layer, and plain Keras loads it.
        entrance = keras.Input(sequence.shape[1:], dtype=sequence.dtype)
        one_a_step = entrance if len(sequence.shape) == 2 else keras.ops.take(entrance, 0, axis=-1)
        ones = keras.ops.ones_like(one_a_step, dtype="int32")
        counted = keras.ops.subtract(keras.ops.cumsum(ones, axis=1), 1)
        tensors[name] = keras.Model(entrance, counted, name=name)(sequence)
        return tensors[name]
    node = next(n for n in _beginnings(name) if n in tensors or _outputs_in(tensors, n))
    known = _outputs_in(tensors, node)
    message = f"'{node}' gives {len(known)} outputs by name"
    if name != node:
        message = f"'{node}' gives no '{name.removeprefix(f'{node}.')}'{did_you_mean(name, known)}"
    expected = f"; expected {listed(known, 'or')}" if known else "; it gives one output"
    raise ComponentError(message + expected, place)


def _beginnings(name: str) -> Iterator[str]:
    """A name, and what is before each of its dots."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _outputs_in(tensors: Mapping[str, Any], name: str) -> list[str]:
    return [each for each in tensors if each.startswith(f"{name}.")]


def _by_name(node: LayerCall, answer: Any) -> dict[str, Any]:
    """What a call gives, by the names that mean it: several tensors by number and by name, and the
    first one by the node's own name; those of a mapping by their keys alone."""
    import keras

    if isinstance(answer, dict):
        return {f"{node.name}.{key}": value for key, value in answer.items()}
    if not isinstance(answer, SEVERAL):
        return {node.name: answer}
    tensors = keras.tree.flatten(answer)
    numbered = {f"{node.name}.{number}": tensor for number, tensor in enumerate(tensors)}
    names = zip(node.outputs or (), tensors, strict=False)
    named = {f"{node.name}.{name}": tensor for name, tensor in names if name}
    return {node.name: tensors[0], **numbered, **named}


def _call(layer: Any, origin: LayerCall, node: LayerCall, given: Sequence[Any]) -> Any:
    """The output of a layer for these inputs."""
    component, values = origin.entry.layer, node.entry.call
    if component is None:
        return layer(given[0] if len(given) == 1 else list(given))
    if node.named:
        tensors = iter(given)
        several = {name: [next(tensors) for _ in names] for name, names in node.named.items()}
        named = {name: each[0] if len(each) == 1 else each for name, each in several.items()}
        first = next(iter(call_arguments(component)))
        return layer(*([named.pop(first)] if first in named else ()), **named, **values)
    how = calling(component)
    if how == "list" or (how == "one" and len(given) > 1):
        return layer(list(given), **values)
    if how == "state" and len(given) > 1:
        states = list(given[1:])
        return layer(given[0], initial_state=states[0] if len(states) == 1 else states, **values)
    return layer(*given, **values)


def _check_places(layer: Any, node: LayerCall, given: Sequence[Any]) -> None:
    """Refuse an Embedding for fewer places than a sequence has: JAX would clip them unsaid."""
    size, length = getattr(layer, "input_dim", None), given[0].shape[-1] if given else None
    if not any(name.endswith(POSITIONS) for name in node.sources) or type(size) is not int:
        return
    if length is not None and size < length:
        assert node.entry.layer is not None
        message = f"the sequence has {length} steps, and this Embedding holds {size} places"
        raise ComponentError(f"{message}; write `input_dim: {length}`", node.entry.path)


def _check_states(layer: Any, origin: LayerCall, node: LayerCall, given: Sequence[Any]) -> None:
    """Refuse initial states of another size than the layer has, which fail only in training."""
    component = origin.entry.layer
    if component is None or calling(component) != "state" or node.named or len(given) < 2:
        return
    wrapped = getattr(layer, "forward_layer", None)
    own = getattr(layer if wrapped is None else wrapped, "state_size", None)
    sizes = [*(own if isinstance(own, (list, tuple)) else [own])] * (1 if wrapped is None else 2)
    states, names, place = given[1:], node.sources[1:], (*node.entry.path, "from")
    if any(type(size) is not int for size in sizes) or any(len(s.shape) != 2 for s in states):
        return
    for name, state, size in zip(names, states, sizes, strict=True):
        if state.shape[-1] not in (None, size):
            raise ComponentError(
                f"the state '{name}' has {state.shape[-1]} values, and {component.alias} has "
                f"{size} units; they must be equal",
                place,
            )


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
    place = (*body.path, "outputs")
    outputs = {name: _tensor(tensors, name, place) for name in graph.outputs}
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
