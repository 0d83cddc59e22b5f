"""Facts in columns: which of them fit into a width, and texts cut so that they stay different."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dlrun.text import ELLIPSIS, shortened, visible

GAP = 2
"""Blanks between two columns."""

PIPE_WIDTH = 240
"""Columns of a table that goes to a file or a pipe, at most."""

LEAST_LENGTH = 10
"""Characters of a cell below which a text is only cut."""

_WORD = re.compile(r"[\w.]+$")


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        title: Above it; may have two lines.
        cells: One text a row; may be empty.
        rank: Columns of a low rank stay where the table is too wide.
        to_right: Whether the cells are numbers.
    """

    title: str
    cells: tuple[str, ...]
    rank: int
    to_right: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", visible(self.title))
        cells = tuple(visible(cell).replace("\n", "\\n") for cell in self.cells)
        object.__setattr__(self, "cells", cells)

    @property
    def name(self) -> str:
        """The title in one line."""
        return self.title.replace(".\n", ".").replace("\n", " ")

    @property
    def width(self) -> int:
        """Characters of the longest cell."""
        return max(len(text) for text in (*self.title.split("\n"), *self.cells))

    def padded(self, text: str) -> str:
        """Return a text as wide as the column."""
        return f"{text:>{self.width}}" if self.to_right else f"{text:<{self.width}}"


def fitted(columns: Sequence[Column], width: int) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the columns that fit, the important ones first to be kept, and the names of the rest.

    Args:
        columns: From left to right.
        width: Characters of a line.
    """
    room, kept = width + GAP, set()
    for place, column in sorted(enumerate(columns), key=lambda placed: placed[1].rank):
        if column.width + GAP <= room:
            room -= column.width + GAP
            kept.add(place)
    return (
        tuple(column for place, column in enumerate(columns) if place in kept),
        tuple(column.name for place, column in enumerate(columns) if place not in kept),
    )


def shortened_apart(texts: Sequence[str], length: int) -> list[str]:
    """Return texts cut to a length so that different ones stay different: those that begin alike
    are shown from where they differ."""
    answer = [shortened(text, length) for text in texts]
    if length < LEAST_LENGTH:
        return answer
    for cut in set(answer):
        places = [place for place, short in enumerate(answer) if short == cut]
        group = [texts[place] for place in places]
        if len(set(group)) > 1:
            shortest = min(map(len, group))
            begin = next((i for i in range(shortest) if len({t[i] for t in group}) > 1), shortest)
            word = _WORD.search(group[0][:begin])
            # A word that is as long as the cell would be cut before the difference.
            if word and word.start() and len(word[0]) < LEAST_LENGTH:
                begin = word.start()
            rest = shortened_apart([text[begin:] for text in group], length - 1)
            for place, text in zip(places, rest, strict=True):
                answer[place] = ELLIPSIS + text.removeprefix(ELLIPSIS)
    return answer


def table_lines(columns: Sequence[Column], width: int) -> list[str]:
    """Return the columns that fit below their titles, as lines."""
    kept, _ = fitted(columns, width)
    titles = [column.title.split("\n") for column in kept]
    heads = [
        [title[place] if -place <= len(title) else "" for title in titles]
        for place in range(-max(map(len, titles), default=0), 0)
    ]
    rows = [*heads, *zip(*(column.cells for column in kept), strict=True)]
    return [
        (" " * GAP)
        .join(column.padded(cell) for cell, column in zip(cells, kept, strict=True))
        .rstrip()
        for cells in rows
    ]
