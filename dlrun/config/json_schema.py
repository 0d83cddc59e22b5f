"""JSON Schema (draft 2020-12) of the config language, for editors.

What `load_config` accepts is valid. Not everything that is valid is accepted: a schema
cannot know which metrics a score may name, or that of two options only one may be given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import models_json_schema

from dlrun.config.extends import Extension
from dlrun.config.grammar import DEFAULT_PROTOCOL
from dlrun.config.json_schema_keras import (
    arguments_reference,
    component_definitions,
    described,
    kind_reference,
)
from dlrun.config.load import EXAMPLES, KEYS
from dlrun.config.schema import (
    Architecture,
    Block,
    Config,
    Evaluation,
    LayerEntry,
    Phase,
    Training,
)
from dlrun.registry import catalogue
from dlrun.registry.component import Component, Section
from dlrun.registry.families import PROTOCOLS, SOURCES, STEPS, TARGET_STEPS, Family, finding_codes

Schema = dict[str, Any]

EMBEDDED = ("KerasComponent", "Phase")
"""Definitions that stand where they are used, since components have several spellings."""

FAMILIES = (SOURCES, STEPS, TARGET_STEPS, PROTOCOLS)


@dataclass(frozen=True)
class _Definitions:
    """Schemas of typed sections.

    Args:
        of: Each class by itself.
        shared: What several refer to, by name.
    """

    of: dict[type[Section], Schema]
    shared: dict[str, Schema]


def json_schema() -> Schema:
    """Return the schema of a config file as plain data."""
    models = [model for family in FAMILIES for model in _members(family).values()]
    definitions = _definitions([*models, Phase, Training, Config])
    sections = {
        "plugins": _nullable({"type": "array", "items": {"type": "string", "pattern": r"\.py$"}}),
        "dataset": _chosen_by("source", SOURCES, definitions),
        "preprocess": _nullable({"type": "array", "items": _step(STEPS, definitions)}),
        "blocks": _blocks(),
        "architecture": _architecture(),
        "loss": _by_output(kind_reference("loss")),
        "loss_weights": {"type": ["object", "null"], "additionalProperties": {"type": "number"}},
        "optimizer": kind_reference("optimizer"),
        "metrics": _by_output(_one_or_list(kind_reference("metric"))),
        "augment": _augment(),
        "training": _nullable(_training(definitions)),
        "evaluation": _nullable(_evaluation(definitions)),
        "ignore": _one_or_list({"enum": finding_codes()}),
    }
    properties = {key: described(sections.get(key, {}), _description(key)) for key in KEYS}
    plain = definitions.of[Config]["properties"]
    for key in ("name", "seed", "backend"):
        properties[key] = {**plain[key], **properties[key]}
    properties["extends"] |= {"type": ["string", "null"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dlrun config",
        "description": "One experiment: data, model, training and evaluation.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        # A config that extends another one needs to say no more than what differs.
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": list(EXAMPLES), "properties": _complete(definitions)},
        "allOf": [_without_blocks()],
        "$defs": {
            **component_definitions(),
            **definitions.shared,
            "layer_entry": _layer_entry(),
        },
    }


def _definitions(models: list[type[Section]]) -> _Definitions:
    references, schema = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/{model}"
    )
    bodies = {name: _tidy(body) for name, body in schema["$defs"].items()}
    of, shared = {}, dict[str, Schema]()
    for model in models:
        name = references[(model, "validation")]["$ref"].removeprefix("#/$defs/")
        of[model] = bodies[name]
        if model is not Config:
            _collect(bodies[name], bodies, shared)
    return _Definitions(of, shared)


def _collect(body: Any, bodies: dict[str, Schema], into: dict[str, Schema]) -> None:
    """Gather the definitions that a schema refers to, classes of Keras left out."""
    if isinstance(body, list):
        for item in body:
            _collect(item, bodies, into)
    elif isinstance(body, dict):
        name = str(body.get("$ref", "")).removeprefix("#/$defs/")
        if name in bodies and name not in into and name not in EMBEDDED:
            into[name] = bodies[name]
            _collect(bodies[name], bodies, into)
        for item in body.values():
            _collect(item, bodies, into)


def _tidy(body: Any) -> Any:
    """Without pydantic's titles, and with descriptions on one line."""
    if isinstance(body, list):
        return [_tidy(item) for item in body]
    if not isinstance(body, dict):
        return body
    tidy = {key: _tidy(value) for key, value in body.items() if not _is_title(key, value)}
    if isinstance(tidy.get("description"), str):
        tidy["description"] = _on_one_line(tidy["description"])
    return tidy


