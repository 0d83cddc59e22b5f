"""What the pictures of `dlrun look` show, as facts; `dlrun.reports.sheet_drawing` draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dlrun.reports.charts import Chart

PIXELS = Literal["picture", "map"]


@dataclass(frozen=True)
class Tile:
    """One picture on a sheet.

    Args:
        pixels: (h, w), (h, w, 1) or (h, w, 3); bytes as they are, any other numbers from 0, black,
            to 1, white.
        title: Above it.
        kind: A `picture`, or a `map` of (h, w) numbers from 0 to 1, whose colours run from dark
            blue to bright yellow.
        heat: A map that is laid over the picture, (h, w) from 0 to 1, of any size.
        strength: What share of the colour is the map's, from 0 to 1.
    """

    pixels: np.ndarray
    title: str = ""
    kind: PIXELS = "picture"
    heat: np.ndarray | None = None
    strength: float = 0.5


@dataclass(frozen=True)
class Sheet:
    """Pictures in rows.

    Args:
        name: Of the file, without its suffix.
        title: Above all.
        tiles: In reading order.
        columns: Pictures side by side.
        width: Of each in pixels; None draws every pixel as it is.
        note: Below all.
    """

    name: str
    title: str
    tiles: Sequence[Tile]
    columns: int = 4
    width: int | None = 200
    note: str = ""


@dataclass(frozen=True)
class TableSheet:
    """A table, or texts, as a picture.

    Args:
        name: Of the file, without its suffix.
        title: Above it.
        columns: Names of the columns.
        rows: A text for each column.
        note: Below it.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class WordsSheet:
    """Texts whose words are shaded.

    Args:
        name: Of the file, without its suffix.
        title: Above it.
        texts: For each a heading, its words, and a number from -1 to 1 for each word.
        note: Below it.
    """

    name: str
    title: str
    texts: Sequence[tuple[str, Sequence[str], np.ndarray]]
    note: str = ""


@dataclass(frozen=True)
class ChartSheet:
    """Charts with axes.

    Args:
        name: Of the file, without its suffix.
        title: Above them.
        charts: At least one.
    """

    name: str
    title: str
    charts: Sequence[Chart] = field(default_factory=list)


AnySheet = Sheet | TableSheet | WordsSheet | ChartSheet


def stretched(values: np.ndarray) -> np.ndarray:
    """Return numbers spread over 0 to 1, the least and the greatest of all; zeros where all are
    equal, or not finite."""
    values = np.nan_to_num(np.asarray(values, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def mosaic(
    cells: np.ndarray, columns: int, *, side: int = 64, margin: int = 3, least: int = 56
) -> np.ndarray:
    """Return pictures beside each other; between them is NaN, which is drawn white.

    Args:
        cells: (k, h, w) or (k, h, w, 3) numbers from 0 to 1.
        columns: Pictures in a row.
        side: Pixels of the longer side of a picture, at most; of larger ones every n-th is taken.
        margin: Pixels between two.
        least: Smaller pictures are enlarged by whole factors up to about this size.
    """
    step = -(-max(cells.shape[1:3]) // side)
    cells = cells[:, ::step, ::step]
    factor = max(1, round(least / max(cells.shape[1:3])))
    cells = cells.repeat(factor, axis=1).repeat(factor, axis=2)
    count, height, width = cells.shape[:3]
    columns = min(columns, count)
    rows = -(-count // columns)
    shape = (rows * (height + margin) - margin, columns * (width + margin) - margin)
    whole = np.full((*shape, *cells.shape[3:]), np.nan, np.float32)
    for number, cell in enumerate(cells):
        top = (number // columns) * (height + margin)
        left = (number % columns) * (width + margin)
        whole[top : top + height, left : left + width] = cell
    return whole
