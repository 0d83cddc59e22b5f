"""A config as it was written, every key and value with its place; and all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack, overload

from dlrun.config.messages import LONGEST_VALUE, found
from dlrun.errors import Details, KeyPath, Problem
from dlrun.text import in_one_line, shortened, visible

Key = str | int
Scalar = str | int | float | bool | None

LONGEST_LINE = 110
"""Longer lines are cut around the caret."""

LONGEST_MESSAGE, LONGEST_DETAIL, LONGEST_PATH = 300, 600, 4096
"""Longer messages, hints and the like are cut; no path is longer on Linux."""

_QUOTED = re.compile(r"(?<![\w`'])'([^']+)'(?!\w)")
"""What a message quotes from a config."""
_LONG_WORD = re.compile(r"[^\s'/\\]{66,}")
"""A long word whose own quotation marks hide it from `_QUOTED`. Paths stay whole."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key or a value was written.

    Args:
        text: `file.yaml:14:7`, or the override that holds it.
        order: Number of the file (overrides count as the last ones), line and column: what
            problems are sorted by.
        line: The line of the file, for the caret.
        column: 1-based column in `line`.
        folder: Folder of the file; None for an override.
    """

    text: str
    order: tuple[int, int, int]
    line: str | None = None
    column: int | None = None
    folder: Path | None = None

    def problem(
        self,
        message: str,
        **details: Unpack[Details],
    ) -> Problem:
        """Return a problem that is to be seen here."""
        line, column, file = self.line, self.column, details.get("file")
        if line is not None and column is not None:
            line, column = _cut_around(line, column)
        return Problem(
            visible(self.text),
            _readable(message, LONGEST_MESSAGE, file),
            expected=_readable(details.get("expected"), LONGEST_DETAIL, file),
            found=_readable(details.get("found"), LONGEST_DETAIL, file),
            hint=_readable(details.get("hint"), LONGEST_DETAIL, file),
            line=line,
            column=column,
            order=self.order,
        )


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place; the nodes inside a mapping or list know theirs.

    Args:
        value: A scalar, a list of nodes, or a mapping from key to node.
        place: Where the value begins.
        keys: For a mapping, where each key is.
    """

    value: Scalar | list[Node] | dict[Key, Node]
    place: Place
    keys: Mapping[Key, Place] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[Key, Node] | None:
        """The entries of a mapping, or None for any other value."""
        return self.value if isinstance(self.value, dict) else None

    def children(self) -> Iterator[tuple[Key, Node]]:
        """The entries of a mapping or list, each with its key or index."""
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from enumerate(self.value)

    def plain(self) -> Any:
        """The value as plain Python data."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def with_entry(self, key: Key, child: Node, key_place: Place) -> Node:
        """Return this mapping with one entry set."""
        return Node({**(self.mapping or {}), key: child}, self.place, {**self.keys, key: key_place})

    def only(self, keys: Iterable[Key]) -> Node:
        """Return this mapping with no other entries than those named."""
        kept = set(keys)
        value = {key: child for key, child in (self.mapping or {}).items() if key in kept}
        return Node(value, self.place, {key: self.keys[key] for key in value})

    def locate(self, path: KeyPath, *, on_key: bool = False) -> Place:
        """Where the value at `path` is, or the nearest value around it that is written.

        Args:
            path: Keys and list indices, from here.
            on_key: Ask for the place of the key instead. An entry of a list has none: it
                is where its value is.
        """
        node, place = self, self.place
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                place = node.keys[part] if on_key else node.value[part].place
                node = node.value[part]
            elif isinstance(node.value, list) and isinstance(part, int):
                if not 0 <= part < len(node.value):
                    break
                node = node.value[part]
                place = node.place
            else:
                break
        return place


def node_of(value: Any, place: Place) -> Node:
    """Return plain data as nodes that all have one place."""
    if isinstance(value, dict):
        below = {key: node_of(each, place) for key, each in value.items()}
        return Node(below, place, dict.fromkeys(below, place))
    if isinstance(value, list):
        return Node([node_of(each, place) for each in value], place)
    return Node(value, place)


@dataclass(frozen=True)
class Document:
    """The files and overrides that a config was read from.

    Args:
        file: The config file, as it was named.
        content: Its bytes.
        root: Everything, after `extends` and overrides.
    """

    file: Path
    content: bytes
    root: Node


def _cut_around(line: str, column: int) -> tuple[str, int]:
    """Shorten a long line so that the caret is in sight; a tab takes one column."""
    line = line.replace("\t", " ")
    start = max(0, min(column - LONGEST_LINE // 2, len(line) - LONGEST_LINE))
    end = start + LONGEST_LINE
    before, after = "…" if start else "", "…" if end < len(line) else ""
    caret = len(before + visible(line[start : column - 1])) + 1
    return before + visible(line[start:end]) + after, caret


@overload
def _readable(text: str, longest: int, file: str | None) -> str: ...


@overload
def _readable(text: None, longest: int, file: str | None) -> None: ...


def _readable(text: str | None, longest: int, file: str | None) -> str | None:
    """A text for people to read, whatever somebody wrote into the config that it quotes."""
    if text is None:
        return None
    if file is not None:
        return in_one_line(text, longest + 2 * LONGEST_PATH)
    quoted = _QUOTED.sub(lambda match: f"'{in_one_line(match[1], LONGEST_VALUE)}'", text)
    short = _LONG_WORD.sub(lambda match: in_one_line(match[0], LONGEST_VALUE), quoted)
    return shortened(visible(short), longest)


NOWHERE = Place("", (0, 0, 0))
"""The place of what was not read from a file."""


class Reporter:
    """The problems found so far."""

    def __init__(self) -> None:
        self.root = Node({}, NOWHERE)
        """What paths refer to; set once the files and overrides are put together."""
        self.names_known = True
        """Whether every name that may appear in the config is known: not where plugins were not
        run."""
        self._found: dict[Problem, None] = {}
        self._calls = 0

    def __call__(
        self,
        path: KeyPath,
        message: str,
        *,
        on_key: bool = False,
        **details: Unpack[Details],
    ) -> None:
        """Record a problem with the value at a path, or with its key."""
        place = self.root.locate(path, on_key=on_key)
        self.at(place, message, **details)

    def wrong(self, path: KeyPath, value: Any, expected: str, hint: str | None = None) -> None:
        """Record a value of the wrong kind under a key."""
        message = f"wrong value for '{path[-1]}'"
        self(path, message, expected=expected, found=found(value), hint=hint)

    def given_at(self, path: KeyPath) -> KeyPath:
        """Where the value at a path is given: elsewhere for what a block gets as a parameter."""
        return path

    def unknown_name(
        self,
        path: KeyPath,
        message: str,
        *,
        on_key: bool = False,
        **details: Unpack[Details],
    ) -> None:
        """Record a problem with a name that nothing has; it is only counted where a plugin that
        was not run may define it."""
        if self.names_known:
            self(path, message, on_key=on_key, **details)
        else:
            self.repeated()

    def repeated(self) -> None:
        """Count a problem that was recorded before."""
        self._calls += 1

    def at(
        self,
        place: Place,
        message: str,
        **details: Unpack[Details],
    ) -> None:
        """Record a problem at a place. One that an alias repeats is recorded once."""
        self._found.setdefault(place.problem(message, **details))
        self._calls += 1

    def take(self, other: Reporter) -> None:
        """Record what another reporter has recorded."""
        self._found = {**self._found, **other._found}
        self._calls += other._calls

    def __len__(self) -> int:
        """How often something was reported, repetitions included."""
        return self._calls

    def problems(self) -> list[Problem]:
        """Everything recorded, sorted by file, line and column; overrides last."""
        return sorted(self._found, key=lambda problem: problem.order)
