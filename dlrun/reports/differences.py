"""Differences between configs, key by key, and short texts for the values of a config."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasKind

Key = tuple[str | int, ...]

NOT_GIVEN = "–"


class _Absent:
    """The value of a key that a config lacks."""


ABSENT = _Absent()


@dataclass(frozen=True)
class ConfigDifference:
    """One place in which configs differ.

    Args:
        key: Where, from the top.
        values: One for each config; `ABSENT` where it lacks the key.
    """

    key: Key
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The key as `--set` takes it."""
        return ".".join(map(str, self.key))

    def plain(self) -> list[Any]:
        """The values as plain data; None where a config lacks the key."""
        return [None if value is ABSENT else value for value in self.values]

    def texts(self) -> list[str]:
        """The values in few words: arguments that are Keras' defaults are left out."""
        kind = _KINDS.get(self.key[:1]) or _KINDS.get(self.key[:2])
        return [_text(value, kind) for value in self.values]

    def short_texts(self) -> list[str]:
        """As `texts`, but components that differ by their names go by them alone."""
        names = [next(iter(v)) if _as_component(v) else v for v in self.values]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return [str(name) for name in names]
        return self.texts()


_KINDS: dict[Key, KerasKind] = {
    ("architecture",): "layer",
    ("blocks",): "layer",
    ("loss",): "loss",
    ("metrics",): "metric",
    ("optimizer",): "optimizer",
    ("training", "callbacks"): "callback",
}
"""Kinds of components by the key of the config that holds them."""


def differences(configs: Sequence[Mapping[str, Any]]) -> list[ConfigDifference]:
    """Return where configs differ, in the order of the config language.

    Mappings are compared key by key and lists entry by entry as far as they are alike; where
    for example the layers are of other kinds or orders, the whole list is one difference.
    """
    return list(_compare((), list(configs)))


def reported_differences(configs: Sequence[Mapping[str, Any]]) -> list[ConfigDifference]:
    """Return the differences that matter to a reader.

    Left out are names, options of a source if the sources differ, and options that some configs
    lack while the others have the default.
    """
    found = [one for one in differences(configs) if one.key != ("name",)]
    if sources_differ(configs):
        found = [one for one in found if one.key[0] != "dataset" or one.key[1:] in _OF_ANY_SOURCE]
    return [
        one
        for one in found
        if one.key not in UNSET
        or any(value is not ABSENT and value != UNSET[one.key] for value in one.values)
    ]


def sources_differ(configs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether configs read from different kinds of sources."""
    datasets = [config.get("dataset") for config in configs]
    return len({d.get("source") for d in datasets if isinstance(d, Mapping)}) > 1


_OF_ANY_SOURCE: tuple[Key, ...] = (("source",), ("path",), ("name",))

UNSET: dict[Key, Any] = {
    ("evaluation", "shuffle"): True,
    ("training", "cache_features"): True,
    ("training", "callbacks"): [],
    ("training", "mixed_precision"): False,
    ("training", "shuffle"): True,
}
"""Defaults of options that some configs lack."""


def short_names(keys: Sequence[Key]) -> list[str]:
    """Return the shortest end of each key that is unique."""
    names = [[str(part) for part in key] for key in keys]
    lengths = [1] * len(names)
    while True:
        short = [".".join(name[-length:]) for name, length in zip(names, lengths, strict=True)]
        counts = Counter(short)
        # A number alone is not a name.
        longer = [
            length < len(name) and (counts[text] > 1 or text.isdecimal())
            for name, length, text in zip(names, lengths, short, strict=True)
        ]
        if not any(longer):
            return short
        lengths = [length + more for length, more in zip(lengths, longer, strict=True)]


def _compare(key: Key, values: list[Any]) -> Iterator[ConfigDifference]:
    first = values[0] if values else None
    if all(type(value) is type(first) and value == first for value in values):
        return
    present = [value for value in values if value is not ABSENT]
    mappings = all(isinstance(value, Mapping) for value in present)
    if mappings and (not key or _have_common_keys(present)):
        for name in dict.fromkeys(name for value in present for name in value):
            below = [ABSENT if value is ABSENT else value.get(name, ABSENT) for value in values]
            yield from _compare((*key, name), below)
    elif len(present) == len(values) and _are_alike(values):
        for index, entries in enumerate(zip(*values, strict=True)):
            yield from _compare((*key, index), list(entries))
    elif not all(value is ABSENT or value is None for value in values):
        yield ConfigDifference(key, tuple(values))


def _have_common_keys(values: Sequence[Mapping[str, Any]]) -> bool:
    return bool(set(values[0]).intersection(*values[1:])) if len(values) > 1 else False


def _are_alike(values: Sequence[Any]) -> bool:
    """Whether all are lists of the same length, each entry the same or of the same kind."""
    if not all(isinstance(value, list) for value in values) or len(set(map(len, values))) != 1:
        return False
    return all(
        all(entry == entries[0] for entry in entries)
        or (all(isinstance(entry, Mapping) for entry in entries) and _have_common_keys(entries))
        for entries in zip(*values, strict=True)
    )


def _as_component(value: Any) -> tuple[str, Mapping[str, Any]] | None:
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    name, arguments = next(iter(value.items()))
    return (str(name), arguments) if isinstance(arguments, Mapping) else None


def _text(value: Any, kind: KerasKind | None) -> str:
    if value is ABSENT:
        return NOT_GIVEN
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(_text(entry, kind) for entry in value) or "none"
    if (component := _as_component(value)) is not None:
        return _component_text(*component, kind)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(entry, kind)}" for name, entry in value.items())
    return str(value)


def _component_text(name: str, arguments: Mapping[str, Any], kind: KerasKind | None) -> str:
    """`Dense(64, activation=relu)`: the first argument is known by its place."""
    # Of an unknown name the catalogue would import Keras.
    known = kind is not None and name in catalogue.spellings(kind)
    entry = catalogue.entry(kind, name) if kind and known else None
    defaults = {one.name: one.default for one in entry.arguments} if entry else {}
    parts = [
        _text(value, kind) if place == 0 else f"{argument}={_text(value, kind)}"
        for place, (argument, value) in enumerate(arguments.items())
        if (place == 0 and not isinstance(value, bool)) or defaults.get(argument, ABSENT) != value
    ]
    return f"{name}({', '.join(parts)})" if parts else name
