"""The space of a search: its dimensions, its points, and the config at each of them.

A value is put where `--set` would put it, with its place in the space: what is wrong with it is
reported there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dlrun.config.components import read_member
from dlrun.config.document import Document, Node, Place, Reporter
from dlrun.config.grammar import canonical_config
from dlrun.config.messages import found
from dlrun.config.overrides import RefusedError, set_value
from dlrun.config.search_schema import Choices, Range, Search
from dlrun.config.validation import validate
from dlrun.config.yaml_writer import in_line
from dlrun.errors import KeyPath
from dlrun.registry.families import SAMPLERS

Point = Mapping[str, Any]
"""Values by the paths of dimensions; those whose condition is not met are left out."""

SAME_IN_ALL_TRIALS = {
    "name": "it does not change the training",
    "seed": "the trials would be scored on different rows",
    "backend": "a process computes with one backend",
    "plugins": "their code runs once",
    "task": "only trainings of one task can be compared",
    "extends": "it works only in a file",
    "metrics": "the trials would not be scored by the same measure",
    "evaluation": "the trials would not be scored in the same way",
    "search": "it is what the search itself does",
    "look": "it does not change the training",
    "ignore": "it does not change the training",
    "dataset.source": "the trials would be scored on different rows",
    "dataset.name": "the trials would be scored on different rows",
    "dataset.path": "the trials would be scored on different rows",
    "dataset.test": "the trials would be scored on different rows",
    "dataset.limit": "the trials would be scored on different rows",
    "dataset.target": "the trials would not predict the same",
    "dataset.targets": "the trials would not predict the same",
}
"""Why a search cannot vary a part of the config."""


@dataclass(frozen=True)
class Dimension:
    """One part of a space.

    Args:
        path: What it varies, as `--set` names it.
        values: A range, or choices.
        nodes: The choices, or the two ends of the range, as they are written.
        place: Where its key is written.
    """

    path: str
    values: Range | Choices
    nodes: tuple[Node, ...]
    place: Place

    @property
    def parts(self) -> list[str]:
        """The path in its parts."""
        return self.path.split(".")

    @property
    def labels(self) -> list[str]:
        """The choices as texts, each different from the others."""
        return [in_line(node.plain()) for node in self.nodes]

    def node(self, value: Any) -> Node:
        """Return a value with its place in the space."""
        label = in_line(value)
        for node in self.nodes:
            if in_line(node.plain()) == label:
                return node
        return Node(value, self.place)

    def is_met(self, point: Point) -> bool:
        """Whether the values that its condition names are in a point."""
        return all(
            path in point and in_line(point[path]) in wanted
            for path, wanted in self.conditions.items()
        )

    @property
    def conditions(self) -> dict[str, list[str]]:
        """What other dimensions have to be, as texts of their choices."""
        return {
            path: [in_line(each) for each in (value if isinstance(value, list) else [value])]
            for path, value in (self.values.when or {}).items()
        }

    def extremes(self) -> tuple[Any, Any]:
        """The values of the smallest and of the largest model, as far as they tell: the least and
        the greatest number, nothing and the last choice."""
        plain = [node.plain() for node in self.nodes]
        if all(isinstance(each, int | float) for each in plain):
            return min(plain), max(plain)
        some = [each for each in plain if each is not None]
        return (None if len(some) < len(plain) else plain[0]), (some[-1] if some else None)


def read_search(value: Any, root: Node, report: Reporter) -> Search | None:
    """Read `search` as far as it can be read without trying its values.

    Args:
        value: What the config holds there, plain data.
        root: The whole config.
        report: Takes the problems.
    """
    if not isinstance(value, dict):
        report.wrong(("search",), value, "a mapping with the key 'space'")
        return None
    before, given = len(report), dict(value)
    if given.get("sampler") is not None:
        sampler = read_member(SAMPLERS, given["sampler"], ("search", "sampler"), report)
        given["sampler"] = sampler
    space = given.get("space")
    if isinstance(space, dict):
        read = {key: _read_dimension(key, each, report) for key, each in space.items()}
        given["space"] = read
        if len(report) == before:
            _check_conditions(read, report)
    search = validate(Search, given, ("search",), report) if len(report) == before else None
    if search is not None and (sampler := search.sampler) is not None:
        for path, why in getattr(sampler, "refused", lambda space: ())(search.space):
            report(("search", "space", path), why, on_key=True)
    return search if len(report) == before else None


def _read_dimension(path: Any, value: Any, report: Reporter) -> Range | Choices | None:
    place: KeyPath = ("search", "space", path)
    why = _fixed(path) if isinstance(path, str) else None
    if not isinstance(path, str) or not all(path.split(".")):
        expected = "a path with dots, such as optimizer.adam.learning_rate"
        report(place, f"this is not the path of a value: {found(path)}", expected=expected)
    elif why is not None:
        report(place, f"a search cannot vary '{path}': {why}", on_key=True)
    elif isinstance(value, list) and value:
        value = {"choices": value}
    elif not isinstance(value, dict):
        report.wrong(place, value, "a list of values, or a range {low: 1, high: 10}")
    else:
        is_list = "choices" in value
        kind: type[Range | Choices] = Choices if is_list else Range
        return _distinct(validate(kind, value, place, report, name=path), place, report)
    if not isinstance(value, dict):
        return None
    return _distinct(validate(Choices, value, place, report, name=path), place, report)


def _distinct(
    values: Range | Choices | None, place: KeyPath, report: Reporter
) -> Range | Choices | None:
    if isinstance(values, Choices):
        texts = [in_line(each) for each in values.choices]
        for text in dict.fromkeys(texts):
            if texts.count(text) > 1:
                report(place, f"the choice {text} is listed twice", on_key=True)
    return values


def _fixed(path: str) -> str | None:
    parts = path.split(".")
    return SAME_IN_ALL_TRIALS.get(parts[0]) or SAME_IN_ALL_TRIALS.get(".".join(parts[:2]))


def _check_conditions(space: Mapping[str, Any], report: Reporter) -> None:
    """Look at whether each condition names choices that come before it."""
    earlier: dict[str, list[str]] = {}
    for path, values in space.items():
        for other, wanted in (values.when or {}).items():
            place: KeyPath = ("search", "space", path, "when", other)
            if other not in earlier:
                message = f"'{other}' is not a list of choices that comes before '{path}'"
                report(place, message, on_key=True)
                continue
            for each in wanted if isinstance(wanted, list) else [wanted]:
                if in_line(each) not in earlier[other]:
                    message = f"'{other}' is never {in_line(each)}"
                    report(place, message, expected=" or ".join(earlier[other]))
        if isinstance(values, Choices):
            earlier[path] = [in_line(each) for each in values.choices]


def dimensions_of(search: Search, document: Document) -> list[Dimension]:
    """Return the dimensions of a space, in the order of the config."""
    space = (document.root.mapping or {})["search"].mapping or {}
    dimensions = []
    for key, node in (space["space"].mapping or {}).items():
        values = search.space[str(key)]
        place = space["space"].keys[key]
        parts = node.mapping
        if isinstance(values, Range):
            assert parts is not None
            nodes = [parts["low"], parts["high"]]
        else:
            assert not isinstance(values, list)
            nodes = [each for _, each in (parts["choices"] if parts else node).children()]
        dimensions.append(Dimension(str(key), values, tuple(nodes), place))
    return dimensions


def smallest_and_largest(dimensions: Sequence[Dimension]) -> Iterator[dict[str, Any]]:
    """Yield the points of what is probably the smallest and the largest model."""
    for end in (0, 1):
        point: dict[str, Any] = {}
        for dimension in dimensions:
            if dimension.is_met(point):
                point[dimension.path] = dimension.extremes()[end]
        yield point


def single_values(dimensions: Sequence[Dimension]) -> Iterator[dict[str, Any]]:
    """Yield a point for every value that is written in the space, with what it depends on."""
    by_path = {dimension.path: dimension for dimension in dimensions}

    def with_conditions(dimension: Dimension) -> dict[str, Any]:
        point: dict[str, Any] = {}
        for path, value in (dimension.values.when or {}).items():
            first = value[0] if isinstance(value, list) else value
            point |= {**with_conditions(by_path[path]), path: first}
        return point

    for dimension in dimensions:
        for node in dimension.nodes:
            yield {**with_conditions(dimension), dimension.path: node.plain()}


def root_at(root: Node, dimensions: Sequence[Dimension], point: Point, report: Reporter) -> Node:
    """Return a config with the values of a point, canonical, without its search.

    Whole entries come before what is within them, and an entry of a list that is null leaves the
    list at last: every path counts the entries that the config lists.
    """
    root = root.only([key for key in root.mapping or {} if key != "search"])
    gone: list[Place] = []
    for dimension in sorted(dimensions, key=lambda each: len(each.parts)):
        if dimension.path not in point:
            continue
        node = dimension.node(point[dimension.path])
        if node.value is None:
            node = Node(None, replace(node.place))
            gone.append(node.place)
        try:
            root = canonical_config(set_value(root, dimension.parts, node, dimension.place))
        except RefusedError as error:
            report.at(dimension.place, str(error))
    return canonical_config(_without(root, gone)) if gone else root


def _without(node: Node, gone: Sequence[Place]) -> Node:
    """Drop the entries of lists that are at some places."""
    if isinstance(node.value, list):
        kept = [each for each in node.value if not any(each.place is place for place in gone)]
        return Node([_without(each, gone) for each in kept], node.place)
    if node.mapping is None:
        return node
    entries = {key: _without(each, gone) for key, each in node.mapping.items()}
    return Node(entries, node.place, node.keys)


def number_in(root: Node, dimension: Dimension) -> float | None:
    """Return the number that a config has where a range is; None where it has none in the range."""
    probe = Node(None, dimension.place)
    try:
        path = _path_to(set_value(root, dimension.parts, probe, dimension.place), probe)
    except RefusedError:
        return None
    value = root.plain()
    for key in path or ():
        inside = isinstance(value, dict) and key in value
        inside |= isinstance(value, list) and isinstance(key, int) and key < len(value)
        value = value[key] if inside else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    values = dimension.values
    return value if is_number and isinstance(values, Range) and _holds(values, value) else None


def _holds(values: Range, value: float) -> bool:
    if not values.low <= value <= values.high:
        return False
    step = values.step if values.step is not None else (1 if values.of_integers else None)
    if step is None:
        return True
    steps = (value - values.low) / step
    # 0.1 + 0.2 is not quite 0.3.
    return math.isclose(steps, round(steps), abs_tol=1e-9)


def _path_to(node: Node, wanted: Node) -> tuple[Any, ...] | None:
    for key, child in node.children():
        if child is wanted:
            return (key,)
        if (below := _path_to(child, wanted)) is not None:
            return (key, *below)
    return None
