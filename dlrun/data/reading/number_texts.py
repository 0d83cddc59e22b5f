"""Numbers as people write them: `1.234,5`, `$92,345`, `45 %`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from dlrun.data.samples import Array

_CURRENCY = (
    r"(?:(?:US|AU|CA|NZ|HK|A|C|R)?[$€£¥₹₽₩₺₪₫฿₴₦]"
    r"|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|NZD|BRL|MXN|SEK|NOK|DKK|PLN|CZK|HUF|ZAR|Fr\.|Rs\.?|kr\.?)"
)
_AMOUNT = re.compile(
    rf"([-+]?)\s*({_CURRENCY})?\s*([-+]?[\d.,][\d.,'’ \u00a0\u202f]*)\s*({_CURRENCY}|%)?(?:\.?-)?"
)
_BLANKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "’": "'"})

THOUSANDS = (",", ".", "'", " ")
"""Marks that people put between thousands."""


@cache
def number_pattern(decimal: str, thousands: str | None) -> re.Pattern[str]:
    """Return what matches a number with this decimal point and thousands separator."""
    whole, point = r"\d+", re.escape(decimal)
    if thousands is not None:
        whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:{re.escape(thousands)}\d{{3}})+)"
    return re.compile(rf"[-+]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][-+]?\d+)?")


def in_plain_digits(word: str, decimal: str, thousands: str | None) -> str:
    """Return a number as Python writes it; anything else as a text that is no number."""
    if thousands is not None and thousands in word.translate(_BLANKS):
        word = word.translate(_BLANKS).strip()
        if number_pattern(decimal, thousands).fullmatch(word) is None:
            return f"'{word}'"
        word = word.replace(thousands, "")
    if decimal == ".":
        return word
    return f"'{word}'" if "." in word else word.replace(decimal, ".")


def without_unit(word: str) -> tuple[str, str]:
    """Return an amount of money or a percentage without its unit, and the unit; of any other text
    the text, and nothing. Amounts in brackets are negative."""
    text = word.strip()
    negative = text.startswith("(") and text.endswith(")")
    found = _AMOUNT.fullmatch(text[1:-1].strip() if negative else text)
    if found is None or not (found[2] or found[4]) or (found[2] and found[4]):
        return word, ""
    sign = "-" if negative else found[1]
    return sign + found[3].strip(), found[2] or found[4]


@dataclass(frozen=True)
class Notation:
    """How numbers are written that are text to the config.

    Args:
        decimal: Decimal point.
        thousands: Thousands separator; None: none.
        units: Whether some have a currency or a percent sign.
        fits: (k,) bool, which of the texts are such numbers.
    """

    decimal: str
    thousands: str | None
    units: bool
    fits: Array

    def value(self, word: str) -> float:
        """The number that a word is."""
        return float(in_plain_digits(without_unit(word)[0], self.decimal, self.thousands))


def notation_of(words: Sequence[str], decimal: str, thousands: str | None) -> Notation | None:
    """Return how numbers are written that the given marks make text of; None where none is.

    Of several ways that suit as many words, that with the given decimal point is taken.
    """
    parts = [without_unit(word) for word in words]
    bare = [number.translate(_BLANKS).strip() for number, _ in parts]
    pairs = [(decimal, thousands)]
    pairs += [(decimal, mark) for mark in THOUSANDS if mark != decimal]
    for point in {".", ","} - {decimal}:
        pairs += [(point, mark) for mark in (None, *THOUSANDS) if mark != point]
    found: list[tuple[int, Notation]] = []
    for point, mark in pairs:
        pattern = number_pattern(point, mark)
        fits = np.asarray([pattern.fullmatch(text) is not None for text in bare], bool)
        units = any(unit for (_, unit), fit in zip(parts, fits, strict=True) if fit)
        found.append((int(fits.sum()), Notation(point, mark, units, fits)))
    count, best = max(found, key=lambda pair: pair[0])
    return best if count else None


def category_text(word: str, decimal: str) -> str:
    """Return a category as all files have it: `5` for 5.0, `2.5` for 2,5 with a decimal comma, and
    every other text, such as 05, as it is written."""
    if not word or word[-1] not in "0123456789":
        return word
    point = re.escape(decimal)
    if whole := re.fullmatch(rf"([-+]?\d+){point}0+", word):
        return whole[1]
    if decimal != "." and re.fullmatch(rf"[-+]?\d+{point}\d+", word):
        return word.replace(decimal, ".")
    return word


def is_number(text: str) -> bool:
    """Tell whether a text is a number as Python writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True
