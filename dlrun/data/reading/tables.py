"""Tables from CSV, TSV, JSON lines and Parquet files, and the place of each row in them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from dlrun.data.reading.delimited import (
    EXACT,
    CsvDialect,
    column_names,
    line_with,
    may_be_inexact,
    read_delimited,
    records_of_rows,
)
from dlrun.data.reading.json_lines import read_json_lines
from dlrun.data.reading.number_texts import is_number
from dlrun.data.reading.quoted_rows import rows_in_quotes
from dlrun.data.reading.row_places import RowPlaces, ending_of, format_of
from dlrun.data.samples import Array
from dlrun.data.stored import return_freed_memory, too_large_to_hold
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean

if TYPE_CHECKING:
    import pandas as pd


_CODE = re.compile(r"0\d{2,}")
_ROWS_OF_CODES = 1_000
"""Rows among which zeros in front of numbers are looked for."""

_NO_TABLES = {
    ".npz": "`source: npz` reads it",
    ".npy": "`source: npz` reads it",
    ".json": "write one JSON object a line, as .jsonl",
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
}


@dataclass(frozen=True)
class TableFiles:
    """Rows of one or several files with the same columns, in order.

    Args:
        files: The files.
        frames: What each of them holds.
        dialect: How CSV and TSV files are written.
        latest: The column that was asked for last, with what was made of it.
    """

    files: tuple[Path, ...]
    frames: tuple[pd.DataFrame, ...]
    dialect: CsvDialect
    latest: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns, in the order of the first file."""
        return tuple(self.frames[0].columns)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def starts(self) -> list[int]:
        """The first row of each file, counted from 0 over all files, and one past the last."""
        return [0, *np.cumsum([len(frame) for frame in self.frames]).tolist()]

    def __len__(self) -> int:
        return self.starts[-1]

    def series(self, name: str) -> pd.Series:
        """One column over all files; the one asked for last is kept.

        Raises:
            DataError: There is no such column.
        """
        self.require(name)
        if self.latest.get("name") != name:
            self.latest.clear()
            self.latest.update(name=name, series=self._read_series(name))
        series: pd.Series = self.latest["series"]
        return series

    def _read_series(self, name: str) -> pd.Series:
        import pandas as pd

        parts = [frame[name] for frame in self.frames]
        if len(parts) == 1:
            return parts[0]
        if all(pd.api.types.is_numeric_dtype(part) for part in parts):
            return pd.Series(np.concatenate([part.to_numpy() for part in parts]))
        return pd.Series(np.concatenate([part.to_numpy(dtype=object) for part in parts]))

    def require(self, name: str) -> None:
        """Check that there is a column of that name.

        Raises:
            DataError: There is none.
        """
        if name not in self._known:
            refuse_unknown_column(self.files[0], name, self.names, self.dialect)

    @property
    def has_commas_between_fields(self) -> bool:
        """Whether commas separate the fields, so that no number has a decimal comma unquoted."""
        file = self.files[0]
        return format_of(file) == "delimited" and self.dialect.separator_of(file) == ","

    def findings(self) -> list[str]:
        """What the user should know of how the files are written, one sentence each."""
        found = [
            rows_in_quotes(file, self.dialect, stop - first)
            for file, first, stop in zip(self.files, self.starts, self.starts[1:], strict=False)
            if format_of(file) == "delimited"
        ]
        advice = "if quotation marks are part of the text, say `quote: none`"
        return [f"{finding}: {advice}" for finding in found if finding is not None]

    def field(self, row: int, name: str) -> str | None:
        """How a CSV file writes a value of a row, counted from 0; None in other files."""
        part = int(np.searchsorted(self.starts, row, side="right")) - 1
        if format_of(file := self.files[part]) != "delimited":
            return None
        ((_, fields),) = records_of_rows(file, self.dialect, [row - self.starts[part]])
        return fields[self.names.index(name)].strip()

    @cached_property
    def codes(self) -> Mapping[str, str]:
        """The columns whose first rows hold digits with zeros in front, as in `007`, and one that
        does: such digits may be a code rather than a number."""
        file = self.files[0]
        if format_of(file) != "delimited":
            return {}
        rows = range(min(_ROWS_OF_CODES, self.starts[1]))
        fields = [fields for _, fields in records_of_rows(file, self.dialect, rows)] if rows else []
        found = {}
        for name, texts in zip(self.names, zip(*fields, strict=False), strict=False):
            if code := next((text for text in texts if _CODE.fullmatch(text.strip())), None):
                found[name] = code.strip()
        return found

    def place(self, row: int) -> str:
        """Where a row (counted from 0) is: `file.csv:17`, with the line counted from 1."""
        return self.places([row])[0]

    def places(self, rows: Sequence[int]) -> list[str]:
        """Where some rows (counted from 0) are, in their order."""
        return self.row_places(rows)

    @property
    def row_places(self) -> RowPlaces:
        """Where the rows are, to be kept without them."""
        return RowPlaces(self.files, self.starts, self.dialect)


