"""Reading an architecture without building it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dlrun.config.graph import layer_graph
from dlrun.config.layer_calls import POSITIONS, LayerCall, LayerGraph
from dlrun.config.layers import PlainLayer, every_graph, plain
from dlrun.config.schema import Config
from dlrun.errors import KeyPath
from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasComponent

RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})

DROPPING = frozenset(
    {
        "AlphaDropout",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
    }
)
"""Layers that disturb their input while training."""

NORMALISING = frozenset(
    {"BatchNormalization", "GroupNormalization", "LayerNormalization", "RMSNormalization"}
)

_ACTIVATIONS = {
    "Softmax": "softmax",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
}
_MOVE_VALUES = {"Flatten", "Reshape"}
_KEEP_VALUES = DROPPING | {"ActivityRegularization", "Identity"} | _MOVE_VALUES

LINEAR = "linear"

_INFINITE = float("inf")

_RANGES = {
    "celu": (-1.0, _INFINITE),
    "elu": (-1.0, _INFINITE),
    "exponential": (0.0, _INFINITE),
    "gelu": (-0.17, _INFINITE),
    "hard_sigmoid": (0.0, 1.0),
    "hard_silu": (-0.375, _INFINITE),
    "hard_swish": (-0.375, _INFINITE),
    "hard_tanh": (-1.0, 1.0),
    "log_sigmoid": (-_INFINITE, 0.0),
    "log_softmax": (-_INFINITE, 0.0),
    "mish": (-0.309, _INFINITE),
    "relu": (0.0, _INFINITE),
    "relu6": (0.0, 6.0),
    "selu": (-1.759, _INFINITE),
    "sigmoid": (0.0, 1.0),
    "silu": (-0.279, _INFINITE),
    "softmax": (0.0, 1.0),
    "softplus": (0.0, _INFINITE),
    "softsign": (-1.0, 1.0),
    "sparse_plus": (0.0, _INFINITE),
    "sparse_sigmoid": (0.0, 1.0),
    "sparsemax": (0.0, 1.0),
    "squareplus": (0.0, _INFINITE),
    "swish": (-0.279, _INFINITE),
    "tanh": (-1.0, 1.0),
}
"""The least and the largest value of Keras' activations that do not give all numbers."""


@dataclass(frozen=True)
class OutputLayer:
    """The layer that gives the answer.

    Args:
        entry: The last layer with units.
        units: How many numbers it gives for a row, or None where that is unknown.
        activation: The last activation, `linear` where there is none.
        apart: The activation as a separate layer, or None.
        before: The layers that all it knows has come through, up to where layers part or merge.
        after: The layers behind it.
    """

    entry: PlainLayer
    units: int | None
    activation: str
    apart: PlainLayer | None
    before: tuple[PlainLayer, ...] = ()
    after: tuple[PlainLayer, ...] = ()

    @property
    def place(self) -> KeyPath:
        """The place of the activation, or of the layer that has none."""
        if self.apart is not None:
            return self.apart.layer.path
        given = "activation" in self.entry.layer.arguments
        return (*self.entry.layer.path, "activation") if given else self.entry.layer.path

    @property
    def units_place(self) -> KeyPath:
        """The place of the number of units."""
        return (*self.entry.layer.path, size_argument(self.entry.layer) or "units")


def output_of(config: Config, name: str | None = None) -> OutputLayer | None:
    """Return the layer that gives the answer, of several outputs that of one of them by its name;
    None where it is not plain which one does."""
    graph = layer_graph(config.architecture, config.blocks)
    if name is None and len(graph.outputs) > 1:
        return None
    return output_named(graph, name or graph.outputs[0])


def output_named(graph: LayerGraph, name: str) -> OutputLayer | None:
    """Return the layer that gives one of several answers, or None where that is not plain."""
    chain = leading_to(graph, name)
    apart: PlainLayer | None = None
    for position in reversed(range(len(chain))):
        entry, layer = chain[position], chain[position].layer
        if layer.name == "Activation" or layer.name in _ACTIVATIONS:
            apart = apart or entry
        elif size_argument(layer) is not None:
            activation = activation_of((apart or entry).layer)
            before, after = chain[:position], chain[position + 1 :]
            # Behind the layer, steps may have become units.
            moved = any(later.layer.name in _MOVE_VALUES for later in after)
            units = None if moved else units_of(layer)
            return OutputLayer(entry, units, activation, apart, before, after)
        elif layer.name not in _KEEP_VALUES:
            return None
    return None


