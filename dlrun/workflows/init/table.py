"""What a first config needs to know of a table: its target, its task, its columns, and the windows
that suit it where it is a series."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from dlrun.data.reading.delimited import CsvDialect, infer_dialect
from dlrun.data.reading.files import find_files
from dlrun.data.reading.row_order import ordered_rows
from dlrun.data.reading.series import clock_of, every
from dlrun.data.reading.table_columns import (
    ColumnType,
    are_sentences,
    column_type,
    has_several_words,
    to_array,
)
from dlrun.data.reading.tables import TableFiles, format_of, read_table
from dlrun.data.samples import kind_of
from dlrun.data.task import refuse_constant
from dlrun.data.timestamps import TimeColumns, as_times
from dlrun.errors import DataError, UsageError
from dlrun.registry.names import did_you_mean

InitTask = Literal["binary", "multiclass", "regression"]
TASKS: tuple[str, ...] = get_args(InitTask)

LIKELY_TARGETS = ("target", "label", "class", "outcome", "y", "price", "diagnosis", "survived")
"""Names under which a target is looked for before the last column is taken."""

MOST_CLASSES = 10
"""Whole numbers of more different values are quantities rather than labels."""

YEARS = (1800, 2100)
"""Whole numbers that all lie here are years, and so quantities."""

DATE = re.compile(
    r"(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3\d{4})([T ]\d{1,2}:\d{2}\S*)?"
)
"""How dates are written as text."""

FEWEST_TIMES = 10
"""Rows of fewer different dates are not split in their order unasked."""

UNEVEN, EVEN_STEPS = 0.1, 0.95
"""Rows are in even steps where so large a share of them differs by no more from the usual one: by
the lengths of months, and with a gap here and there."""

_BIRTH = re.compile(r"birth|born|geburt|(^|_)dob($|_)", re.IGNORECASE)
"""Dates that describe a person, not when a row was recorded."""

MOST_CATEGORIES = 50
ROWS_A_CATEGORY = 5
WIDEST = 1_000
"""Text columns of more different values are categories only where each has so many rows on average,
and never above the last: one-hot, each takes a column."""

FEWEST_ROWS = 120
"""Tables of fewer rows are never taken for a series."""

ROWS_A_WINDOW = 20
"""A window is no longer than the rows divided by this."""

MOST_SEEN = 48
"""Rows of a window that the model sees, at most about."""

FEWEST_SEEN = 8
"""Windows of fewer rows go through a dense network."""

MANY_WINDOWS = 5_000
DAY = 86_400.0
FOUR_WEEKS, MONTHS_PER_YEAR = 28, 12


@dataclass(frozen=True)
class WindowFacts:
    """The windows that suit a series.

    Args:
        every: How often there is a row: `every hour`.
        lookback: Rows from a window's first to its last.
        step: The model reads one row in this many.
        delay: Rows from a window's last row to its target.
        batch_size: Windows in a batch.
    """

    every: str
    lookback: int
    step: int
    delay: int
    batch_size: int

    @property
    def short(self) -> bool:
        """Whether the model sees so few rows that a recurrent layer gains nothing."""
        return -(-self.lookback // self.step) < FEWEST_SEEN


@dataclass(frozen=True)
class TableFacts:
    """What a first config needs to know of a table.

    Args:
        target: The column to predict.
        task: What kind of answer it is.
        classes: Number of different targets.
        numbered: Whether the targets are numbers from 0, or text, which is numbered unasked.
        dialect: How the file is written.
        rows: Number of rows.
        numeric: Numeric or true/false features.
        categorical: Text features that are categories.
        sentences: Text features that are sentences.
        missing: Features with missing values.
        time: Column of dates in whose order the rows are split, or None.
        dates: Other columns of dates.
        dropped: Features that are left out, each with the reason in a few words.
        target_is_clear: Whether the target was given, has a likely name, or is the only column
            left.
        target_missing: Whether the target is missing in some rows.
        step_seconds: Seconds from one row to the next, where the rows are in the order of `time`
            in even steps; else None.
    """

    target: str
    task: InitTask
    classes: int
    numbered: bool
    dialect: CsvDialect
    rows: int
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    sentences: tuple[str, ...]
    missing: tuple[str, ...]
    time: str | None
    dates: tuple[str, ...]
    dropped: Mapping[str, str]
    target_is_clear: bool
    target_missing: bool
    step_seconds: float | None

    @property
    def why_dropped(self) -> str:
        """Why columns are left out, the columns named where the reasons differ."""
        if len(set(self.dropped.values())) == 1:
            return next(iter(self.dropped.values()))
        return "; ".join(f"{name}: {why}" for name, why in self.dropped.items())

    @property
    def every(self) -> str:
        """How often there is a row: `every hour`; only where they come in even steps."""
        return "" if self.step_seconds is None else every(self.step_seconds)

    @property
    def is_series(self) -> bool:
        """Whether the table is a series of quantities, whichever of them is the target."""
        return (
            self.step_seconds is not None
            and self.task == "regression"
            and self.rows >= FEWEST_ROWS
            and not self.categorical
            and not self.sentences
            and self.dialect.thousands is None
        )

    def windows(self) -> WindowFacts | None:
        """Return the windows that suit the table; None where it is not a series, or not
        clear which of its quantities is to be predicted."""
        if not self.is_series or not self.target_is_clear or self.step_seconds is None:
            return None
        per_day = DAY / self.step_seconds
        # Two days and a quarter of one ahead; of days four weeks, of months a year, and the next.
        wanted, delay = 2 * round(per_day), round(per_day / 4)
        if per_day < 2:
            wanted, delay = (FOUR_WEEKS if per_day > 0.5 else MONTHS_PER_YEAR), 1
        lookback = min(wanted, self.rows // ROWS_A_WINDOW)
        return WindowFacts(
            every=self.every,
            lookback=lookback,
            step=max(1, lookback // MOST_SEEN),
            delay=max(1, min(delay, lookback)),
            batch_size=128 if self.rows >= MANY_WINDOWS else 32,
        )


def table_facts(file: Path, task: InitTask | None = None, target: str | None = None) -> TableFacts:
    """Read a table and find its target, task and columns.

    Raises:
        UsageError: The target's values do not suit the task.
        DataError: The file is missing or broken, or has no such column.
    """
    if format_of(file) == "arrays":
        raise DataError(
            f"{file}: init reads CSV, TSV, JSON lines and Parquet; for arrays write "
            "`dataset: {source: npz, path: ..., inputs: ..., targets: ...}` yourself"
        )
    files = find_files(str(file), Path())
    dialect = infer_dialect(files[0]) if format_of(files[0]) == "delimited" else CsvDialect()
    table = read_table(files, dialect)
    if target is not None and target not in table.names:
        raise DataError(f"{file}: no column '{target}'{did_you_mean(target, table.names)}")
    unusable = {name: why for name in table.names if (why := _why_unusable(table, name))}
    usable = [name for name in table.names if name not in unusable]
    if not usable or target in unusable:
        what = f"column '{target}' holds" if target else "all columns hold"
        raise DataError(
            f"{file}: {what} only dates, lists or missing values, which cannot be a target"
        )
    types = {name: column_type(table, name) for name in usable}
    texts = [
        name
        for name in usable
        if types[name] == "categorical" and _are_texts(to_array(table, name, "categorical"))
    ]
    offered = [name for name in usable if name not in texts] or usable
    clear = target is not None or len(offered) == 1 or _likely_target(offered) != offered[-1]
    clear = clear or offered[-1].lower() in LIKELY_TARGETS
    target = target or _likely_target(offered)
    present = table.series(target).dropna()
    refuse_constant(target, present.to_numpy())
    different = int(present.nunique())
    numbers = _numbers(table, target) if types[target] == "numeric" else np.arange(different)
    whole = bool((numbers % 1 == 0).all())
    if task is not None:
        _refuse_misfit(task, target, types[target], different, whole)
    features = [name for name in table.names if name != target]
    dates = [name for name in features if unusable.get(name) == "dates"]
    time = next((name for name in dates if len(dates) == 1 and _orders_rows(table, name)), None)
    sentences = tuple(name for name in features if name in texts)
    dropped = {
        name: why
        for name in features
        if name not in (time, *sentences)
        and (why := unusable.get(name) or _why_left_out(table, name, types[name]))
    }
    kept = [name for name in features if name not in dropped and name != time]
    arrays = {name: to_array(table, name, types[name]) for name in kept}
    text = tuple(
        name for name in kept if kind_of(arrays[name]) == "categorical" and name not in sentences
    )
    return TableFacts(
        target=target,
        task=task or _task_of(types[target], numbers, different),
        classes=different,
        numbered=set(numbers) == set(range(different)),
        dialect=dialect,
        rows=len(table),
        numeric=tuple(name for name in kept if name not in (*text, *sentences)),
        categorical=text,
        sentences=sentences,
        missing=tuple(name for name in kept if table.series(name).isna().any()),
        time=time,
        dates=tuple(name for name in dates if name != time),
        dropped=dropped,
        target_is_clear=clear,
        target_missing=len(present) < len(table),
        step_seconds=None if time is None else _usual_step(table, time),
    )


def _numbers(table: TableFiles, name: str) -> np.ndarray:
    values = to_array(table, name, "numeric")
    return values[~np.isnan(values)]


def _likely_target(names: list[str]) -> str:
    lowered = {name.lower(): name for name in names}
    return next((lowered[name] for name in LIKELY_TARGETS if name in lowered), names[-1])


def _task_of(kind: ColumnType, numbers: np.ndarray, different: int) -> InitTask:
    if kind == "numeric":
        is_whole = bool((numbers % 1 == 0).all())
        is_year = bool(((numbers >= YEARS[0]) & (numbers <= YEARS[1])).all())
        if not is_whole or is_year or different > MOST_CLASSES:
            return "regression"
    return "binary" if different == 2 else "multiclass"


def _refuse_misfit(
    task: InitTask, target: str, kind: ColumnType, different: int, whole: bool
) -> None:
    """Raise an error where a target does not suit the given task."""
    if task == "binary" and different != 2:
        raise UsageError(f"--task binary needs a target of 2 values; '{target}' has {different}")
    if task == "multiclass" and not whole:
        raise UsageError(f"--task multiclass needs classes; '{target}' holds fractions")
    if task == "regression" and kind != "numeric":
        found = "text" if kind == "categorical" else "true and false"
        raise UsageError(f"--task regression needs a target of numbers; '{target}' holds {found}")


def _why_unusable(table: TableFiles, name: str) -> str | None:
    """What a column holds that is neither a feature nor a target, or None where it may be one."""
    present = table.series(name).dropna()
    if not len(present):
        return "no values"
    if present.dtype.kind == "m":
        return "durations"
    if present.dtype.kind in "biuf":
        return None
    if isinstance(present.iloc[0], list | dict | tuple | np.ndarray):
        return "lists or objects"
    is_date = present.dtype.kind == "M" or all(
        DATE.fullmatch(str(value).strip()) for value in present.unique()
    )
    return "dates" if is_date else None


def _orders_rows(table: TableFiles, name: str) -> bool:
    """Whether rows can be split in the order of a column of dates."""
    series = table.series(name)
    if series.nunique() < FEWEST_TIMES or _BIRTH.search(name):
        return False
    if series.dtype.kind == "M":
        return not series.isna().any()
    try:
        as_times(name, to_array(table, name, "categorical"))
    except DataError:
        return False
    return True


def _usual_step(table: TableFiles, name: str) -> float | None:
    """Seconds from one row to the next, where nearly all steps are about as long; else None."""
    try:
        rows = ordered_rows(table, (), TimeColumns(column=name))
    except DataError:
        return None
    clock = clock_of(rows)
    if clock is None or not clock.dates or len(rows) < 2:
        return None
    seconds = np.diff(clock.times) / np.timedelta64(1, "s")
    even = np.abs(seconds / clock.usual - 1) <= UNEVEN
    return clock.usual if even.mean() >= EVEN_STEPS else None


def _are_texts(column: np.ndarray) -> bool:
    """Whether words say more than the text as a whole: several rows may hold the same text."""
    different = len({text for text in column if text is not None})
    several = different > MOST_CATEGORIES and has_several_words(column)
    return several or are_sentences(column)


def _why_left_out(table: TableFiles, name: str, kind: ColumnType) -> str | None:
    """Why a first config leaves a usable column out, or None where it does not."""
    series = table.series(name)
    different, present = int(series.nunique()), int(series.notna().sum())
    if kind == "categorical":
        if different <= MOST_CATEGORIES:
            return None
        if different > present / 2:
            return "a different text in most rows"
        if different * ROWS_A_CATEGORY > present or different > WIDEST:
            return f"{different:,} categories, few rows of each"
        return None
    named = name.lower() in ("id", "index", "row", "unnamed: 0") or name.lower().endswith("_id")
    return "numbers the rows" if named and different == len(table) else None
