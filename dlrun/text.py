"""Words for lists, counts and long texts, the same in every message."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

ELLIPSIS = "…"

ORDINALS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
)


def listed(names: Iterable[object], conjunction: str = "and", most: int = 40) -> str:
    """Join names as in a sentence: `a, b and c`; at most `most` of them, then `...`."""
    shown = [str(name) for name in names]
    if len(shown) > most:
        shown = [*shown[:most], "..."]
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} {conjunction} {shown[-1]}"


def quoted(names: Iterable[object], conjunction: str = "and") -> str:
    """Join names in quotes: `'a', 'b' and 'c'`."""
    return listed((f"'{name}'" for name in names), conjunction)


def first_few(names: Iterable[object], most: int = 4) -> str:
    """Join the first names and count the others: `a, b, c and 4 more`; never `and 1 more`."""
    every = [str(name) for name in names]
    if len(every) > most + 1:
        return f"{', '.join(every[:most])} and {len(every) - most} more"
    return listed(every)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun in the right number: `1 column`, `1,000 columns`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def ordinal(number: int) -> str:
    """Return `first`, `tenth`, `11th`, `22nd`."""
    if number <= len(ORDINALS):
        return ORDINALS[number - 1]
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{ending or 'th'}"


def shortened(text: str, length: int) -> str:
    """Return the beginning of a text, at most `length` characters; `…` marks what is left out."""
    return text if len(text) <= length else text[: max(length - 1, 1)].rstrip() + ELLIPSIS


def display_path(path: Path) -> str:
    """The path as the user would type it: relative where it lies below the working directory."""
    try:
        shown = path.relative_to(Path.cwd())
    except (ValueError, OSError):
        return str(path)
    return str(shown)
