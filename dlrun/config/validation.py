"""Checking plain data against a typed section, with problems in dlrun's own words."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from dlrun.config.document import Reporter
from dlrun.config.fields import unpacked
from dlrun.config.messages import choices, describe, found
from dlrun.config.yaml_errors import MISSING_SPACE
from dlrun.errors import KeyPath
from dlrun.registry.component import Section
from dlrun.registry.names import closest, did_you_mean
from dlrun.text import listed

S = TypeVar("S", bound=Section)

Unknown = Callable[[str | int], object]
"""Reports a key that a section does not have."""


@dataclass(frozen=True)
class _Mistake:
    """One of pydantic's errors, with the place in the data instead of pydantic's own.

    Args:
        path: From the section's top; for a missing or unknown key it ends with that key.
        details: As pydantic reports it.
    """

    path: KeyPath
    details: ErrorDetails


def validate(
    section: type[S],
    values: Mapping[Any, Any],
    path: KeyPath,
    report: Reporter,
    *,
    name: str | None = None,
    unknown: Unknown | None = None,
    reported: Iterable[str | int] = (),
    examples: Mapping[str, str] | None = None,
    filled_in: Mapping[str, Any] | None = None,
) -> S | None:
    """Return the section with these values, or None where a problem was reported.

    Args:
        section: The class to be filled.
        values: Plain data, or objects where the class wants them.
        path: Where the values are in the config.
        report: Takes the problems.
        name: What the section is called in messages; default: the last key of `path`.
        unknown: Reports a key that the section itself does not have; default: with the
            nearest of its keys.
        reported: Keys about which the user has been told already.
        examples: For a missing key, what could be written.
        filled_in: Values of fields that are no keys.
    """
    no_keys = section.model_fields.keys() - section.options().keys()
    strange = [key for key in values if not isinstance(key, str) or key in no_keys]
    given = {key: value for key, value in values.items() if key not in strange}
    translation = _Translation(section, given, path, report, name, unknown, examples or {})
    for key in strange:
        translation.unknown((key,))
    try:
        instance = section.model_validate({**given, **(filled_in or {})})
    except ValidationError as error:
        told = set(reported)
        mistakes = [_Mistake(_real_path(details, given), details) for details in error.errors()]
        translation.report(
            [m for m in _causes(mistakes) if not (m.path and m.path[0] in told)],
        )
        return None
    return None if strange else instance


@dataclass(frozen=True)
class _Translation:
    """Reports what pydantic found in one section; see `validate`."""

    _section: type[Section]
    _given: Mapping[str, Any]
    _path: KeyPath
    _report: Reporter
    _name: str | None
    _report_unknown: Unknown | None
    _examples: Mapping[str, str]

    def report(self, mistakes: list[_Mistake]) -> None:
        unknown = [m.path for m in mistakes if m.details["type"] == "extra_forbidden"]
        seen: set[KeyPath] = set()
        for mistake in mistakes:
            kind, path = mistake.details["type"], mistake.path
            if path in seen:
                continue
            seen.add(path)
            if kind == "missing":
                self._missing(path, [p[-1] for p in unknown if p[:-1] == path[:-1]])
            elif kind == "extra_forbidden":
                self.unknown(path)
            elif mistake.details["loc"][-1:] == ("[key]",):
                self._wrong_key(path, mistake.details["type"])
            elif kind in ("value_error", "assertion_error"):
                message = f"{self._label(path)}: {mistake.details['ctx']['error']}"
                on_key = isinstance(_at(self._given, path), dict)
                self._report((*self._path, *path), message, on_key=on_key)
            else:
                self._wrong(path)

    def unknown(self, path: KeyPath) -> None:
        """Report a key that nothing reads."""
        *above, key = path
        if not above and self._report_unknown is not None:
            self._report_unknown(key)
            return
        known = [
            name
            for annotation, _ in _annotations(self._section, tuple(above))
            for name in _options_of(annotation)
        ]
        near = did_you_mean(str(key), known)
        self._report(
            (*self._path, *path),
            f"unknown key '{key}'{self._inside(tuple(above))}{near}",
            expected=None if near else listed(known, "or"),
            on_key=True,
        )

    def _missing(self, path: KeyPath, unknown: list[str | int]) -> None:
        key = str(path[-1])
        if any(closest(str(other), [key]) for other in unknown):
            return  # The misspelt key is reported, and that is the mistake.
        example = self._examples.get(key)
        hint = f"add for example `{example}`" if example else None
        for annotation, _ in _annotations(self._section, path[:-1]) if hint is None else ():
            field = _options_of(annotation).get(key)
            if field is not None and field.description:
                hint = " ".join(field.description.split()).rstrip(".")
        self._report(
            (*self._path, *path[:-1]),
            f"the key '{key}' is missing{self._inside(path[:-1])}",
            hint=hint,
            on_key=True,
        )

    def _wrong_key(self, path: KeyPath, kind: str) -> None:
        if isinstance(path[-1], str) and kind == "string_pattern_mismatch":
            expected = "text without '/'"
            message = f"wrong name '{path[-1]}'{self._inside(path[:-1])}"
            self._report((*self._path, *path), message, expected=expected, on_key=True)
            return
        self._report(
            (*self._path, *path),
            f"key {path[-1]} is not a string",
            hint=f"put it in quotes: '{path[-1]}'",
            on_key=True,
        )

    def _wrong(self, path: KeyPath) -> None:
        annotations = list(_annotations(self._section, path))
        value = _at(self._given, path)
        if isinstance(path[-1], int):
            what = f"in {self._label(path)}"
        else:
            what = f"for '{path[-1]}'{self._inside(path[:-1]) if path[:-1] else ''}"
        words = [word for annotation, _ in annotations for word in choices(annotation)]
        near = did_you_mean(value, words) if isinstance(value, str) else ""
        self._report(
            (*self._path, *path),
            f"wrong value {what}{near}",
            expected=" or ".join(dict.fromkeys(describe(*found) for found in annotations)),
            found=found(value),
            hint=advice(value, [annotation for annotation, _ in annotations]),
        )

    def _inside(self, path: KeyPath) -> str:
        return f" in {self._label(path)}" if self._path or path else ""

    def _label(self, path: KeyPath) -> str:
        """The last key of a path in quotes; the section's name where that is the section."""
        keys = [part for part in path if isinstance(part, str)]
        above = [part for part in self._path if isinstance(part, str)]
        return f"'{keys[-1] if keys else self._name or above[-1]}'"


