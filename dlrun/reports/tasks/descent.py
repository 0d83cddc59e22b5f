"""Paths of optimizers down a curve or a surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.metrics.surface import Surface, region_of
from dlrun.reports.charts import Axis, Chart, DotsMark, LineMark, Mark, axis_holding
from dlrun.reports.tasks import TaskSection
from dlrun.text import counted, figure, shortened

if TYPE_CHECKING:
    from dlrun.store.run_directory import RunDirectory

MOST_DRAWN = 4000
"""Places of a path that are drawn at most, its first ones."""

LEAST_STEP = 0.003
"""How far apart two drawn places are at least, as a share of the chart."""

NOTE = 44
"""Characters of what is written above a chart."""

LEVELS = 14
"""Contours of a surface."""


def lines(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what became of each optimizer, and where the minima are."""
    found = [("function", str(result["function"]))]
    for one in result["optimizers"]:
        found.append((str(one["name"]), _ending(one)))
    for number, minimum in enumerate(result["minima"]):
        label = "minimum" if number == 0 else "local minimum"
        found.append((label, f"{figure(minimum['value'])} at {_place(minimum['at'])}"))
    return found


def section(directory: RunDirectory, result: Mapping[str, Any]) -> TaskSection:
    """Return a chart for each optimizer, and a table of where they ended."""
    surface, paths = _surface(directory), _paths(directory)
    region = region_of(list(paths.values()), _options(directory)["steps"])
    minima = np.array([minimum["at"] for minimum in result["minima"]])
    rows = [
        (
            str(one["name"]),
            str(one["steps"]),
            _place(one["at"]),
            figure(one["value"]),
            str(one["verdict"]),
            "" if one["arrived"] is None else str(one["arrived"]),
        )
        for one in result["optimizers"]
    ]
    charts = [
        _chart(surface, region, paths[one["name"]], str(one["name"]), str(one["verdict"]), minima)
        for one in result["optimizers"]
    ]
    about = f"down {result['function']} from {_place(result['start'])}"
    columns = ("optimizer", "steps", "ended at", "value", "outcome", "arrived at step")
    return TaskSection("Descent", about, charts, "Where each ended", columns, rows)


def _ending(one: Mapping[str, Any]) -> str:
    if one["arrived"] is not None:
        return f"{one['verdict']} in {counted(one['arrived'], 'step')}"
    at = f"{figure(one['value'])} at {_place(one['at'])}"
    return f"{one['verdict']}: {at} after {counted(one['steps'], 'step')}"


def _place(at: Sequence[float]) -> str:
    return ", ".join(f"{letter} = {figure(value)}" for letter, value in zip("xy", at, strict=False))


def _surface(directory: RunDirectory) -> Surface:
    options = _options(directory)
    return Surface.of(options.get("function"), options.get("coefficients"))


def _options(directory: RunDirectory) -> dict[str, Any]:
    [options] = directory.read_run()["config"]["task"].values()
    return dict(options)


def _paths(directory: RunDirectory) -> dict[str, np.ndarray]:
    """The places of each optimizer, (n, 1) or (n, 2), by its name."""
    columns = directory.read_path()
    letters = [letter for letter in "xy" if letter in columns]
    places = np.array([columns[letter] for letter in letters], np.float64).T
    names = np.array(columns["optimizer"])
    return {name: places[names == name] for name in dict.fromkeys(columns["optimizer"])}


def _chart(
    surface: Surface,
    region: tuple[np.ndarray, np.ndarray],
    path: np.ndarray,
    name: str,
    verdict: str,
    minima: np.ndarray,
) -> Chart:
    """All charts of a run show the same part of the curve or surface."""
    low, high = region
    drawn = _apart(path, LEAST_STEP * (high - low))[:MOST_DRAWN]
    if surface.numbers == 1:
        x = np.linspace(low[0], high[0], 300)
        ground: Mark = LineMark(x, surface.value(x[:, None]), "contour", "curve")
        y, label = axis_holding(surface.value(x[:, None])), "value"
        height_of = surface.value
        axis = Axis(y.low, y.high, label)
    else:
        ground = _contours(surface, low, high)
        axis = Axis(low[1], high[1], "y")

        def height_of(at: np.ndarray) -> Any:
            return at[:, 1]

    marks: list[Mark] = [
        ground,
        LineMark(drawn[:, 0], height_of(drawn), "path", "path"),
        DotsMark(drawn[:, 0], height_of(drawn), "path", "steps", size=3.6),
    ]
    if minima.size:
        marks.append(DotsMark(minima[:, 0], height_of(minima), "goal", "minimum", 6.5, ringed=True))
    marks.append(DotsMark(path[:1, 0], height_of(path[:1]), "start", "start", 6.5, ringed=True))
    what = "curve" if surface.numbers == 1 else "surface"
    return Chart(
        Axis(low[0], high[0], "x"),
        axis,
        tuple(marks),
        f"The path of {name} on the {what} {surface.text}: {verdict}.",
        note=f"{shortened(name, max(NOTE - len(verdict), 8))}: {verdict}",
    )


def _apart(path: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return the points of a path, leaving out those that would be drawn on top of the last one."""
    kept = [path[0]]
    for at in path[1:]:
        if (np.abs(at - kept[-1]) > least).any():
            kept.append(at)
    return np.array(kept)


def _contours(surface: Surface, low: np.ndarray, high: np.ndarray) -> LineMark:
    """Lines of the same height, closer together towards the minimum, as one broken line."""
    from contourpy import contour_generator

    x, y = (np.linspace(a, b, 200) for a, b in zip(low, high, strict=True))
    heights = surface.value(np.stack(np.meshgrid(x, y), axis=-1))
    least, most = float(heights.min()), float(heights.max())
    generator = contour_generator(x, y, heights)
    gap, parts = np.full((1, 2), np.nan), list[np.ndarray]()
    for share in np.linspace(0.05, 1, LEVELS, endpoint=False) ** 4:
        for line in generator.lines(least + share * (most - least)):
            parts += [np.asarray(line), gap]
    every = np.concatenate(parts) if parts else gap
    return LineMark(every[:, 0], every[:, 1], "contour", "same height")
