"""The one container that all data travels in, from a source to the model.

Shapes: n samples (rows); a column has n entries of any further shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from dlrun.data.lazy import Array, in_memory, series_windows
from dlrun.data.stored import take_all
from dlrun.data.windows import Windows
from dlrun.metrics.names import TargetType
from dlrun.text import first_few

Columns = dict[str, Array]
"""Column name to an array whose first axis is the row; features may be a `StoredColumn` or
`Windows` instead.
Kinds of column, by dtype and shape:

numeric      (n,) or (n, ...) of a number or bool dtype; a missing value is NaN
categorical  (n,) of dtype object holding str; a missing value is None
sequences    (n,) of dtype object holding 1-D integer arrays of any length, or tuples of str
"""

ExpectedColumns = Mapping[str, tuple[str, tuple[int, ...]]]
"""Columns that `predict` needs: name to kind and the shape of one entry."""

Kind = Literal["numeric", "categorical", "sequences"]

Places = Callable[[Sequence[int]], list[str]]
"""Gives where rows of a source, counted from 0, are: `file.csv:17`, or
`file.parquet: row 15 (counted from 0)`."""

FILE = "file"
"""The extra column of file names of pictures and texts, never a feature."""

MOST_NAMED = 4
"""Rows that a message names, at most."""


def kind_of(column: Array) -> Kind:
    """Tell which kind of column an array is (see `Columns`)."""
    if column.dtype != object:
        return "numeric"
    first = next((value for value in column if value is not None), None)
    return "categorical" if first is None or isinstance(first, str) else "sequences"


def is_of_tokens(column: Array) -> bool:
    """Whether a column holds sequences of text, tuples of str."""
    return column.dtype == object and len(column) > 0 and isinstance(column.flat[0], tuple)


def as_objects(entries: Sequence[Any]) -> Array:
    """Return a (n,) object column with one entry a row, whatever the entries' lengths."""
    column = np.empty(len(entries), dtype=object)
    for i, entry in enumerate(entries):
        column[i] = entry
    return column


def as_vector(column: Array) -> Array:
    """Return a column of shape (n, 1) as (n,), any other as it is."""
    return column[:, 0] if column.ndim == 2 and column.shape[1] == 1 else column


