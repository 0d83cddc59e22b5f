"""A column that has another value in nearly every row: an identifier."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from dlrun.checks.check import BOOK, DataCheck
from dlrun.checks.columns import DATASET, drop_columns, numeric_columns, read_as_text, text_columns
from dlrun.checks.finding import Seen
from dlrun.checks.grouped_numbers import LAYOUTS, are_grouped
from dlrun.checks.times import time_column
from dlrun.checks.views import DataView
from dlrun.data.samples import Array
from dlrun.text import first_few

_FEWEST = 20
NEARLY_ALL = 0.8
"""Share of the rows that have a value of their own; rows may repeat."""

_NAMES = re.compile(r"(^|_)(id|uuid|guid|key|index|record|row|no|nr|number)$", re.IGNORECASE)


class Identifier(DataCheck):
    """A column that has another value in nearly every row: an identifier."""

    why: ClassVar[str] = (
        "a number that names a row says nothing of new rows, and lets a network learn the "
        "rows by heart"
    )
    source: ClassVar[str] = BOOK + "4.4"
    instead: ClassVar[str] = "leave the column out"

    def look(self, view: DataView) -> Iterator[Seen]:
        n = len(view.dataset.samples)
        if n < _FEWEST:
            return
        found, time = [], time_column(view.dataset.samples)
        columns = numeric_columns(view.dataset.samples)
        found += [name for name, column in columns if _numbers_rows(name, column)]
        as_text = read_as_text(view.config, view.dataset.samples)
        for name, texts in text_columns(view.dataset.samples):
            if name in as_text:
                continue
            words = [text for text in texts if text is not None]
            if any(are_grouped(texts, *layout) for layout in LAYOUTS):
                continue
            if len(set(words)) >= NEARLY_ALL * n and _is_short(words):
                found.append(name)
        # Times differ in every row too, and DL109 says what to do with them; DL129 of numbers.
        found = [name for name in found if name != time]
        if found:
            have = "has" if len(found) == 1 else "have"
            yield Seen(
                f"{first_few(found)} {have} another value in nearly every row",
                DATASET,
                drop_columns(view.config, found),
                on_key=True,
            )


def _numbers_rows(name: str, column: Array) -> bool:
    """Whether whole numbers run on from row to row, in whatever order, or are named so."""
    whole = column.dtype.kind in "iu" or bool((column == np.floor(column)).all())
    if not whole or not len(column):
        return False
    values = np.unique(column).astype(np.float64)
    if _NAMES.search(name) and len(values) > len(column) / 2:
        return True
    if len(values) < NEARLY_ALL * len(column):
        return False
    dense = len(values) >= NEARLY_ALL * (values[-1] - values[0] + 1)
    return dense or bool((np.diff(column.astype(np.float64)) > 0).all())


def _is_short(texts: Sequence[str]) -> bool:
    """Whether these are names or codes rather than sentences."""
    return float(np.mean([len(text.split()) for text in texts[:100]])) <= 3