def read_table(
    files: Sequence[Path], dialect: CsvDialect, as_text: Collection[str] = ()
) -> TableFiles:
    """Read files that have the same columns.

    Args:
        files: CSV, TSV, JSON lines or Parquet, by the file ending; any other is CSV.
        dialect: How CSV and TSV files are written.
        as_text: Columns whose fields stay text, such as `007`.

    Raises:
        DataError: A file is broken, or the files differ in their columns.
    """
    frames = tuple(_read(file, dialect, as_text) for file in files)
    table = TableFiles(tuple(files), frames, dialect)
    for file, frame in zip(files[1:], frames[1:], strict=True):
        refuse_other_columns(file, list(frame.columns), files[0], table.names)
    names = table.names if len(frames) > 1 else ()
    if of_two_types := [name for name in names if _has_two_types(name, frames)]:
        # What are numbers in one file and text in another is text in all of them.
        again = {*as_text, *of_two_types}
        frames = tuple(_read(file, dialect, again) for file in files)
        table = TableFiles(tuple(files), frames, dialect)
    return table


def names_of_columns(file: Path, dialect: CsvDialect) -> list[str]:
    """Return the columns of a table in their order; of CSV and Parquet no row is read.

    Raises:
        DataError: The file is not a table, or broken.
    """
    _refuse_no_table(file)
    if format_of(file) == "parquet":
        return _parquet_names(file)
    if format_of(file) == "json_lines":
        return list(read_json_lines(file))
    return column_names(file, dialect)


def refuse_unknown_column(
    file: Path, name: str, names: Sequence[str], dialect: CsvDialect | None = None
) -> NoReturn:
    """Raise the error for a missing column of a file, which is written so if it is delimited."""
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    advice = ""
    if len(names) == 1 and (marks := [mark for mark in ";\t|," if mark in names[0]]):
        advice = f"is the `separator` {marks[0]!r}?"
    elif whole := [other for other in names if name in other.split(", ")]:
        advice = f"put it in quotes: '{whole[0]}'"
    elif sum(map(is_number, names)) >= len(names) / 2:
        advice = "if the file has no header, say `header: false`"
    elif dialect and format_of(file) == "delimited" and (line := line_with(file, dialect, name)):
        advice = f"if line {line} is the header, say `skip: {line - 1}`"
    suggestion = did_you_mean(name, names)
    listing = f"{suggestion} The" if suggestion else "; the"
    message = f"{file}: no column '{name}'{listing} columns are: {shown}"
    raise DataError(message, column=name, advice=advice)


def _read(file: Path, dialect: CsvDialect, as_text: Collection[str]) -> pd.DataFrame:
    import pandas as pd

    _refuse_no_table(file)
    if format_of(file) == "json_lines":
        columns = read_json_lines(file)
        exact = {name: pd.Series(v, dtype=_dtype_of(v)) for name, v in columns.items()}
        return _without(dialect, pd.DataFrame(exact))
    if format_of(file) == "parquet":
        return read_parquet(file, dialect)
    return read_delimited(file, dialect, as_text)


def _dtype_of(values: Sequence[Any]) -> type[object] | None:
    """How pandas is to hold a column of JSON lines; None: as it likes. Floats do not hold large
    whole numbers exactly."""
    return object if any(type(v) is int and abs(v) > EXACT for v in values) else None


def _refuse_no_table(file: Path) -> None:
    if (advice := _NO_TABLES.get(ending_of(file))) is not None:
        raise DataError(f"{file}: not a table; {advice}")


def _without(dialect: CsvDialect, frame: pd.DataFrame) -> pd.DataFrame:
    """A table without the values that mark a missing one, as `read_delimited` leaves them out."""
    kept = frame.copy(deep=False)
    for name in map(str, frame.columns):
        if (marked := _marked(dialect.missing_in(name), frame[name])).any():
            kept[name] = frame[name].mask(marked)
    return kept


