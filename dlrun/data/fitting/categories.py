"""Categories of a column: learnt from the training rows, then looked up.

Legend: n rows, k categories.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from dlrun.data.lazy import blocks
from dlrun.data.samples import Array, Columns
from dlrun.data.step import RowError, State, Step, choose_columns, first_row, listed, shape_text
from dlrun.errors import DataError

UNKNOWN = -1
MISSING = -2


def learn_categories(step: Step, features: Columns, max_categories: int | None) -> State:
    """Return the state of a step that encodes categories.

    Args:
        step: Names the columns, or takes all that hold text; numeric columns of whole numbers
            where it names them.
        features: Training rows.
        max_categories: Keep so many in each column, the most frequent ones; None: all.

    Returns:
        `columns`, and `categories`: for each column the sorted categories, text or integers.

    Raises:
        DataError: A column does not hold categories, or no value at all.
    """
    chosen = choose_columns(step, features, ["categorical"], ["numeric"])
    categories = {}
    for name in chosen:
        column = features[name]
        times: dict[Any, int] = (
            _text(column) if column.dtype == object else _whole(step, name, column)
        )
        if not times:
            raise DataError(
                f"{step.member_name()}: column '{name}' has no value in the training rows; "
                "leave the column out"
            )
        kept = sorted(times, key=lambda value: (-times[value], value))[:max_categories]
        categories[name] = sorted(kept)
    return {"columns": chosen, "categories": categories}


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


def category_findings(step: Step, features: Columns, state: State, becomes: str) -> list[str]:
    """Say how many values have no category, and what becomes of them."""
    found = []
    for name in state["columns"]:
        column, categories = features[name], state["categories"][name]
        indices = category_indices(column, categories)
        start = f"{step.member_name()}: column '{name}' has"
        unknown = column[indices == UNKNOWN]
        if len(unknown):
            values = sorted(set(unknown.tolist()))
            found.append(
                f"{start} {_rows(len(unknown))} with a category that is not among the "
                f"{len(categories)} learnt ({listed(values, 3)}); there it became {becomes}"
            )
        missing = int((indices == MISSING).sum())
        if missing:
            found.append(f"{start} {_rows(missing)} without a value; there it became {becomes}")
    return found


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _text(column: Array) -> dict[Any, int]:
    times = Counter[Any]()
    for block in blocks(column):
        times.update(block.tolist())
    del times[None]
    return times


def _whole(step: Step, name: str, column: Array) -> dict[int, int]:
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
