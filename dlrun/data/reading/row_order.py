"""The rows of a table of one series or several: which series each belongs to, and their order.

Legend: n rows of the table, r rows of the series that are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from dlrun.data.reading.table_columns import as_text
from dlrun.data.reading.tables import TableFiles
from dlrun.data.samples import Array
from dlrun.data.timestamps import TimeColumns, as_times, plain_times, time_text
from dlrun.errors import DataError, RowError

FILE = "file"
"""What `series` names where each file is a series of its own."""

MOST_REPEATED = 0.01
"""Share of rows whose time may be out of order; with more, the file is not in time order."""

_ROWS_SAMPLED = 100
_FEWEST_ROWS = 3
"""Rows of a series on average, of a column that may name series."""

_PARTS_OF_TIMES = re.compile(r"hour|hr$|time|minute|uhr|stunde|^h$|^t$|clock", re.IGNORECASE)
_PARTS_OF_DATES = re.compile(r"year|month|week|day|quarter|season|date", re.IGNORECASE)
_NAMES_OF_SERIES = re.compile(
    r"(^|_)(id|unit|shop|store|item|product|sku|group|series|station|site|sensor|machine|device"
    r"|engine|patient|subject|person|user|customer|symbol|ticker|country|region|city)"
    r"(_?(id|no|nr|number|code|name))?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OrderedRows:
    """Rows in the order of time, those of one series after those of another.

    Args:
        kept: (r,) int64 positions in the table.
        times: (r,) when each was measured, ascending within a series; None: not known.
        codes: (r,) int64 index into `labels`, ascending; None where there is one series.
        labels: Names of the series, in the order of their first rows.
        passed: Number of rows that are left out, as their time had passed already.
    """

    kept: Array
    times: Array | None
    codes: Array | None = None
    labels: tuple[str, ...] = ()
    passed: int = 0

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def borders(self) -> Array:
        """(k + 1,) the first row of each of k series, and one past the last."""
        if self.codes is None:
            return np.asarray([0, len(self)])
        return np.searchsorted(self.codes, np.arange(len(self.labels) + 1))


def time_of(table: TableFiles, given: TimeColumns | None) -> TimeColumns | None:
    """Return the columns of the times: those that are given, else the first one of dates, or None.

    Raises:
        DataError: A given one is not there.
    """
    if given is not None:
        for name in given.columns:
            table.require(name)
        return given
    found = next((name for name in table.names if _holds_dates(table, name)), None)
    return None if found is None else TimeColumns(column=found)


def read_times(table: TableFiles, time: TimeColumns) -> Array:
    """Return the times of the rows, (n,); see `as_times`.

    Raises:
        DataError: A time is missing or cannot be read.
    """
    try:
        return time.read({name: _values(table, name) for name in time.columns})
    except RowError as error:
        raise error.with_facts(place=table.place(error.position)) from None
    except DataError as error:
        raise DataError(f"{table.files[0]}: {error}") from error


def ordered_rows(
    table: TableFiles, series: Sequence[str], time: TimeColumns | None, *, sort: bool = False
) -> OrderedRows:
    """Return the rows series by series: without those whose time has passed already.

    Args:
        table: The rows.
        series: Columns whose values together name the series of a row; none: there is one. `file`
            means the file a row comes from, unless a column has that name.
        time: The columns of the times; None: the rows are in order.
        sort: Whether to put the rows of each series in the order of time; rows of the same time
            keep theirs.

    Raises:
        DataError: The rows are not in the order of time, or one lacks its series.
    """
    codes, labels = _series_of(table, series)
    times = None if time is None else read_times(table, time)
    order = np.arange(len(table))
    if sort and times is not None:
        order = np.lexsort((times, codes))
    elif len(labels) > 1:
        order = np.argsort(codes, kind="stable")
    passed = 0
    if times is not None and time is not None:
        late = _late(times[order], codes[order])
        if late.sum() > max(1, MOST_REPEATED * len(times)):
            raise _out_of_order(table, series, time, times, order[late], codes, sort=sort)
        passed, order = int(late.sum()), order[~late]
    return OrderedRows(
        order.astype(np.int64),
        None if times is None else times[order],
        codes[order] if series else None,
        labels,
        passed,
    )


def likely_series(table: TableFiles, given: Sequence[str], moments: Array | None) -> list[str]:
    """Return the columns that may name the series of a row: with them each time comes once.

    Without times: the column whose values come one after another, each in one stretch.

    Args:
        table: The rows.
        given: Columns that are something else.
        moments: (n,) int64, equal where the times are, and the series known so far; None: unknown.
    """
    candidates = dict(_candidates(table, given))
    if moments is None:
        blocks = (n for n, codes in candidates.items() if (np.diff(codes) < 0).sum() == 0)
        found = next((n for n in blocks if not _PARTS_OF_DATES.search(n)), None)
        return [] if found is None else [found]
    for count in (1, 2):
        for names in combinations(sorted(candidates, key=lambda n: candidates[n].max()), count):
            codes = _joined([candidates[name] for name in names])
            if codes.max() < len(codes) / _FEWEST_ROWS and _are_different(codes, moments):
                return list(names)
    numbers = dict(_candidates(table, [*given, *candidates], any_number=True))
    return [name for name, codes in numbers.items() if _are_different(codes, moments)][:1]


def _late(times: Array, codes: Array) -> Array:
    """(n,) whether a row's time has passed already in an earlier row of its series."""
    late = np.zeros(len(times), bool)
    borders = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(times)]
    for first, stop in pairwise(borders):
        own = times[first:stop]
        late[first + 1 : stop] = own[1:] <= np.maximum.accumulate(own)[:-1]
    return late


