"""What may be written where in a config, derived from the typed models.

A config is read into nodes as it is written, and brought into its canonical form at once:
`extends`, `--set`, paths and everything that reads a config see that form alone.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from dlrun.config.document import Key, Node
from dlrun.config.fields import (
    ByOutput,
    ChosenBy,
    IsPath,
    Kind,
    Member,
    OneOrMany,
    unpacked,
)
from dlrun.config.model_schema import Block, LayerEntry
from dlrun.config.schema import Config, Experiment
from dlrun.config.shapes import (
    ANYTHING,
    HOLE,
    NO_NAMES,
    Arguments,
    Either,
    Entries,
    Items,
    KerasShape,
    Keys,
    Named,
    Names,
    OutputsShape,
    Parameter,
    Parameters,
    PathShape,
    Shape,
    is_hole,
)
from dlrun.registry.component import Section
from dlrun.registry.families import STEPS, TARGET_STEPS, TASKS, Family


@dataclass(frozen=True)
class MemberShape(Named):
    """A component of one of dlrun's own families, such as a preprocessing step."""

    family: Family

    def arguments(self, name: str) -> Arguments:
        if name not in self.family.names():
            return Arguments()
        member = self.family.get(name)
        return Arguments(first=member.first_option(), fields=shapes_of(member))


@dataclass(frozen=True)
class ChosenKeys(Shape):
    """A section in which one key names the component that other keys are options of.

    Args:
        mark: The key and the family.
        fields: What may appear beside these.
    """

    mark: ChosenBy
    fields: Mapping[str, Shape]

    def name(self, node: Node) -> object:
        """The name of the component."""
        chosen = (node.mapping or {}).get(self.mark.key)
        return self.mark.default if chosen is None else chosen.value

    def chooses_otherwise(self, base: Node, child: Node) -> bool:
        """Whether `child` names another component than `base`."""
        return self.mark.key in (child.mapping or {}) and self.name(child) != self.name(base)

    def options(self, node: Node) -> dict[str, Shape]:
        """Everything that may appear in the section beside the key that chooses."""
        name, family = self.name(node), self.mark.family
        known = isinstance(name, str) and name in family.names()
        member = family.get(str(name)) if known else family.base_class()
        return {**shapes_of(member), **self.fields}

    def below(self, key: Key, node: Node) -> Shape:
        return self.options(node).get(str(key), ANYTHING)


@dataclass(frozen=True)
class Blocks(Shape):
    """The blocks of a config, by name."""

    names: Names

    def below(self, key: Key, node: Node) -> Shape:
        layers = layers_shape(self.names)
        paths = {p: PathShape() for block, p in self.names.paths if block == key}
        fields = {**shapes_of(Block), "layers": layers, "parameters": Parameters(paths)}
        return Keys(Block, fields)


def config_shape(names: Names) -> Keys:
    """Return what may appear where in a config that makes these names."""
    experiment = experiment_of(names.task)
    return Keys(experiment, shapes_of(experiment, names))


def experiment_of(task: object) -> type[Experiment]:
    """Return the class of a config with this task: which sections it has."""
    if not isinstance(task, str) or task not in TASKS.names():
        return Config
    experiment: type[Experiment] = getattr(TASKS.get(task), "experiment", Config)
    return experiment


def task_of(given: Any) -> object:
    """Return the name of the task that a config gives, in any of its spellings; else None."""
    return next(iter(given), None) if isinstance(given, dict) else given


def layers_shape(names: Names) -> Shape:
    """Return what may appear where layers are listed."""
    return Items(_shape(LayerEntry, [], names))


@cache
def shapes_of(section: type[Section], names: Names = NO_NAMES) -> dict[str, Shape]:
    """Return what may appear under each key of a section.

    An option called `path` is a path; others are where their type says so.
    """
    return {
        key: PathShape() if key == "path" else _shape(f.annotation, unpacked(f.metadata), names)
        for key, f in section.options().items()
    }


