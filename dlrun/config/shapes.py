"""The shapes that parts of a config may have, and the canonical form that each gives a node.

`Name`, `Name: value` and `Name: {argument: value}` all become the last, one entry that stands for a
list becomes a list, and what holds for every output is written under each; places are kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dlrun.config.document import NOWHERE, Key, Node, Place, node_of
from dlrun.registry import catalogue
from dlrun.registry.catalogue import Argument, CatalogueEntry
from dlrun.registry.component import Section
from dlrun.registry.keras_component import KerasKind
from dlrun.registry.names import closest

HOLE = "$"
"""What the text that stands for a block's parameter begins with."""


Parameter = tuple[str, str]
"""A block, and the name of one of its parameters."""


@dataclass(frozen=True)
class Names:
    """The names that a config makes, on which depends what else may appear in it.

    Args:
        outputs: Names of the model's outputs; for one output the name of the last layer, where it
            has one.
        first: The first parameter of every block that has one, which a bare value sets.
        paths: Parameters of blocks that stand for paths.
        task: The task, on which depends which sections there are.
    """

    outputs: tuple[str, ...] = ()
    first: tuple[Parameter, ...] = ()
    paths: frozenset[Parameter] = frozenset()
    task: str | None = None


NO_NAMES = Names()


@dataclass(frozen=True)
class Shape:
    """What may appear at a place of a config: here, a plain value or anything."""

    def of(self, value: object) -> Shape:
        """The shape of a value, a node's or plain data, where several shapes are possible."""
        return self

    def below(self, key: Key, node: Node) -> Shape:
        """What is under a key or list index of `node`, which is here."""
        return ANYTHING

    def canonical(self, node: Node) -> Node:
        """The node in its canonical form. What has none, because it is wrong, stays as it is."""
        if node.mapping is None:
            return node
        entries = {k: self.below(k, node).canonical(each) for k, each in node.mapping.items()}
        return Node(entries, node.place, node.keys)


ANYTHING = Shape()


@dataclass(frozen=True)
class PathShape(Shape):
    """A path, or a list of them."""

    def below(self, key: Key, node: Node) -> Shape:
        return self


@dataclass(frozen=True)
class Items(Shape):
    """A list.

    Args:
        item: Its entries.
        alone: Whether one entry may appear without a list.
    """

    item: Shape
    alone: bool = False

    def below(self, key: Key, node: Node) -> Shape:
        return self.item if isinstance(key, int) else ANYTHING

    def canonical(self, node: Node) -> Node:
        if isinstance(node.value, list):
            return Node([self.item.canonical(each) for each in node.value], node.place)
        if self.alone and node.value is not None and not is_hole(node):
            return Node([self.item.canonical(node)], node.place)
        return node


@dataclass(frozen=True)
class Entries(Shape):
    """A mapping from names to the same kind of thing."""

    each: Shape

    def below(self, key: Key, node: Node) -> Shape:
        return self.each


@dataclass(frozen=True)
class Keys(Shape):
    """A section: its keys are the options of a class."""

    section: type[Section]
    fields: Mapping[str, Shape] = field(compare=False)

    def below(self, key: Key, node: Node) -> Shape:
        return self.fields.get(str(key), ANYTHING)

    def canonical(self, node: Node) -> Node:
        bare = self.section.bare_option
        if bare is not None and isinstance(node.value, str) and not is_hole(node):
            return Node({bare: node}, node.place, {bare: node.place})
        return super().canonical(node)


@dataclass(frozen=True)
class Either(Shape):
    """One of several shapes, told from what is there."""

    options: tuple[Shape, ...]

    def of(self, value: object) -> Shape:
        wanted: tuple[type[Shape], ...] = (PathShape,)
        if isinstance(value, list):
            wanted = (Items,)
        elif isinstance(value, dict):
            lists = all(isinstance(getattr(v, "value", v), list) for v in value.values())
            of_words = any(isinstance(o, Items) and o.item == ANYTHING for o in self.options)
            wanted = (Keys, Entries) if lists or of_words else (Keys,)
        return next((each for each in self.options if isinstance(each, wanted)), self.options[0])

    def below(self, key: Key, node: Node) -> Shape:
        return self.of(node.value).below(key, node)

    def canonical(self, node: Node) -> Node:
        return self.of(node.value).canonical(node)