@dataclass(frozen=True)
class Samples:
    """Rows of a data set.

    Args:
        features: What the model may use.
        targets: What it predicts, by target name; empty for rows to predict.
        extras: Columns that are neither: groups, time, sample weights.
        rows: (n,) int64, each row's number in its source, counted from 0; of windows over a series
            that of the last row of each.
        naive_forecasts: Of rows in the order of time, (n, k) forecasts by the name of their rule, a
            column for each number of the targets; NaN where the rule has no forecast.
        places: Where the rows are in their files; None where they are files, or entries of arrays.
    """

    features: Columns
    targets: Columns
    rows: Array
    extras: Columns = field(default_factory=dict)
    naive_forecasts: Columns = field(default_factory=dict)
    places: Places | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def windows(self) -> Windows | None:
        """The feature that is windows over a series; None for any other rows."""
        return series_windows(self.features)

    @property
    def in_memory(self) -> bool:
        """Whether no feature stays on disk."""
        return all(map(in_memory, self.features.values()))

    @property
    def output_names(self) -> tuple[str, ...]:
        """A name for each number of a row's targets: `price`, or `y_0`, `y_1` for an array. Of an
        array of more axes, such as a picture, one for each entry of the last axis."""

        def width(column: Array) -> int:
            alone = column.ndim == 1 or (column.ndim > 2 and column.shape[-1] == 1)
            return 0 if alone else column.shape[-1]

        return tuple(
            name if index is None else f"{name}_{index}"
            for name, column in self.targets.items()
            for index in (range(width(column)) or (None,))
        )

    def take(self, positions: Array | slice) -> Samples:
        """Return the rows at `positions` ((k,) int, 0 is the first row held here); those of stored
        columns are not read."""
        return Samples(
            features=take_all(self.features, positions),
            targets={name: column[positions] for name, column in self.targets.items()},
            extras={name: column[positions] for name, column in self.extras.items()},
            rows=self.rows[positions],
            naive_forecasts={
                name: column[positions] for name, column in self.naive_forecasts.items()
            },
            places=self.places,
        )

    def places_of(self, positions: Sequence[int] | Array) -> list[str] | None:
        """Return the place of each row: `file.csv:17`, or the file of a picture or text; None for
        entries of arrays."""
        if self.places is not None:
            return self.places(self.rows[positions].tolist())
        files = self.extras.get(FILE)
        return None if files is None else [str(file) for file in files[positions]]

    def where(self, position: int) -> str:
        """Where a row held here is: `file.csv:17`, or `row 15 (counted from 0)`."""
        places = self.places_of([position])
        return f"row {self.rows[position]} (counted from 0)" if places is None else places[0]

    def listed(self, positions: Array) -> str:
        """Return the places of the first of these rows: `file.csv:17, file.csv:20 and 8 more`."""
        count = len(positions)
        places = self.places_of(positions[: MOST_NAMED + 1])
        if places is not None:
            return first_few(places, MOST_NAMED, count)
        rows = "row" if count == 1 else "rows"
        return f"{rows} {first_few(self.rows[positions], MOST_NAMED)} (counted from 0)"

    def read(self) -> Samples:
        """Return the same rows, all held in memory."""
        features = {n: c if in_memory(c) else c[:] for n, c in self.features.items()}
        return self.with_features(features)

    def of_target(self, name: str | None) -> Samples:
        """Return the same rows with one of the targets alone; None for all of them."""
        if name is None or list(self.targets) == [name]:
            return self
        naive_forecasts = {
            rule: self.by_target(columns)[name] for rule, columns in self.naive_forecasts.items()
        }
        return replace(self, targets={name: self.targets[name]}, naive_forecasts=naive_forecasts)

    def by_target(self, columns: Array) -> Columns:
        """Return (n, k) columns, one for each number of the targets, apart by target."""
        widths = [math.prod(column.shape[1:]) for column in self.targets.values()]
        parts = np.split(columns, np.cumsum(widths)[:-1], axis=1)
        return dict(zip(self.targets, parts, strict=True))

    def with_features(self, features: Columns) -> Samples:
        """Return the same rows with other features."""
        return replace(self, features=features)


@dataclass(frozen=True)
class Dataset:
    """All rows that may be used before the test: what training and validation are cut from.

    Args:
        samples: The rows, in the order of the source.
        task: What is predicted; decides the baseline, the splits and the figures.
        classes: For each categorical target the class names, in the order of their indices.
            Known from all rows, because the number of classes is part of the question, not of
            the answer. Integer labels have classes only where the source
            names them.
        has_test: Whether there are test rows (sealed; only `evaluate` loads them).
        test_rows: (k,) int64 row numbers of the test rows, or None where the source has
            separate test data.
        description: One line on what this is, for the terminal.
        findings: What the user should know about the data, one sentence each.
        validation: (n,) bool, rows that come from a separate validation file; None where there
            is none.
        labels: For each target of integer labels without names, the different ones,
            ascending; known from all rows, as `classes` is.
        tasks: What each output predicts, by the output's name, which is that of its target, where
            the model has several; `task` is then that of the first, by which rows are split.
        undeclared_series: Of windows over one series, a column that seems to tell several apart.
    """

    samples: Samples
    task: TargetType
    classes: Mapping[str, tuple[str, ...]]
    has_test: bool
    test_rows: Array | None
    description: str
    findings: tuple[str, ...] = ()
    validation: Array | None = None
    labels: Mapping[str, Array] = field(default_factory=dict)
    tasks: Mapping[str, TargetType] = field(default_factory=dict)
    undeclared_series: str | None = None

    def of_output(self, name: str | None) -> Dataset:
        """Return the data set of one output; None for the only one."""
        if name is None or not self.tasks:
            return self
        return replace(self, samples=self.samples.of_target(name), task=self.tasks[name], tasks={})