def _is_title(key: str, value: Any) -> bool:
    return key == "title" and isinstance(value, str)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _description(key: str) -> str:
    fields = Extension.model_fields if key == "extends" else Config.model_fields
    return _on_one_line(fields[key].description or "")


def _members(family: Family) -> dict[str, type[Component]]:
    return {name: family.get(name) for name in family.names()}


def _object(properties: dict[str, Schema], **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _one_or_list(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "array", "items": schema}, {"type": "null"}]}


def _by_output(schema: Schema) -> Schema:
    """What one output has, or a mapping from the names of outputs to that."""
    return {"anyOf": [schema, {"type": "object", "additionalProperties": schema}]}


def _constants(members: dict[str, type[Component]]) -> Schema:
    return {
        "anyOf": [
            {"const": name, "description": _on_one_line(member.__doc__ or "")}
            for name, member in members.items()
        ]
    }


def _chosen_by(
    key: str, family: Family, definitions: _Definitions, beside: dict[str, Schema] | None = None
) -> Schema:
    """A section in which one key names the member that the other keys are options of."""
    members, beside = _members(family), beside or {}
    cases = [
        {
            "if": _says(key, name),
            "then": _object({key: {}, **definitions.of[member]["properties"], **beside}),
        }
        for name, member in members.items()
    ]
    return {"type": "object", "properties": {key: _constants(members)}, "allOf": cases}


def _says(key: str, name: str) -> Schema:
    return {"properties": {key: {"const": name}}, "required": [key]}


def _complete(definitions: _Definitions) -> dict[str, Schema]:
    """What sections must hold in a config that extends no other."""
    cases = [
        {
            "if": _says("source", name),
            "then": {"required": definitions.of[member].get("required", [])},
        }
        for name, member in _members(SOURCES).items()
    ]
    default = definitions.of[PROTOCOLS.get(DEFAULT_PROTOCOL)]["properties"]
    return {
        "dataset": {"required": ["source"], "allOf": cases},
        "architecture": {"required": ["layers"]},
        "evaluation": {
            "if": {"type": "object", "not": {"required": ["protocol"]}},
            "then": _object({**default, "score": {}}),
        },
    }


def _evaluation(definitions: _Definitions) -> Schema:
    score = {
        "type": ["string", "null"],
        "description": _on_one_line(Evaluation.model_fields["score"].description or ""),
    }
    section = _chosen_by("protocol", PROTOCOLS, definitions, {"score": score})
    section["properties"]["score"] = score
    section["properties"]["protocol"]["default"] = DEFAULT_PROTOCOL
    return section


def _training(definitions: _Definitions) -> Schema:
    section = _with_components(definitions.of[Training])
    names = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    phase = _with_components(definitions.of[Phase])
    properties = {name: body for name, body in phase["properties"].items() if name != "path"}
    for key in ("freeze", "unfreeze"):
        properties[key] = described(_nullable(names), properties[key]["description"])
    phases = {"type": "array", "items": {**phase, "properties": properties}}
    given = section["properties"]
    described_phases = described(_nullable(phases), given["phases"]["description"])
    return {**section, "properties": {**given, "phases": described_phases}}


def _with_components(section: Schema) -> Schema:
    """A section whose callbacks and optimizer may be given in every spelling."""
    components = {
        "callbacks": {"type": "array", "items": kind_reference("callback")},
        "optimizer": kind_reference("optimizer"),
    }
    properties = dict(section["properties"])
    for key in components.keys() & properties.keys():
        properties[key] = described(_nullable(components[key]), properties[key]["description"])
    return {**section, "properties": properties}


def _augment() -> Schema:
    layers = {"type": "array", "items": kind_reference("layer")}
    by_input = {"type": "object", "additionalProperties": layers}
    return {"anyOf": [layers, by_input, {"type": "null"}]}


