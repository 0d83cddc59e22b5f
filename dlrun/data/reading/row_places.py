"""How a table is written, by the ending of its file, and the lines of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dlrun.data.reading.compressed import COMPRESSED
from dlrun.data.reading.delimited import CsvDialect, records_of_rows
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

    def __call__(self, rows: Sequence[int]) -> list[str]:
        """Where some rows (counted from 0) are: `file.csv:17`, the line counted from 1 as editors
        do; `file.parquet: row 15 (counted from 0)`, as pandas does."""
        found: dict[int, str] = {}
        for file, first, stop in zip(self.files, self.starts, self.starts[1:], strict=False):
            own = sorted({row - first for row in rows if first <= row < stop})
            if not own:
                continue
            match format_of(file):
                case "parquet":
                    places = [f"{file}: row {row} (counted from 0)" for row in own]
                case "json_lines":
                    places = [f"{file}:{line}" for line in lines_of_records(file, own)]
                case _:
                    records = records_of_rows(file, self.dialect, own)
                    places = [f"{file}:{line}" for line, _ in records]
            found |= {first + row: place for row, place in zip(own, places, strict=True)}
        return [found[row] for row in rows]
