"""A column of text, and what its words are as numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlrun.data.reading.delimited import EXACT
from dlrun.data.reading.number_texts import in_plain_digits, without_unit
from dlrun.data.samples import Array

BOOLEAN_WORDS = {"true": True, "false": False, "yes": True, "no": False}
"""Words, in any case, that are enough to make a column boolean."""

_WHOLE = re.compile(r"\s*[-+]?\d{1,300}\s*", re.ASCII)


def _as_numbers(words: Iterable[str]) -> Array:
    import pandas as pd

    texts = pd.Series(list(words), dtype=object)
    return np.asarray(pd.to_numeric(texts, errors="coerce"), float)


@dataclass(frozen=True)
class FactorizedText:
    """A column as text, each different text once.

    Args:
        codes: (n,) index into `words`, -1 where the value is missing.
        words: The different texts, in the order in which they appear.
        decimal: Decimal point of numbers.
        thousands: Thousands separator of numbers; None: none.
    """

    codes: Array
    words: list[str]
    decimal: str
    thousands: str | None = None

    @cached_property
    def numbers(self) -> Array:
        """(len(words),) float64: each word as a number, NaN where it is not a number."""
        # pandas' own `thousands` would make a number of 01.02.2024.
        return _as_numbers(in_plain_digits(w, self.decimal, self.thousands) for w in self.words)

    @cached_property
    def amounts(self) -> Array:
        """(len(words),) float64: as `numbers`, and amounts of money and percentages as well."""
        bare = (without_unit(word)[0] for word in self.words)
        return _as_numbers(in_plain_digits(word, self.decimal, self.thousands) for word in bare)

    @property
    def are_large(self) -> bool:
        """Whether they are whole numbers, some of them beyond what floats hold exactly."""
        whole = all(map(_WHOLE.fullmatch, self.words))
        return whole and any(abs(int(word)) > EXACT for word in self.words)

    @cached_property
    def counts(self) -> Array:
        """(len(words),) how often each word appears."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.words))

    def are_values_besides(self, others: Collection[str]) -> bool:
        """Whether the words besides `others` are all numbers, or all true and false."""
        found = [(word, n) for word, n in zip(self.words, self.numbers, strict=True)]
        rest = [(word.lower() in BOOLEAN_WORDS, n == n) for word, n in found if word not in others]
        return bool(rest) and any(all(column) for column in zip(*rest, strict=True))

    def spread(self, values: Array, missing: Any) -> Array:
        """Return a value a row, from a value a word."""
        last = np.empty(1, values.dtype)
        last[0] = missing
        return np.append(values, last)[self.codes]

    def rows(self, words: Array) -> Array:
        """The rows that hold one of the words marked in `words` ((len(words),) bool)."""
        return np.flatnonzero(np.append(words, False)[self.codes])
