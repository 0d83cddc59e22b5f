"""Draws charts with matplotlib, and those of the HTML report as SVG.

The same charts always give the same file, whatever the user's settings of matplotlib are, and those
are left as they were.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from dlrun.reports.charts import (
    Axis,
    BandMark,
    BoxesMark,
    Chart,
    DotsMark,
    LineMark,
    Mark,
    TextMark,
)
from dlrun.text import figure as as_text
from dlrun.text import shortened

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as MatplotlibAxis

COLORS = {
    "blue": "#0072b2",
    "orange": "#e69f00",
    "good": "#009e73",
    "bad": "#d55e00",
    "violet": "#cc79a7",
    "pale": "#66aad1",
    "ink": "#222222",
    "soft": "#5a5a5a",
    "axis": "#9a9a9a",
    "hair": "#e6e6e6",
    "paper": "#ffffff",
}
"""Colours of a picture file: Okabe and Ito's palette (2008), told apart with every kind of colour
vision. In the report each is the variable of its name in the style sheet, light or dark."""


@dataclass(frozen=True)
class Style:
    """How a mark is drawn.

    Args:
        color: A name in `COLORS`.
        width: Of a line in points.
        dashes: Lengths of strokes and gaps in points; empty for a solid line.
        opacity: From 0 to 1.
        layer: Higher ones cover lower ones.
    """

    color: str
    width: float = 1.8
    dashes: tuple[float, ...] = ()
    opacity: float = 1.0
    layer: float = 2.0


RUN_COLORS = ("blue", "bad", "good", "violet", "orange", "soft")
STYLES = {
    "training": Style("orange"),
    "validation": Style("blue", layer=2.5),
    "mean": Style("blue", 2.2, layer=2.6),
    "unsmoothed": Style("blue", 0.9, opacity=0.5, layer=2.4),
    "fold": Style("soft", 0.8, opacity=0.5),
    "spread": Style("blue", opacity=0.16, layer=1.0),
    "reference": Style("soft", 1.1, dashes=(4, 3), layer=1.5),
    "phase": Style("axis", 1.0, layer=1.5),
    "missing": Style("soft", opacity=0.12, layer=0.5),
    "model": Style("blue", layer=3.0),
    "rival": Style("soft", layer=3.0),
    "model interval": Style("blue", 3.0, opacity=0.45),
    "rival interval": Style("soft", 3.0, opacity=0.45),
    "grid": Style("hair", 1.0, layer=0.5),
    "gap": Style("orange", 1.4),
    "thin": Style("blue", 1.1),
    "bars": Style("pale", 0.75),
    "true": Style("orange", 1.4),
    "expected": Style("soft", 0.9, dashes=(3, 2.5), layer=1.5),
    "right": Style("blue"),
    "contour": Style("pale", 1.1, layer=1.0),
    "path": Style("bad", 1.2, layer=2.5),
    "goal": Style("good", layer=3.0),
    "start": Style("ink", layer=3.0),
    "wrong": Style("orange"),
    **{f"run {number}": Style(color) for number, color in enumerate(RUN_COLORS)},
    **{
        f"run {number + len(RUN_COLORS)}": Style(color, dashes=(5, 2))
        for number, color in enumerate(RUN_COLORS)
    },
}
"""How marks are drawn, by the name of their style."""

MATPLOTLIB_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": COLORS["axis"],
    "axes.formatter.limits": (-6, 7),
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": COLORS["soft"],
    "axes.labelpad": 5.0,
    "axes.labelsize": 11.5,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 11,
    "grid.color": COLORS["hair"],
    "legend.fontsize": 10,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "dlrun",
    "text.color": COLORS["ink"],
    "xtick.bottom": False,
    "xtick.labelcolor": COLORS["soft"],
    "xtick.labelsize": 11.5,
    "ytick.labelcolor": COLORS["soft"],
    "ytick.labelsize": 11.5,
    "ytick.left": False,
}

PAGE_WIDTH = 430.0
"""Width of a chart of the report in points."""

CHARACTER = 7.0
"""Width of a character of a label in points, about."""

TICK_LABELS = 60.0
"""Room in points that the numbers beside an axis take from the label of the other, at most."""


@contextmanager
def own_style() -> Iterator[None]:
    """Draw with this style alone; the user's comes back afterwards."""
    from matplotlib import style

    with style.context(["default", MATPLOTLIB_STYLE]), warnings.catch_warnings():
        # A run may be named in a script that the font lacks; the SVG keeps the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def page_svg(chart: Chart) -> Markup:
    """Return a chart for the HTML report: SVG that takes its colours and font from the page's style
    sheet, with a text for those who cannot see it."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with own_style():
        figure = Figure(figsize=(PAGE_WIDTH / 72, chart.height / 72), dpi=72)
        axes = figure.subplots()
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        draw_chart(axes, chart, PAGE_WIDTH)
        figure.set_layout_engine(ConstrainedLayoutEngine(h_pad=0.02, w_pad=0.02))
        file = StringIO()
        # `savefig` would draw twice: once for the layout alone.
        FigureCanvasSVG(figure).print_svg(file)
    return Markup(
        f'<svg class="chart" viewBox="0 0 {PAGE_WIDTH:g} {chart.height:g}" role="img" '
        f'aria-label="{escape(chart.description)}">{_for_page(file.getvalue())}</svg>'
    )


def key_style(mark: Mark) -> tuple[str, str]:
    """Return how the legend of the report shows a mark: a form and a colour's name."""
    style = STYLES[mark.style]
    if isinstance(mark, DotsMark):
        return "dot", style.color
    if isinstance(mark, (BandMark, BoxesMark)):
        return "area", style.color
    thin = " thin" if style.width < 1 else ""
    return ("dashed" if style.dashes else "line") + thin, style.color