def _marked(markers: Sequence[str], series: pd.Series) -> Array:
    """(n,) bool: which values mark a missing one. True and false are no numbers."""
    import pandas as pd

    if not markers or pd.api.types.is_bool_dtype(series.dtype):
        return np.zeros(len(series), bool)
    numbers = [float(marker) for marker in markers if is_number(marker)]
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.isin(numbers).to_numpy()
    flags = series.map(lambda value: isinstance(value, bool)).to_numpy(bool)
    return series.isin([*markers, *numbers]).to_numpy() & ~flags


def read_parquet(
    file: Path, dialect: CsvDialect, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return some columns of a Parquet file; None: all.

    Raises:
        DataError: It is broken or has no rows.
    """
    import pandas as pd
    import pyarrow
    from pyarrow import parquet

    try:
        frame = pd.read_parquet(
            file, engine="pyarrow", columns=None if columns is None else list(columns)
        )
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file}: cannot be read as Parquet: {error}") from error
    if frame.empty:
        raise DataError(f"{file}: has no rows")
    frame.columns = frame.columns.map(str)
    # Of whole numbers with missing ones among them pandas makes floats.
    if inexact := [name for name in frame.columns if may_be_inexact(frame[name])]:
        exact = parquet.read_table(file, columns=inexact).to_pandas(integer_object_nulls=True)
        frame[inexact] = exact[inexact]
    return _without(dialect, frame)


def refuse_other_columns(
    file: Path, names: Sequence[str], first: Path, expected: Sequence[str]
) -> None:
    """Raise an error where a file has not the columns of the first one.

    Raises:
        DataError: Names a column that one of them lacks.
    """
    ours, theirs = frozenset(names), frozenset(expected)
    for name in expected:
        if name not in ours:
            raise DataError(f"{file}: no column '{name}', which {first} has")
    for name in names:
        if name not in theirs:
            raise DataError(f"{file}: column '{name}' is not in {first}")


def _has_two_types(name: str, frames: Sequence[pd.DataFrame]) -> bool:
    import pandas as pd

    present = [frame[name] for frame in frames if frame[name].notna().any()]
    numeric = [pd.api.types.is_numeric_dtype(series) for series in present]
    return any(numeric) and not all(numeric)


@dataclass(frozen=True)
class ParquetFiles(TableFiles):
    """A table of which one column at a time is held; see `open_parquet`."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns, in the order of the first file."""
        return tuple(_parquet_names(self.files[0]))

    @cached_property
    def starts(self) -> list[int]:
        """The first row of each file, and one past the last."""
        return [0, *np.cumsum([_metadata(file).num_rows for file in self.files]).tolist()]

    def _read_series(self, name: str) -> pd.Series:
        return_freed_memory()
        frames = tuple(read_parquet(file, self.dialect, [name]) for file in self.files)
        return TableFiles(self.files, frames, self.dialect)._read_series(name)


def open_parquet(files: Sequence[Path], dialect: CsvDialect) -> ParquetFiles:
    """Return a table that holds one column at a time.

    Args:
        files: Parquet files with the same columns.
        dialect: Says which values mark a missing one.

    Raises:
        DataError: A file is broken, or the files differ in their columns.
    """
    table = ParquetFiles(tuple(files), (), dialect)
    for file in files[1:]:
        refuse_other_columns(file, _parquet_names(file), files[0], table.names)
    return table


def stays_on_disk(files: Sequence[Path], stream: bool | None) -> bool:
    """Whether the columns of these files stay on disk.

    Args:
        files: Files of tables.
        stream: As in the config; None: where all are Parquet and too large for memory, at eight
            bytes a value.

    Raises:
        DataError: It is asked for, and a file is not Parquet.
    """
    others = [file for file in files if format_of(file) != "parquet"]
    if stream and others:
        raise DataError(
            f"{others[0]}: only Parquet files can be read a batch at a time; save it as Parquet, "
            "or leave out `stream`"
        )
    if stream is not None or others:
        return bool(stream)
    facts = [_metadata(file) for file in files]
    return too_large_to_hold(sum(8 * fact.num_rows * fact.num_columns for fact in facts))


def _parquet_names(file: Path) -> list[str]:
    # As pandas names them: without an index that was stored.
    schema = _metadata(file).schema.to_arrow_schema()
    return [str(name) for name in schema.empty_table().to_pandas().columns]


def _metadata(file: Path) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_metadata(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file}: cannot be read as Parquet: {error}") from error