def _out_of_order(
    table: TableFiles,
    series: Sequence[str],
    time: TimeColumns,
    times: Array,
    late: Array,
    codes: Array,
    *,
    sort: bool,
) -> DataError:
    row, count = int(late.min()), len(late)
    latest = times[:row][codes[:row] == codes[row]].max(initial=times[row])
    again = "again" if sort or latest <= times[row] else f"after {time_text(latest)}"
    what = f"rows of a series of '{', '.join(series)}'" if series else "rows"
    advice = _advice(table, series, time, times, codes, sort=sort)
    return DataError(
        f"{table.place(row)}: the {what} are not in the order of '{time.name}': "
        f"{time_text(times[row])} comes {again}, and so in {count:,} of {len(times):,} rows; "
        f"{advice}",
        path=("dataset",),
    )


def _advice(
    table: TableFiles,
    series: Sequence[str],
    time: TimeColumns,
    times: Array,
    codes: Array,
    *,
    sort: bool,
) -> str:
    moments = _ranks(times)
    if not sort and _are_different(codes, moments):
        return "write `sort: true`"
    given = [*series, *time.columns]
    parts = [n for n in table.names if n not in given and _PARTS_OF_TIMES.search(n)]
    for name in parts:
        try:
            finer = TimeColumns(column=[*time.columns, name], format=None)
            if time.format is None and _are_different(codes, _ranks(read_times(table, finer))):
                return f"does '{name}' tell the time of day? Write `time: [{finer.name}]`"
        except DataError:
            continue
    if len(table.files) > 1 and FILE not in (*series, *table.names):
        of_files = _joined([codes, _series_of(table, [FILE])[0]])
        if _are_different(of_files, moments):
            return f"is each file a series of its own? Write `series: {_in_list([*series, FILE])}`"
    if found := likely_series(table, given, _joined([codes, moments])):
        names = [*series, *found]
        belongs = _series_of(table, names)[0]
        order = np.argsort(belongs, kind="stable")
        late = _late(times[order], belongs[order]).sum() > MOST_REPEATED * len(times)
        more = " and `sort: true`" if late and not sort else ""
        return f"rows of several series? Write `series: {_in_list(names)}`{more}"
    of_series = " in each series" if series else ""
    if len(np.unique(moments)) < len(moments) / 2 and not series:
        return (
            "rows of several series? Add a column that tells them apart, and name it in `series`; "
            "or keep one row for each time"
        )
    how = "" if sort else "write `sort: true`, and "
    return f"{how}keep one row for each time{of_series}"


