"""Draws the sheets of `dlrun look` as PNG files; the same facts always give the same bytes."""

from __future__ import annotations

import textwrap
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.reports.drawing import COLORS, own_style
from dlrun.reports.picture import build_picture, save_figure, save_picture
from dlrun.reports.sheets import AnySheet, ChartSheet, Sheet, TableSheet, Tile, WordsSheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
MARGIN = 16
LINE = 19
"""Pixels between the lines of a text."""

CHARACTER = 7.3
"""Pixels of the width of a character, about."""

LEAST_WIDTH = 640
"""Pixels of a sheet, at least: room for its title."""

WIDEST_CELL = 72
"""Characters of a cell of a table before it is wrapped."""

MAP = "viridis"
"""Its brightness rises steadily, so that it is readable in grey and with every colour vision."""


def sheet_png(sheet: AnySheet) -> bytes:
    """Return a sheet as the bytes of a PNG file."""
    file = BytesIO()
    if isinstance(sheet, ChartSheet):
        save_picture(build_picture(sheet.charts, sheet.title), file, "png")
        return file.getvalue()
    with own_style():
        match sheet:
            case Sheet():
                figure = _pictures(sheet)
            case TableSheet():
                figure = _table(sheet)
            case WordsSheet():
                figure = _words(sheet)
        save_figure(figure, file, "png", DPI)
    return file.getvalue()


class _Page:
    """A figure that is filled from top to bottom, measured in pixels from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure((width / DPI, height / DPI), dpi=DPI, facecolor="white")

    def text(self, left: float, top: float, text: str, **style: Any) -> None:
        given: dict[str, Any] = {"va": "top", "size": 9.5, "color": COLORS["ink"], **style}
        place = (left / self.width, 1 - top / self.height)
        self.figure.text(*place, text, None, **given).set_parse_math(False)

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        box = (left / self.width, 1 - (top + height) / self.height)
        axes = self.figure.add_axes((*box, width / self.width, height / self.height))
        axes.set_axis_off()
        return axes


def _lines(text: str, width: float) -> list[str]:
    return textwrap.wrap(text, max(int(width / CHARACTER), 8)) if text else []


def _pictures(sheet: Sheet) -> Figure:
    columns = min(sheet.columns, len(sheet.tiles))
    sizes = [_size(tile, sheet.width) for tile in sheet.tiles]
    width = max(size[1] for size in sizes)
    whole = max(columns * (width + MARGIN) + MARGIN, LEAST_WIDTH)
    title, note = _lines(sheet.title, whole * 0.8), _lines(sheet.note, whole - 2 * MARGIN)
    captions = [_lines(tile.title, max(width, 160)) for tile in sheet.tiles]
    tops, top = [], MARGIN + len(title) * (LINE + 4) + 4
    for start in range(0, len(sheet.tiles), columns):
        of_row = slice(start, start + columns)
        caption = max(map(len, captions[of_row])) * LINE
        tops.append((top, caption))
        top += caption + max(size[0] for size in sizes[of_row]) + MARGIN
    page = _Page(whole, top + len(note) * LINE + MARGIN / 2)
    page.text(MARGIN, MARGIN, "\n".join(title), size=12, weight="bold")
    for number, (tile, (height, wide)) in enumerate(zip(sheet.tiles, sizes, strict=True)):
        row, column = divmod(number, columns)
        begin, caption = tops[row]
        left = MARGIN + column * (width + MARGIN)
        below = begin + caption - len(captions[number]) * LINE
        page.text(left, below, "\n".join(captions[number]))
        axes = page.axes(left, begin + caption, wide, height)
        smooth = sheet.width is not None and max(tile.pixels.shape[:2]) > max(height, wide)
        style = "antialiased" if smooth else "nearest"
        axes.imshow(_colours(tile), interpolation=style, aspect="auto")
    page.text(MARGIN, top, "\n".join(note), color=COLORS["soft"])
    return page.figure


def _size(tile: Tile, width: int | None) -> tuple[int, int]:
    """Height and width of a tile in pixels."""
    height, own = tile.pixels.shape[:2]
    if width is None:
        return height, own
    scale = width / max(own, height)
    return max(round(height * scale), 1), max(round(own * scale), 1)


def _colours(tile: Tile) -> np.ndarray:
    """(h, w, 3) from 0 to 1."""
    from matplotlib import colormaps

    colours = colormaps[MAP]
    if tile.kind == "map":
        drawn = np.asarray(colours(np.clip(np.nan_to_num(tile.pixels), 0, 1)))[..., :3]
        return np.where(np.isnan(tile.pixels)[..., None], 1.0, drawn)
    pixels = np.nan_to_num(tile.pixels, nan=1.0)
    pixels = pixels / 255 if pixels.dtype == np.uint8 else np.clip(pixels, 0, 1)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    pixels = np.broadcast_to(pixels[..., :3], (*pixels.shape[:2], 3))
    if tile.heat is None:
        return pixels
    # Over grey, so that all colour is the map's.
    grey = (pixels @ np.array([0.299, 0.587, 0.114]))[..., None].repeat(3, axis=-1)
    heat = np.asarray(colours(np.clip(resized(tile.heat, pixels.shape[:2]), 0, 1)))[..., :3]
    return (1 - tile.strength) * grey + tile.strength * heat


def resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return (h, w) numbers in another size, with smooth transitions."""
    from PIL import Image

    image = Image.fromarray(np.asarray(values, np.float32))
    height, width = shape
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _table(sheet: TableSheet) -> Figure:
    rows = [
        [textwrap.wrap(str(cell), WIDEST_CELL) or [""] for cell in row]
        for row in [sheet.columns, *sheet.rows]
    ]
    widths = [
        max(len(line) for row in rows for line in row[column]) * 8.0 + 1.5 * MARGIN
        for column in range(len(sheet.columns))
    ]
    whole = max(sum(widths) + 2 * MARGIN, LEAST_WIDTH)
    title, note = _lines(sheet.title, whole * 0.8), _lines(sheet.note, whole - 2 * MARGIN)
    heights = [max(map(len, row)) * LINE + 6 for row in rows]
    top = MARGIN + len(title) * (LINE + 4) + 6.0
    page = _Page(whole, top + sum(heights) + len(note) * LINE + 1.5 * MARGIN)
    page.text(MARGIN, MARGIN, "\n".join(title), size=12, weight="bold")
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        left = float(MARGIN)
        for cell, width in zip(row, widths, strict=True):
            weight = "bold" if number == 0 else "normal"
            page.text(left, top, "\n".join(cell), family="monospace", weight=weight)
            left += width
        top += height
    page.text(MARGIN, top + 6, "\n".join(note), color=COLORS["soft"])
    return page.figure


