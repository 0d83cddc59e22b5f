"""Places the boxes of a directed graph in rows, from inputs to outputs, with few crossings.

Source: Sugiyama, Tagawa and Toda, *Methods for visual understanding of hierarchical system
structures* (1981): rows by the longest path, orders by the neighbours' mean places, and then
places as near to the neighbours as the order allows. All lengths are inches, y grows downwards.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from graphlib import CycleError, TopologicalSorter

SWEEPS = 12
"""Times that the orders of the rows are improved, from above and from below in turn."""

TITLE_CHARACTER, CHARACTER = 0.095, 0.082
"""Width of a character of the first line in a box, which is bold, and of the others."""

LINE = 0.19
"""Height of a line of text."""

PADDING = 0.14
"""Around the text of a box, on every side."""

BESIDE, BETWEEN = 0.3, 0.45
"""Between two boxes of a row, and between two rows."""

LANE = 0.16
"""What an edge takes up in a row that it passes."""

LANE_WEIGHT, CHAIN_WEIGHT = 8.0, 4.0
"""How much straighter an edge should be than another where it passes rows, and where it is the
only one of both its boxes."""

STRAIGHTENING = 120
"""Times that boxes are moved towards their neighbours."""


@dataclass(frozen=True)
class LayerBox:
    """One layer, model, input or output.

    Args:
        name: Unique in the graph.
        lines: The text in it, the first one as its title.
        kind: How it is drawn: `input`, `layer`, or `model` for one that has layers of its own.
    """

    name: str
    lines: tuple[str, ...]
    kind: str = "layer"

    @property
    def width(self) -> float:
        """How wide its text makes it."""
        title, *others = map(len, self.lines)
        return max(title * TITLE_CHARACTER, *(n * CHARACTER for n in others), 0.0) + 2 * PADDING

    @property
    def height(self) -> float:
        """How high its text makes it."""
        return len(self.lines) * LINE + 2 * PADDING


@dataclass(frozen=True)
class ModelGraph:
    """What is to be drawn.

    Args:
        boxes: In the order in which they are written.
        edges: From one box to another, by their names; no cycles.
    """

    boxes: tuple[LayerBox, ...]
    edges: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PlacedBox:
    """A box with the middle of it."""

    box: LayerBox
    x: float
    y: float

    @property
    def left(self) -> float:
        """Its left side."""
        return self.x - self.box.width / 2

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.box.width / 2

    @property
    def top(self) -> float:
        """Its upper side."""
        return self.y - self.box.height / 2

    @property
    def bottom(self) -> float:
        """Its lower side."""
        return self.y + self.box.height / 2


@dataclass(frozen=True)
class GraphLayout:
    """A graph that can be drawn.

    Args:
        boxes: Each box with its place.
        edges: Each edge as points, from the lower side of a box to the upper side of another.
        width: Of everything.
        height: Of everything.
    """

    boxes: tuple[PlacedBox, ...]
    edges: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


@dataclass(frozen=True)
class _GraphRows:
    """Boxes, and the places where edges pass, by row.

    Args:
        rows: Names from left to right; a place that an edge passes is `(edge, row)`.
        above: Neighbours in the row above.
        below: Neighbours in the row below.
        paths: The places of each edge from its first box to its last.
    """

    rows: list[list[object]]
    above: dict[object, list[object]]
    below: dict[object, list[object]]
    paths: list[list[object]]


def place(graph: ModelGraph) -> GraphLayout:
    """Return where every box and edge goes; a function of the graph alone.

    Raises:
        CycleError: The edges form a cycle, a `ValueError`.
    """
    boxes = {box.name: box for box in graph.boxes}
    edges = list(dict.fromkeys(graph.edges))
    rows = _in_rows(_row_numbers(list(boxes), edges), edges)
    _put_in_order(rows)
    xs = _columns(rows, boxes)
    tops, bottoms, end = list[float](), list[float](), 0.0
    for row in rows.rows:
        height = max((boxes[name].height for name in row if isinstance(name, str)), default=LINE)
        tops.append(end)
        bottoms.append(end + height)
        end += height + BETWEEN
    middles = [(top + bottom) / 2 for top, bottom in zip(tops, bottoms, strict=True)]
    placed = {
        name: PlacedBox(boxes[name], xs[name], middles[number])
        for number, row in enumerate(rows.rows)
        for name in row
        if isinstance(name, str)
    }
    number = {name: index for index, row in enumerate(rows.rows) for name in row}
    lines = tuple(_line(path, placed, xs, number, tops, bottoms) for path in rows.paths)
    right = max((x for line in lines for x, _ in line), default=0.0)
    right = max([right, *(box.right for box in placed.values())])
    return GraphLayout(tuple(placed[box.name] for box in graph.boxes), lines, right, bottoms[-1])


def crossings(rows: Sequence[Sequence[object]], below: Mapping[object, Sequence[object]]) -> int:
    """Count how often edges between neighbouring rows cross."""
    count = 0
    for row, following in itertools.pairwise(rows):
        places = {name: index for index, name in enumerate(following)}
        ends = [sorted(places[other] for other in below.get(name, ())) for name in row]
        for index, mine in enumerate(ends):
            for others in ends[index + 1 :]:
                count += sum(one > other for one in mine for other in others)
    return count


def leads_in_a_circle(graph: ModelGraph) -> bool:
    """Whether some edges lead back to where they began."""
    sorter = TopologicalSorter[str]()
    for first, second in graph.edges:
        sorter.add(second, first)
    try:
        sorter.prepare()
    except CycleError:
        return True
    return False


def _row_numbers(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The row of each box: below all that lead to it, and no higher than it must be."""
    before: dict[str, list[str]] = {name: [] for name in names}
    after: dict[str, list[str]] = {name: [] for name in names}
    for first, second in edges:
        before[second].append(first)
        after[first].append(second)
    order = list(TopologicalSorter(before).static_order())
    rows: dict[str, int] = {}
    for name in order:
        rows[name] = max((rows[other] + 1 for other in before[name]), default=0)
    for name in reversed(order):
        if after[name]:
            rows[name] = min(rows[other] for other in after[name]) - 1
    return rows