def _in_list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _series_of(table: TableFiles, names: Sequence[str]) -> tuple[Array, tuple[str, ...]]:
    """(n,) the number of each row's series, in the order in which they appear, and their names."""
    if not names:
        return np.zeros(len(table), np.int64), ()
    parts, texts = [], []
    for name in names:
        if name == FILE and FILE not in table.names:
            sizes = np.diff(table.starts)
            codes = np.repeat(np.arange(len(sizes)), sizes)
            values = [file.name for file in table.files]
        else:
            codes, values = _factorized(table, name)
        if (codes < 0).any():
            row = int(np.flatnonzero(codes < 0)[0])
            raise DataError(
                f"{table.place(row)}: the series '{name}' is missing; every row needs one"
            )
        parts.append(codes)
        texts.append(values)
    joined = _joined(parts)
    _, first = np.unique(joined, return_index=True)
    labels = [", ".join(t[c[row]] for t, c in zip(texts, parts, strict=True)) for row in first]
    return joined, tuple(labels)


def _factorized(table: TableFiles, name: str) -> tuple[Array, list[str]]:
    """(n,) the number of each row's value, -1 where it is missing, and the values as text."""
    import pandas as pd

    codes, values = pd.factorize(table.series(name))
    return codes.astype(np.int64), [as_text(value) for value in values]


def _joined(parts: Sequence[Array]) -> Array:
    """(n,) a number for each combination of codes, in the order in which they appear."""
    combined = parts[0]
    for codes in parts[1:]:
        combined = combined * (int(codes.max()) + 1) + codes
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def _candidates(
    table: TableFiles, given: Sequence[str], *, any_number: bool = False
) -> Iterator[tuple[str, Array]]:
    """The columns of text, and of whole numbers with a likely name or with any, that several rows
    share."""
    for name in table.names:
        column = table.series(name)
        numbers = column.dtype.kind in "iu"
        if name in given or column.dtype.kind in "fbcMm" or isinstance(column.iloc[0], list | dict):
            continue
        if numbers and not any_number and not _NAMES_OF_SERIES.search(name):
            continue
        codes, _ = _factorized(table, name)
        if codes.min() >= 0 and 1 <= codes.max() < len(codes) / _FEWEST_ROWS:
            yield name, codes


def _are_different(codes: Array, moments: Array) -> bool:
    """Whether nearly no time comes twice in a series."""
    pairs = np.unique(codes * (int(moments.max()) + 1) + moments)
    return len(codes) - len(pairs) <= MOST_REPEATED * len(codes)


def _ranks(times: Array) -> Array:
    return np.unique(times, return_inverse=True)[1].reshape(-1)


def _values(table: TableFiles, name: str) -> Array:
    """(n,) numbers, datetime64, or objects that are text or None."""
    series = table.series(name)
    if series.dtype.kind == "M":
        return plain_times(series)
    if series.dtype.kind in "iuf":
        return np.asarray(series.to_numpy())
    texts = series.astype(object)
    values = np.asarray(texts.where(series.notna(), None).to_numpy(dtype=object))
    if any(not isinstance(value, str | None) for value in values[:_ROWS_SAMPLED]):
        return np.asarray([None if value is None else as_text(value) for value in values], object)
    return values


def _holds_dates(table: TableFiles, name: str) -> bool:
    series = table.series(name)
    if series.dtype.kind == "M":
        return True
    if series.dtype.kind in "biufm":
        return False
    head = [value for value in series.iloc[:_ROWS_SAMPLED] if isinstance(value, str)]
    if not head or not any(mark in head[0] for mark in "-/.:"):
        return False
    try:
        as_times(name, np.asarray([*head, None], dtype=object)[:-1])
    except DataError as error:
        return "two ways" in str(error)
    return True