def leading_to(graph: LayerGraph, name: str) -> tuple[PlainLayer, ...]:
    """Return the layers that lead to a node, one after the other, as far as each gets nothing
    else than what the one before gives."""
    chain: list[PlainLayer] = []
    node = graph.node(name)
    while node is not None and (layer := plain(node)) is not None:
        chain.append(layer)
        # Places of steps tell nothing of what the sequence holds.
        goes_on = len(node.sources) == 1 and not node.sources[0].endswith(POSITIONS)
        node = graph.node(node.sources[0]) if goes_on else None
    return tuple(reversed(chain))


def embeddings_of_places(config: Config) -> set[KeyPath]:
    """Return where the layers are that take the places of a sequence's steps."""
    return {
        node.entry.path
        for graph in every_graph(config.architecture, config.blocks)
        for node in graph.nodes
        if any(source.endswith(POSITIONS) for source in node.sources)
    }


def followed(config: Config, skipping: frozenset[str]) -> Iterator[tuple[PlainLayer, PlainLayer]]:
    """Yield each layer whose output only one other layer gets, with that layer.

    Args:
        config: The experiment.
        skipping: Names of layers that may be between the two.
    """
    seen: set[tuple[KeyPath, KeyPath]] = set()
    for graph in every_graph(config.architecture, config.blocks):
        for node in graph.nodes:
            entry, follower = plain(node), _only_user(graph, node)
            if entry is None or entry.layer.name in skipping:
                continue
            while follower is not None and (user := plain(follower)) is not None:
                if user.layer.name not in skipping:
                    if (entry.path, user.path) not in seen:
                        seen.add((entry.path, user.path))
                        yield entry, user
                    break
                follower = _only_user(graph, follower)


def _only_user(graph: LayerGraph, node: LayerCall) -> LayerCall | None:
    """The node that alone gets a node's output, and gets nothing else."""
    users = graph.users(node.name)
    if len(users) != 1 or users[0].sources != (node.name,) or node.name in graph.outputs:
        return None
    reused = graph.callers(node.name) > (node.calls == node.name)
    return None if reused else users[0]


def activation_of(layer: KerasComponent) -> str:
    """Return the name of a layer's activation; `linear` where it has none."""
    if layer.name in _ACTIVATIONS:
        return _ACTIVATIONS[layer.name]
    known = catalogue.entry("layer", layer.name)
    argument = known.argument("activation") if known else None
    default = argument.default if argument else None
    given = layer.arguments.get("activation", default)
    if isinstance(given, KerasComponent):
        return _ACTIVATIONS.get(given.name, given.alias)
    return LINEAR if given is None else str(given)


def range_of(output: OutputLayer) -> tuple[float, float] | None:
    """Return the least and the largest value that the last activation gives, (-inf, inf) where it
    gives all; None where it is not known."""
    arguments = {} if output.apart is None else output.apart.layer.arguments
    if output.apart is not None and output.apart.layer.name == "ReLU":
        largest = arguments.get("max_value")
        steep = bool(arguments.get("negative_slope")) or bool(arguments.get("threshold"))
        return None if steep else (0.0, _INFINITE if largest is None else float(largest))
    if output.activation in ("elu", "celu") and output.apart is not None and arguments:
        return None
    if output.activation == LINEAR:
        return -_INFINITE, _INFINITE
    return _RANGES.get(output.activation)


def size_argument(layer: KerasComponent) -> str | None:
    """Return the argument that says how many numbers a layer gives, or None."""
    return next((name for name in ("units", "filters") if name in layer.arguments), None)


def units_of(layer: KerasComponent) -> int | None:
    """Return how many numbers a layer gives at each place."""
    value = layer.arguments.get(size_argument(layer) or "")
    return value if isinstance(value, int) else None


def recurrent(layer: KerasComponent) -> KerasComponent | None:
    """Return the recurrent layer that a layer is, or wraps; None where there is none."""
    if layer.name in RECURRENT:
        return layer
    inner = layer.arguments.get("layer")
    if layer.name == "Bidirectional" and isinstance(inner, KerasComponent):
        return recurrent(inner)
    return None
