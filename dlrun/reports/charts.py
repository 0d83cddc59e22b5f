"""What a chart shows, as facts: two axes, marks on them, and what the marks mean.

`dlrun.reports.drawing` draws them, into picture files and into the HTML report alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Numbers = Sequence[float] | np.ndarray

HEIGHT = 270.0
SQUARE = 330.0
"""Heights of a chart in points: usually, and where both axes have the same range. All charts of
the report are 430 points wide, about as wide as a phone."""


MOST_RUNS = 12
"""Runs with their own style: `run 0` to `run 11`."""


@dataclass(frozen=True)
class Axis:
    """One axis.

    Args:
        low: The number at its beginning.
        high: The number at its end.
        label: What it counts.
        ticks: Numbers to label; None to choose round ones.
        names: What to write at each of `ticks`; None for the numbers themselves.
        logarithmic: Whether equal distances are equal ratios; `low` is then above 0.
    """

    low: float
    high: float
    label: str = ""
    ticks: tuple[float, ...] | None = None
    names: tuple[str, ...] | None = None
    logarithmic: bool = False

    def position(self, value: float) -> float:
        """Return where a number is: 0 at the beginning of the axis, 1 at its end."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value(self, position: float) -> float:
        """Return the number at a position, the inverse of `position`."""
        if self.logarithmic:
            return float(self.low * (self.high / self.low) ** position)
        return self.low + (self.high - self.low) * position


def axis_holding(
    values: Iterable[float], label: str = "", *, padding: float = 0.04, logarithmic: bool = False
) -> Axis:
    """Return an axis that holds all finite values, with round numbers to label.

    Args:
        values: What it has to hold; of a logarithmic axis those above 0.
        label: What it counts.
        padding: Room at both ends, as a share of the range.
        logarithmic: Whether equal distances are equal ratios.
    """
    found = np.fromiter((float(value) for value in values), np.float64)
    found = found[np.isfinite(found) & (found > 0 if logarithmic else True)]
    if not found.size:
        return Axis(0.0, 1.0, label)
    low, high = float(found.min()), float(found.max())
    if logarithmic:
        room = (high / low) ** padding if high > low else 2.0
        return Axis(low / room, high * room, label, logarithmic=True)
    room = (high - low) * padding or abs(low) * 0.1 or 1.0
    return Axis(low - room, high + room, label)


def share_axis(label: str) -> Axis:
    """Return an axis from 0 to 1, with a little room for what lies on its ends."""
    return Axis(-0.02, 1.02, label, ticks=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0))


MOST_TIMES = 5
"""Times that an axis names at most."""

_SECONDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 5, 15, 30, 60, 180, 360, 720)),
    *(86400 * days for days in (1, 2, 5, 10, 20, 30)),
)
_MONTHS = (1, 2, 3, 6, *(12 * years for years in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)))


def seconds_of(times: np.ndarray) -> np.ndarray:
    """Return dates as float seconds since 1970, which an axis of `time_axis` counts."""
    return times.astype("datetime64[us]").astype(np.int64) / 1e6