def _in_rows(numbers: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> _GraphRows:
    rows: list[list[object]] = [[] for _ in range(max(numbers.values()) + 1)]
    for name, number in numbers.items():
        rows[number].append(name)
    above, below = defaultdict[object, list[object]](list), defaultdict[object, list[object]](list)
    paths: list[list[object]] = []
    for first, second in edges:
        passed = range(numbers[first] + 1, numbers[second])
        path: list[object] = [first, *(((first, second), row) for row in passed), second]
        for row, lane in zip(passed, path[1:-1], strict=True):
            rows[row].append(lane)
        for one, other in itertools.pairwise(path):
            above[other].append(one)
            below[one].append(other)
        paths.append(path)
    return _GraphRows(rows, above, below, paths)


def _put_in_order(rows: _GraphRows) -> None:
    """Order each row by the mean places of its neighbours, and keep the orders that cross least."""
    best, fewest = [list(row) for row in rows.rows], crossings(rows.rows, rows.below)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        numbers = range(1, len(rows.rows)) if downwards else range(len(rows.rows) - 2, -1, -1)
        beside = rows.above if downwards else rows.below
        for number in numbers:
            fixed = rows.rows[number - 1 if downwards else number + 1]
            places = {name: float(index) for index, name in enumerate(fixed)}
            row = rows.rows[number]
            own = {name: float(index) for index, name in enumerate(row)}
            means = {n: _mean([places[o] for o in beside[n]], own[n]) for n in row}
            row.sort(key=lambda name: (means[name], own[name]))
        count = crossings(rows.rows, rows.below)
        if count < fewest:
            best, fewest = [list(row) for row in rows.rows], count
    rows.rows[:] = best


def _columns(rows: _GraphRows, boxes: Mapping[str, LayerBox]) -> dict[object, float]:
    """The x of every box and lane: near its neighbours, in the order of its row."""
    widths = {
        name: boxes[name].width if isinstance(name, str) else LANE
        for row in rows.rows
        for name in row
    }
    xs: dict[object, float] = {}
    for row in rows.rows:
        end = 0.0
        for name in row:
            xs[name] = end + widths[name] / 2
            end += widths[name] + BESIDE
    weigh = partial(_weight, rows)
    for sweep in range(STRAIGHTENING):
        order = rows.rows if sweep % 2 == 0 else rows.rows[::-1]
        for row in order:
            wanted, weights = [], []
            for name in row:
                # First along the edges one way, so that what hangs together comes together.
                one_way = rows.above[name] if sweep % 2 == 0 else rows.below[name]
                both = [*rows.above[name], *rows.below[name]]
                beside = one_way if one_way and sweep < SWEEPS else both
                pulls = [weigh(name, other) for other in beside]
                total = sum(pulls)
                places = sum(pull * xs[o] for pull, o in zip(pulls, beside, strict=True))
                wanted.append(places / total if total else xs[name])
                weights.append(total or 1.0)
            for name, x in zip(row, _apart(wanted, weights, [widths[n] for n in row]), strict=True):
                xs[name] = x
    left = min(xs[name] - width / 2 for name, width in widths.items())
    return {name: x - left for name, x in xs.items()}


def _weight(rows: _GraphRows, one: object, other: object) -> float:
    """How straight the edge between two neighbours should be."""
    upper, lower = (one, other) if other in rows.below[one] else (other, one)
    if not isinstance(upper, str) and not isinstance(lower, str):
        return LANE_WEIGHT
    alone = len(rows.below[upper]) == 1 and len(rows.above[lower]) == 1
    return CHAIN_WEIGHT if alone else 1.0


def _apart(
    wanted: Sequence[float], weights: Sequence[float], widths: Sequence[float]
) -> list[float]:
    """The places nearest to those wanted (weighted squares) that keep order and distance.

    With the distances taken off, this is isotonic regression by pooling adjacent violators.
    """
    offsets, end = [], 0.0
    for index, width in enumerate(widths):
        end += (widths[index - 1] + width) / 2 + BESIDE if index else 0.0
        offsets.append(end)
    pools: list[tuple[float, float, int]] = []
    for place, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, count = place - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, more, others = pools.pop()
            mean = (mean * total + other * more) / (total + more)
            total, count = total + more, count + others
        pools.append((mean, total, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _line(
    path: Sequence[object],
    placed: Mapping[str, PlacedBox],
    xs: Mapping[object, float],
    number: Mapping[object, int],
    tops: Sequence[float],
    bottoms: Sequence[float],
) -> tuple[tuple[float, float], ...]:
    """The points of an edge; where it passes a row it goes straight down."""
    points = []
    for name in path:
        if isinstance(name, str):
            box = placed[name]
            points.append((box.x, box.bottom if name == path[0] else box.top))
        else:
            points += [(xs[name], tops[number[name]]), (xs[name], bottoms[number[name]])]
    return tuple(points)


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default
