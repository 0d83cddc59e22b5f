"""Reading YAML into nodes with places. Nothing in a file is ever executed or constructed.

libyaml, which comes with PyYAML, reads a thousand layers in 50 ms. What it refuses is read again by
PyYAML's own parser in Python, whose messages are the same on every platform.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Unpack

import yaml
from yaml import events

from dlrun.config.document import Key, Node, Place, Reporter, Scalar
from dlrun.config.limits import how_to_raise, limit
from dlrun.config.yaml_errors import in_plain_words
from dlrun.errors import Details

PlaceAt = Callable[[int, int], Place]
"""Gives the place of a line and a column, both counted from 0."""

_READ_OTHERWISE = re.compile(r"\t|[^\s-][^\S\n]*\?|(?:^|[\s\[{,:-])!", re.MULTILINE)
"""What libyaml is laxer about: tabs, question marks that begin no key, tags without a name."""

_PARSERS = (getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader)


def read_yaml(text: str, place_at: PlaceAt, report: Reporter) -> Node | None:
    """Read one YAML document.

    Problems (syntax, a key given twice, tags, too much nesting, too many aliases) are reported.

    Returns:
        The document, or None where it cannot be read, or not all of it. An empty one is a null.
    """
    try:
        builder = _Builder(_events(text, place_at), place_at, report)
        root = builder.document()
        return None if builder.incomplete else root
    except yaml.YAMLError as error:
        mistake = in_plain_words(error, text)
        report.at(place_at(mistake.line, mistake.column), mistake.message, hint=mistake.hint)
    except (_TooDeepError, RecursionError) as error:
        known, most = isinstance(error, _TooDeepError), limit("config_depth")
        report.at(
            error.place if isinstance(error, _TooDeepError) else place_at(0, 0),
            "the values are nested too deeply to be read",
            expected=f"at most {most} levels" if known else None,
            hint=how_to_raise("config_depth", 2 * most) if known else None,
        )
    except _TooLargeError as error:
        report.at(
            error.place,
            "the aliases in this file multiply to too many values",
            expected=f"at most {error.most:,} values once aliases are written out",
            hint=how_to_raise("config_values", 10 * error.most),
        )
    return None


class _TooDeepError(Exception):
    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


class _TooLargeError(Exception):
    def __init__(self, place: Place, most: int) -> None:
        super().__init__()
        self.place, self.most = place, most


def _events(text: str, place_at: PlaceAt) -> list[events.Event]:
    """What the parser finds in a text, from top to bottom.

    Raises:
        YAMLError: The syntax is wrong.
    """
    fast, exact = _PARSERS
    if not _READ_OTHERWISE.search(text):
        with suppress(yaml.YAMLError, UnicodeError):
            return list(_flat_enough(yaml.parse(text, Loader=fast), place_at))
    return list(_flat_enough(yaml.parse(text, Loader=exact), place_at))


def _flat_enough(found: Iterator[events.Event], place_at: PlaceAt) -> Iterator[events.Event]:
    """The same events, as far as they are not nested too deeply."""
    depth, most = 0, limit("config_depth")
    for event in found:
        if isinstance(event, events.CollectionStartEvent):
            depth += 1
            if depth > most:
                raise _TooDeepError(_place(event, place_at))
        elif isinstance(event, events.CollectionEndEvent):
            depth -= 1
        yield event


def _place(event: events.Event, place_at: PlaceAt) -> Place:
    mark = event.start_mark
    return place_at(0, 0) if mark is None else place_at(mark.line, mark.column)


class _Builder:
    """Turns what a parser finds into nodes, one for each anchor, however often it is used."""

    def __init__(self, found: list[events.Event], place_at: PlaceAt, report: Reporter) -> None:
        self._found = iter(found)
        self._place_at = place_at
        self._report = report
        self._anchors: dict[str, Node | Place] = {}
        self._sizes: dict[int, tuple[int, int, Node]] = {}
        # Without aliases a file comes to no more than what is in it.
        self._most = max(limit("config_values"), len(found))
        self._levels = limit("config_depth")
        self.incomplete = False
        """Whether something could not be read, so that what is there would mislead."""

    def document(self) -> Node:
        """Return the only document; a null where there is none."""
        root = Node(None, self._place_at(0, 0))
        documents = 0
        for event in self._found:
            if isinstance(event, events.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._wrong(
                        _place(event, self._place_at),
                        "a second document begins here",
                        hint="a config is one document; remove '---' or '...'",
                    )
                    return root
                root = self._build(next(self._found))
        return root

    def _build(self, event: Any) -> Node:
        place = _place(event, self._place_at)
        if isinstance(event, events.AliasEvent):
            return self._alias(str(event.anchor), place)
        self._refuse_tag(event, place)
        if event.anchor is not None:
            if event.anchor in self._anchors:
                self._wrong(place, f"the anchor '{event.anchor}' is defined twice")
            self._anchors[event.anchor] = place
        if isinstance(event, events.ScalarEvent):
            built = Node(scalar(event.value) if _is_plain(event) else event.value, place)
        elif isinstance(event, events.SequenceStartEvent):
            built = Node([self._build(item) for item in self._until_end()], place)
        else:
            built = self._mapping(place)
        if event.anchor is not None:
            self._anchors[event.anchor] = built
        self._count(built)
        return built

    def _until_end(self) -> Iterator[events.Event]:
        for event in self._found:
            if isinstance(event, events.CollectionEndEvent):
                return
            yield event

    def _alias(self, name: str, place: Place) -> Node:
        known = self._anchors.get(name)
        if isinstance(known, Node):
            return known
        if known is None:
            hint = "an anchor is written `&name value`"
            self._wrong(place, f"no anchor '{name}' is defined above this alias", hint=hint)
        else:
            self._wrong(known, "this anchor is used inside itself")
        return Node(None, place)

    def _mapping(self, place: Place) -> Node:
        merged: list[Node] = []
        values: dict[Key, Node] = {}
        keys: dict[Key, Place] = {}
        for event in self._until_end():
            if isinstance(event, events.ScalarEvent) and _is_plain(event) and event.value == "<<":
                merged += self._merged(next(self._found))
                continue
            key_place = _place(event, self._place_at)
            key = self._key(event, key_place)
            value = self._build(next(self._found))
            if key is None:
                self.incomplete = True
            elif key in keys:
                line = keys[key].order[1]
                where = f"it is already in line {line}; " if keys[key].line is not None else ""
                hint = f"{where}remove one of the two"
                self._report.at(key_place, f"duplicate key '{key}'", hint=hint)
            else:
                values[key], keys[key] = value, key_place
        if not merged:
            return Node(values, place, keys)
        # The first of several merged mappings wins, and the mapping's own keys over all.
        all_values: dict[Key, Node] = {}
        all_keys: dict[Key, Place] = {}
        for part in (*reversed(merged), Node(values, place, keys)):
            all_values |= part.mapping or {}
            all_keys |= part.keys
        return Node(all_values, place, all_keys)

    def _merged(self, event: events.Event) -> list[Node]:
        built = self._build(event)
        parts = built.value if isinstance(built.value, list) else [built]
        if any(part.mapping is None for part in parts):
            self._wrong(
                _place(event, self._place_at),
                "'<<' copies the entries of a mapping, but this is not a mapping",
                expected="an alias of a mapping (`<<: *anchor`) or a list of such",
            )
        return [part for part in parts if part.mapping is not None]

    def _key(self, event: events.Event, place: Place) -> Key | None:
        node = self._build(event)
        if isinstance(node.value, dict | list):
            self._report.at(
                place,
                "a list or mapping cannot be a key",
                hint="put text that begins with '[' or '{' in quotes",
            )
            return None
        if node.value is None:
            if not isinstance(event, events.AliasEvent):
                self._report.at(place, "the key before ':' is missing")
            return None
        if isinstance(node.value, bool | float):
            written = event.value if isinstance(event, events.ScalarEvent) else str(node.value)
            self._report.at(
                place, f"key {written} is not a string", hint=f"put it in quotes: '{written}'"
            )
            return None
        return node.value

    def _refuse_tag(self, event: Any, place: Place) -> None:
        if event.tag not in (None, "!"):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._report.at(
                place,
                f"the tag '{tag}' is not allowed",
                hint="a config holds plain values only; remove the tag",
            )

    def _wrong(self, place: Place, message: str, **details: Unpack[Details]) -> None:
        """Report what leaves the document incomplete."""
        self.incomplete = True
        self._report.at(place, message, **details)

    def _count(self, node: Node) -> None:
        """Refuse a node that is too large or too deep once aliases are written out."""
        size, levels = 1, 0
        for _, child in node.children():
            inside = self._sizes.get(id(child), (1, 0, child))
            size, levels = size + inside[0], max(levels, inside[1] + 1)
        if size > self._most:
            raise _TooLargeError(node.place, self._most)
        if levels > self._levels:
            raise _TooDeepError(node.place)
        if size > 1:
            # With the node: an address is used again once what was there is gone.
            self._sizes[id(node)] = size, levels, node


def _is_plain(event: events.ScalarEvent) -> bool:
    """Whether a scalar is written without quotes and tag."""
    return event.tag in (None, "!") and bool(event.implicit[0])


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