def advice(value: Any, annotations: Iterable[Any]) -> str | None:
    """What to write instead, where that is plain from the value that was given."""
    text = " ".join(str(annotation) for annotation in annotations)
    number = "int" in text or "float" in text
    if text.startswith("list[str") and isinstance(value, int | float | str):
        return f"write a list: [{found(value)}]"
    if isinstance(value, str):
        if MISSING_SPACE.match(value):
            return "a space is missing after ':'"
        if number and re.fullmatch(r"[-+]?\d+(_\d+)+", value):
            return f"write {value.replace('_', '')}"
        if number and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", value):
            return "remove the quotes around the number"
        if "bool" in text and value.lower() in ("yes", "on", "no", "off"):
            return f"write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    elif isinstance(value, list) and value and "dict" in text:
        return "leave out the '- '"
    elif isinstance(value, float) and "int" in text and value.is_integer():
        return f"write {int(value)}"
    elif isinstance(value, dict) and text == str(str) and len(value) == 1:
        ((key, part),) = value.items()
        if isinstance(key, str) and isinstance(part, str | int | float):
            return f"put it in quotes: '{key}: {part}'"
    elif isinstance(value, bool | int | float) and "str" in text:
        return f"put it in quotes: '{found(value)}'"
    return None


def _causes(mistakes: list[_Mistake]) -> list[_Mistake]:
    """Without the branches of a union that the value never meant to take: an error further
    inside the data comes from the branch that fits best, and so does one that is no matter of
    types."""
    refused = {m.path for m in mistakes if m.details["type"] == "value_error"}
    return [
        mistake
        for mistake in mistakes
        if (mistake.path not in refused or mistake.details["type"] == "value_error")
        and not any(
            len(other.path) > len(mistake.path) and other.path[: len(mistake.path)] == mistake.path
            for other in mistakes
        )
    ]


def _real_path(details: ErrorDetails, values: Any) -> KeyPath:
    """Pydantic's location without the names of union branches, which appear in no file."""
    path: list[str | int] = []
    location = list(details["loc"])
    ends_with_key = details["type"] in ("missing", "extra_forbidden")
    for position, part in enumerate(location):
        if (ends_with_key and position == len(location) - 1) or _has(values, part):
            path.append(part)
            values = _at(values, (part,))
    return tuple(path)


def _has(values: Any, part: str | int) -> bool:
    if isinstance(values, dict):
        return part in values
    return isinstance(values, list) and isinstance(part, int) and part < len(values)


def _at(values: Any, path: KeyPath) -> Any:
    for part in path:
        values = values[part] if _has(values, part) else None
    return values


def _annotations(section: type[Section], path: KeyPath) -> Iterator[tuple[Any, list[Any]]]:
    """The types that may appear at a path, each with its bounds."""
    candidates: list[tuple[Any, list[Any]]] = [(section, [])]
    for part in path:
        candidates = [inner for annotation, _ in candidates for inner in _inside(annotation, part)]
    yield from candidates


def _inside(annotation: Any, part: str | int) -> Iterator[tuple[Any, list[Any]]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _inside(arguments[0], part)
    elif origin in (Union, types.UnionType):
        for branch in arguments:
            yield from _inside(branch, part)
    elif origin is list and isinstance(part, int):
        yield _bounded(arguments[0])
    elif origin is dict:
        yield _bounded(arguments[1])
    elif isinstance(annotation, type) and issubclass(annotation, Section):
        for field in filter(None, [annotation.options().get(str(part))]):
            yield field.annotation, unpacked(field.metadata)


def _bounded(annotation: Any) -> tuple[Any, list[Any]]:
    if get_origin(annotation) is Annotated:
        base, *metadata = get_args(annotation)
        return base, unpacked(metadata)
    return annotation, []


def _options_of(annotation: Any) -> dict[str, FieldInfo]:
    """The keys of a section, or of the sections that a union allows."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation.options()
    options: dict[str, FieldInfo] = {}
    for branch in get_args(annotation):
        options |= _options_of(branch)
    return options
