"""A chart as SVG text, coloured by the page's style sheet: legible in light and dark.

Numbers are in units of the chart, which is about as wide as a phone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup, escape

from dlrun.reports.html.scale import Scale
from dlrun.text import shortened

WIDTH = 430.0
HEIGHT = 270.0
MOST_POINTS = 2_000
"""Points that a chart shows at most."""

MOST_VERTICES = 1_200
"""Vertices that a line has at most, about three for each unit of width."""

CHARACTER = 6.4
"""Width of a character of a label, about."""


@dataclass(frozen=True)
class LegendKey:
    """An entry of a legend: how something is drawn, and what it is."""

    mark: str
    label: str


@dataclass(frozen=True)
class Figure:
    """A chart with what is said of it.

    Args:
        svg: The chart.
        title: What stands above it.
        keys: What its marks mean.
        note: A sentence beneath it.
        wide: Whether it takes the whole width of the page.
    """

    svg: Markup
    title: str = ""
    keys: tuple[LegendKey, ...] = ()
    note: str = ""
    wide: bool = False


@dataclass
class Plot:
    """A chart that is being drawn.

    Args:
        x: Horizontal axis.
        y: Vertical axis.
        description: What a person who cannot see the chart should know.
        x_label: What the horizontal axis counts.
        y_label: What the vertical axis counts; stands above it.
        width: Of the whole chart.
        height: Of the whole chart.
    """

    x: Scale
    y: Scale
    description: str
    x_label: str = ""
    y_label: str = ""
    width: float = WIDTH
    height: float = HEIGHT
    _parts: list[str] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Where the horizontal axis begins."""
        return 12 + CHARACTER * max((len(label) for label in self.y.labels), default=0)

    @property
    def right(self) -> float:
        """Where the horizontal axis ends."""
        return self.width - 14

    @property
    def top(self) -> float:
        """Where the vertical axis ends."""
        return 24.0

    @property
    def bottom(self) -> float:
        """Where the vertical axis begins."""
        return self.height - (42 if self.x_label else 24)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point."""
        across = self.left + (self.right - self.left) * self.x.place(x)
        return across, self.bottom + (self.top - self.bottom) * self.y.place(y)

    def line(self, xs: Sequence[float], ys: Sequence[float], mark: str) -> None:
        """Draw a line through points; it is broken where a number is missing."""
        path = []
        for run in _finite_runs(xs, ys):
            places = _thinned([self.at(x, y) for x, y in run])
            if len(places) == 1:
                path.append(_move(places) + "h0")
            else:
                path.append(_move(places) + "L" + " ".join(map(_pair, places[1:])))
        if path:
            self._parts.append(f'<path class="line {mark}" d="{"".join(path)}"/>')

    def band(
        self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], mark: str
    ) -> None:
        """Fill between two lines."""
        there = [
            (x, low, high)
            for x, low, high in zip(xs, lows, highs, strict=True)
            if all(map(math.isfinite, (x, low, high)))
        ]
        if len(there) < 2:
            return
        upper = _thinned([self.at(x, high) for x, _, high in there])
        lower = _thinned([self.at(x, low) for x, low, _ in there])
        corners = " ".join(map(_pair, upper + lower[::-1]))
        self._parts.append(f'<polygon class="band {mark}" points="{corners}"/>')

    def dots(
        self, xs: Sequence[float], ys: Sequence[float], mark: str, radius: float = 2.6
    ) -> None:
        """Draw points: one path, whose round line ends are the dots."""
        places = {
            _pair(self.at(x, y))
            for x, y in zip(xs, ys, strict=True)
            if math.isfinite(x) and math.isfinite(y)
        }
        if places:
            path = "".join(f"M{place}h0" for place in sorted(places))
            self._parts.append(
                f'<path class="dots {mark}" stroke-width="{2 * radius:g}" d="{path}"/>'
            )

    def rule(self, start: tuple[float, float], end: tuple[float, float], mark: str) -> None:
        """Draw a straight line between two points."""
        (x1, y1), (x2, y2) = self.at(*start), self.at(*end)
        self._parts.append(
            f'<line class="{mark}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        )

    def box(self, low: tuple[float, float], high: tuple[float, float], mark: str) -> None:
        """Fill a rectangle between two opposite corners."""
        (x1, y1), (x2, y2) = self.at(*low), self.at(*high)
        self._parts.append(
            f'<rect class="{mark}" x="{min(x1, x2):.1f}" y="{min(y1, y2):.1f}" '
            f'width="{abs(x2 - x1):.1f}" height="{abs(y2 - y1):.1f}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        shift: tuple[float, float] = (0.0, 0.0),
        anchor: str = "middle",
        mark: str = "note",
    ) -> None:
        """Write beside a point, `shift` units to the right and down."""
        across, down = self.at(x, y)
        self.write(across + shift[0], down + shift[1], words, anchor, mark)

    def write(self, x: float, y: float, words: str, anchor: str, mark: str) -> None:
        """Write at a place of the chart."""
        self._parts.append(
            f'<text class="{mark}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{escape(words)}</text>"
        )

    def svg(self) -> Markup:
        """Return the finished chart."""
        return svg(self.width, self.height, self.description, [*self._frame(), *self._parts])

    def _frame(self) -> Iterable[str]:
        """Grid, axis and labels, below everything else."""
        plain = Plot(self.x, self.y, "", width=self.width, height=self.height, x_label=self.x_label)
        for tick, label in zip(self.y.ticks, self.y.labels, strict=True):
            plain.rule((self.x.low, tick), (self.x.high, tick), "grid")
            plain.text(self.x.low, tick, label, shift=(-6, 4), anchor="end", mark="tick")
        plain.rule((self.x.low, self.y.low), (self.x.high, self.y.low), "axis")
        for tick, label in zip(self.x.ticks, self.x.labels, strict=True):
            plain.text(tick, self.y.low, label, shift=(0, 16), mark="tick")
        room = int((self.width - self.left) / CHARACTER)
        if self.x_label:
            middle = (self.left + self.right) / 2
            label = shortened(self.x_label, room)
            plain.write(middle, self.height - 6, label, "middle", "name")
        if self.y_label:
            plain.write(2, 12, shortened(self.y_label, room), "start", "name")
        return plain._parts


def svg(width: float, height: float, description: str, parts: Iterable[str]) -> Markup:
    """Return a chart with its own text for those who cannot see it."""
    return Markup(
        f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(description)}">{"".join(parts)}</svg>'
    )


def sampled(count: int, most: int = MOST_POINTS) -> np.ndarray:
    """Return (k,) int64 ascending positions of a random sample of at most `most` out of `count`.

    The same for the same arguments.
    """
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))


def _finite_runs(xs: Sequence[float], ys: Sequence[float]) -> Iterable[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(x) and math.isfinite(y):
            run.append((float(x), float(y)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _thinned(places: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Leave out what nobody can see: equal places, and all but the extremes of narrow columns."""
    kept = [
        place for i, place in enumerate(places) if i == 0 or _pair(place) != _pair(places[i - 1])
    ]
    if len(kept) <= MOST_VERTICES:
        return kept
    size = math.ceil(4 * len(kept) / MOST_VERTICES)
    thinned = []
    for start in range(0, len(kept), size):
        part = kept[start : start + size]
        by_height = sorted(range(len(part)), key=lambda i: part[i][1])
        for index in sorted({0, len(part) - 1, by_height[0], by_height[-1]}):
            thinned.append(part[index])
    return thinned


def _move(places: Sequence[tuple[float, float]]) -> str:
    return f"M{_pair(places[0])}"


def _pair(place: tuple[float, float]) -> str:
    return f"{_short(place[0])},{_short(place[1])}"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
