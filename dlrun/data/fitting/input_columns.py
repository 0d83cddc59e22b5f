"""The columns that feed each input of a model, and what no model can take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dlrun.data.reading.table_columns import are_sentences
from dlrun.data.samples import Array, Columns, Kind, Samples, kind_of
from dlrun.data.step import HOLDS, MOST_COLUMNS, first_row
from dlrun.data.timestamps import as_times
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean
from dlrun.text import counted, first_few

_CHECKED_AT_ONCE = 2**22

InputColumns = Mapping[str, Sequence[str]]
"""Input name to the columns that feed it; empty for one input of all columns."""


def columns_used(inputs: InputColumns, features: Columns) -> Columns:
    """The columns that feed an input, in the order of the source."""
    wanted = {column for columns in inputs.values() for column in columns}
    if absent := sorted(wanted - features.keys()):
        raise DataError(
            f"there is no column '{absent[0]}' for an input of the model"
            f"{did_you_mean(absent[0], features) or '.'} The columns here are: "
            f"{first_few(features, MOST_COLUMNS)}"
        )
    return {name: column for name, column in features.items() if name in wanted}


def columns_after_steps(
    inputs: InputColumns, before: Columns, made: Columns, companions: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the columns of each input after all steps: each that is left, and its companions.

    Args:
        inputs: The columns of each input before the steps.
        before: The columns that there were.
        made: The columns that there are now.
        companions: New columns, each with the column that it belongs to.
    """
    owners = {new: _owner(new, before, companions) for new in made if new not in before}
    after: dict[str, tuple[str, ...]] = {}
    for name, columns in inputs.items():
        found: list[str] = []
        for column in columns:
            found += [column] if column in made else []
            found += [new for new, owner in owners.items() if owner == column]
        if not found:
            gone = first_few(columns, MOST_COLUMNS)
            raise DataError(f"the steps leave nothing of {gone} for the input '{name}'")
        after[name] = tuple(found)
    return after


def _owner(new: str, before: Columns, companions: Mapping[str, str]) -> str | None:
    """The column that a new one belongs to: as its step says, else the longest that its name begins
    with."""
    if companions.get(new) in before:
        return companions[new]
    return max((name for name in before if new.startswith(name)), key=len, default=None)


def require_numbers(
    made: Columns,
    expected: Mapping[str, tuple[Kind, tuple[int, ...]]],
    inputs: Sequence[Sequence[str]],
) -> None:
    beside = {column for columns in inputs if len(columns) > 1 for column in columns}
    if not made:
        raise DataError("no feature column is left for the model to learn from")
    for name, column in made.items():
        if column.dtype == object:
            kind = expected[name][0] if name in expected else kind_of(column)
            if kind == "categorical" and _are_dates(name, column):
                raise DataError(
                    f"column '{name}' holds dates; say `time: {name}` under `evaluation`, so that "
                    f"rows are split in its order, or leave it out by `drop: [{name}]`"
                )
            advice = "`multi_hot` or `pad_sequences`"
            if kind == "categorical":
                advice = "`text`" if are_sentences(column) else "`one_hot` or `ordinal`"
            message = f"column '{name}' holds {HOLDS[kind]}; add {advice} to `preprocess`"
            raise DataError(message, path=("preprocess",))
        if column.ndim > 2 and name in beside:
            raise DataError(
                f"column '{name}' has entries of shape {column.shape[1:]}, which cannot be "
                f"joined with the other columns in one input; add `flatten` to `preprocess`"
            )


def _are_dates(name: str, column: Array) -> bool:
    try:
        as_times(name, column[column != None][:100])  # noqa: E711 - element by element
    except DataError:
        return False
    return True


def missing_values_error(parts: Columns, samples: Samples) -> DataError:
    """The error for NaN and infinity, which no loss survives."""
    gaps = {name: np.isnan(part) for name, part in parts.items()}
    gaps_found = [
        f"column '{name}' has {counted(int(gap.sum()), 'missing value')}, the first in "
        f"{samples.where(first_row(gap))}"
        for name, gap in gaps.items()
        if gap.any()
    ]
    if gaps_found:
        return DataError("; ".join(gaps_found), advice="add `impute` to `preprocess`")
    name, mask = next((n, ~np.isfinite(p)) for n, p in parts.items() if not is_finite(p))
    return DataError(
        f"column '{name}' holds a value that is infinite, or too large for float32, in "
        f"{samples.where(first_row(mask))}",
        advice="fix the data, or add `clip` to `preprocess`",
    )


def is_finite(values: Array) -> bool:
    rows = max(1, _CHECKED_AT_ONCE // max(1, math.prod(values.shape[1:])))
    starts = range(0, len(values), rows)
    return all(bool(np.isfinite(values[start : start + rows]).all()) for start in starts)
