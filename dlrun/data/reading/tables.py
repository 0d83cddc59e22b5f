"""Tables from CSV, TSV, JSON lines and Parquet files, and where each row stands in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from dlrun.data.reading.delimited import COMPRESSED, Layout, read_delimited, record_at
from dlrun.data.reading.json_lines import line_of_record, read_json_lines
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

_JSON_LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
_NO_TABLES = {
    ".npz": "`source: npz` reads it",
    ".npy": "`source: npz` reads it",
    ".json": "write one JSON object a line, as .jsonl",
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
}


@dataclass(frozen=True)
class Table:
    """Rows of one or several files with the same columns, in order.

    Args:
        files: The files.
        frames: What each of them holds.
        layout: How CSV and TSV files are written.
    """

    files: tuple[Path, ...]
    frames: tuple[pd.DataFrame, ...]
    layout: Layout

    @property
    def names(self) -> list[str]:
        """The columns, in the order of the first file."""
        return list(self.frames[0].columns)

    @cached_property
    def starts(self) -> list[int]:
        """The first row of each file, counted from 0 over all files, and one past the last."""
        return [0, *np.cumsum([len(frame) for frame in self.frames]).tolist()]

    def __len__(self) -> int:
        return self.starts[-1]

    def series(self, name: str) -> pd.Series:
        """One column over all files.

        Raises:
            DataError: There is no such column.
        """
        import pandas as pd

        self.require(name)
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
        if name not in self.names:
            refuse_unknown_column(self.files[0], name, self.names)

    def place(self, row: int) -> str:
        """Where a row (counted from 0) stands: `file.csv:17`, with the line counted from 1."""
        part = int(np.searchsorted(self.starts, row, side="right")) - 1
        return place_in(self.files[part], self.layout, row - self.starts[part])


def read_table(files: Sequence[Path], layout: Layout, as_text: Collection[str] = ()) -> Table:
    """Read files that have the same columns.

    Args:
        files: CSV, TSV, JSON lines or Parquet, told by the file ending; any other is CSV.
        layout: How CSV and TSV files are written.
        as_text: Columns whose fields stay text, such as `007`.

    Raises:
        DataError: A file is broken, or the files differ in their columns.
    """
    frames = tuple(_read(file, layout, as_text) for file in files)
    table = Table(tuple(files), frames, layout)
    for file, frame in zip(files[1:], frames[1:], strict=True):
        refuse_other_columns(file, list(frame.columns), files[0], table.names)
    if torn := [name for name in table.names if _is_torn(name, frames)]:
        # What are numbers in one file and text in another is text in all of them.
        again = {*as_text, *torn}
        frames = tuple(_read(file, layout, again) for file in files)
        table = Table(tuple(files), frames, layout)
    return table


def is_table(file: Path) -> bool:
    """Whether a file is read as a table rather than as arrays."""
    return _ending(file) not in (".npz", ".npy")


def is_delimited(file: Path) -> bool:
    """Whether a file is read as text with a separator between its columns."""
    return is_table(file) and _ending(file) not in (*_JSON_LINES, *PARQUET)


def is_parquet(file: Path) -> bool:
    """Whether a file is read as Parquet."""
    return _ending(file) in PARQUET


def is_json_lines(file: Path) -> bool:
    """Whether a file is read as JSON lines."""
    return _ending(file) in _JSON_LINES


def place_in(file: Path, layout: Layout, row: int) -> str:
    """Where a row of one file (counted from 0) stands, with lines counted from 1."""
    if is_parquet(file):
        return f"{file}: row {row + 1}"
    if _ending(file) in _JSON_LINES:
        return f"{file}:{line_of_record(file, row)}"
    return f"{file}:{record_at(file, layout, row)[0]}"


def refuse_unknown_column(file: Path, name: str, names: Sequence[str]) -> NoReturn:
    """Raise the error for a column that is not there."""
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    hint = ""
    if len(names) == 1 and (marks := [mark for mark in ";\t|," if mark in names[0]]):
        hint = f"; is the `separator` {marks[0]!r}?"
    elif any(_is_number(other) for other in names):
        hint = "; if the file has no header, say `header: false`"
    suggestion = did_you_mean(name, names)
    listing = f"{suggestion} The" if suggestion else "; the"
    raise DataError(f"{file}: no column '{name}'{listing} columns are: {shown}{hint}", column=name)


def _read(file: Path, layout: Layout, as_text: Collection[str]) -> pd.DataFrame:
    import pandas as pd

    ending = _ending(file)
    if ending in _NO_TABLES:
        raise DataError(f"{file}: no table; {_NO_TABLES[ending]}")
    if ending in _JSON_LINES:
        return _without(layout.missing, pd.DataFrame(read_json_lines(file)))
    if ending in PARQUET:
        return read_parquet(file, layout)
    return read_delimited(file, layout, as_text)


def _without(markers: Sequence[str], frame: pd.DataFrame) -> pd.DataFrame:
    if not markers:
        return frame
    numbers = [float(marker) for marker in markers if _is_number(marker)]
    return frame.mask(frame.isin([*markers, *numbers]))


def read_parquet(file: Path, layout: Layout, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return some columns of a Parquet file; None: all.

    Raises:
        DataError: It is broken or has no rows.
    """
    import pandas as pd
    import pyarrow

    try:
        frame = pd.read_parquet(
            file, engine="pyarrow", columns=None if columns is None else list(columns)
        )
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file}: cannot be read as Parquet: {error}") from error
    if frame.empty:
        raise DataError(f"{file}: has no rows")
    frame.columns = frame.columns.map(str)
    return _without(layout.missing, frame)


def _ending(file: Path) -> str:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if len(suffixes) > 1 and suffixes[-1] in COMPRESSED:
        return suffixes[-2]
    return suffixes[-1] if suffixes else ""


def refuse_other_columns(
    file: Path, names: Sequence[str], first: Path, expected: Sequence[str]
) -> None:
    """Raise an error where a file has not the columns of the first one.

    Raises:
        DataError: Names a column that one of them lacks.
    """
    for name in expected:
        if name not in names:
            raise DataError(f"{file}: no column '{name}', which {first} has")
    for name in names:
        if name not in expected:
            raise DataError(f"{file}: column '{name}' is not in {first}")


def _is_torn(name: str, frames: Sequence[pd.DataFrame]) -> bool:
    import pandas as pd

    present = [frame[name] for frame in frames if frame[name].notna().any()]
    numeric = [pd.api.types.is_numeric_dtype(series) for series in present]
    return any(numeric) and not all(numeric)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
