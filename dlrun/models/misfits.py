"""What is said of a layer that cannot take what it gets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dlrun.config.graph import INPUT, Graph, Node
from dlrun.config.schema import LayerEntry
from dlrun.errors import ComponentError
from dlrun.models.objects import reason
from dlrun.text import listed

Shape = tuple[int | None, ...]


def misfit(
    graph: Graph, node: Node, tensors: Mapping[str, Any], built: Sequence[Any], error: Exception
) -> ComponentError:
    """Return the error that says which layer failed, which shapes it gets, and who gives them.

    Args:
        graph: The architecture.
        node: The call that failed.
        tensors: What is known by each name.
        built: The layers made so far.
        error: What Keras says.
    """
    gives = [f"{_as_text(tensors[name].shape)} that {_giver(graph, name)}" for name in node.sources]
    shapes = "the shape " + gives[0] if len(gives) == 1 else "the shapes " + listed(gives)
    message = f"{_title(node)} cannot take {shapes} gives: {_wanted(error)}"
    if len(gives) > 1:
        message = f"{_title(node)} cannot take {_each(graph, node, tensors)}: {_wanted(error)}"
    for name in node.sources:
        source = graph.node(name)
        layer = next((made for made in built if source and made.name == source.calls), None)
        if getattr(layer, "return_sequences", None) is False and _wants_axes(error):
            giver = _giver(graph, name).partition(" (")[0]
            message += f"; {giver} may need return_sequences: true"
    return ComponentError(message, node.entry.path)


def several_outputs(node: Node, count: int) -> ComponentError:
    """Return the error of a layer that gives several outputs, where its name can mean only one.

    Args:
        node: The call of the layer.
        count: How many it gives.
    """
    layer, path = node.entry.layer, node.entry.path
    message = f"{_title(node)} gives {count} outputs, and its name can mean only one of them"
    if layer is not None and layer.arguments.get("return_state"):
        message, path = f"{message}; leave out `return_state`", (*layer.path, "return_state")
    return ComponentError(message, path)


def _each(graph: Graph, node: Node, tensors: Mapping[str, Any]) -> str:
    gives = [f"{_as_text(tensors[name].shape)} from {_giver(graph, name)}" for name in node.sources]
    return f"the shapes {listed(gives)}"


def _giver(graph: Graph, name: str) -> str:
    node = graph.node(name)
    if node is not None:
        return _title(node)
    return "the data" if name == INPUT or len(graph.inputs) == 1 else f"the input '{name}'"


def _title(node: Node) -> str:
    """A layer by its number and kind, and the block that it stands in."""
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


def _as_text(shape: Shape) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape[1:])})"


def _wants_axes(error: Exception) -> bool:
    return re.search(r"expected (min_|max_)?ndim=(\d+), found", reason(error)) is not None


def _wanted(error: Exception) -> str:
    """What a layer wants of its input, counted without the batch axis."""
    text = reason(error)
    match = re.search(r"expected (min_|max_)?ndim=(\d+), found", text)
    if match is None:
        return text
    count = int(match[2]) - 1
    bound = {"min_": "at least ", "max_": "at most ", None: ""}[match[1]]
    return f"it wants {bound}{count} {'axis' if count == 1 else 'axes'} a row"
