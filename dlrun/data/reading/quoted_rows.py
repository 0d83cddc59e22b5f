"""Rows that an unpaired quotation mark makes part of a field."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path

from dlrun.data.reading.compressed import unpacked
from dlrun.data.reading.delimited import CsvDialect, records
from dlrun.data.reading.number_texts import is_number
from dlrun.text import counted

_MOST_ROWS = 10_000
"""Rows of one line from which the values of the columns are known."""

Fields = Sequence[str]


def rows_in_quotes(file: Path, dialect: CsvDialect, rows: int) -> str | None:
    """Return the finding on quoted fields with line breaks that seem to hold rows of their own, as
    an unpaired quotation mark in a text makes them; None where there is none.

    Args:
        file: A file that `read_delimited` has read.
        dialect: How it is written.
        rows: How many rows it found.
    """
    if dialect.quote is None or _count_lines(file) <= rows + dialect.header + dialect.skip:
        return None
    over_lines = [record for record in records(file, dialect) if _is_over_lines(record[1])]
    if not over_lines:
        return None
    separator = dialect.separator_of(file)
    below = islice(records(file, dialect), dialect.header, _MOST_ROWS)
    columns = _Columns([fields for _, fields in below if not _is_over_lines(fields)])
    first, swallowed = 0, 0
    for line, fields in over_lines:
        # The lines of the file, but for the quotation marks.
        begin, *others = (
            part.rstrip("\r").split(separator) for part in separator.join(fields).split("\n")
        )
        whole = all(len(parts) == len(fields) for parts in others) and len(begin) >= len(fields)
        if whole and columns.may_hold(begin) and any(map(columns.may_hold, others)):
            first, swallowed = first or line, swallowed + len(others)
    if not swallowed:
        return None
    return (
        f"{file}:{first}: a field in quotation marks goes on over line breaks, and "
        f"{counted(swallowed, 'line')} within such fields look like rows"
    )


def _is_over_lines(fields: Fields) -> bool:
    return any("\n" in field for field in fields)


class _Columns:
    """What the columns of rows hold."""

    def __init__(self, rows: Sequence[Fields]) -> None:
        self.values: list[Collection[str]] = [set(column) for column in zip(*rows, strict=False)]
        self.numeric = [any(map(is_number, column)) for column in self.values]

    def may_hold(self, fields: Fields) -> bool:
        """Whether a row has a value that its column has elsewhere, or a number as its column
        has."""
        return any(
            field.strip() and (field in known or (numeric and is_number(field)))
            for field, known, numeric in zip(fields, self.values, self.numeric, strict=False)
        )


def _count_lines(file: Path) -> int:
    with unpacked(file) as stream:
        count, last = 0, b"\n"
        while chunk := stream.read(2**20):
            count, last = count + chunk.count(b"\n"), chunk[-2:]
    return count + (b"\n" not in last)
