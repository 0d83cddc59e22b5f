"""Reading `architecture`: layers, and the names of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.config.blocks import names_in
from dlrun.config.graph import INPUT, layer_graph
from dlrun.config.layers import Scope, read_layers
from dlrun.config.messages import found
from dlrun.config.report import Reporter
from dlrun.config.schema import Architecture, Block
from dlrun.config.unknown_keys import UnknownKeys

KEYS = [key for key in Architecture.model_fields if key != "path"]


def read_architecture(
    value: Any, blocks: Mapping[str, Block], report: Reporter
) -> Architecture | None:
    """Read `architecture`.

    Args:
        value: As the config gives it.
        blocks: The blocks of the config.
        report: Takes the problems.

    Returns:
        The architecture; its `inputs` are all named unless there is one input of all columns.
    """
    if not isinstance(value, dict):
        report(
            ("architecture",),
            "wrong value for 'architecture'",
            expected="a mapping with 'layers'",
            found=found(value),
            hint="put the layers under `layers:`" if isinstance(value, list) else None,
        )
        return None
    before = len(report)
    unknown = UnknownKeys(report, "architecture", KEYS)
    for key in value:
        if key not in KEYS:
            unknown(key)
    inputs = _read_inputs(value.get("inputs"), report)
    outputs = None
    if value.get("outputs") is not None:
        outputs = names_in(value["outputs"], ("architecture", "outputs"), report)
    if "layers" not in value:
        if len(report) == before:
            report(("architecture",), "the key 'layers' is missing in 'architecture'", on_key=True)
        return None
    layers = read_layers(value["layers"], ("architecture", "layers"), Scope(report, blocks))
    if len(report) > before:
        return None
    architecture = Architecture(inputs=inputs, layers=layers, outputs=outputs or [])
    names = layer_graph(architecture, blocks, report).inputs
    if not inputs and names != (INPUT,):
        inputs = {name: [name] for name in names}
    return architecture.model_copy(update={"inputs": inputs}) if len(report) == before else None


def _read_inputs(value: Any, report: Reporter) -> dict[str, list[str]]:
    if value is None:
        return {}
    path = ("architecture", "inputs")
    if not isinstance(value, dict) or not value:
        expected = "a mapping from the name of an input to a column or a list of columns"
        report(path, "wrong value for 'inputs'", expected=expected, found=found(value))
        return {}
    inputs = {}
    for name, columns in value.items():
        if not isinstance(name, str) or not name or "/" in name:
            report((*path, name), "the name of an input is text without '/'", on_key=True)
        elif (names := names_in(columns, (*path, name), report)) is not None:
            inputs[name] = names
    return inputs
