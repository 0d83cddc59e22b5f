"""Every layer of Keras in an architecture, those inside blocks included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dlrun.config.graph import LayerCall, LayerGraph, layer_graph
from dlrun.config.layers import block_body
from dlrun.config.schema import Architecture, Block
from dlrun.errors import KeyPath
from dlrun.registry.keras_component import KerasComponent

Blocks = Mapping[str, Block]


@dataclass(frozen=True)
class PlainLayer:
    """A layer of Keras in the config.

    Args:
        layer: The layer and its arguments.
        path: Where its entry stands.
    """

    layer: KerasComponent
    path: KeyPath


def every_layer(architecture: Architecture, blocks: Blocks) -> list[PlainLayer]:
    """Return the layers of Keras from top to bottom; those of a block that is used with several
    values of its parameters come once for each."""
    return [
        layer
        for graph in every_graph(architecture, blocks)
        for node in graph.nodes
        if node.number == 0 and (layer := plain(node)) is not None
    ]


def every_graph(architecture: Architecture, blocks: Blocks) -> Iterator[LayerGraph]:
    """Yield the architecture, and then what each block in it is made of."""
    waiting, seen = [architecture], list[tuple[str, dict[str, object]]]()
    while waiting:
        current = waiting.pop(0)
        yield layer_graph(current, blocks)
        for entry in current.layers:
            if entry.block is None or (entry.block.name, entry.block.parameters) in seen:
                continue
            seen.append((entry.block.name, entry.block.parameters))
            waiting.append(block_body(entry.block, blocks))


def plain(node: LayerCall) -> PlainLayer | None:
    """Return the layer of Keras that a node is; None where it is something else."""
    layer = node.entry.layer
    return None if layer is None else PlainLayer(layer, node.entry.path)