def _step(family: Family, definitions: _Definitions) -> Schema:
    """A preprocessing step in its three spellings, or steps on the target."""
    members = _members(family)
    options = {
        name: _step_options(member, definitions.of[member]) for name, member in members.items()
    }
    bare = [name for name, member in members.items() if not _needs_options(member)]
    if family is STEPS:
        target = _step(TARGET_STEPS, definitions)
        options["targets"] = described(
            {"anyOf": [target, {"type": "array", "items": target}]},
            "Steps on the target: one or a list.",
        )
    return {"anyOf": [{"enum": bare}, _object(options, minProperties=1, maxProperties=1)]}


def _step_options(member: type[Component], schema: Schema) -> Schema:
    spellings = [{key: value for key, value in schema.items() if key != "description"}]
    first = member.first_option()
    if first is not None and not set(schema.get("required", [])) - {first}:
        spellings.append(schema["properties"][first])
    if not _needs_options(member):
        spellings.append({"type": "null"})
    return described({"anyOf": spellings}, schema.get("description", ""))


def _needs_options(member: type[Component]) -> bool:
    try:
        member.model_validate({})
    except ValueError:
        return True
    return False


def _architecture() -> Schema:
    sections = {
        "inputs": {"type": "object", "minProperties": 1, "additionalProperties": _NAMES},
        "layers": _layers(),
        "outputs": _NAMES,
    }
    return _object(
        {
            key: described(schema, _on_one_line(Architecture.model_fields[key].description or ""))
            for key, schema in sections.items()
        }
    )


def _blocks() -> Schema:
    parameters = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "string"}}]}
    # In a block a value may be the name of a parameter.
    layers = {"type": "array", "minItems": 1}
    sections = {"parameters": parameters, "inputs": _NAMES, "layers": layers, "outputs": _NAMES}
    block = _object(
        {
            key: described(schema, _on_one_line(Block.model_fields[key].description or ""))
            for key, schema in sections.items()
        },
        required=["layers"],
    )
    return _nullable({"type": "object", "additionalProperties": block})


_NAMES: Schema = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    ]
}


def _layers() -> Schema:
    """A list of layers; where there are blocks, an entry may name one of them."""
    block = {"type": ["string", "object"]}
    items = {"anyOf": [{"$ref": "#/$defs/layer_entry"}, block]}
    return {"type": "array", "minItems": 1, "items": items}


def _without_blocks() -> Schema:
    """What holds where there can be no blocks, of this file or of one that it extends."""
    layers = {"items": {"$ref": "#/$defs/layer_entry"}}
    architecture = {"properties": {"layers": layers}}
    return {
        "if": {"not": {"anyOf": [{"required": ["blocks"]}, {"required": ["extends"]}]}},
        "then": {"properties": {"architecture": architecture}},
    }


def _layer_entry() -> Schema:
    """An entry of `architecture.layers`: a layer or model, and beside it its name and more."""
    vectors = _object(
        {"path": {"type": "string"}, "column": {"type": ["string", "null"]}}, required=["path"]
    )
    beside: dict[str, Schema] = {
        "name": {"type": ["string", "null"], "pattern": "^[^/]+$"},
        "from": {"anyOf": [*_NAMES["anyOf"], {"type": "null"}]},
        "repeat": {"type": ["integer", "null"], "minimum": 1},
        "vectors": {"anyOf": [{"type": ["string", "null"]}, vectors]},
    }
    run = _object(
        {"path": {"type": "string"}, "until": {"type": ["string", "null"]}}, required=["path"]
    )
    models: dict[str, Schema] = {
        "use": {"type": "string", "minLength": 1},
        "application": kind_reference("application"),
        "run": {"anyOf": [{"type": "string", "minLength": 1}, run]},
    }
    fields = {**beside, **models}
    for key, schema in fields.items():
        field = "inputs" if key == "from" else key
        fields[key] = described(
            schema, _on_one_line(LayerEntry.model_fields[field].description or "")
        )
    words = catalogue.spellings("layer")
    layers = {word: arguments_reference("layer", word) for word in words}
    one_of_these = [{"required": [word]} for word in (*models, *words)]
    entry = _object({**fields, **layers}, oneOf=one_of_these)
    return {"anyOf": [kind_reference("layer"), entry]}
