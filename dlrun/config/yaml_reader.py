"""Reading YAML into nodes with places. Nothing in a file is ever executed or constructed.

Only PyYAML's own parser in Python is used: it reads a config in 2 ms, and its messages are
the same on every platform.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import yaml

from dlrun.config.document import Key, Node, Place, Reporter, Scalar
from dlrun.config.yaml_errors import in_plain_words

PlaceAt = Callable[[int, int], Place]
"""Gives the place of a line and a column, both counted from 0."""

LARGEST = 100_000
"""Most values that a file may come to once its aliases are written out."""

_PLAIN, _QUOTED, _COLLECTION = "plain", "quoted", "collection"


class _Loader(yaml.SafeLoader):
    """Composes nodes whose tag says how they were written; explicit tags keep their own."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is not yaml.ScalarNode:
            return _COLLECTION
        return _PLAIN if implicit[0] else _QUOTED


def read_yaml(text: str, place_at: PlaceAt, report: Reporter) -> Node | None:
    """Read one YAML document.

    Problems (syntax, a key given twice, tags, too many aliases) are reported.

    Returns:
        The document, or None where it cannot be read, or not all of it. An empty one is a null.
    """
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
        if root is None:
            return Node(None, place_at(0, 0))
        builder = _Builder(place_at, report)
        built = builder.build(root)
        return None if builder.incomplete else built
    except yaml.YAMLError as error:
        mistake = in_plain_words(error, text)
        report.at(place_at(mistake.line, mistake.column), mistake.message, hint=mistake.hint)
    except RecursionError:
        report.at(place_at(0, 0), "the values are nested too deeply to be read")
    except _TooLargeError as error:
        report.at(
            error.place,
            "the aliases in this file multiply to too many values",
            expected=f"at most {LARGEST:,} values once aliases are written out",
        )
    return None


class _TooLargeError(Exception):
    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


class _Builder:
    """Turns PyYAML's nodes into ours, one for each anchor, however often it is used."""

    def __init__(self, place_at: PlaceAt, report: Reporter) -> None:
        self._place_at = place_at
        self._report = report
        self._built: dict[int, Node] = {}
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()
        self.incomplete = False
        """Whether something could not be read, so that what is there would mislead."""

    def build(self, node: yaml.Node) -> Node:
        if id(node) in self._built:
            return self._built[id(node)]
        place = self._place(node)
        if id(node) in self._open:
            self._report.at(place, "this anchor is used inside itself")
            self.incomplete = True
            return Node(None, place)
        self._open.add(id(node))
        self._refuse_tag(node, place)
        built = self._build(node, place)
        self._open.remove(id(node))
        self._built[id(node)] = built
        self._count(built)
        return built

    def _build(self, node: yaml.Node, place: Place) -> Node:
        if isinstance(node, yaml.ScalarNode):
            return Node(scalar(node.value) if node.tag == _PLAIN else node.value, place)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.build(item) for item in node.value], place)
        return self._mapping(node, place)

    def _mapping(self, node: yaml.Node, place: Place) -> Node:
        merged: list[Node] = []
        values: dict[Key, Node] = {}
        keys: dict[Key, Place] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _PLAIN and key_node.value == "<<":
                merged += self._merged(value_node)
                continue
            key_place = self._place(key_node)
            key = self._key(key_node, key_place)
            value = self.build(value_node)
            if key is None:
                self.incomplete = True
            elif key in keys:
                line = keys[key].order[1]
                where = f"it is already in line {line}; " if keys[key].line is not None else ""
                hint = f"{where}remove one of the two"
                self._report.at(key_place, f"duplicate key '{key}'", hint=hint)
            else:
                values[key], keys[key] = value, key_place
        # The first of several merged mappings wins, and the mapping's own keys over all.
        all_values: dict[Key, Node] = {}
        all_keys: dict[Key, Place] = {}
        for part in (*reversed(merged), Node(values, place, keys)):
            all_values |= part.mapping or {}
            all_keys |= part.keys
        return Node(all_values, place, all_keys)

    def _merged(self, node: yaml.Node) -> list[Node]:
        built = self.build(node)
        parts = built.value if isinstance(built.value, list) else [built]
        for part in parts:
            if part.mapping is None:
                self.incomplete = True
                self._report.at(
                    self._place(node),
                    "'<<' copies the entries of a mapping, but this is not a mapping",
                    expected="an alias of a mapping (`<<: *anchor`) or a list of such",
                )
        return [part for part in parts if part.mapping is not None]

    def _key(self, node: yaml.Node, place: Place) -> Key | None:
        self._refuse_tag(node, place)
        if not isinstance(node, yaml.ScalarNode):
            self._report.at(
                place,
                "a list or mapping cannot be a key",
                hint="put text that begins with '[' or '{' in quotes",
            )
            return None
        key = scalar(node.value) if node.tag == _PLAIN else node.value
        if key is None:
            self._report.at(place, "the key before ':' is missing")
            return None
        if isinstance(key, bool | float):
            self._report.at(
                place,
                f"key {node.value} is not a string",
                hint=f"put it in quotes: '{node.value}'",
            )
            return None
        return key

    def _refuse_tag(self, node: yaml.Node, place: Place) -> None:
        if node.tag not in (_PLAIN, _QUOTED, _COLLECTION):
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._report.at(
                place,
                f"the tag '{tag}' is not allowed",
                hint="a config holds plain values only; remove the tag",
            )

    def _count(self, node: Node) -> None:
        size = 1 + sum(self._sizes.get(id(child), 1) for _, child in node.children())
        self._sizes[id(node)] = size
        if size > LARGEST:
            raise _TooLargeError(node.place)

    def _place(self, node: yaml.Node) -> Place:
        return self._place_at(node.start_mark.line, node.start_mark.column)


_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# More digits than any option needs; Python itself refuses to read thousands of them.
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}\Z", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,400}\Z")
_OCTAL = re.compile(r"0o[0-7]{1,400}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")


def scalar(text: str) -> Scalar:
    """Return the value of unquoted YAML text (YAML 1.2.2, section 10.3.2).

    A number too large to be held stays text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if _HEXADECIMAL.match(text):
        return int(text, 16)
    if _OCTAL.match(text):
        return int(text, 8)
    if _FLOAT.match(text) and math.isfinite(number := float(text)):
        return number
    if _NOT_FINITE.match(text):
        return float(text.lower().replace(".", ""))
    return text
