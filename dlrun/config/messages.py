"""Values and types in the words of a message, and whether a value fits an argument of Keras."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types

from dlrun.config.fields import Kind, Member, OneOrMany, unpacked
from dlrun.registry.catalogue import Argument
from dlrun.registry.component import Section
from dlrun.registry.keras_component import TITLES
from dlrun.text import first_few, in_one_line, listed

LONGEST_VALUE = 60

NO_SLASH = "^[^/]+$"
"""The pattern of names that Keras can use for a layer."""

_TYPES: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
}


def found(value: Any) -> str:
    """Say what is in a config, as YAML writes it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{in_one_line(value, LONGEST_VALUE)}'"
    if isinstance(value, dict):
        return _found_mapping([in_one_line(str(key), LONGEST_VALUE) for key in value])
    if isinstance(value, list):
        if not value:
            return "an empty list"
        text = f"[{', '.join(found(item) for item in value)}]"
        return text if len(text) <= LONGEST_VALUE else f"a list of {len(value)}"
    return in_one_line(str(value), LONGEST_VALUE)


def _found_mapping(keys: Sequence[str]) -> str:
    if not keys:
        return "an empty mapping"
    shown = f"a mapping with {listed(keys)}"
    most = next((n for n in (4, 2) if len(first_few(keys, n)) <= LONGEST_VALUE), 0)
    if len(shown) <= len("a mapping with ") + LONGEST_VALUE:
        return shown
    return f"a mapping with {first_few(keys, most)}" if most else f"a mapping of {len(keys)} keys"


def describe(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Say what a type accepts.

    Args:
        annotation: A type as it is in a `Section`.
        metadata: Its bounds, as pydantic keeps them.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    for mark in metadata:
        if isinstance(mark, Kind | Member) and origin is not list:
            return TITLES[mark.kind] if isinstance(mark, Kind) else f"a {mark.family.title}"
    if origin is Annotated:
        return describe(arguments[0], [*metadata, *unpacked(arguments[1:])])
    if origin in (Union, types.UnionType):
        branches = [branch for branch in arguments if branch is not types.NoneType]
        return " or ".join(dict.fromkeys(describe(branch, metadata) for branch in branches))
    if origin is Literal:
        return listed((found(a) if isinstance(a, bool) else a for a in arguments), "or")
    if origin is list:
        return _describe_list(arguments[0], metadata)
    if origin is dict:
        return f"a mapping from {describe(arguments[0])} to {describe(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        mapping = f"a mapping with {listed(annotation.options(), 'or')}"
        return mapping if annotation.bare_option is None else f"text or {mapping}"
    if annotation is str and any(getattr(m, "pattern", None) == NO_SLASH for m in metadata):
        return "text without '/'"
    if annotation is str and _lengths(metadata) == (1, 1):
        return "a single character"
    return _TYPES.get(annotation, "another value") + _bounds(annotation, metadata)


def choices(annotation: Any) -> list[str]:
    """The texts that a type names one by one."""
    if get_origin(annotation) is Literal:
        return [choice for choice in get_args(annotation) if isinstance(choice, str)]
    return [choice for branch in get_args(annotation) for choice in choices(branch)]


def _describe_list(item: Any, metadata: Sequence[Any]) -> str:
    for mark in metadata:
        if isinstance(mark, OneOrMany):
            return "a {} or a list of {}".format(*mark.noun)
    for mark in unpacked(get_args(item)[1:]) if get_origin(item) is Annotated else ():
        if isinstance(mark, Kind | Member):
            return list_of(mark.kind if isinstance(mark, Kind) else "step")
    if isinstance(item, type) and issubclass(item, Section):
        return list_of(item.__name__.removesuffix("Entry").lower())
    noun = describe(item)
    plural = noun.removeprefix("an ").removeprefix("a ")
    plural += "s" if noun in ("an integer", "a number") else ""
    return f"a list of {plural}{_size(metadata)}"


def list_of(noun: str) -> str:
    """Say that a list of components is wanted, and how it is written."""
    return f"a list of {noun}s, each on a line that begins with '- '"


def _bounds(annotation: Any, metadata: Sequence[Any]) -> str:
    if annotation not in (int, float):
        return ""
    bounds: dict[str, Any] = {}
    for item in metadata:
        for name in ("ge", "gt", "le", "lt"):
            if (bound := getattr(item, name, None)) is not None:
                bounds[name] = bound
    if {"ge", "le"} <= bounds.keys():
        return f" between {bounds['ge']} and {bounds['le']}"
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    phrases = [f"{words[name]} {bound}" for name, bound in bounds.items()]
    return f" {' and '.join(phrases)}" if phrases else ""


def _size(metadata: Sequence[Any]) -> str:
    least, most = _lengths(metadata)
    if most is not None and least == most:
        return f" with {least} entries"
    if most is not None:
        return f" with at most {most} entries"
    return {0: "", 1: " that is not empty"}.get(least, f" with at least {least} entries")


def _lengths(metadata: Sequence[Any]) -> tuple[int, int | None]:
    """The least and the largest length; None where there is no largest."""
    least = next((m.min_length for m in metadata if isinstance(m, annotated_types.MinLen)), 0)
    most = next((m.max_length for m in metadata if isinstance(m, annotated_types.MaxLen)), None)
    return least, most


_WORDS = {
    "boolean": "true or false",
    "list": "a list",
    "activation": "the name of an activation",
    "layers": "a list of layers",
    "table": "numbers by epoch, such as {0: 0.01, 10: 0.001}",
}


def fits(argument: Argument, value: Any) -> bool:
    """Tell whether a plain value is one that the argument accepts.

    Args:
        argument: What is known of it; one without a type accepts anything.
        value: Plain data; components are not judged here.
    """
    accepts = argument.accepts
    if not accepts:
        return True
    if value is None:
        return "null" in accepts
    if isinstance(value, bool):
        return "boolean" in accepts
    if isinstance(value, int | float):
        is_kind = "number" in accepts or ("integer" in accepts and isinstance(value, int))
        return is_kind and _in_range(argument, value)
    if isinstance(value, str):
        known = not argument.choices or {value, value.lower()} & set(argument.choices)
        return "string" in accepts and bool(known)
    return isinstance(value, list | tuple) and "list" in accepts


def expected_value(argument: Argument) -> str:
    """Return what an argument accepts, in words.

    Args:
        argument: What is known of it.
    """
    words, titles = list[str](), dict[str, str](_WORDS) | {str(k): t for k, t in TITLES.items()}
    for accepted in argument.accepts:
        if accepted in ("integer", "number"):
            words.append(_number_words(argument, accepted))
        elif accepted == "string":
            words += argument.choices or ["text"]
        elif accepted != "null":
            words.append(str(titles[accepted]))
    return listed(words, "or")


def _in_range(argument: Argument, value: float) -> bool:
    low, high = argument.minimum, argument.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _number_words(argument: Argument, accepted: str) -> str:
    noun = "an integer" if accepted == "integer" else "a number"
    if argument.minimum is not None and argument.maximum is not None:
        return f"{noun} between {argument.minimum:g} and {argument.maximum:g}"
    return noun if argument.minimum is None else f"{noun} at least {argument.minimum:g}"