def draw_chart(axes: Axes, chart: Chart, width: float) -> None:
    """Draw a chart into axes.

    Args:
        axes: Empty.
        chart: What to draw.
        width: Room for it in points.
    """
    _set_axis(axes, axes.xaxis, chart.x, int((width - TICK_LABELS) / CHARACTER))
    _set_axis(axes, axes.yaxis, chart.y, int((chart.height - TICK_LABELS) / CHARACTER))
    for mark in chart.marks:
        match mark:
            case LineMark():
                _draw_line(axes, mark)
            case DotsMark():
                _draw_dots(axes, mark, width)
            case BandMark():
                _draw_band(axes, mark)
            case BoxesMark():
                _draw_boxes(axes, mark)
            case TextMark():
                _draw_text(axes, mark)


def _set_axis(axes: Axes, drawn: MatplotlibAxis, axis: Axis, room: int) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    which = "x" if drawn is axes.xaxis else "y"
    if axis.logarithmic:
        getattr(axes, f"set_{which}scale")("log")
        few = axis.high / axis.low < 10
        parts = (1.0, 2.0, 3.0, 5.0, 7.0) if few else (1.0, 2.0, 5.0)
        drawn.set_major_locator(LogLocator(subs=parts if axis.high / axis.low < 1e3 else (1.0,)))
        drawn.set_major_formatter(FuncFormatter(lambda value, _: as_text(value)))
        drawn.set_minor_locator(NullLocator())
    elif axis.ticks is None:
        drawn.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    else:
        drawn.set_ticks(list(axis.ticks), axis.names and list(axis.names))
        for label in drawn.get_ticklabels():
            label.set_parse_math(False)
    getattr(axes, f"set_{which}lim")(axis.low, axis.high)
    drawn.set_label_text(shortened(axis.label, room)).set_parse_math(False)


def _draw_line(axes: Axes, mark: LineMark) -> None:
    style = STYLES[mark.style]
    x, y = np.asarray(mark.x, np.float64), np.asarray(mark.y, np.float64)
    drawn = axes.plot(x, y, linewidth=style.width, solid_capstyle="round", scalex=False)
    if style.dashes:
        drawn[0].set_linestyle(dashes(style))
    _finish(drawn[0], mark)
    # Nothing connects a value whose neighbours are missing.
    there = np.isfinite(np.concatenate([[np.nan], y, [np.nan]]))
    lonely = there[1:-1] & ~there[:-2] & ~there[2:]
    if lonely.any():
        size = 2 * style.width + 1
        _finish(_dots_path(axes, x[lonely], y[lonely], size), mark, labelled=False)


def dashes(style: Style) -> tuple[float, tuple[float, ...]]:
    """Return the dashes of a style as matplotlib counts them: in widths of the line."""
    return 0.0, tuple(length / style.width for length in style.dashes)


