"""Words for lists, counts and long texts, and numbers as text: the same in every message."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

ELLIPSIS = "…"

_UNSEEN = re.compile("([\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])")
"""What steers a terminal or overrides the direction of a text, tabs and line breaks excepted. The
marks U+061C, U+200E and U+200F are common in Hebrew and Arabic names, and harmless."""

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


def visible(text: str) -> str:
    """Return a text with its control characters as escapes, such as `\\x1b` and `\\u202e`: those of
    a file must not steer the terminal. Tabs and line breaks stay."""
    return "".join(pieces_visible(text))


def pieces_visible(text: str) -> list[str]:
    """Return a text in pieces: every second one is a control character, as an escape."""
    pieces = _UNSEEN.split(text)
    pieces[1::2] = [ascii(piece)[1:-1] for piece in pieces[1::2]]
    return pieces


def in_one_line(text: str, length: int) -> str:
    """Return what somebody wrote, for a message: cut to a length, control characters and line
    breaks as escapes."""
    return visible(shortened(text, length)).replace("\n", "\\n").replace("\t", "\\t")


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


def first_few(names: Iterable[object], most: int = 4, count: int | None = None) -> str:
    """Join the first names and count the others: `a, b, c and 4 more`; never `and 1 more`.

    Args:
        names: The names, or the first `most` + 1 of them.
        most: How many to join.
        count: How many there are; default: as many as are given.
    """
    every = [str(name) for name in names]
    count = len(every) if count is None else count
    if count > most + 1:
        return f"{', '.join(every[:most])} and {count - most:,} more"
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


def shape_text(shape: Iterable[int | None]) -> str:
    """Return a shape as a person writes it: `(28, 28, 3)`; `any` for a length that varies."""
    return f"({', '.join('any' if length is None else str(length) for length in shape)})"


def display_path(path: Path) -> str:
    """The path as the user would type it: relative where it lies below the working directory."""
    try:
        shown = path.relative_to(Path.cwd())
    except (ValueError, OSError):
        return str(path)
    return str(shown)


DIGITS = 4


def figure(value: float | int | None) -> str:
    """Return a number with 4 significant digits, as one would write it by hand.

    `0.88`, `2.413`, `22.53`, `12346`, `0.00001234`; whole numbers keep all their digits. Powers
    of ten only from 1e9 up and below 1e-6, and what is smaller than 1e-12 is rounding error:
    `0`. None (not known) is `–`.
    """
    if value is None:
        return "–"
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    size = abs(value)
    if size < 1e-12:
        return "0"
    if isinstance(value, int) and size < 1e9:
        return str(value)
    if not 1e-6 <= size < 1e9:
        return _scientific(value)
    decimals = max(0, DIGITS - 1 - _exponent(value))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def steady_figure(value: float | int | None) -> str:
    """Return a number as `figure` does, keeping zeros at the end: columns stay in line. This is how
    every metric is written while training goes on, when it has no interval yet."""
    if value is None or isinstance(value, int) or not 0.01 <= abs(value) < 1000:
        return figure(value)
    return f"{value:#.4g}".rstrip(".")


def figure_with_spread(mean: float, std: float | None) -> str:
    """Return `2.41 ± 0.31`: the standard deviation to 2 digits, the mean to the same place.

    Only the mean where there is no deviation (one fold).
    """
    if std is None or not math.isfinite(std) or not math.isfinite(mean):
        return figure(mean)
    if abs(std) < 1e-12 or not 1e-6 <= abs(mean) < 1e9:
        return f"{figure(mean)} ± {figure(std)}"
    decimals = min(max(0, 1 - _exponent(std, digits=2)), 8)
    return f"{mean:.{decimals}f} ± {std:.{decimals}f}"


def figure_range(low: float, high: float) -> str:
    """Return `0.940 to 0.983`, both to the place of the second digit of their distance."""
    return f"{figure_near(low, high - low)} to {figure_near(high, high - low)}"


def figure_near(value: float | None, distance: float | None) -> str:
    """Return a number to the place that the second digit of a distance has: 0.8681, 0.08 gives
    `0.868`. Without a distance, as `figure` does.

    This is how every number is rounded that has an interval: `distance` is the interval's width, of
    a mean over folds their standard deviation.
    """
    if value is None or distance is None:
        return figure(value)
    if not (math.isfinite(value) and 1e-6 <= distance < 1e9) or abs(value) >= 1e9:
        return figure(value)
    return _rounded(value, 1 - _exponent(distance, digits=2))


def figure_beside(value: float | None, distance: float | None) -> str:
    """Return a number beside another one's interval: to the same place, but with no more digits
    than `figure` gives, and never rounded to nothing.

    Args:
        value: The number.
        distance: Width of the interval of the other one, or None.
    """
    text = figure_near(value, distance)
    if not value or distance is None or not 1e-6 <= abs(value) < 1e9 or float(text) == 0:
        return figure(value)
    decimals = max(0, DIGITS - 1 - _exponent(value))
    return _rounded(value, decimals) if len(text.partition(".")[2]) > decimals else text


def figures_apart(*values: float) -> list[str]:
    """Return numbers that a sentence compares, to the place of the second digit of the smallest
    distance between two of them, or of their own second digit: 36.7 and 30.75 give `36.7` and
    `30.8`, 0.043 and 0.000626 give `0.043` and `0.00063`."""
    ordered = sorted({value for value in values if math.isfinite(value)})
    distance = min((high - low for low, high in pairwise(ordered)), default=None)
    return [
        figure_beside(value, None if distance is None else min(distance, abs(value)))
        for value in values
    ]


def _rounded(value: float, decimals: int) -> str:
    decimals = min(max(0, decimals), 8)
    # What rounds to -0 is 0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def duration(seconds: float) -> str:
    """Return a time as `0.8 s`, `42 s`, `3 min 05 s` or `2 h 07 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def seconds_of(text: str) -> float:
    """Return the seconds of a time as one writes it: `90`, `90s`, `5m`, `2h`, `1h30m`, `01:30:00`.

    Raises:
        ValueError: It is no such time, or it is nothing.
    """
    plain = text.strip()
    match = re.fullmatch(r"(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s?)?", plain)
    match = match or re.fullmatch(r"(\d+):([0-5]\d):([0-5]\d)", plain)
    parts = [float(part or 0) for part in match.groups()] if match else []
    seconds = sum(part * size for part, size in zip(parts, (3600, 60, 1), strict=False))
    if not seconds:
        raise ValueError(f"expected a time such as 90s, 5m or 2h, found '{text}'")
    return seconds


def percent(share: float) -> str:
    """Return a share as `36.4%`, with 3 significant digits."""
    return f"{100 * share:.3g}%"


def _exponent(value: float, digits: int = DIGITS) -> int:
    """Power of ten of the first digit, after rounding to that many digits: 9.9999 gives 1."""
    return int(f"{abs(value):.{digits - 1}e}".split("e")[1])


def _scientific(value: float) -> str:
    mantissa, exponent = f"{value:.{DIGITS - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