@dataclass(frozen=True)
class Named(Shape, ABC):
    """A component: a mapping from its name to its arguments, with other keys beside it.

    Args:
        beside: What may appear beside the name.
    """

    beside: Mapping[str, Shape] = field(default_factory=dict, kw_only=True)

    @abstractmethod
    def arguments(self, name: str) -> Arguments:
        """What is under a component's name."""

    def same(self, one: str, other: str) -> bool:
        """Whether two names mean the same component."""
        return one == other

    def name_in(self, node: Node) -> str | None:
        """The component's name in a mapping; None where there is not one name."""
        names = [key for key in node.mapping or () if key not in self.beside]
        return names[0] if len(names) == 1 and isinstance(names[0], str) else None

    def below(self, key: Key, node: Node) -> Shape:
        if key in self.beside:
            return self.beside[str(key)]
        return self.arguments(str(key))

    def canonical(self, node: Node) -> Node:
        if isinstance(node.value, str) and not is_hole(node):
            nothing = Node({}, node.place)
            return Node({node.value: nothing}, node.place, {node.value: node.place})
        return super().canonical(node)


@dataclass(frozen=True)
class KerasShape(Named):
    """A component of Keras; among layers, one of the config's blocks.

    Args:
        kinds: What it may be.
        names: The blocks, for a layer.
    """

    kinds: tuple[KerasKind, ...]
    names: Names | None = None

    def entry(self, name: str) -> CatalogueEntry | None:
        """What the catalogue knows of a name, or None."""
        return next((e for kind in self.kinds if (e := catalogue.entry(kind, name))), None)

    def same(self, one: str, other: str) -> bool:
        known = self.entry(one)
        return one == other or (known is not None and known == self.entry(other))

    def arguments(self, name: str) -> Arguments:
        entry = self.entry(name)
        if entry is not None or self.names is None:
            return Arguments(entry=entry)
        parameters = {p: PathShape() for block, p in self.names.paths if block == name}
        return Arguments(first=dict(self.names.first).get(name), fields=parameters)


@dataclass(frozen=True)
class Arguments(Shape):
    """What is under a component's name: a mapping, or the value of the first argument.

    Args:
        first: The argument that a bare value sets.
        fields: The arguments that are no plain values.
        entry: For a component of Keras, what the catalogue knows of it.
    """

    first: str | None = None
    fields: Mapping[str, Shape] = field(default_factory=dict)
    entry: CatalogueEntry | None = None

    def below(self, key: Key, node: Node) -> Shape:
        if self.entry is None:
            return self.fields.get(str(key), ANYTHING)
        argument = self.entry.argument(str(key))
        return ANYTHING if argument is None else _argument_shape(self.entry, argument)

    @property
    def first_name(self) -> str | None:
        """The argument that a bare value sets."""
        if self.entry is None:
            return self.first
        return self.entry.first.name if self.entry.first else None

    def with_first(self, node: Node) -> Node:
        """A bare value as a mapping from the first argument; unchanged where there is none."""
        first = self.first_name
        return node if first is None else Node({first: node}, node.place, {first: node.place})

    def takes_as_first(self, name: Key) -> bool:
        """Whether a key is no argument, but names a component for the first one."""
        if self.entry is None or self.entry.first is None or not isinstance(name, str):
            return False
        return self.entry.argument(name) is None and name in catalogue.words_for(self.entry.first)

    def canonical(self, node: Node) -> Node:
        if node.value is None:
            return Node({}, node.place)
        if is_hole(node):
            return node
        if node.mapping is None or self._is_first_argument(node.mapping):
            node = self.with_first(node)
        return super().canonical(node)

    def _is_first_argument(self, mapping: Mapping[Key, Node]) -> bool:
        """Whether a mapping is the first argument itself, as in `Bidirectional: {LSTM: 32}`; or the
        table of numbers that it takes."""
        if self.entry is None or (first := self.entry.first) is None:
            return False
        named = len(mapping) == 1 and self.takes_as_first(next(iter(mapping)))
        return named or is_table(first, mapping)


