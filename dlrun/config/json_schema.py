"""JSON Schema (draft 2020-12) of the config language, for editors: derived from the typed models.

What `load_config` accepts is valid. Not everything that is valid is accepted: a schema
cannot know which metrics a score may name, or that of two options only one may be given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from dlrun.config.extends import Extension
from dlrun.config.fields import ByOutput, ChosenBy, FindingCode, Kind, Member, unpacked
from dlrun.config.grammar import ChosenKeys, shapes_of
from dlrun.config.json_schema_keras import (
    arguments_reference,
    component_definitions,
    described,
    kind_reference,
)
from dlrun.config.load import EXAMPLES, KEYS
from dlrun.config.schema import (
    CHOSEN_PROTOCOL,
    Architecture,
    Block,
    Config,
    Evaluation,
    LayerEntry,
    Phase,
    RunLayer,
    Training,
    Vectors,
)
from dlrun.config.shapes import Either, Entries, Items, Keys, OutputsShape
from dlrun.registry import catalogue
from dlrun.registry.component import Component, Section
from dlrun.registry.families import (
    PROTOCOLS,
    SOURCES,
    STEPS,
    TARGET_STEPS,
    TASKS,
    Family,
    finding_codes,
)

Schema = dict[str, Any]

FAMILIES = (SOURCES, STEPS, TARGET_STEPS, PROTOCOLS, TASKS)

SECTIONS = (Architecture, Block, Evaluation, LayerEntry, Phase, RunLayer, Training, Vectors)
"""Classes of which each has a definition of its own."""


_CONTAINERS = (ChosenKeys, Either, Entries, Items, Keys, OutputsShape)


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
    definitions = _definitions([*models, *SECTIONS, Config])
    known = definitions.of[Config]["properties"]
    known["extends"] = described({"type": ["string", "null"]}, _meaning(Extension, "extends"))
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dlrun config",
        "description": "One experiment: data, model, training and evaluation.",
        "type": "object",
        "properties": {key: known[key] for key in KEYS},
        "additionalProperties": False,
        # A config that extends another one needs to say no more than what differs.
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": list(EXAMPLES), "properties": _complete(definitions)},
        "allOf": [_without_blocks()],
        "$defs": {
            **component_definitions(),
            **definitions.shared,
            "Architecture": _without_requirements(definitions.of[Architecture]),
            "Block": _block(definitions.of[Block]),
            "Evaluation": _evaluation(definitions),
            "LayerEntry": _layer_entry(definitions.of[LayerEntry]),
        },
    }
    spelt_out: Schema = _spelt_out(schema, definitions)
    return spelt_out


def _definitions(models: list[type[Section]]) -> _Definitions:
    references, schema = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/{model}"
    )
    bodies = {name: _tidy(body) for name, body in schema["$defs"].items()}
    of, shared = {}, dict[str, Schema]()
    for model in models:
        name = references[(model, "validation")]["$ref"].removeprefix("#/$defs/")
        of[model] = bodies[name]
        if model in (*SECTIONS, Config):
            shapes = shapes_of(model)
            for key, field in model.options().items():
                properties = of[model]["properties"]
                container = isinstance(shapes[key], _CONTAINERS)
                needed = field.is_required() and (model is not Config or key in EXAMPLES)
                empty = not needed and (container or model is LayerEntry)
                properties[key] = _property(properties[key], field, nullable=empty)
        if model is not Config:
            _collect(bodies[name], bodies, shared)
        if model in SECTIONS:
            shared[name] = bodies[name]
            if model.bare_option is not None:
                bare = bodies[name]["properties"][model.bare_option]
                shared[name] = {"anyOf": [{**bare, "type": "string"}, bodies[name]]}
    return _Definitions(of, shared)


def _property(body: Schema, field: FieldInfo, *, nullable: bool) -> Schema:
    """What a key takes: pydantic's schema of its type, and what is not in the type."""
    description = _on_one_line(field.description or "")
    body = {key: value for key, value in body.items() if key not in ("description", "default")}
    if any(isinstance(mark, ByOutput) for mark in unpacked(field.metadata)):
        body = {"anyOf": [body, {"type": "object", "additionalProperties": body}]}
    return described(_nullable(body) if nullable else body, description)


def _spelt_out(body: Any, definitions: _Definitions) -> Any:
    """A schema with what the marks on fields mean."""
    if isinstance(body, list):
        return [_spelt_out(item, definitions) for item in body]
    if not isinstance(body, dict):
        return body
    if "mark" in body:
        more = {key: value for key, value in body.items() if key != "mark"}
        return _spelt_out({**_of_mark(body["mark"], definitions), **more}, definitions)
    return {key: _spelt_out(value, definitions) for key, value in body.items()}


def _of_mark(mark: object, definitions: _Definitions) -> Schema:
    if isinstance(mark, Kind):
        return kind_reference(mark.kind)
    if isinstance(mark, Member):
        return _member(mark.family, definitions)
    if isinstance(mark, ChosenBy):
        return _chosen_by(mark, definitions)
    assert isinstance(mark, FindingCode)
    return {"enum": finding_codes()}


