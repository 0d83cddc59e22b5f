"""Charts as one picture in a PNG or SVG file: a heading with a legend, and the charts below it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.reports.charts import Chart, Mark, TextMark
from dlrun.reports.drawing import COLORS, STYLES, dashes, draw_chart, key_style, own_style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

WIDTH = 576.0
"""Width of a picture file in points (8 inches)."""

PIXELS_PER_INCH = 200
"""A PNG is 1,600 pixels wide: sharp on a dense screen where it is shown at 800."""

CHART_HEIGHTS = {1: 302.0, 2: 216.0, 3: 187.0}
"""Height of a chart in a picture in points, by the number of charts below each other."""

LEAST_HEIGHT = 180.0

# Parts of the heading of a picture, in points.
MARGIN = 9.0
TITLE_HEIGHT = 18.0
LEGEND_HEIGHT = 16.0

TITLE_LENGTH = 68
LEGEND_LENGTH = 105
"""Characters in a line of the title, and of the legend."""


def save_figure(figure: Figure, file: Path | BytesIO, kind: str, dpi: float) -> None:
    """Write a figure as `png` or `svg`; the same figure always gives the same file."""
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    figure.savefig(file, format=kind, dpi=dpi, metadata=metadata)


def save_picture(figure: Figure, file: Path | BytesIO, kind: str) -> None:
    """Write a figure from `build_picture` as `png` or `svg`."""
    with own_style():
        save_figure(figure, file, kind, PIXELS_PER_INCH)


def build_picture(charts: Sequence[Chart], title: str) -> Figure:
    """Return the figure: a heading, and the charts below each other.

    More than three charts are in two columns.

    Args:
        charts: At least one.
        title: Above them.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with own_style():
        count = len(charts)
        columns = 1 if count <= 3 else 2
        rows = math.ceil(count / columns)
        figure = Figure(facecolor="white", dpi=PIXELS_PER_INCH)
        every_axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for number, (axes, chart) in enumerate(zip(every_axes, charts, strict=False)):
            draw_chart(axes, chart, WIDTH / columns)
            if chart.note:
                axes.set_title(chart.note, loc="right", size=10)
            below = number + columns
            if below < count and charts[below].x.label == chart.x.label:
                axes.set_xlabel("")
                axes.tick_params(labelbottom=False)
        for axes in every_axes[count:]:
            axes.remove()
        height = rows * CHART_HEIGHTS.get(rows, LEAST_HEIGHT)
        heading = _draw_heading(figure, charts, title, height)
        body = (0.0, 0.0, 1.0, height / (height + heading))
        # An engine that the figure keeps would lay it out anew for each file, and draw it twice.
        layout = ConstrainedLayoutEngine(
            rect=body, h_pad=0.05, w_pad=0.08, hspace=0.03, wspace=0.04
        )
        layout.execute(figure)
        return figure


def _draw_heading(figure: Figure, charts: Sequence[Chart], title: str, height: float) -> float:
    """Put title and legend above the charts, set the figure's size, and return the height taken.

    Args:
        figure: Has its charts already.
        charts: Those.
        title: Above them.
        height: Of the charts in points.
    """
    lines = textwrap.wrap(title, TITLE_LENGTH) or [""]
    marks: dict[str, Mark] = {}
    for chart in charts:
        for mark in chart.legend:
            if not isinstance(mark, TextMark):
                marks.setdefault(mark.label, mark)
    # A handle takes the room of some characters.
    rows = math.ceil(sum(len(label) + 7 for label in marks) / LEGEND_LENGTH)
    above = MARGIN + len(lines) * TITLE_HEIGHT
    heading = above + rows * LEGEND_HEIGHT + MARGIN
    whole = height + heading
    figure.set_size_inches(WIDTH / 72, whole / 72)
    place = (MARGIN / WIDTH, 1 - MARGIN / whole)
    text = figure.text(*place, "\n".join(lines), va="top", weight="bold", size=13)
    text.set_parse_math(False)
    legend = figure.legend(
        [_legend_handle(mark) for mark in marks.values()],
        list(marks),
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - above / whole),
        borderaxespad=0.0,
        borderpad=0.5,
        columnspacing=1.5,
        handlelength=1.6,
        handletextpad=0.6,
        ncols=math.ceil(len(marks) / max(rows, 1)),
    )
    for label in legend.get_texts():
        label.set_parse_math(False)
    return heading


def _legend_handle(mark: Mark) -> Artist:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    style = STYLES[mark.style]
    form, color = key_style(mark)
    if form == "area":
        return Patch(facecolor=COLORS[color], alpha=style.opacity, linewidth=0)
    handle = Line2D([], [], color=COLORS[color], linewidth=style.width, alpha=style.opacity)
    if form == "dot":
        handle.set(linestyle="none", marker="o", markersize=5.5, markeredgewidth=0)
    elif style.dashes:
        handle.set_linestyle(dashes(style))
    return handle
