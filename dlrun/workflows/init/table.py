"""What a first config needs to know of a table: its target, its task, its columns, and the windows
that suit it where it is a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dlrun.checks.subjects.splits import NAMES_OF_GROUPS
from dlrun.data.reading.delimited import MISSING_WORDS, CsvDialect
from dlrun.data.reading.table_columns import ColumnType
from dlrun.data.reading.tables import TableFiles
from dlrun.data.timestamps import TimeColumns
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean
from dlrun.workflows.init.answer import InitTask, answer_in
from dlrun.workflows.init.columns import Columns, likely_target, read_columns, yes_or_no_labels
from dlrun.workflows.init.times import (
    DAY,
    SeriesFacts,
    in_config,
    series_of_rows,
    time_of_rows,
)

FEWEST_ROWS, FEWEST_ALONE = 120, 40
"""Tables of fewer rows are never taken for a series; of one quantity alone, the second."""

FEWEST_GROUPS = 5
LONG_CODE = 12

ROWS_A_WINDOW, SEASONS = 20, 6
"""A window is no longer than the rows divided by the first; of so many seasons, it spans one."""

MOST_SEEN = 48
"""Rows of a window that the model sees, at most about."""

MANY_WINDOWS = 5_000
"""From fewer, a linear model predicts a series better than a network does."""

FOUR_WEEKS, TWELVE = 28, 12


@dataclass(frozen=True)
class WindowFacts:
    """The windows that suit a series.

    Args:
        every: How often there is a row: `every hour`.
        lookback: Rows from a window's first to its last.
        step: The model reads one row in this many.
        delay: Rows from a window's last row to its target.
        many: Whether there are so many windows that a network can learn from them.
        season: Rows until a value is likely to come again; None: not known.
        columns: Columns that name the series of a row; none: there is one.
        sort: Whether the rows have to be sorted by time.
    """

    every: str
    lookback: int
    step: int
    delay: int
    many: bool
    season: int | None
    columns: tuple[str, ...]
    sort: bool


@dataclass(frozen=True)
class TableFacts:
    """What a first config needs to know of a table.

    Args:
        target: The column to predict.
        labels: Columns of yes and no that are predicted together instead, or none.
        task: What kind of answer it is.
        classes: Number of different targets, or of labels; 1 of quantities.
        numbered: Whether the targets are numbers from 0, or text, which is numbered unasked.
        dialect: How the file is written.
        rows: Number of rows.
        numeric: Numeric or true/false features.
        categorical: Text features that are categories.
        sentences: Text features that are sentences.
        split: What is between the labels of a column that holds several in a row.
        types: What columns hold that would be taken for something else.
        missing: Features with missing values.
        time: What tells when a row was recorded, as a config says it; None: nothing.
        dates: Other columns of dates.
        groups: Column of groups that no split may part, or None.
        dropped: Features that are left out, each with the reason in a few words.
        target_missing: Whether the target is missing in some rows.
        series: The series that the rows are, whichever quantity is the target; None: they are not.
        target_is_clear: Whether the target was given, has a likely name, or is the only column
            left.
    """

    target: str
    labels: tuple[str, ...]
    task: InitTask
    classes: int
    numbered: bool
    dialect: CsvDialect
    rows: int
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    sentences: tuple[str, ...]
    split: Mapping[str, str]
    types: Mapping[str, ColumnType]
    missing: tuple[str, ...]
    time: Any
    dates: tuple[str, ...]
    groups: str | None
    dropped: Mapping[str, str]
    target_missing: bool
    series: SeriesFacts | None
    target_is_clear: bool

    @property
    def why_dropped(self) -> str:
        """Why columns are left out, the columns named where the reasons differ."""
        if len(set(self.dropped.values())) == 1:
            return next(iter(self.dropped.values()))
        return "; ".join(f"{name}: {why}" for name, why in self.dropped.items())

    @property
    def time_name(self) -> str:
        """What the time is called: its columns."""
        column = self.time["column"] if isinstance(self.time, dict) else self.time
        return column if isinstance(column, str) else ", ".join(column)

    def windows(self) -> WindowFacts | None:
        """Return the windows that suit the table; None where it is not a series, or not
        clear which of its quantities is to be predicted."""
        series = self.series
        if series is None or not self.target_is_clear:
            return None
        lookback, delay = TWELVE, 1
        if series.step_seconds is not None:
            per_day = DAY / series.step_seconds
            # Two days and a quarter of one ahead; of days four weeks, of months and years twelve,
            # and the next.
            lookback, delay = 2 * round(per_day), max(1, round(per_day / 4))
            if per_day < 2:
                lookback, delay = (FOUR_WEEKS if per_day > 0.5 else TWELVE), 1
        most = series.longest // ROWS_A_WINDOW
        if series.season is not None and series.longest >= SEASONS * series.season:
            most = max(most, series.season)
        lookback = max(1, min(lookback, most))
        return WindowFacts(
            every=series.every,
            lookback=lookback,
            step=max(1, lookback // MOST_SEEN),
            delay=max(1, min(delay, lookback)),
            many=self.rows >= MANY_WINDOWS,
            season=series.season,
            columns=series.columns,
            sort=series.sort,
        )

    def source(self) -> dict[str, Any]:
        """Return what the config says about the file: how it is written, and what columns hold."""
        plain = CsvDialect()
        options = {
            field.name: getattr(self.dialect, field.name)
            for field in fields(CsvDialect)
            if field.name != "names"
            and getattr(self.dialect, field.name) != getattr(plain, field.name)
        }
        if "quote" in options:
            options["quote"] = options["quote"] or "none"
        if missing := options.get("missing"):
            by_column = {name: list(markers) for name, markers in missing.items()}
            options["missing"] = by_column["*"] if list(by_column) == ["*"] else by_column
        return options | ({"types": dict(self.types)} if self.types else {})


def table_facts(
    file: Path,
    task: InitTask | None = None,
    target: str | None = None,
    *,
    header: bool | None = None,
) -> TableFacts:
    """Read a table and find its target, task and columns.

    Args:
        file: A file, or a folder of Parquet files.
        task: What is predicted; None: as the target's values suggest.
        target: The column to predict; None: one with a likely name, else the last.
        header: Whether the first row of a CSV file names the columns; None: inferred.

    Raises:
        UsageError: The target's values do not suit the task.
        DataError: The file is missing or broken, or has no such column.
    """
    columns = read_columns(file, target, header=header)
    _refuse_target(file, columns, target)
    time = time_of_rows(columns.table, columns.dates, [] if target is None else [target])
    series = None if time is None else series_of_rows(columns.table, time, target)
    of_time = [] if time is None else time.columns
    of_rows = [*of_time, *(() if series is None else series.columns)]
    target, clear = likely_target(columns, target, of_rows)
    if _may_be_names(columns.table, target):
        columns = read_columns(file, target, header=header)
    table, found = columns.table, columns.found
    labels = [] if clear or task is not None else _labels(columns, of_rows)
    targets = labels or [target]
    answer = answer_in(table, target, found[target], task, labels)
    features = [name for name in table.names if name not in (*targets, *of_rows)]
    if answer.task != "regression":
        series = None
    elif time is None:
        series = _without_times(table, target, _kept(columns, features))
    if series is not None and not _is_series(columns, series, _kept(columns, features), time):
        series = None
    if series is None or not clear:
        # Of plain rows, what would name their series is a feature like any other.
        features = [name for name in table.names if name not in (*targets, *of_time)]
    groups = None if time is not None or series is not None else _groups(columns, features)
    kept = [name for name in _kept(columns, features) if name != groups]
    if not kept and series is None:
        raise _nothing_left(file, target, columns, [n for n in features if n != groups])
    plain = [name for name in kept if found[name].kind != "categorical"]
    texts = [name for name in kept if name not in plain]
    return TableFacts(
        target=target,
        labels=tuple(labels),
        task=answer.task,
        classes=answer.classes,
        numbered=answer.numbered,
        dialect=table.dialect,
        rows=len(table),
        numeric=tuple(plain),
        categorical=tuple(n for n in texts if not (found[n].sentences or found[n].mark)),
        sentences=tuple(name for name in texts if found[name].sentences),
        split={n: mark for n in (target, *texts) if (mark := found[n].mark) is not None},
        types=_types_to_give(columns, [*targets, *kept], of_series=series is not None),
        missing=tuple(name for name in kept if found[name].missing),
        time=None if time is None else in_config(time),
        dates=tuple(n for n in columns.dates if n in features),
        groups=groups,
        dropped={n: found[n].left_out for n in features if n not in kept and n != groups},
        target_missing=found[target].missing,
        series=series,
        target_is_clear=clear,
    )


def _refuse_target(file: Path, columns: Columns, target: str | None) -> None:
    """Raise an error where the target, or every column, cannot be one."""
    found = columns.found
    if target is not None and target not in found:
        raise DataError(f"{file}: no column '{target}'{did_you_mean(target, list(found))}")
    unusable = {name: column.left_out for name, column in found.items() if column.kind is None}
    if target in unusable:
        raise DataError(
            f"{file}: column '{target}' holds only {unusable[target]}, which cannot be a target"
        )
    if len(unusable) == len(found):
        what = ", ".join(dict.fromkeys(unusable.values()))
        raise DataError(f"{file}: all columns hold only {what}, which cannot be a target")


def _labels(columns: Columns, of_rows: Sequence[str]) -> list[str]:
    """Columns of yes and no to be predicted together; none where nothing would be left to predict
    them from."""
    labels = yes_or_no_labels(columns, of_rows)
    others = [name for name in columns.table.names if name not in (*labels, *of_rows)]
    return labels if _kept(columns, others) else []


def _is_series(
    columns: Columns, series: SeriesFacts, kept: Sequence[str], time: TimeColumns | None
) -> bool:
    """Whether windows over a series of a quantity suit its rows and its features."""
    if time is not None and len(columns.table) < (FEWEST_ROWS if kept else FEWEST_ALONE):
        return False
    features = (columns.found[name] for name in kept if name not in series.columns)
    return all(feature.kind != "categorical" for feature in features)


def _nothing_left(file: Path, target: str, columns: Columns, features: Sequence[str]) -> DataError:
    why = "; ".join(f"{name}: {columns.found[name].left_out}" for name in features)
    return DataError(
        f"{file}: no column is left to predict '{target}' from" + (f" ({why})" if why else "")
    )


def _kept(columns: Columns, names: Sequence[str]) -> list[str]:
    """The columns that are features unasked."""
    found = columns.found
    return [name for name in names if found[name].kind and not found[name].left_out]


def _types_to_give(
    columns: Columns, names: Sequence[str], *, of_series: bool
) -> dict[str, ColumnType]:
    """What columns hold that would be taken for something else; a series takes numbers that are
    written as text for text."""
    table = columns.table
    given = {}
    for name in (name for name in columns.found if name in names):
        column = columns.found[name]
        as_text = column.kind == "numeric" and table.series(name).dtype.kind not in "biuf"
        if column.kind is not None and (column.is_type_given or (of_series and as_text)):
            given[name] = column.kind
    return given


def _may_be_names(table: TableFiles, target: str) -> bool:
    """Whether columns were read as if each of several might be the target, to which it matters."""
    names = table.dialect.names
    others = (table.series(n).isin(MISSING_WORDS).any() for n in names - {target})
    return target not in names or any(others)


def _without_times(table: TableFiles, target: str, kept: Sequence[str]) -> SeriesFacts | None:
    """The series that rows are which hold one quantity, and whose it is: it can only be predicted
    from the rows before."""
    if len(kept) > 1 or len(table) < FEWEST_ALONE:
        return None
    series = series_of_rows(table, None, target)
    return series if series is not None and {*kept} <= {*series.columns} else None


def _groups(columns: Columns, features: Sequence[str]) -> str | None:
    """The column whose name and values say which rows are of one person, machine or place."""
    for name in features:
        series = columns.table.series(name)
        if columns.found[name].kind is None or columns.found[name].sentences:
            continue
        named = NAMES_OF_GROUPS.search(name) or _are_long_codes(columns, name)
        if not named or series.dtype.kind == "f" or series.isna().any():
            continue
        different = series.nunique()
        if FEWEST_GROUPS <= different <= len(series) / 2:
            return name
    return None


def _are_long_codes(columns: Columns, name: str) -> bool:
    """Whether the values are numbers of so many digits that they can only name something."""
    if columns.found[name].kind != "categorical":
        return False
    words = map(str, columns.table.series(name).dropna().unique())
    return all(word.isdigit() and len(word) >= LONG_CODE for word in words)