WORDS_WIDTH = 900


def _words(sheet: WordsSheet) -> Figure:
    placed = list[tuple[float, float, str, float | None]]()
    top = MARGIN + len(_lines(sheet.title, WORDS_WIDTH * 0.8)) * (LINE + 4.0) + 6
    for heading, words, weights in sheet.texts:
        placed.append((float(MARGIN), top, heading, None))
        top, left = top + LINE + 5, float(MARGIN)
        for word, weight in zip(words, weights, strict=True):
            width = len(word) * 8.0 + 8
            if left + width > WORDS_WIDTH - MARGIN:
                left, top = float(MARGIN), top + LINE + 3
            placed.append((left, top, word, float(weight)))
            left += width
        top += LINE + MARGIN
    note = _lines(sheet.note, WORDS_WIDTH - 2 * MARGIN)
    page = _Page(WORDS_WIDTH, top + len(note) * LINE + MARGIN)
    title = "\n".join(_lines(sheet.title, WORDS_WIDTH * 0.8))
    page.text(MARGIN, MARGIN, title, size=12, weight="bold")
    for left, height, text, shade in placed:
        if shade is None:
            page.text(left, height, text, weight="bold")
            continue
        color = COLORS["orange" if shade > 0 else "blue"]
        box = {"facecolor": color, "alpha": 0.75 * abs(shade), "edgecolor": "none", "pad": 2.0}
        page.text(left, height, text, family="monospace", bbox=box)
    page.text(MARGIN, top, "\n".join(note), color=COLORS["soft"])
    return page.figure
