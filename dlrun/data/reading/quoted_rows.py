"""Rows that an unpaired quotation mark makes part of a field."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from dlrun.data.reading.delimited import CsvDialect, records, unpacked
from dlrun.data.reading.number_texts import is_number
from dlrun.text import counted


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
    separator = dialect.separator_of(file)
    found = list(records(file, dialect))
    width = len(found[0][1])
    single = [fields for _, fields in found if not any("\n" in field for field in fields)]
    values = [set(column) for column in zip(*single, strict=False)]
    first, swallowed = 0, 0
    for line, fields in found:
        for place, text in enumerate(fields):
            _, *inner = text.split("\n")
            if inner:
                inner[-1] = separator.join([inner[-1], *fields[place + 1 :]])
            split = [part.rstrip("\r").split(separator) for part in inner]
            if split and all(len(parts) == width for parts in split) and _any_in(values, split):
                first, swallowed = first or line, swallowed + len(split)
    if not swallowed:
        return None
    return (
        f"{file}:{first}: a field in quotation marks goes on over line breaks, and "
        f"{counted(swallowed, 'line')} within such fields look like rows: if quotation marks are "
        "part of the text, say `quote: none`"
    )


def _any_in(values: Sequence[Collection[str]], rows: Sequence[Sequence[str]]) -> bool:
    """Whether some row has a value that its column has elsewhere, or numbers as its column has."""
    return any(
        field.strip() and (field in known or (is_number(field) and any(map(is_number, known))))
        for fields in rows
        for field, known in zip(fields, values, strict=False)
    )


def _count_lines(file: Path) -> int:
    with unpacked(file) as stream:
        count, last = 0, b"\n"
        while chunk := stream.read(2**20):
            count, last = count + chunk.count(b"\n"), chunk[-2:]
    return count + (b"\n" not in last)