def _shape(annotation: Any, marks: list[Any], names: Names) -> Shape:
    """What a type with its marks allows."""
    by_output = next((mark for mark in marks if isinstance(mark, ByOutput)), None)
    if by_output is not None:
        each = _shape(annotation, [mark for mark in marks if mark is not by_output], names)
        return OutputsShape(each, by_output.kind, names.outputs)
    for mark in marks:
        if isinstance(mark, Kind):
            return KerasShape((mark.kind,))
        if isinstance(mark, Member):
            targets = Items(MemberShape(TARGET_STEPS), alone=True)
            return MemberShape(
                mark.family, beside={"targets": targets} if mark.family is STEPS else {}
            )
        if isinstance(mark, ChosenBy):
            return ChosenKeys(mark, {})
        if isinstance(mark, IsPath):
            return PathShape()
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shape(arguments[0], [*marks, *unpacked(arguments[1:])], names)
    if origin in (Union, types.UnionType):
        branches = [_shape(each, marks, names) for each in arguments if each is not types.NoneType]
        return branches[0] if len(branches) == 1 else Either(tuple(branches))
    if origin is list:
        alone = any(isinstance(mark, OneOrMany) for mark in marks)
        return Items(_shape(arguments[0], [], names), alone)
    if origin is dict:
        return Blocks(names) if arguments[1] is Block else Entries(_shape(arguments[1], [], names))
    if annotation is LayerEntry:
        return KerasShape(("layer",), names, beside=shapes_of(LayerEntry, names))
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return _section_shape(annotation, names)
    return ANYTHING


def _section_shape(section: type[Section], names: Names) -> Shape:
    fields = dict(shapes_of(section, names))
    for key, shape in fields.items():
        if isinstance(shape, ChosenKeys) and shape.mark.key == key:
            # The component's options stand in the section itself.
            return ChosenKeys(shape.mark, {k: each for k, each in fields.items() if k != key})
    return Keys(section, fields)


def canonical_config(root: Node) -> Node:
    """Return a config, or the part of one that a file holds, in its canonical form."""
    return config_shape(names_of(root)).canonical(root)


def names_of(root: Node) -> Names:
    """Return the names that a config makes, as far as they can be read."""
    sections = root.mapping or {}
    architecture, blocks = sections.get("architecture"), sections.get("blocks")
    task = sections.get("task")
    named = task_of(task.plain()) if task else None
    names = Names(
        tuple(output_names(architecture.plain())) if architecture else (),
        task=named if isinstance(named, str) else None,
    )
    if blocks is None or blocks.mapping is None:
        return names
    parameters = {
        name: (Parameters({}).canonical(given).mapping or {})
        for name, block in blocks.mapping.items()
        if (given := (block.mapping or {}).get("parameters")) is not None
    }
    first = tuple(
        (str(name), str(next(iter(given)))) for name, given in parameters.items() if given
    )
    names = replace(names, first=first)
    # A block may hand a parameter that stands for a path on to another block.
    while (paths := _path_parameters(blocks, names)) != names.paths:
        names = replace(names, paths=paths)
    return names


def output_names(architecture: Any) -> list[str]:
    """Return the outputs that an architecture names, as it is given: for one output the name of
    the last layer, where it has one."""
    if not isinstance(architecture, dict):
        return []
    given = architecture.get("outputs")
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and given:
        return given if all(isinstance(name, str) for name in given) else []
    layers = architecture.get("layers")
    last = layers[-1] if isinstance(layers, list) and layers else None
    if not isinstance(last, dict):
        return []
    inside = (value for value in last.values() if isinstance(value, dict))
    name = last.get("name") or next((v["name"] for v in inside if "name" in v), None)
    return [name] if isinstance(name, str) else []


def _path_parameters(blocks: Node, names: Names) -> frozenset[Parameter]:
    """The parameters of blocks used where paths are expected."""
    found = set[Parameter]()
    for name, block in (blocks.mapping or {}).items():
        shape = Blocks(names).below(name, blocks)
        for parameter in _holes_for_paths(shape.canonical(block), shape):
            found.add((str(name), parameter))
    return frozenset(found)


def is_path(node: Node, shape: Shape) -> bool:
    """Tell whether a node, of which `shape` is expected, is the text of a path."""
    shape = shape.of(node.value)
    bare: str | None = None
    if isinstance(shape, Keys):
        bare = shape.section.bare_option
    elif isinstance(shape, Arguments) and is_hole(node):
        # A parameter that stands for all arguments is one value mostly: the first argument.
        bare = shape.first_name
    if bare is not None:
        shape = shape.below(bare, node)
    return isinstance(shape, PathShape) and isinstance(node.value, str)


def _holes_for_paths(node: Node, shape: Shape) -> Iterator[str]:
    """The parameters used where a path is expected."""
    if is_path(node, shape) and is_hole(node):
        yield str(node.value).removeprefix(HOLE)
    for key, each in node.children():
        yield from _holes_for_paths(each, shape.below(key, node))
