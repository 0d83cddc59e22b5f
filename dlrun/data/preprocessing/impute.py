"""Values for those that are missing."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal

import numpy as np

from dlrun.data.fitting.statistics import as_state, moments, statistic_axes
from dlrun.data.lazy import blocks
from dlrun.data.samples import Array, Columns, Kind, kind_of
from dlrun.data.step import State, Step, choose_columns
from dlrun.errors import DataError


class Impute(Step):
    """Fills in what is missing: NaN in numeric columns, None in columns of text.

    Suits numeric columns; with `most_frequent` or a `category`, columns of text too. Each
    column of a table and each feature of an (n, f) array gets its own value, arrays of
    more axes one. Dtypes are kept.
    """

    remedy: ClassVar[str] = "use `mean` or `median`, or `indicator: true`"

    strategy: Literal["zero", "mean", "median", "most_frequent"] = "mean"
    """What is filled in: 0, or the mean, median or most frequent value of the training rows (the
    smallest of equally frequent ones)."""

    category: str | None = None
    """What is filled in where a column of text has no value, whatever the strategy."""

    indicator: bool = False
    """Whether each column with missing values in the training rows gets a companion
    NAME_missing: 1 where a value was missing, else 0."""

    def fit(self, features: Columns) -> State:
        text_too = self.category is not None or self.strategy == "most_frequent"
        kinds: list[Kind] = ["numeric", "categorical"] if text_too else ["numeric"]
        chosen = choose_columns(self, features, kinds, ["categorical"])
        fills = {name: self._fill(name, features[name]) for name in chosen}
        flagged = [
            name
            for name in chosen
            if self.indicator and any(_missing(block).any() for block in blocks(features[name]))
        ]
        for name in flagged:
            if f"{name}_missing" in features:
                raise DataError(
                    f"impute: there is a column '{name}_missing' already; rename it, or set "
                    "`indicator: false`"
                )
        return {"columns": chosen, "fill": fills, "indicators": flagged}

    def apply(self, features: Columns, state: State) -> Columns:
        result = dict(features)
        for name in state["columns"]:
            column, fill = features[name], state["fill"][name]
            missing = _missing(column)
            if column.dtype == object:
                result[name] = np.where(missing, np.asarray(fill, object), column)
            elif column.dtype.kind == "f":
                result[name] = np.where(missing, np.asarray(fill, column.dtype), column)
            if name in state["indicators"]:
                result[f"{name}_missing"] = missing.astype(np.float32)
        return result

    def companions(self, state: State) -> dict[str, str]:
        return {f"{name}_missing": name for name in state["indicators"]}

    def findings(self, features: Columns, state: State) -> list[str]:
        if self.strategy != "zero" or self.indicator:
            return []
        found = []
        for name in state["columns"]:
            if features[name].dtype.kind != "f":
                continue
            zeros = sum(int((block == 0).sum()) for block in blocks(features[name]))
            gaps = sum(int(np.isnan(block).sum()) for block in blocks(features[name]))
            if zeros and gaps:
                found.append(
                    f"impute: column '{name}' holds 0 as a value ({zeros} of them), and its "
                    f"missing values ({gaps}) became 0 too, so that the model cannot tell them "
                    "apart"
                )
        return found

    def _fill(self, name: str, column: Array) -> float | str | Array:
        if kind_of(column) == "categorical":
            return self._category(name, column)
        if self.strategy == "zero":
            return 0.0
        axes = statistic_axes(self, name, column, None)
        if self.strategy == "mean":
            return as_state(moments(column, axes)[0])
        if self.strategy == "median":
            return as_state(np.nanmedian(np.asarray(column, np.float64), axis=axes, keepdims=True))
        return as_state(_most_frequent(np.asarray(column), axes))

    def _category(self, name: str, column: Array) -> str:
        if self.category is not None:
            return self.category
        if self.strategy != "most_frequent":
            raise DataError(
                f"impute: column '{name}' holds text, where {self.strategy} needs numbers; use "
                "`most_frequent`, or give the `category` to fill in"
            )
        times = Counter(value for value in column if value is not None)
        if not times:
            raise DataError(
                f"impute: column '{name}' has no value in the training rows, so there is nothing "
                "to learn; leave the column out, or give the `category` to fill in"
            )
        return min(times, key=lambda value: (-times[value], value))


def _missing(column: Array) -> Array:
    """Mask of the shape of the column: what is missing."""
    if column.dtype == object:
        return np.fromiter((value is None for value in column), bool, len(column))
    return np.isnan(column)


def _most_frequent(column: Array, axes: tuple[int, ...]) -> Array:
    """The most frequent value, the least of several, of the shape that broadcasts over rows."""
    features = column.reshape(len(column), -1).T if axes == (0,) else column.reshape(1, -1)
    modes = []
    for values in features:
        found, times = np.unique(values[~np.isnan(values)], return_counts=True)
        modes.append(float(found[times.argmax()]))
    shape = (1, *column.shape[1:]) if axes == (0,) else (1,) * column.ndim
    return np.array(modes).reshape(shape)
