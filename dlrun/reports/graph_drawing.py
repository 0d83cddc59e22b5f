"""Draws the graph of a model: a box for each layer with its shapes, and lines for what goes where.

Needs nothing but matplotlib. The same graph always gives the same file.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from dlrun.reports.drawing import COLORS, own_style
from dlrun.reports.graph_layout import LINE, GraphLayout, ModelGraph, PlacedBox, place
from dlrun.reports.picture import PIXELS_PER_INCH, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILLS = {"input": "#E8F1F8", "layer": "#FFFFFF", "model": "#FBF1E4"}
BORDERS = {"input": "#0072B2", "layer": "#666666", "model": "#B26A00"}
SMALL = "#555555"
MARGIN = 0.25
TITLE_SIZE, TEXT_SIZE = 9.5, 8.5
"""Sizes of the first line in a box and of the others, in points."""

HEADING = 0.4
MOST_PIXELS = 20_000
"""Height of a PNG, at most: a longer model is drawn with fewer pixels an inch."""


def draw_graph(graph: ModelGraph, title: str, kind: str) -> bytes:
    """Return the picture.

    Args:
        graph: At least one box.
        title: Above it.
        kind: `png` or `svg`.
    """
    file = BytesIO()
    with own_style():
        figure = build_graph(place(graph), title)
        pixels = min(PIXELS_PER_INCH, MOST_PIXELS / figure.get_figheight())
        save_figure(figure, file, kind, pixels)
    return file.getvalue()


def build_graph(layout: GraphLayout, title: str) -> Figure:
    """Return the figure, as large as the layout is."""
    from matplotlib.figure import Figure

    titled = len(title) * LINE * 0.6
    width = max(layout.width, titled) + 2 * MARGIN
    height = layout.height + 2 * MARGIN + HEADING
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    left = -(width - layout.width) / 2
    axes.set_xlim(left, left + width)
    axes.set_ylim(layout.height + MARGIN, -MARGIN - HEADING)
    middle = layout.width / 2
    axes.text(
        middle, -MARGIN - 0.05, title, ha="center", va="bottom", fontsize=12, color=COLORS["ink"]
    )
    for points in layout.edges:
        _draw_edge(axes, points)
    for box in layout.boxes:
        _draw_box(axes, box)
    return figure


def _draw_box(axes: Axes, placed: PlacedBox) -> None:
    from matplotlib.patches import FancyBboxPatch

    box = placed.box
    axes.add_patch(
        FancyBboxPatch(
            (placed.left, placed.top),
            box.width,
            box.height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=FILLS[box.kind],
            edgecolor=BORDERS[box.kind],
            linewidth=1.0,
            zorder=2,
        )
    )
    first = placed.y - (len(box.lines) - 1) / 2 * LINE
    for number, line in enumerate(box.lines):
        axes.text(
            placed.x,
            first + number * LINE,
            line,
            ha="center",
            va="center",
            fontsize=TEXT_SIZE if number else TITLE_SIZE,
            fontweight="normal" if number else "bold",
            color=SMALL if number else COLORS["ink"],
            parse_math=False,
            zorder=3,
        )


def _draw_edge(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """A line that leaves and reaches boxes straight down, and bends between rows."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    corners, codes = [points[0]], [Path.MOVETO]
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        if x == to_x:
            corners.append((to_x, to_y))
            codes.append(Path.LINETO)
            continue
        middle = (y + to_y) / 2
        corners += [(x, middle), (to_x, middle), (to_x, to_y)]
        codes += [Path.CURVE4] * 3
    axes.add_patch(
        FancyArrowPatch(
            path=Path(corners, codes),
            arrowstyle="-|>",
            mutation_scale=9,
            color=COLORS["axis"],
            linewidth=1.0,
            shrinkA=0,
            shrinkB=0,
            zorder=1,
        )
    )
