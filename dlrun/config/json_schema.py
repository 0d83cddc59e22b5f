"""JSON Schema (draft 2020-12) of the config language, for editors: derived from the typed models.

What `load_config` accepts is valid. Not everything that is valid is accepted: a schema
cannot know which metrics a score may name, or that of two options only one may be given.
"""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from dlrun.config.extends import Extension
from dlrun.config.fields import (
    ByOutput,
    ChosenBy,
    FindingCode,
    Kind,
    Member,
    OneOrMany,
    unpacked,
)
from dlrun.config.grammar import ChosenKeys, experiment_of, shapes_of
from dlrun.config.json_schema_keras import (
    arguments_reference,
    component_definitions,
    described,
    kind_reference,
)
from dlrun.config.load import EXAMPLES, KEYS
from dlrun.config.model_schema import Architecture, Block, LayerEntry
from dlrun.config.schema import CHOSEN_PROTOCOL, Config, Evaluation
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

_CONTAINERS = (ChosenKeys, Either, Entries, Items, Keys, OutputsShape)

_TYPES: dict[Any, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    types.NoneType: "null",
}

_NUMBER = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_BOUNDS = {
    "integer": _NUMBER,
    "number": _NUMBER,
    "string": {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"},
    "array": {"min_length": "minItems", "max_length": "maxItems"},
}
"""What pydantic and JSON Schema call the bounds of each type."""


def json_schema() -> Schema:
    """Return the schema of a config file as plain data."""
    writer = _Writer()
    known, beside = (dict(writer.section(each)["properties"]) for each in (Config, Evaluation))
    del beside[CHOSEN_PROTOCOL.key]
    meaning = _on_one_line(Extension.options()["extends"].description or "")
    known["extends"] = described({"type": ["string", "null"]}, meaning)
    not_extending = {"not": {"required": ["extends"]}}
    learning: Schema = {
        "properties": {key: known[key] for key in KEYS},
        "additionalProperties": False,
        # A config that extends another one needs to say no more than what differs.
        "if": not_extending,
        "then": {"required": list(EXAMPLES), "properties": _complete(writer)},
        "allOf": [_without_blocks()],
    }
    for name in TASKS.names():
        if (experiment := experiment_of(name)) is not Config:
            sections = writer.section(experiment)
            sections["properties"]["extends"] = known["extends"]
            needed = [key for key in sections.pop("required") if key != "name"]
            sections |= {"if": not_extending, "then": {"required": needed}}
            learning = {"if": _has_task(name), "then": sections, "else": learning}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dlrun config",
        "description": "One experiment: data, model, training and evaluation.",
        "type": "object",
        **learning,
        "$defs": {
            **component_definitions(),
            **writer.definitions,
            "Architecture": _without_requirements(writer.section(Architecture)),
            "Block": _block(writer.section(Block)),
            "Evaluation": _chosen_by(CHOSEN_PROTOCOL, writer, beside),
            "LayerEntry": _layer_entry(writer.section(LayerEntry)),
        },
    }


