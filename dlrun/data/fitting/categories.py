"""Categories of a column: learnt from the training rows, then looked up.

Legend: n rows, k categories.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from dlrun.data.lazy import blocks
from dlrun.data.samples import Array, Columns, Kind
from dlrun.data.step import State, Step, first_row, shape_text
from dlrun.errors import DataError, RowError
from dlrun.text import counted, first_few

UNKNOWN = -1
MISSING = -2


class CategoryStep(Step):
    """Base of the steps that learn the categories of columns: text, or whole numbers in columns
    that the step names. The categories are those of the training rows, sorted."""

    suits: ClassVar[tuple[Kind, ...]] = ("categorical",)
    suits_if_named: ClassVar[tuple[Kind, ...]] = ("numeric",)

    unknown_becomes: ClassVar[str]
    """What becomes of a value without a category, for messages."""

    max_categories: int | None = Field(default=None, ge=1)
    """Keep at most this many categories in each column, the most frequent ones; the rest counts as
    unknown. Default: all."""

    def learn(self, name: str, column: Array) -> State:
        """Return the sorted `categories`, text or integers.

        Raises:
            DataError: The column does not hold categories, or no value at all.
        """
        times: dict[Any, int] = (
            _text(column) if column.dtype == object else _whole_numbers(self, name, column)
        )
        if not times:
            raise DataError(
                f"{self.member_name()}: column '{name}' has no value in the training rows; "
                "leave the column out"
            )
        most_frequent = sorted(times, key=lambda value: (-times[value], value))
        return {"categories": sorted(most_frequent[: self.max_categories])}

    def findings(self, features: Columns, state: State) -> list[str]:
        """Say how many values have no category, and what becomes of them."""
        found = []
        for name in state["columns"]:
            column, categories = features[name], state["categories"][name]
            indices = category_indices(column, categories)
            start = f"{self.member_name()}: column '{name}' has"
            unknown = column[indices == UNKNOWN]
            if len(unknown):
                values = sorted(set(unknown.tolist()))
                found.append(
                    f"{start} {counted(len(unknown), 'row')} with a category that is not among the "
                    f"{len(categories)} learnt ({first_few(values, 3)}); there it became "
                    f"{self.unknown_becomes}"
                )
            missing = int((indices == MISSING).sum())
            if missing:
                found.append(
                    f"{start} {counted(missing, 'row')} without a value; there it became "
                    f"{self.unknown_becomes}"
                )
        return found


def category_indices(column: Array, categories: list[str] | list[int]) -> Array:
    """Return (n,) int64: each value's index in `categories`, `UNKNOWN` or `MISSING`."""
    if column.dtype == object:
        # A dictionary without gaps is looked up without a call of Python for each row.
        index: dict[Any, int] = dict.fromkeys(column, UNKNOWN)
        index |= {value: position for position, value in enumerate(categories)}
        index[None] = MISSING
        return np.fromiter(map(index.__getitem__, column), np.int64, len(column))
    known = np.asarray(categories)
    position = np.searchsorted(known, column).clip(max=len(known) - 1)
    indices = np.where(known[position] == column, position, UNKNOWN)
    return np.where(np.isnan(column), MISSING, indices)


def _text(column: Array) -> dict[Any, int]:
    times = Counter[Any]()
    for block in blocks(column):
        times.update(block.tolist())
    del times[None]
    return times


def _whole_numbers(step: Step, name: str, column: Array) -> dict[int, int]:
    if column.ndim != 1:
        raise DataError(
            f"{step.member_name()}: column '{name}' of shape {shape_text(column)} holds more "
            "than one number a row, where one category is needed"
        )
    column = np.asarray(column)
    missing = np.isnan(column)
    fraction = ~missing & (np.floor(column) != column)
    if fraction.any():
        position = first_row(fraction)
        raise RowError(
            f"{step.member_name()}: column '{name}' holds {column[position]}",
            position,
            "only text and whole numbers are categories",
        )
    found, times = np.unique(column[~missing], return_counts=True)
    return {int(value): int(count) for value, count in zip(found, times, strict=True)}