def _collect(body: Any, bodies: dict[str, Schema], into: dict[str, Schema]) -> None:
    """Gather the definitions that a schema refers to."""
    if isinstance(body, list):
        for item in body:
            _collect(item, bodies, into)
    elif isinstance(body, dict):
        name = str(body.get("$ref", "")).removeprefix("#/$defs/")
        if name in bodies and name not in into:
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


def _members(family: Family) -> dict[str, type[Component]]:
    return {name: family.get(name) for name in family.names()}


def _object(properties: dict[str, Schema], **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _constants(members: dict[str, type[Component]]) -> Schema:
    return {
        "anyOf": [
            {"const": name, "description": _on_one_line(member.__doc__ or "")}
            for name, member in members.items()
        ]
    }


def _chosen_by(
    chosen: ChosenBy, definitions: _Definitions, beside: dict[str, Schema] | None = None
) -> Schema:
    """A section in which one key names the member that the other keys are options of."""
    members, key, beside = _members(chosen.family), chosen.key, beside or {}
    cases = [
        {
            "if": _says(key, name),
            "then": _object({key: {}, **definitions.of[member]["properties"], **beside}),
        }
        for name, member in members.items()
    ]
    choice = _constants(members)
    if chosen.default is not None:
        choice["default"] = chosen.default
    return {"type": "object", "properties": {key: choice, **beside}, "allOf": cases}


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
    default = definitions.of[PROTOCOLS.get(str(CHOSEN_PROTOCOL.default))]["properties"]
    return {
        "dataset": {"required": ["source"], "allOf": cases},
        "architecture": {"required": ["layers"]},
        "evaluation": {
            "if": {"type": "object", "not": {"required": ["protocol"]}},
            "then": _object({**default, "score": {}}),
        },
    }


def _evaluation(definitions: _Definitions) -> Schema:
    own = definitions.of[Evaluation]["properties"]
    beside = {key: schema for key, schema in own.items() if key != CHOSEN_PROTOCOL.key}
    return _chosen_by(CHOSEN_PROTOCOL, definitions, beside)


def _member(family: Family, definitions: _Definitions) -> Schema:
    """A component in its three spellings; among the steps, those on the target."""
    members = _members(family)
    options = {
        name: _member_options(member, definitions.of[member]) for name, member in members.items()
    }
    bare = [name for name, member in members.items() if not _needs_options(member)]
    if family is STEPS:
        target = _member(TARGET_STEPS, definitions)
        options["targets"] = described(
            {"anyOf": [target, {"type": "array", "items": target}]},
            "Steps on the target: one or a list.",
        )
    return {"anyOf": [{"enum": bare}, _object(options, minProperties=1, maxProperties=1)]}


def _member_options(member: type[Component], schema: Schema) -> Schema:
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


def _without_requirements(section: Schema) -> Schema:
    """A section of which another file may hold what is required."""
    layers = {**section["properties"]["layers"], "items": _layer_or_block()}
    properties = {**section["properties"], "layers": layers}
    return {key: value for key, value in section.items() if key != "required"} | {
        "properties": properties
    }


def _block(section: Schema) -> Schema:
    """A block: in its layers a value may be the name of a parameter, so that nothing is known."""
    layers = {
        key: value for key, value in section["properties"]["layers"].items() if key != "items"
    }
    names = {"type": "array", "items": {"type": "string"}}
    parameters = dict(section["properties"]["parameters"])
    parameters["anyOf"] = [*parameters["anyOf"], names]
    return {
        **section,
        "properties": {**section["properties"], "layers": layers, "parameters": parameters},
    }


def _layer_or_block() -> Schema:
    """A layer; where there are blocks, an entry may name one of them."""
    return {"anyOf": [{"$ref": "#/$defs/LayerEntry"}, {"type": ["string", "object"]}]}


def _without_blocks() -> Schema:
    """What holds where there can be no blocks, of this file or of one that it extends."""
    layers = {"items": {"$ref": "#/$defs/LayerEntry"}}
    architecture = {"properties": {"layers": layers}}
    return {
        "if": {"not": {"anyOf": [{"required": ["blocks"]}, {"required": ["extends"]}]}},
        "then": {"properties": {"architecture": architecture}},
    }


def _layer_entry(section: Schema) -> Schema:
    """An entry of `architecture.layers`: a layer or model, and beside it its name and more."""
    words = catalogue.spellings("layer")
    layers = {word: arguments_reference("layer", word) for word in words}
    one_of_these = [{"required": [word]} for word in (*LayerEntry.models, *words)]
    entry = {**section, "properties": {**section["properties"], **layers}, "oneOf": one_of_these}
    return {"anyOf": [kind_reference("layer"), entry]}


def _meaning(section: type[Section], key: str) -> str:
    return _on_one_line(section.options()[key].description or "")