def _draw_dots(axes: Axes, mark: DotsMark, width: float) -> None:
    x, y = np.asarray(mark.x, np.float64), np.asarray(mark.y, np.float64)
    there = np.isfinite(x) & np.isfinite(y)
    if not there.any():
        return
    if mark.ringed:
        ring = _dots_path(axes, x[there], y[there], mark.size + 2.4)
        ring.set(edgecolor=COLORS["paper"], zorder=STYLES[mark.style].layer + 2.4)
    dots = _dots_path(axes, x[there], y[there], mark.size)
    _finish(dots, mark)
    if mark.ringed:
        dots.set_zorder(STYLES[mark.style].layer + 2.5)


def _dots_path(axes: Axes, x: np.ndarray, y: np.ndarray, size: float) -> Any:
    """One path for all dots: strokes so short that only their round ends show. In an SVG this is
    far smaller than a marker for each dot."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    low, high = axes.get_xlim()
    points = np.repeat(np.column_stack([x, y]), 2, axis=0)
    points[1::2, 0] += 1e-5 * (high - low)
    codes = np.tile(np.array([Path.MOVETO, Path.LINETO], np.uint8), len(x))
    path = Path(points, codes)
    path.should_simplify = False
    return axes.add_patch(PathPatch(path, fill=False, linewidth=size, capstyle="round", snap=False))


def _draw_band(axes: Axes, mark: BandMark) -> None:
    x, low, high = (np.asarray(values, np.float64) for values in (mark.x, mark.low, mark.high))
    there = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    if there.sum() < 2:
        return
    x, low, high = x[there], low[there], high[there]
    (drawn,) = axes.fill(np.append(x, x[::-1]), np.append(high, low[::-1]), linewidth=0)
    _finish(drawn, mark)


def _draw_boxes(axes: Axes, mark: BoxesMark) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = [
        [(left, low), (left, high), (right, high), (right, low), (left, low)]
        for left, low, right, high in mark.boxes
    ]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    path = Path(np.array(corners, np.float64).reshape(-1, 2), codes * len(corners))
    patch = axes.add_patch(PathPatch(path, linewidth=0))
    _finish(patch, mark)
    if mark.style == "bars":
        patch.set(edgecolor=COLORS["paper"], linewidth=STYLES["bars"].width)


def _draw_text(axes: Axes, mark: TextMark) -> None:
    axes.annotate(
        mark.text,
        (mark.x, mark.y),
        xytext=mark.shift,
        textcoords="offset points",
        ha=mark.align,
        va="top" if mark.below else "bottom",
        size=11.5,
        color=COLORS["ink" if mark.style == "value" else "soft"],
        weight="bold" if mark.style == "value" else "normal",
        annotation_clip=False,
    ).set_parse_math(False)


def _finish(
    artist: Artist, mark: LineMark | DotsMark | BandMark | BoxesMark, *, labelled: bool = True
) -> None:
    """Give an artist the colour, opacity, layer and label of its mark."""
    style = STYLES[mark.style]
    opacity = getattr(mark, "opacity", None)
    filled = isinstance(mark, (BandMark, BoxesMark))
    color = "facecolor" if filled else "color" if hasattr(artist, "get_xdata") else "edgecolor"
    artist.set(
        **{color: COLORS[style.color]},
        alpha=style.opacity if opacity is None else opacity,
        zorder=style.layer,
        label=mark.label if labelled and mark.label else "_",
    )


_VARIABLES = {color: f"var(--{name})" for name, color in COLORS.items()}
_DROPPED = re.compile(
    r"<defs>.*?</defs>|<metadata>.*?</metadata>|<!--.*?-->|</?g\b[^>]*>", re.DOTALL
)
_DROPPED_INSIDE = re.compile(
    r" (?:id|clip-path)=\"[^\"]*\"| transform=\"rotate\(-0 [^\"]*\"| font-family:[^;]*;"
)


def _for_page(svg: str) -> str:
    """Return the inside of matplotlib's SVG without groups, definitions and names, which would
    clash with another chart's, with short numbers, and with the page's colours and font."""

    def shortened_tag(found: re.Match[str]) -> str:
        tag = re.sub(r"\s+", " ", _DROPPED_INSIDE.sub("", found[0]))
        tag = re.sub(r"\d+\.\d+", lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."), tag)
        return re.sub(r"#[0-9a-f]{6}", lambda color: _VARIABLES.get(color[0], color[0]), tag)

    inside = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    return re.sub(r"<[^>]*>", shortened_tag, re.sub(r">\s+<", "><", _DROPPED.sub("", inside)))
