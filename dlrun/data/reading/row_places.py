"""How a table is written, by the ending of its file, and the lines of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dlrun.data.reading.delimited import COMPRESSED, CsvDialect, records_of_rows
from dlrun.data.reading.json_lines import lines_of_records

Format = Literal["arrays", "delimited", "json_lines", "parquet"]
_FORMATS: dict[str, Format] = {
    ".npz": "arrays",
    ".npy": "arrays",
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def format_of(file: Path) -> Format:
    """Tell by its ending how a file is read: `delimited`, text with a separator between columns,
    where the ending is no other format's."""
    return _FORMATS.get(ending_of(file), "delimited")


def ending_of(file: Path) -> str:
    """Return the ending of a file, without that of its compression."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if len(suffixes) > 1 and suffixes[-1] in COMPRESSED:
        return suffixes[-2]
    return suffixes[-1] if suffixes else ""


@dataclass(frozen=True)
class RowPlaces:
    """Where the rows of some files are; holds none of the rows.

    Args:
        files: The files.
        starts: The first row of each, counted from 0 over all files, and one past the last.
        dialect: How CSV and TSV files are written.
    """

    files: tuple[Path, ...]
    starts: Sequence[int]
    dialect: CsvDialect

    def __call__(self, row: int) -> str | None:
        """Where a row (counted from 0) is: `file.csv:17`; None in Parquet files."""
        part = int(np.searchsorted(self.starts, row, side="right")) - 1
        return None if format_of(self.files[part]) == "parquet" else self.of([row])[0]

    def of(self, rows: Sequence[int]) -> list[str]:
        """Where some rows are, in the order of the table."""
        found = []
        for file, first, stop in zip(self.files, self.starts, self.starts[1:], strict=False):
            own = sorted(row - first for row in rows if first <= row < stop)
            if own and format_of(file) == "parquet":
                found += [f"{file}: row {row + 1}" for row in own]
            elif own:
                json = format_of(file) == "json_lines"
                lines = lines_of_records(file, own) if json else []
                records = [] if json else records_of_rows(file, self.dialect, own)
                lines += [line for line, _ in records]
                found += [f"{file}:{line}" for line in lines]
        return found