class _Writer:
    """Writes the schemas of typed sections.

    Attributes:
        definitions: Sections that others refer to, by name.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def section(self, section: type[Section]) -> Schema:
        """The keys of a section, and what each takes."""
        options = section.options()
        properties = {key: self._option(section, key) for key in options}
        required = [key for key, field in options.items() if field.is_required()]
        schema = _object(properties, **({"required": required} if required else {}))
        return described(schema, _on_one_line(section.__doc__ or ""))

    def _option(self, section: type[Section], key: str) -> Schema:
        field = section.options()[key]
        schema = self.value(field.annotation, unpacked(field.metadata))
        needed = field.is_required() and (section is not Config or key in EXAMPLES)
        if not needed and not issubclass(section, Component) and _may_be_empty(section, key):
            schema = {"anyOf": [schema, {"type": "null"}]}
        if field.default is not None and catalogue.is_plain(field.default):
            schema = {**schema, "default": field.default}
        return described(schema, _on_one_line(field.description or ""))

    def value(self, annotation: Any, marks: list[Any]) -> Schema:
        """What a type with its bounds and marks takes."""
        if by_output := [mark for mark in marks if isinstance(mark, ByOutput)]:
            each = self.value(annotation, [mark for mark in marks if mark not in by_output])
            return {"anyOf": [each, {"type": "object", "additionalProperties": each}]}
        for mark in marks:
            if (schema := self._marked(mark)) is not None:
                return schema
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self.value(arguments[0], [*marks, *unpacked(arguments[1:])])
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.value(branch, marks) for branch in arguments]}
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin is list:
            item = self.value(arguments[0], [])
            several = _bounded("array", marks) | {"items": item}
            alone = any(isinstance(mark, OneOrMany) for mark in marks)
            return {"anyOf": [item, several]} if alone else several
        if origin is dict:
            names, each = (self.value(argument, []) for argument in arguments)
            return {"type": "object", "propertyNames": names, "additionalProperties": each}
        if isinstance(annotation, type) and issubclass(annotation, Section):
            return self._reference(annotation)
        return _bounded(_TYPES[annotation], marks) if annotation in _TYPES else {}

    def _marked(self, mark: object) -> Schema | None:
        """What a mark tells of a value; None where its type tells it."""
        if isinstance(mark, Kind):
            return kind_reference(mark.kind)
        if isinstance(mark, Member):
            return _member(mark.family, self)
        if isinstance(mark, ChosenBy):
            return _chosen_by(mark, self)
        return {"enum": finding_codes()} if isinstance(mark, FindingCode) else None

    def _reference(self, section: type[Section]) -> Schema:
        name = section.__name__
        if name not in self.definitions:
            self.definitions[name] = {}
            schema = self.section(section)
            if section.bare_option is not None:
                schema = {"anyOf": [schema["properties"][section.bare_option], schema]}
            self.definitions[name] = schema
        return {"$ref": f"#/$defs/{name}"}


def _may_be_empty(section: type[Section], key: str) -> bool:
    """Whether a key of which nothing is written counts as missing."""
    return section is LayerEntry or isinstance(shapes_of(section)[key], _CONTAINERS)


def _bounded(kind: str, marks: list[Any]) -> Schema:
    bounds = {
        word: bound
        for name, word in _BOUNDS.get(kind, {}).items()
        for mark in marks
        if (bound := getattr(mark, name, None)) is not None
    }
    return {"type": kind, **bounds}


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _members(family: Family) -> dict[str, type[Component]]:
    return {name: family.get(name) for name in family.names()}


def _object(properties: dict[str, Schema], **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _constants(members: dict[str, type[Component]]) -> Schema:
    return {
        "anyOf": [
            {"const": name, "description": _on_one_line(member.__doc__ or "")}
            for name, member in members.items()
        ]
    }


def _chosen_by(
    chosen: ChosenBy, writer: _Writer, beside: dict[str, Schema] | None = None
) -> Schema:
    """A section in which one key names the member that the other keys are options of."""
    members, key, beside = _members(chosen.family), chosen.key, beside or {}
    cases = [
        {
            "if": _says(key, name),
            "then": _object({key: {}, **writer.section(member)["properties"], **beside}),
        }
        for name, member in members.items()
    ]
    choice = _constants(members)
    if chosen.default is not None:
        choice["default"] = chosen.default
    return {"type": "object", "properties": {key: choice, **beside}, "allOf": cases}


def _says(key: str, name: str) -> Schema:
    return {"properties": {key: {"const": name}}, "required": [key]}


def _has_task(name: str) -> Schema:
    given = {"anyOf": [{"const": name}, {"type": "object", "required": [name]}]}
    return {"properties": {"task": given}, "required": ["task"]}


def _complete(writer: _Writer) -> dict[str, Schema]:
    """What sections must hold in a config that extends no other."""
    cases = [
        {
            "if": _says("source", name),
            "then": {"required": writer.section(member).get("required", [])},
        }
        for name, member in _members(SOURCES).items()
    ]
    default = writer.section(PROTOCOLS.get(str(CHOSEN_PROTOCOL.default)))["properties"]
    return {
        "dataset": {"required": ["source"], "allOf": cases},
        "architecture": {"required": ["layers"]},
        "evaluation": {
            "if": {"type": "object", "not": {"required": ["protocol"]}},
            "then": _object({**default, "score": {}}),
        },
    }


def _member(family: Family, writer: _Writer) -> Schema:
    """A component in its three spellings; among the steps, those on the target."""
    members = _members(family)
    options = {
        name: _member_options(member, writer.section(member)) for name, member in members.items()
    }
    bare = [name for name, member in members.items() if not _needs_options(member)]
    if family is STEPS:
        target = _member(TARGET_STEPS, writer)
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
    # Where there are blocks, an entry may name one of them.
    entry = {"anyOf": [{"$ref": "#/$defs/LayerEntry"}, {"type": ["string", "object"]}]}
    layers = {**section["properties"]["layers"], "items": entry}
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
