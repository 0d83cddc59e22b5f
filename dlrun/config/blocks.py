"""Reading `blocks`: pieces of models with parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from dlrun.config.messages import found
from dlrun.config.report import Reporter
from dlrun.config.schema import Block
from dlrun.errors import KeyPath
from dlrun.registry import catalogue
from dlrun.registry.names import did_you_mean
from dlrun.text import listed


def read_blocks(value: Any, report: Reporter) -> dict[str, Block]:
    """Read `blocks`; their layers stay as they are written until a block is used."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        expected = "a mapping from the name of a block to its layers"
        report(("blocks",), "wrong value for 'blocks'", expected=expected, found=found(value))
        return {}
    blocks = {name: _read_block(name, given, report) for name, given in value.items()}
    return {name: block for name, block in blocks.items() if block is not None}


def names_in(value: Any, path: KeyPath, report: Reporter) -> list[str] | None:
    """Read one name or a list of names; None where a problem was reported."""
    names = value if isinstance(value, list) else [value]
    if names and all(isinstance(name, str) and name for name in names):
        return list(names)
    expected = "a name or a list of names"
    report(path, f"wrong value for '{path[-1]}'", expected=expected, found=found(value))
    return None


def _read_block(name: Any, given: Any, report: Reporter) -> Block | None:
    path: KeyPath = ("blocks", name)
    before = len(report)
    if not isinstance(name, str) or not name or "/" in name or "." in name:
        report(path, "the name of a block is text without '/' and '.'", on_key=True)
    elif catalogue.entry("layer", name):
        report(path, f"a block cannot be named '{name}': Keras has such a layer", on_key=True)
    if isinstance(given, list):
        hint = "put the layers under `layers:`"
        report(path, f"wrong value for '{name}'", expected="a mapping with 'layers'", hint=hint)
        return None
    if not isinstance(given, dict):
        expected = "a mapping with 'layers'"
        report(path, f"wrong value for '{name}'", expected=expected, found=found(given))
        return None
    known = [key for key in Block.model_fields if key != "path"]
    for key in given:
        if key not in known:
            near = did_you_mean(str(key), known)
            allowed = None if near else listed(known, "or")
            message = f"unknown key '{key}' in the block '{name}'{near}"
            report((*path, key), message, expected=allowed, on_key=True)
    read: dict[str, Any] = {}
    if (parameters := _parameters(given.get("parameters"), (*path, "parameters"), report)) is None:
        return None
    for key in ("inputs", "outputs"):
        if given.get(key) is not None:
            read[key] = names_in(given[key], (*path, key), report)
    taken = read.get("inputs") or []
    if twice := next((each for each in taken if taken.count(each) > 1), None):
        report((*path, "inputs"), f"the input '{twice}' of the block '{name}' is named twice")
    layers = given.get("layers")
    if "layers" not in given and len(report) == before:
        report(path, f"the key 'layers' is missing in the block '{name}'", on_key=True)
    elif "layers" in given and (not isinstance(layers, list) or not layers):
        expected = "a list of layers, each on a line that begins with '- '"
        report(
            (*path, "layers"), "wrong value for 'layers'", expected=expected, found=found(layers)
        )
    if len(report) > before or not isinstance(layers, list):
        return None
    return Block(parameters=parameters, layers=layers, path=path, **read)


def _parameters(value: Any, path: KeyPath, report: Reporter) -> dict[str, Any] | None:
    """Parameters with their defaults, of a mapping or a list of names."""
    if value is None:
        return {}
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        value = dict.fromkeys(value)
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        expected = "a mapping from the name of a parameter to its default, or a list of names"
        report(path, "wrong value for 'parameters'", expected=expected, found=found(value))
        return None
    return dict(value)


def substituted(
    value: Any, parameters: Mapping[str, Any], path: KeyPath, report: Reporter
) -> tuple[Any, dict[KeyPath, str]]:
    """Return what is written in a block with values for its parameters.

    Args:
        value: Plain data in which the text `$width` stands for the parameter `width`.
        parameters: The value of each.
        path: Where it stands.
        report: Takes names that are no parameter.

    Returns:
        The data, and which parameter stands at which path.
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