@dataclass(frozen=True)
class ArgumentShape(Shape):
    """The value of an argument of Keras that may be a component, or a list of layers."""

    argument: Argument

    def of(self, value: object) -> Shape:
        accepts = self.argument.accepts
        if isinstance(value, list):
            return Items(KerasShape(("layer",))) if "layers" in accepts else ANYTHING
        if not isinstance(value, str | dict) or is_table(self.argument, value):
            return ANYTHING
        word = value if isinstance(value, str) else next(iter(value), "")
        if "activation" in accepts and catalogue.acts_as_activation(word):
            return KerasShape(("layer",))
        kinds = self.argument.component_kinds
        if isinstance(value, str) and "number" in accepts:
            # Only a text that is near to a name is meant as one: a number would do as well.
            near = (kind for kind in kinds if closest(value, catalogue.spellings(kind)))
            kinds = tuple(near)
        if isinstance(value, str):
            kinds = kinds[:1]
        return KerasShape(kinds) if kinds else ANYTHING

    def below(self, key: Key, node: Node) -> Shape:
        return self.of(node.value).below(key, node)

    def canonical(self, node: Node) -> Node:
        return node if is_hole(node) else self.of(node.value).canonical(node)


@dataclass(frozen=True)
class OutputsShape(Shape):
    """What each output has: under its name where there are several, else alone.

    Args:
        each: What one output has.
        kind: The kind of component that is.
        outputs: Names of the outputs.
    """

    each: Shape
    kind: KerasKind
    outputs: tuple[str, ...] = ()

    def is_by_output(self, node: Node) -> bool:
        """Whether a mapping goes by the outputs of the model, and is no component."""
        keys = node.mapping
        if not keys:
            return False
        if len(self.outputs) == 1:
            return list(keys) == [self.outputs[0]] and self.names_output(self.outputs[0])
        return any(key in self.outputs for key in keys) or (
            bool(self.outputs) and not any(self._is_component(key) for key in keys)
        )

    def names_output(self, key: str) -> bool:
        """Whether a key is an output's name; that of the only one may be a component's as well."""
        return key in self.outputs and (len(self.outputs) > 1 or not self._is_component(key))

    def _is_component(self, key: Key) -> bool:
        return isinstance(key, str) and catalogue.entry(self.kind, key) is not None

    def below(self, key: Key, node: Node) -> Shape:
        if self.is_by_output(node) or (len(self.outputs) > 1 and key in self.outputs):
            return self.each
        return self.each.below(key, node)

    def canonical(self, node: Node) -> Node:
        if self.is_by_output(node):
            by_name = Entries(self.each).canonical(node)
            return (
                by_name if len(self.outputs) > 1 else next(iter((by_name.mapping or {}).values()))
            )
        one = self.each.canonical(node)
        if len(self.outputs) < 2 or node.value is None:
            return one
        return Node(
            dict.fromkeys(self.outputs, one), node.place, dict.fromkeys(self.outputs, node.place)
        )


@dataclass(frozen=True)
class Parameters(Shape):
    """The parameters of a block with their defaults; a list of names gives them none.

    Args:
        paths: Those that stand for paths.
    """

    paths: Mapping[str, Shape]

    def below(self, key: Key, node: Node) -> Shape:
        return self.paths.get(str(key), ANYTHING)

    def canonical(self, node: Node) -> Node:
        if not isinstance(node.value, list):
            return node
        names: dict[Key, Place] = {
            each.value: each.place for each in node.value if isinstance(each.value, str)
        }
        if len(names) < len(node.value):
            return node
        return Node({name: Node(None, place) for name, place in names.items()}, node.place, names)


def is_hole(node: Node) -> bool:
    """Whether a text in a block stands for a parameter, so that nothing is known of it yet."""
    return isinstance(node.value, str) and node.value.startswith(HOLE)


def _argument_shape(entry: CatalogueEntry, argument: Argument) -> Shape:
    if entry.kind == "application" and argument.name == "weights":
        return PathShape()
    if argument.component_kinds or {"activation", "layers"} & set(argument.accepts):
        return ArgumentShape(argument)
    return ANYTHING


def is_table(argument: Argument, value: Any) -> bool:
    """Whether a mapping is a table of numbers by epoch, and no component."""
    takes_one = "table" in argument.accepts and isinstance(value, Mapping)
    return takes_one and any(not isinstance(key, str) for key in value)


def canonical_value(value: Any, shape: Shape) -> Any:
    """Return plain data in the canonical form that it has where `shape` is wanted."""
    return shape.canonical(node_of(value, NOWHERE)).plain()
