"""Windows over a series: many quantities, one row a point in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from pydantic import Field, PrivateAttr, model_validator

from dlrun.data.reading.files import as_list, find_files, refuse_missing, refuse_shared
from dlrun.data.reading.new_rows import refuse_missing_header
from dlrun.data.reading.row_order import FILE, likely_series, ordered_rows, time_of
from dlrun.data.reading.series import (
    Gaps,
    clock_of,
    due_times,
    naive_series_forecasts,
    season_of,
    series_from,
)
from dlrun.data.reading.series_file import SeriesFile, is_known, kind_of_numbers
from dlrun.data.reading.table_columns import (
    ColumnType,
    boolean_words,
    column_type,
    to_extra,
)
from dlrun.data.reading.tables import TableFiles, read_table
from dlrun.data.samples import Array, Columns, ExpectedColumns
from dlrun.data.source import Loaded, NewRows, Part
from dlrun.data.stored import return_freed_memory
from dlrun.data.table_source import TableSource
from dlrun.data.timestamps import TimeColumns
from dlrun.data.windows import Series, Windows
from dlrun.errors import DataError
from dlrun.text import counted

COLUMN = "series"
"""What the one feature is called."""


class Timeseries(TableSource):
    """A series: a table with a row for each point in time, in order, from CSV, TSV, JSON lines or
    Parquet; or several series in one table, if `series` names the column that tells them apart.
    The model sees windows of past rows and predicts later values of the target. Windows are cut as
    they are needed, so that the table is held in memory once. No window reaches from one series
    into another. All splits are in the order of time, at the same time in all series, and no window
    of one split reaches into another; or whole series are dealt, if `evaluation.groups` names
    their column."""

    in_time_order: ClassVar[bool] = True

    path: str | list[str]
    """The file, or several with the same columns that follow each other in time."""

    target: str | list[str]
    """Column to predict, or several: quantities or classes. The past of a quantity is among the
    features unless they leave it out. Rows whose target is missing are not predicted."""

    series: str | list[str] | None = None
    """Column that names the series of a row, such as the shop, or several columns that do so
    together; `file` if each file is a series. Rows of different series may alternate. It is not a
    feature unless `features` or `types` names it. Default: all rows are of one series."""

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
    """Columns that are the model's inputs, text among them, which `one_hot` or `ordinal` makes
    numbers; default: all columns of numbers, the target's past included, and those of `types`."""

    drop: list[str] | None = None
    """Columns of numbers to leave out of the features; not together with `features`."""

    time: str | list[str] | TimeColumns | None = None
    """Column of the times, dates or numbers. Several columns make one time, such as `[date, hour]`
    or `[year, month, day, hour]`; `{column: when, format: "%d.%m.%Y %H:%M"}` says how it is
    written. Default: the first column of dates, where there is one."""

    sort: bool = False
    """Whether to sort the rows by time, those of each series by themselves; rows of the same time
    keep their order."""

    gaps: Gaps = "break"
    """What a gap in the times means, a step of more than one and a half times the usual one.
    `break`: no window spans it, and no target is beyond it. `ignore`: rows count as consecutive, as
    working days do."""

    season: int | None = Field(default=None, ge=1)
    """Rows of a season, for the seasonal baseline. Default: those of a day; of daily rows 7, or 5
    where there are none of weekends; of weekly ones 52, monthly 12, quarterly 4."""

    origin: str | None = None
    """Where to get the file. `dlrun check` then passes without it, and a run says where to put
    it."""

    _inferred: dict[str, Any] | None = PrivateAttr(default=None)
    """Options inferred from the file, so that it is read once."""

    @model_validator(mode="after")
    def _options_fit(self) -> Timeseries:
        targets = as_list(self.target)
        if self.reconstructs:
            raise ValueError(
                "windows are made while the model trains, so they cannot be targets; save them as "
                "an array and read it by `source: npz`, with `targets: input`"
            )
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
        of_rows = {"time": TimeColumns.of(self.time), "series": TimeColumns.of(self.series)}
        for option, given in of_rows.items():
            taken = {*targets, *(self.features or [])} if option == "time" else {*targets}
            for name in () if given is None or len(given.columns) > 1 else given.columns:
                if name in taken:
                    raise ValueError(
                        f"'{name}' is the `{option}`, so it cannot be a target or a feature"
                    )
        return self

    def load(self, part: Part, base: Path, extra: Sequence[str] = ()) -> Loaded:
        files = self._files(base)
        if part == "train":
            loaded = self._loaded(self._read(files, extra=extra), extra)
            # The file's own numbers and texts are several times as large as the series.
            return_freed_memory()
            return loaded
        test_files = find_files(self.test_path, base)
        refuse_shared(files, test_files)
        # Test rows hold what the training rows tell.
        train = self._read(files)
        return_freed_memory()
        read = self._read(test_files, train.features, train.kinds, extra=extra)
        # Row weights belong to training; test files may do without them.
        return self._loaded(read, [n for n in extra if n in (*read.table.names, FILE)])

    def check(self, base: Path, extra: Sequence[str] = ()) -> Loaded | None:
        if self.origin is not None:
            try:
                find_files(self.path, base)
            except DataError:
                return None
        return super().check(base, extra)

    def read_new(self, files: Sequence[Path], columns: ExpectedColumns) -> NewRows:
        """Windows of all rows that have enough rows before them; the targets lie in the future."""
        for file in files:
            refuse_missing(file)
            refuse_missing_header(file, self.features or (), self.dialect())
        features: dict[str, ColumnType] | None = None
        if self.features is not None:
            features = {name: self.types.get(name, "numeric") for name in self.features}
        read = self._read(files, features, with_targets=False)
        places, short = read.places(self._span(), 1)
        starts = read.without_gaps(places, self._span() - 1)
        if not len(starts):
            raise DataError(
                f"{files[0]}: {len(read.rows)} rows are too few: a window takes {self._span()} "
                "rows without a gap"
            )
        windows = self._windows(read.series, starts)
        times = None if read.clock is None else due_times(read.clock, windows.last, self._delays())
        found = {COLUMN: cast("Array", replace(windows, target_times=times))}
        findings = (*read.findings, *short)
        return NewRows(found, findings=findings, places=read.table.row_places)

    def read_new_rows(self, file: Path, columns: ExpectedColumns) -> Columns:
        return self.read_new([file], columns).columns

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
        # In the order of the file, whatever that of the series.
        last = starts + (length - 1) * self.step
        starts = starts[np.argsort(series.numbers[last], kind="stable")]
        return Windows(series, starts, length, self.step, self.delay, self._ahead())

    def _read(
        self,
        files: Sequence[Path],
        features: dict[str, ColumnType] | None = None,
        kinds: Mapping[str, ColumnType] | None = None,
        *,
        with_targets: bool = True,
        extra: Sequence[str] = (),
    ) -> SeriesFile:
        """Read files, with these features, and targets of these kinds; by default what the values
        suggest. Of the time's own columns no digits are kept as they are written."""
        series = as_list(self.series or [])
        types = self.types | dict(kinds or {}) | (features or {})
        texts = [name for name, kind in types.items() if kind == "categorical"]
        given = TimeColumns.of(self.time)
        texts += [n for n in (*series, *extra) if given is None or n not in given.columns]
        table = read_table(files, self.dialect(), texts)
        targets = as_list(self.target) if with_targets else []
        named = (
            [*features] if features else [*(self.drop or []), *self.types, *(self.features or [])]
        )
        missing = [name for name in self.dialect().missing if name != "*"]
        for name in (*targets, *named, *missing, *series):
            if name != FILE:
                table.require(name)
        time = time_of(table, given)
        if time is None and self.sort:
            raise DataError(
                f"{table.files[0]}: `sort` needs times, and no column holds dates; name it as "
                "`time`"
            )
        rows = ordered_rows(table, series, time, sort=self.sort)
        findings = table.findings()
        if rows.passed:
            passed = counted(rows.passed, "row")
            findings.append(f"{passed} at a time that has passed already are left out")
        if features is None:
            features, texts = self._features(table, time)
            if texts:
                findings.append(
                    f"columns that do not hold numbers are not features: {', '.join(texts)}"
                )
        of_targets = {name: types.get(name) or column_type(table, name) for name in targets}
        held = of_targets | features
        of_series, columns = series_from(table, held, tuple(features), rows)
        return SeriesFile(
            table=table,
            features=features,
            kinds=held,
            rows=rows,
            series=of_series,
            columns=columns,
            clock=clock_of(rows),
            time=time,
            gaps=self.gaps,
            findings=tuple(findings),
        )

    def _features(
        self, table: TableFiles, time: TimeColumns | None
    ) -> tuple[dict[str, ColumnType], list[str]]:
        """The columns that are features with their kinds, and those that are not."""
        if self.features is not None:
            return {n: self.types.get(n) or column_type(table, n) for n in self.features}, []
        of_rows = (*(() if time is None else time.columns), *as_list(self.series or []))
        found: dict[str, ColumnType] = {}
        texts = []
        for name in table.names:
            if name in (self.drop or []):
                continue
            if name in self.types:
                found[name] = self.types[name]
            elif name in of_rows:
                continue
            elif (kind := kind_of_numbers(table, name)) is None:
                texts.append(name)
            else:
                found[name] = kind
        if not found:
            raise DataError(
                f"{table.files[0]}: no column of numbers is left; the columns are: "
                f"{', '.join(table.names)}"
            )
        return found, texts

    def _loaded(self, read: SeriesFile, extra: Sequence[str]) -> Loaded:
        count, needed = len(read.rows), self._span() + self._ahead()
        places, short = read.places(needed, self.stride)
        if not len(places):
            rows = f"{counted(count, 'row')} are too few"
            if read.rows.labels:
                longest = np.diff(read.rows.borders).max()
                rows = f"no series has enough rows (the longest has {longest:,})"
            raise DataError(
                f"{read.table.files[0]}: {rows}: a window takes {counted(self._span(), 'row')}, "
                f"and its target lies {counted(self._ahead(), 'row')} later",
                path=("dataset", "lookback"),
            )
        starts = read.without_gaps(places, needed - 1)
        findings = [*read.findings, *short, *read.gap_findings(len(places) - len(starts))]
        after = self._delays() + self._span() - 1
        known = np.ones(len(starts), bool)
        for name in as_list(self.target):
            known &= is_known(read.columns[name])[starts[:, np.newaxis] + after].all(axis=1)
        if missing := int((~known).sum()):
            left_out = "is left out" if missing == 1 else "are left out"
            findings.append(f"{counted(missing, 'window')} whose target is missing {left_out}")
        starts = starts[known]
        if not len(starts):
            raise DataError(f"{read.table.files[0]}: no window is left: " + ", and ".join(findings))
        windows = self._windows(read.series, starts)
        at = windows.starts[:, np.newaxis] + after
        windows = replace(
            windows,
            target_numbers=read.series.numbers[at],
            target_times=None if read.series.times is None else read.series.times[at],
        )
        targets = {name: read.columns[name][at] for name in as_list(self.target)}
        season = season_of(read.clock) if self.season is None else self.season
        self._inferred = {
            "features": list(read.series.names),
            "types": self.types | {n: k for n, k in read.kinds.items() if k != "numeric"},
            "time": read.time.name if self.time is None and read.time else self.time,
            "season": season,
        }
        return Loaded(
            features={COLUMN: cast("Array", windows)},
            targets={n: v[:, 0] if self.steps_ahead == 1 else v for n, v in targets.items()},
            extras={name: self._extra(read, name, windows) for name in extra},
            classes={
                name: boolean_words(read.table, name)
                for name in targets
                if read.kinds[name] == "boolean"
            },
            description=read.description(windows),
            findings=tuple(findings),
            rows=read.series.numbers[windows.last],
            naive_forecasts=self._naive_forecasts(read, windows, season),
            undeclared_series=self._undeclared_series(read),
            places=read.table.row_places,
        )

    def _undeclared_series(self, read: SeriesFile) -> str | None:
        if read.time is not None or self.series is not None:
            return None
        return next(iter(likely_series(read.table, as_list(self.target), None)), None)

    def _naive_forecasts(self, read: SeriesFile, windows: Windows, season: int | None) -> Columns:
        targets = [read.columns[name] for name in as_list(self.target)]
        if any(column.dtype == object for column in targets) and len(targets) > 1:
            return {}
        return naive_series_forecasts(
            targets, windows.last, self._delays(), season, read.stretch, read.rows.codes
        )

    def _extra(self, read: SeriesFile, name: str, windows: Windows) -> Array:
        if [name] == as_list(self.series or []):
            labels = windows.labels()
            assert labels is not None
            return labels
        if read.time is not None and read.time.columns == (name,):
            times = windows.last_times()
            assert times is not None
            return times
        read.table.require(name)
        values = to_extra(read.table, name, self.types.get(name))
        return np.asarray(values[read.rows.kept][windows.last])