def time_axis(first: np.datetime64, last: np.datetime64) -> Axis:
    """Return an axis of time, with round times to label."""
    low, high = seconds_of(np.array([first, last]))
    step = next((s for s in _SECONDS if high // s - low // s <= MOST_TIMES), None)
    step = 60 if low == high else step
    every = _months_between(first, last) if step is None else _steps_between(low, high, step)
    ticks = seconds_of(every)
    every, ticks = (values[(low <= ticks) & (ticks <= high)] for values in (every, ticks))
    label, day = "time", first.astype("datetime64[D]")
    if step is None or step >= 86400:
        names = every.astype(str).tolist()
    else:
        unit = "m" if step >= 60 else "s" if step >= 1 else "ms"
        texts = every.astype(f"datetime64[{unit}]").astype(str).tolist()
        # From the hour on, or from the month on.
        one_day = day == last.astype("datetime64[D]")
        names = [text[11:] if one_day else text[5:].replace("T", " ") for text in texts]
        label = f"time on {day}" if one_day else label
    room = 0.01 * (high - low) or 60.0
    return Axis(float(low - room), float(high + room), label, tuple(ticks.tolist()), tuple(names))


def _steps_between(low: float, high: float, step: float) -> np.ndarray:
    """Multiples of a step of seconds, as dates."""
    counts = np.arange(int(low // step), int(high // step) + 1)
    times = (counts * round(step * 1e6)).astype("datetime64[us]")
    return times.astype("datetime64[D]") if step >= 86400 else times


def _months_between(first: np.datetime64, last: np.datetime64) -> np.ndarray:
    """Round months, or round years."""
    begin, end = (int(time.astype("datetime64[M]").astype(np.int64)) for time in (first, last))
    step = next((m for m in _MONTHS if end // m - begin // m <= MOST_TIMES), _MONTHS[-1])
    # Round years, not so many years after 1970.
    start = begin - (begin + 1970 * 12) % step
    every = np.arange(start, end + 1, step).astype("datetime64[M]")
    return every.astype("datetime64[Y]") if step >= 12 else every


@dataclass(frozen=True)
class LineMark:
    """A line through points, broken where a number is missing; a lonely point is a dot.

    Args:
        x: Ascending.
        y: As many; NaN where there is none.
        style: How it is drawn, see `dlrun.reports.drawing.STYLES`.
        label: What it means, or nothing for no entry in the legend.
        opacity: From 0 to 1; None for that of the style.
    """

    x: Numbers
    y: Numbers
    style: str
    label: str = ""
    opacity: float | None = None


@dataclass(frozen=True)
class DotsMark:
    """Points.

    Args:
        x: Of each.
        y: Of each; NaN where there is none.
        style: How they are drawn.
        label: What they mean.
        size: Diameter in points; smaller where they would touch each other.
        ringed: Whether they have an outline.
        opacity: From 0 to 1; None for that of the style.
    """

    x: Numbers
    y: Numbers
    style: str
    label: str = ""
    size: float = 5.0
    ringed: bool = False
    opacity: float | None = None


@dataclass(frozen=True)
class BandMark:
    """The area between two lines, where both have a number."""

    x: Numbers
    low: Numbers
    high: Numbers
    style: str
    label: str = ""


@dataclass(frozen=True)
class BoxesMark:
    """Rectangles, each as left, lower, right and upper end."""

    boxes: tuple[tuple[float, float, float, float], ...]
    style: str
    label: str = ""
    opacity: float | None = None


@dataclass(frozen=True)
class TextMark:
    """Text next to a point.

    Args:
        x: Of the point.
        y: Of the point.
        text: The words.
        shift: How far from the point, in points to the right and up.
        align: `left`, `center` or `right`: which end of the words is there.
        below: Whether the words are below that place, not above.
        style: `note`, or `value` for an important number.
    """

    x: float
    y: float
    text: str
    shift: tuple[float, float] = (0.0, 0.0)
    align: str = "center"
    below: bool = False
    style: str = "note"


Mark = LineMark | DotsMark | BandMark | BoxesMark | TextMark


@dataclass(frozen=True)
class Chart:
    """A chart with its description, title and note.

    Args:
        x: Horizontal axis.
        y: Vertical axis.
        marks: In the order of the legend.
        description: What a person who cannot see the chart should know.
        title: Above it.
        note: A sentence about it.
        height: In points, see `HEIGHT`.
    """

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    description: str
    title: str = ""
    note: str = ""
    height: float = HEIGHT

    @property
    def legend(self) -> tuple[Mark, ...]:
        """The marks that have a meaning, each meaning once."""
        found: dict[str, Mark] = {}
        for mark in self.marks:
            if not isinstance(mark, TextMark) and mark.label:
                found.setdefault(mark.label, mark)
        return tuple(found.values())


def rule(
    start: tuple[float, float], end: tuple[float, float], style: str, label: str = ""
) -> LineMark:
    """Return a straight line between two points."""
    return LineMark((start[0], end[0]), (start[1], end[1]), style, label)
