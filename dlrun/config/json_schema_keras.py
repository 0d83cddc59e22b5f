"""JSON Schema of Keras' classes, from the catalogue."""

from __future__ import annotations

from typing import Any

from dlrun.registry import catalogue
from dlrun.registry.catalogue import Argument, CatalogueEntry
from dlrun.registry.keras_component import KerasKind

Schema = dict[str, Any]

_PLAIN = ("boolean", "integer", "number", "string", "list", "null")
"""What an argument may accept that is no component."""


def component_definitions() -> dict[str, Schema]:
    """Return a definition of each kind of component, and of each class's arguments."""
    definitions: dict[str, Schema] = {}
    for kind in catalogue.KINDS:
        definitions[kind] = _spellings(kind, catalogue.spellings(kind))
        for name in catalogue.names(kind):
            definitions[_class_name(kind, name)] = _arguments(_entry(kind, name))
    definitions["activation"] = {
        "anyOf": [
            {"enum": list(catalogue.activations())},
            _spellings("layer", list(catalogue.activation_layers())),
        ]
    }
    return definitions


def kind_reference(kind: KerasKind) -> Schema:
    """A component of a kind, in any of its spellings."""
    return {"$ref": f"#/$defs/{kind}"}


def arguments_reference(kind: KerasKind, word: str) -> Schema:
    """What may follow the name of a class."""
    entry = _entry(kind, word)
    return {"$ref": f"#/$defs/{_class_name(kind, entry.name)}", "description": entry.summary}


def described(schema: Schema, description: str | None) -> Schema:
    """The schema with a description, if there is one."""
    return {**schema, "description": description} if description else schema


def _spellings(kind: KerasKind, words: list[str]) -> Schema:
    """The name alone, or with one value or a mapping of arguments."""
    return {
        "anyOf": [
            {"enum": [word for word in words if not _required(_entry(kind, word))]},
            {
                "type": "object",
                "properties": {word: arguments_reference(kind, word) for word in words},
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    }


def _arguments(entry: CatalogueEntry) -> Schema:
    if entry.resolved_by_compile:
        return {"type": ["null", "object"], "maxProperties": 0}
    required = _required(entry)
    usable = [argument for argument in entry.arguments if "python" not in argument.accepts]
    spellings: list[Schema] = [
        {
            "type": "object",
            "properties": {argument.name: _argument(argument) for argument in usable},
            "additionalProperties": False,
            "required": required,
        }
    ]
    if entry.first is not None and entry.first in usable and required in ([], [entry.first.name]):
        spellings.append(_values(entry.first))
    if not required:
        spellings.append({"type": "null"})
    return {"anyOf": spellings}


def _argument(argument: Argument) -> Schema:
    schema = described(_values(argument), argument.doc)
    if argument.has_plain_default and argument.default is not None:
        schema = {**schema, "default": argument.default}
    return schema


def _values(argument: Argument) -> Schema:
    branches = [_branch(argument, accepted) for accepted in argument.accepts]
    if not branches:
        return {}
    return branches[0] if len(branches) == 1 else {"anyOf": branches}


def _branch(argument: Argument, accepted: str) -> Schema:
    if accepted == "activation":
        return {"$ref": "#/$defs/activation"}
    if accepted == "layers":
        return {"type": "array", "items": kind_reference("layer")}
    if accepted == "table":
        numbers = {"type": "number", "minimum": 0}
        return {"type": "object", "additionalProperties": numbers, "minProperties": 1}
    if accepted == "string" and argument.choices:
        return _one_of(argument.choices)
    if accepted in ("integer", "number"):
        bounds = {"minimum": argument.minimum, "maximum": argument.maximum}
        return {"type": accepted, **{k: bound for k, bound in bounds.items() if bound is not None}}
    if accepted in _PLAIN:
        return {"type": "array" if accepted == "list" else accepted}
    return next(kind_reference(kind) for kind in catalogue.KINDS if kind == accepted)


def _one_of(choices: tuple[str, ...]) -> Schema:
    """The choices, which Keras reads in capitals too."""
    patterns = [
        "".join(f"[{c}{c.upper()}]" if c.isalpha() else f"[{c}]" for c in choice)
        for choice in choices
    ]
    return {"anyOf": [{"enum": list(choices)}, {"pattern": f"^({'|'.join(patterns)})$"}]}


def _entry(kind: KerasKind, word: str) -> CatalogueEntry:
    entry = catalogue.entry(kind, word)
    assert entry is not None
    return entry


def _class_name(kind: KerasKind, name: str) -> str:
    return f"{kind}.{name}"


def _required(entry: CatalogueEntry) -> list[str]:
    return [argument.name for argument in entry.arguments if argument.required]
