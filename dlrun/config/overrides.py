"""`--set KEY=VALUE`: one value of a config, given on the command line.

A key is a path with dots; a number counts the entries of a list from 0. Missing mappings
are made. A component may appear in any spelling: with `- Dense: 64` in the file,
`architecture.layers.0.Dense.activation=relu` keeps the 64 units. A value is YAML; `KEY=`
is a null, as it is in a file. A path to data starts from the working directory.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlrun.config.document import LONGEST_LINE, Key, Node, Place, Reporter
from dlrun.config.extends import merge
from dlrun.config.grammar import ChosenKeys, canonical_config, config_shape, names_of
from dlrun.config.messages import found
from dlrun.config.shapes import Arguments, Keys, Named, OutputsShape, Shape
from dlrun.config.yaml_reader import read_yaml
from dlrun.text import in_one_line, quoted

_AFTER_ALL_FILES = 1_000_000_000


class RefusedError(Exception):
    """A path leads nowhere. The text is the problem's message; `hint` says what to set instead."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def apply_overrides(
    root: Node, overrides: Sequence[str], seed: int | None, report: Reporter
) -> Node:
    """Return the config with the overrides in it, in their order; `seed` comes last.

    Problems are reported at the override; one that cannot be applied is left out.
    """
    for number, text in enumerate(overrides):
        root = _apply(root, text, number, report)
    if seed is not None:
        place = Place("--seed", (_AFTER_ALL_FILES, len(overrides), 0))
        root = root.with_entry("seed", Node(seed, place), place)
    return root


def _apply(root: Node, text: str, number: int, report: Reporter) -> Node:
    order = (_AFTER_ALL_FILES, number, 0)
    key, equals, value = text.partition("=")
    key_place = Place(f"--set {in_one_line(key, LONGEST_LINE)}", order)
    value_place = Place(f"--set {in_one_line(text, LONGEST_LINE)}", order)
    parts = key.strip().split(".")
    if not equals or not all(parts):
        report.at(
            value_place,
            "this override cannot be read",
            expected="KEY=VALUE, such as training.epochs=5",
        )
        return root
    if parts[0] == "extends":
        report.at(key_place, "'extends' works only in a file")
        return root
    node = read_yaml(value, lambda line, column: value_place, report)
    if node is None:
        return root
    try:
        changed = set_value(root, parts, node, key_place)
    except RefusedError as error:
        report.at(key_place, str(error), hint=error.hint)
        return root
    return canonical_config(changed)


def set_value(root: Node, parts: Sequence[str], value: Node, place: Place) -> Node:
    """Return a config with a value at a path, not brought into its canonical form.

    Args:
        root: The config, canonical.
        parts: The path.
        value: Takes the place of what is there.
        place: Of keys and mappings that are made on the way.

    Raises:
        RefusedError: The path leads nowhere.
    """
    return _Override(value, place).set(root, parts, config_shape(names_of(root)), [])


class _Override:
    """One value on its way to its place."""

    def __init__(self, value: Node, place: Place) -> None:
        self._value = value
        self._place = place

    def set(self, node: Node, parts: Sequence[str], shape: Shape, above: Sequence[str]) -> Node:
        """Return `node` with the value put under `parts`.

        Args:
            node: What is at the path `above`, canonical.
            parts: The rest of the path; empty where the value takes the place of `node`.
            shape: What is here.
            above: The path so far, for messages.
        """
        if not parts:
            return self._value
        shape = shape.of(node.value)
        if isinstance(shape, OutputsShape) and not shape.is_by_output(node):
            if len(shape.outputs) == 1 and shape.names_output(parts[0]):
                return self.set(node, parts[1:], shape.each, [*above, parts[0]])
            if parts[0] not in shape.outputs:
                shape = shape.each
        if isinstance(shape, Arguments) and shape.takes_as_first(parts[0]):
            parts = [str(shape.first_name), *parts]
        if isinstance(node.value, list):
            return self._set_in_list(node, parts, shape, above)
        if isinstance(shape, Arguments) and node.mapping is None:
            node = shape.with_first(node)
        elif node.value is None and not isinstance(shape, Named):
            node = Node({}, self._place)
        if node.mapping is None or (isinstance(shape, Named) and not node.mapping):
            where = ".".join(above)
            raise RefusedError(
                f"'{where}' is {found(node.plain())}, so it has no '{parts[0]}'",
                hint=f"set all of it: --set {where}=...",
            )
        key = self._key(node, parts[0], shape, above)
        child = node.mapping.get(key, Node(None, self._place))
        child = self.set(child, parts[1:], shape.below(key, node), [*above, parts[0]])
        changed = node.with_entry(key, child, self._place)
        return self._without_rivals(node, changed, key, shape)

    def _set_in_list(
        self, node: Node, parts: Sequence[str], shape: Shape, above: Sequence[str]
    ) -> Node:
        items = [child for _, child in node.children()]
        where, index = ".".join(above), _as_number(parts[0])
        if index is None:
            raise RefusedError(
                f"'{where}' is a list, but '{parts[0]}' is not the number of an entry",
                hint=f"count entries from 0: --set {where}.0=...",
            )
        if index >= len(items):
            entries = "is empty" if not items else f"has the entries 0 to {len(items) - 1}"
            raise RefusedError(
                f"the list '{where}' {entries}, not {index}",
                hint=f"to make it longer, set all of it: --set {where}=[...]",
            )
        below = shape.below(index, node)
        items[index] = self.set(items[index], parts[1:], below, [*above, parts[0]])
        return Node(items, node.place)

    def _key(self, node: Node, part: str, shape: Shape, above: Sequence[str]) -> Key:
        """The key that a part of the path means in a mapping."""
        given = node.mapping or {}
        if part in given:
            return part
        number, where = _as_number(part), ".".join(above)
        if not isinstance(shape, Named):
            typed = isinstance(shape, Keys | ChosenKeys)
            return part if number is None or typed else number
        if part in shape.beside:
            return part
        name, names = shape.name_in(node), [key for key in given if key not in shape.beside]
        if name is not None and shape.same(part, name):
            return name
        if number is not None:
            raise RefusedError(
                f"'{where}' is {quoted(names)}, not a list, so it has no entry {part}",
                hint=f"set all of it: --set {where}=[...]",
            )
        raise RefusedError(
            f"'{where}' is {quoted(names)}, not '{part}'",
            hint=f"to replace it: --set {where}={part}",
        )

    def _without_rivals(self, before: Node, after: Node, key: Key, shape: Shape) -> Node:
        """Drop what the file says about the choice that was not taken, as `extends` does.

        What other overrides say stays, in whatever order they are given.
        """
        chooses = isinstance(shape, ChosenKeys) and shape.mark.key == key
        if not chooses and not (isinstance(shape, Keys) and key in shape.section.alternatives):
            return after
        merged = merge(before, after.only([key]), shape, depth=1)
        for other, node in (after.mapping or {}).items():
            if after.keys[other].folder is None and other not in (merged.mapping or {}):
                merged = merged.with_entry(other, node, after.keys[other])
        return merged


def _as_number(part: str) -> int | None:
    """A part of a path as the number of an entry, if it is one."""
    return int(part) if part.isascii() and part.isdigit() and len(part) < 10 else None
