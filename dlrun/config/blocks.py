"""Reading `blocks`: pieces of models with parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from dlrun.config.document import Reporter
from dlrun.config.messages import found
from dlrun.config.model_schema import Block, LayerEntry
from dlrun.config.validation import validate
from dlrun.errors import KeyPath
from dlrun.registry import catalogue
from dlrun.registry.names import did_you_mean
from dlrun.text import listed


def read_blocks(value: Any, report: Reporter) -> dict[str, Block]:
    """Read `blocks`; their layers stay as they are written until a block is used."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        report.wrong(("blocks",), value, "a mapping from the name of a block to its layers")
        return {}
    blocks = {name: _read_block(name, given, report) for name, given in value.items()}
    return {name: block for name, block in blocks.items() if block is not None}


def _read_block(name: Any, given: Any, report: Reporter) -> Block | None:
    path: KeyPath = ("blocks", name)
    before = len(report)
    if not isinstance(name, str) or not name or "/" in name or "." in name:
        report(path, "the name of a block is text without '/' and '.'", on_key=True)
    elif catalogue.entry("layer", name):
        report(path, f"a block cannot be named '{name}': Keras has such a layer", on_key=True)
    elif name in LayerEntry.options():
        report(path, f"a block cannot be named '{name}': it is a key of a layer", on_key=True)
    if not isinstance(given, dict):
        hint = "put the layers under `layers:`" if isinstance(given, list) else None
        message, expected = f"wrong value for '{name}'", "a mapping with 'layers'"
        report(path, message, expected=expected, found=None if hint else found(given), hint=hint)
        return None
    values = {key: value for key, value in given.items() if value is not None or key == "layers"}
    block = validate(Block, values, path, report, filled_in={"path": path})
    inputs = block.inputs if block else []
    if twice := next((each for each in inputs if inputs.count(each) > 1), None):
        report((*path, "inputs"), f"the input '{twice}' of the block '{name}' is named twice")
    return block if len(report) == before else None


def substituted(
    value: Any, parameters: Mapping[str, Any], path: KeyPath, report: Reporter
) -> tuple[Any, dict[KeyPath, str]]:
    """Return what is written in a block with values for its parameters.

    Args:
        value: Plain data in which the text `$width` stands for the parameter `width`.
        parameters: The value of each.
        path: Where it is.
        report: Takes names that are no parameter.

    Returns:
        The data, and which parameter is at which path.
    """
    places: dict[KeyPath, str] = {}

    def put(value: Any, path: KeyPath) -> Any:
        if isinstance(value, list):
            return [put(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: put(item, (*path, key)) for key, item in value.items()}
        if not isinstance(value, str) or not value.startswith("$"):
            return value
        name = value.removeprefix("$")
        if name not in parameters:
            message = f"the block has no parameter '{name}'{did_you_mean(name, parameters)}"
            report(path, message, expected=listed(parameters, "or") or "no parameter at all")
            return None
        places[path] = name
        return copy.deepcopy(parameters[name])

    return put(value, path), places
