"""Which columns a preprocessing step works on, and what is wrong with those it cannot use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike

from dlrun.data.samples import Array, Columns, Kind, kind_of
from dlrun.data.step import RowError, Step
from dlrun.data.stored import blocks
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean

HOLDS: dict[Kind, str] = {
    "numeric": "numbers",
    "categorical": "text",
    "sequences": "integer sequences",
}
"""What a column of each kind holds, in the words of messages."""

_TO_NUMBERS: dict[Kind, str] = {
    "numeric": "name other columns",
    "categorical": "add `one_hot` or `ordinal` before it",
    "sequences": "add `multi_hot` or `pad_sequences` before it",
}


def choose_columns(
    step: Step, features: Columns, suits: Sequence[Kind], when_named: Sequence[Kind] = ()
) -> list[str]:
    """Return the columns that a step works on: those it names, else all that suit it.

    Args:
        step: Names the columns, or leaves it open.
        features: The columns that are there.
        suits: Kinds of column the step takes by default.
        when_named: Further kinds that it takes where it names them.

    Raises:
        DataError: A named column is missing or of another kind, or there is none to work on.
    """
    name = step.member_name()
    needed = " or ".join(HOLDS[kind] for kind in suits)
    if step.columns is None:
        chosen = [column for column in features if kind_of(features[column]) in suits]
        if not chosen:
            raise DataError(
                f"{name}: no column holds {needed}; leave the step out, or put it where such "
                f"columns still are. The columns here hold: {_kinds(features)}"
            )
        return chosen
    chosen = list(dict.fromkeys(step.columns))
    if not chosen:
        raise DataError(f"{name}: `columns` is empty; name at least one, or leave it out")
    for column in chosen:
        if column not in features:
            raise DataError(
                f"{name}: unknown column '{column}'{did_you_mean(column, features) or '.'} "
                f"The columns here are: {listed(list(features))}",
                path=("columns", step.columns.index(column)),
            )
        kind = kind_of(features[column])
        if kind not in (*suits, *when_named):
            advice = _TO_NUMBERS[kind] if "numeric" in suits else _TO_NUMBERS["numeric"]
            raise DataError(
                f"{name}: column '{column}' holds {HOLDS[kind]}, where {needed} are needed; "
                f"{advice}",
                path=("columns", step.columns.index(column)),
            )
    return chosen


def listed(values: Sequence[object], limit: int = 10) -> str:
    """The values, parted by commas, as they are read in a sentence; at most `limit` of them."""
    shown = ", ".join(str(value) for value in values[:limit])
    rest = len(values) - limit
    return shown if rest <= 0 else f"{shown} and {rest} more"


def refuse_infinite(step: Step, column: str, values: Array) -> None:
    """Raise an error for the first infinite value.

    Raises:
        RowError: There is one.
    """
    position = first_row_where(np.isinf, values)
    if position is not None:
        raise RowError(
            f"{step.member_name()}: column '{column}' holds an infinite value",
            position,
            "mend the data, or add `clip` before it",
        )


def first_row(mask: Array) -> int:
    """Position of the first row in which a (n, ...) mask is true anywhere."""
    return int(np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1))[0])


def first_row_where(test: Callable[[Array], Array], values: Array) -> int | None:
    """Position of the first row in which a test, element by element, is true anywhere."""
    start = 0
    for block in blocks(values):
        mask = test(block)
        if mask.any():
            return start + first_row(mask)
        start += len(block)
    return None


def shape_text(values: Array) -> str:
    """The shape of an array as messages write it: `(n, 28, 28)`."""
    return f"({', '.join(['n', *map(str, values.shape[1:])])}{',' if values.ndim == 1 else ''})"


def float_type(values: Array) -> np.dtype:
    """The narrowest of float32 and float64 that holds all values of an array's dtype exactly."""
    return np.result_type(values.dtype, np.float32)


def to_float(values: Array, dtype: DTypeLike = np.float32) -> Array:
    """The values in another float type; what is too large for it becomes infinite, silently:
    the pipeline names the column and row after all steps."""
    with np.errstate(over="ignore"):
        return values.astype(dtype, copy=False)


def _kinds(features: Columns) -> str:
    if not features:
        return "nothing"
    return listed([f"'{name}' {HOLDS[kind_of(column)]}" for name, column in features.items()])
