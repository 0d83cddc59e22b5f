"""Windows over a series: many quantities, one row a point in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from pydantic import Field, PrivateAttr, model_validator

from dlrun.data.reading.delimited import CsvDialect
from dlrun.data.reading.files import as_list, find_files, refuse_missing, refuse_shared
from dlrun.data.reading.series import (
    Clock,
    Gaps,
    clock_of,
    due_times,
    every,
    naive_series_forecasts,
    read_times,
    rows_in_order,
    season_of,
    series_from,
    time_of,
)
from dlrun.data.reading.tables import TableFiles, read_table
from dlrun.data.samples import Array, Columns, ExpectedColumns
from dlrun.data.source import FileSource, Loaded, Part
from dlrun.data.stored import return_freed_memory
from dlrun.data.windows import Series, Windows
from dlrun.errors import DataError
from dlrun.text import counted

COLUMN = "series"
"""What the one feature is called."""


@dataclass(frozen=True)
class _SeriesFile:
    """A file of a series, read.

    Args:
        table: The file.
        series: The quantities that the model uses.
        columns: All columns of numbers that were asked for, (r,) each.
        clock: The times, or None.
        kept: (r,) positions of the rows in the file.
        findings: What the user should know.
    """

    table: TableFiles
    series: Series
    columns: dict[str, Array]
    clock: Clock | None
    kept: Array
    findings: tuple[str, ...]


class Timeseries(FileSource):
    """A series: a table with a row for each point in time, in order, from CSV, TSV, JSON lines or
    Parquet. The model sees windows of past rows and predicts later values of the target. Windows
    are cut as they are needed, so that the table is held in memory once. All splits are in the
    order of time, and no window of one split reaches into another."""

    in_time_order: ClassVar[bool] = True

    path: str | list[str]
    """The file, or several with the same columns that follow each other in time."""

    target: str | list[str]
    """Column to predict, or several. Its past is among the features unless they leave it out."""

    lookback: int = Field(ge=1)
    """How many rows a window spans, its last row included."""

    step: int = Field(default=1, ge=1)
    """Take every n-th row of a window, counted back from its last row."""

    delay: int = Field(default=1, ge=1)
    """How many rows after the last row of a window the target is."""

    steps_ahead: int = Field(default=1, ge=1)
    """How many values of the target are predicted at once: the first `delay` rows after the
    window, each further one `step` rows later."""

    stride: int = Field(default=1, ge=1)
    """Rows from the start of one window to the start of the next."""

    features: list[str] | None = None
    """Columns that are the model's inputs; default: all columns of numbers, the target's past
    included."""

    drop: list[str] | None = None
    """Columns of numbers to leave out of the features; not together with `features`."""

    time: str | None = None
    """Column of the times, dates or numbers; default: the first column of dates, where there is
    one."""

    gaps: Gaps = "break"
    """What a gap in the times means, a step of more than one and a half times the usual one.
    `break`: no window spans it, and no target is beyond it. `ignore`: rows count as consecutive, as
    working days do."""

    season: int | None = Field(default=None, ge=1)
    """Rows of a season, for the seasonal baseline; default: a day, or a week if rows are daily."""

    separator: str | None = Field(default=None, min_length=1, max_length=1)
    """Character between two fields of a CSV file; default: a tab for `.tsv`, else a comma."""

    missing: list[str | int | float] = Field(default_factory=list)
    """Values that mean a missing value, such as -9999, besides the empty field, NA, N/A, NaN, null
    and None. Rows whose target is missing are not predicted; features need `impute`."""

    decimal: str = Field(default=".", min_length=1, max_length=1)
    """Decimal point of the numbers in a CSV file."""

    encoding: str = "utf-8"
    """Text encoding of a CSV file."""

    origin: str | None = None
    """Where to get the file. `dlrun check` then passes without it, and a run says where to put
    it."""

    _inferred: dict[str, Any] | None = PrivateAttr(default=None)
    """Options inferred from the file, so that it is read once."""

    @model_validator(mode="after")
    def _options_fit(self) -> Timeseries:
        targets = as_list(self.target)
        if not targets or len(set(targets)) != len(targets):
            raise ValueError("`target` must name at least one column, and none twice")
        if self.features is not None and self.drop is not None:
            raise ValueError("give either `features` or `drop`")
        if self.features is not None and not self.features:
            raise ValueError("`features` must name at least one column")
        if self.step > self.lookback:
            raise ValueError(
                f"`step` ({self.step}) is larger than `lookback` ({self.lookback}), so that a "
                "window would hold one row; take a longer `lookback`"
            )
        if self.time is not None and self.time in {*targets, *(self.features or [])}:
            raise ValueError(f"'{self.time}' is the `time`, so it cannot be a target or a feature")
        return self

    def load(self, part: Part, base: Path, extra: Sequence[str] = ()) -> Loaded:
        files = self._files(base)
        if part == "train":
            loaded = self._loaded(self._read(files), extra)
            # The file's own numbers and texts are several times as large as the series.
            return_freed_memory()
            return loaded
        test_files = find_files(self.test_path, base)
        refuse_shared(files, test_files)
        names = self._read(files).series.names if self.features is None else tuple(self.features)
        return_freed_memory()
        read = self._read(test_files, names)
        # Row weights belong to training; test files may do without them.
        return self._loaded(read, [name for name in extra if name in read.table.names])

    def check(self, base: Path, extra: Sequence[str] = ()) -> Loaded | None:
        if self.origin is not None:
            try:
                find_files(self.path, base)
            except DataError:
                return None
        return super().check(base, extra)

    def read_new_rows(self, file: Path, columns: ExpectedColumns) -> Columns:
        """Windows of all rows that have enough rows before them; the targets lie in the future."""
        refuse_missing(file)
        names = None if self.features is None else tuple(self.features)
        read = self._read([file], names, with_targets=False)
        places = np.arange(len(read.series) - self._span() + 1)
        starts = self._without_gaps(read, places, self._span() - 1)
        if not len(starts):
            raise DataError(
                f"{file}: {len(read.series)} rows are too few: a window takes {self._span()} rows "
                "without a gap"
            )
        windows = self._windows(read.series, starts)
        times = None if read.clock is None else due_times(read.clock, windows.last, self._delays())
        return {COLUMN: cast("Array", replace(windows, target_times=times))}

    def pinned(self, base: Path) -> Timeseries:
        if self._inferred is None:
            self._loaded(self._read(self._files(base)), ())
        return self.model_copy(update={"drop": None, **(self._inferred or {})})

    def _files(self, base: Path) -> list[Path]:
        try:
            return find_files(self.path, base)
        except DataError as error:
            if self.origin is None:
                raise
            stop = "" if str(error).endswith("?") else "."
            message = f"{error}{stop} Download it to that path from {self.origin}"
            raise DataError(message) from error

    def _span(self) -> int:
        """Rows of the series from a window's first to its last."""
        return (-(-self.lookback // self.step) - 1) * self.step + 1

    def _ahead(self) -> int:
        """Rows from the last row of a window to its last target."""
        return self.delay + (self.steps_ahead - 1) * self.step

    def _delays(self) -> Array:
        """(s,) rows from the last row of a window to each of its targets."""
        return np.arange(self.delay, self._ahead() + 1, self.step)

    def _windows(self, series: Series, starts: Array) -> Windows:
        length = -(-self.lookback // self.step)
        return Windows(series, starts, length, self.step, self.delay, self._ahead())

    def _read(
        self,
        files: Sequence[Path],
        names: tuple[str, ...] | None = None,
        *,
        with_targets: bool = True,
    ) -> _SeriesFile:
        dialect = CsvDialect(
            separator=self.separator,
            missing=tuple(str(marker) for marker in self.missing),
            decimal=self.decimal,
            encoding=self.encoding,
        )
        table = read_table(files, dialect)
        targets = as_list(self.target) if with_targets else []
        for name in (*targets, *(self.drop or []), *(self.features or [])):
            table.require(name)
        time = time_of(table, self.time)
        clock, kept, findings = None, np.arange(len(table)), list[str]()
        if time is not None:
            times = read_times(table, time)
            kept = rows_in_order(table, time, times)
            clock = clock_of(times[kept])
            if passed := len(times) - len(kept):
                findings.append(
                    f"{counted(passed, 'row')} at a time that has passed already are left out"
                )
        if names is None:
            names, texts = self._feature_names(table, time)
            if texts:
                findings.append(
                    f"columns that do not hold numbers are not features: {', '.join(texts)}"
                )
        wanted = [*names, *(name for name in targets if name not in names)]
        held = None if clock is None else clock.times
        series, columns = series_from(table, wanted, kept, held)
        if len(wanted) > len(names):
            values = np.ascontiguousarray(series.values[:, : len(names)])
            series = Series(values, names, series.numbers, series.times)
        return _SeriesFile(table, series, columns, clock, kept, tuple(findings))

    def _feature_names(
        self, table: TableFiles, time: str | None
    ) -> tuple[tuple[str, ...], list[str]]:
        """The columns of numbers that are features, and the columns that are not."""
        if self.features is not None:
            return tuple(dict.fromkeys(self.features)), []
        left = [name for name in table.names if name != time and name not in (self.drop or [])]
        numbers = [name for name in left if table.series(name).dtype.kind in "biuf"]
        if not numbers:
            raise DataError(
                f"{table.files[0]}: no column of numbers is left; the columns are: "
                f"{', '.join(table.names)}"
            )
        return tuple(numbers), [name for name in left if name not in numbers]

    def _loaded(self, read: _SeriesFile, extra: Sequence[str]) -> Loaded:
        count, needed = len(read.series), self._span() + self._ahead()
        places = np.arange(0, count - needed + 1, self.stride)
        if not len(places):
            raise DataError(
                f"{read.table.files[0]}: {count} rows are too few: a window takes {self._span()} "
                f"rows, and its target lies {self._ahead()} rows later",
                path=("dataset", "lookback"),
            )
        starts = self._without_gaps(read, places, needed - 1)
        findings = [*read.findings, *self._gap_findings(read, len(places) - len(starts))]
        after = self._delays() + self._span() - 1
        known = np.ones(len(starts), bool)
        for name in as_list(self.target):
            known &= np.isfinite(read.columns[name][starts[:, np.newaxis] + after]).all(axis=1)
        if missing := int((~known).sum()):
            left_out = "is left out" if missing == 1 else "are left out"
            findings.append(f"{counted(missing, 'window')} whose target is missing {left_out}")
        starts = starts[known]
        if not len(starts):
            raise DataError(f"{read.table.files[0]}: no window is left: " + ", and ".join(findings))
        at = starts[:, np.newaxis] + after
        windows = replace(
            self._windows(read.series, starts),
            target_numbers=read.series.numbers[at],
            target_times=None if read.series.times is None else read.series.times[at],
        )
        targets = {name: read.columns[name][at] for name in as_list(self.target)}
        season = season_of(read.clock) if self.season is None else self.season
        time = time_of(read.table, self.time)
        self._inferred = {"features": list(read.series.names), "time": time, "season": season}
        # What is known at a time does not depend on gaps only where rows count as they come.
        stretch = None if read.clock is None or self.gaps == "ignore" else read.clock.stretch
        naive_forecasts = naive_series_forecasts(
            [read.columns[name] for name in targets], windows.last, after - after[0] + self.delay,
            season, stretch,
        )  # fmt: skip
        return Loaded(
            features={COLUMN: cast("Array", windows)},
            targets={n: v[:, 0] if self.steps_ahead == 1 else v for n, v in targets.items()},
            extras={name: self._extra(read, name, windows) for name in extra},
            description=self._description(read, windows),
            findings=tuple(findings),
            rows=read.series.numbers[windows.last],
            naive_forecasts=naive_forecasts,
        )

    def _without_gaps(self, read: _SeriesFile, places: Array, span: int) -> Array:
        """The first rows of those windows that have no gap within `span` rows."""
        if read.clock is None or self.gaps == "ignore" or not len(places):
            return places.astype(np.int64)
        stretch = read.clock.stretch
        return places[stretch[places] == stretch[places + span]].astype(np.int64)

    def _gap_findings(self, read: _SeriesFile, left_out: int) -> list[str]:
        clock = read.clock
        if clock is None or not clock.gaps:
            return []
        gaps = "1 gap" if clock.gaps == 1 else f"{clock.gaps:,} gaps"
        where = f"the times have {gaps}, the first after {clock.first_gap}, up to {clock.widest}"
        if self.gaps == "ignore":
            return [f"{where}: windows span them, as `gaps: ignore` says"]
        return [f"{where}: {counted(left_out, 'window')} that would span one are left out"]

    def _description(self, read: _SeriesFile, windows: Windows) -> str:
        files = read.table.files
        place = files[0].name if len(files) == 1 else f"{len(files)} files"
        clock = read.clock
        spaced = f", one {every(clock.usual)}," if clock and clock.dates else ""
        count, length, width = windows.shape
        return (
            f"{count:,} windows of {length} x {width} over {len(read.series):,} rows{spaced} "
            f"from {place}"
        )

    def _extra(self, read: _SeriesFile, name: str, windows: Windows) -> Array:
        if name == time_of(read.table, self.time):
            times = windows.last_times()
            assert times is not None
            return times
        read.table.require(name)
        series, _ = series_from(read.table, [name], read.kept, None)
        return np.asarray(series.values[windows.last, 0])
