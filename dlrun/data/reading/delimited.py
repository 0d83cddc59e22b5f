"""Reading CSV and TSV with pandas, and finding the line where a file is broken."""

from __future__ import annotations

import bz2
import csv
import gzip
import itertools
import lzma
import re
import warnings
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dlrun.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


_OPENERS: dict[str, Callable[..., IO[Any]]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
COMPRESSED = tuple(_OPENERS)
"""File endings that are unpacked while reading."""

OTHER_SEPARATORS = (";", "\t", "|")
"""Separators other than the comma."""

MISSING_WORDS = ("NA", "N/A", "n/a", "NULL", "null", "None")
"""Words for a missing value that may be names as well, such as those of classes."""

_MISSING_MARKS: tuple[str, ...] = (
    "",
    "NaN",
    "nan",
    "-NaN",
    "-nan",
    "<NA>",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "1.#IND",
)
_MISSING_MARKS += ("-1.#IND", "1.#QNAN", "-1.#QNAN")
"""What programs write for a missing value, with the words the same as pandas' own."""

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?,*\s*', re.IGNORECASE)

_UNREADABLE = (UnicodeError, LookupError, OSError, EOFError, lzma.LZMAError, zlib.error)


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV or TSV file is written.

    Args:
        separator: Between two fields; None: a tab in a TSV file, else a comma.
        header: Whether the first line names the columns.
        columns: Names of the columns of a file without a header; None: c0, c1, ...
        missing: Texts that mark a missing value, besides the empty field and NaN, by column; `*`
            stands for all other columns, where `MISSING_WORDS` mark one too.
        names: Columns of names, such as the target, where `MISSING_WORDS` are names like others.
        decimal: Decimal point.
        thousands: Thousands separator of numbers; None: none.
        encoding: Name of the text encoding.
        quote: What fields are put in that hold a separator; None: nothing, so that quotation marks
            are part of the text.
        skip: Lines above the header, or above the first row, that are not part of the table.
    """

    separator: str | None = None
    header: bool = True
    columns: tuple[str, ...] | None = None
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    decimal: str = "."
    thousands: str | None = None
    encoding: str = "utf-8"
    quote: str | None = '"'
    skip: int = 0
    names: frozenset[str] = frozenset()

    def separator_of(self, file: Path) -> str:
        """The separator of one file."""
        with _rows(file, self) as (_, _, separator):
            return separator

    def missing_in(self, column: str) -> tuple[str, ...]:
        """The texts that mark a missing value in a column, besides the empty field and NaN."""
        if column in self.missing:
            return self.missing[column]
        others = self.missing.get("*", ())
        return others if column in self.names else (*others, *MISSING_WORDS)

    def python_encoding(self) -> str:
        """The encoding for Python, which skips a byte-order mark at the start of UTF-8."""
        plain = self.encoding.lower().replace("_", "-")
        return "utf-8-sig" if plain in ("utf-8", "utf8") else self.encoding


def read_delimited(file: Path, dialect: CsvDialect, as_text: Collection[str] = ()) -> pd.DataFrame:
    """Read a whole file, columns in the order of the file.

    Args:
        file: The file; unpacked where it ends in one of `COMPRESSED`.
        dialect: How it is written.
        as_text: Columns whose fields stay text, such as `007`.

    Raises:
        DataError: The file is empty, cannot be decoded, names a column twice, or has rows of
            different length; says in which line.
    """
    import pandas as pd

    names = column_names(file, dialect)
    try:
        with warnings.catch_warnings():
            # pandas only warns where the first rows are longer than the header.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            with _rows(file, dialect) as (stream, _, separator):
                frame = pd.read_csv(
                    stream,
                    sep=separator,
                    header=0 if dialect.header else None,
                    names=names,
                    index_col=False,
                    dtype=dict.fromkeys((name for name in as_text if name in names), str),
                    na_values={n: [*_MISSING_MARKS, *dialect.missing_in(n)] for n in names},
                    keep_default_na=False,
                    decimal=dialect.decimal,
                    quotechar=dialect.quote or '"',
                    quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
                    skipinitialspace=True,
                    low_memory=False,
                )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        if "EOF inside string" in str(error):
            line = max(start for start, _ in records(file, dialect))
            raise DataError(
                f"{file}:{line}: a quotation mark opens in this row and never closes"
            ) from error
        _refuse_uneven_rows(file, dialect, len(names))
        raise DataError(f"{file}: cannot be read: {error}") from error
    except _UNREADABLE as error:
        raise _unreadable(file, dialect, error) from error
    if frame.empty:
        raise DataError(f"{file}: has a header, but no rows")
    if frame[names[-1]].isna().any():
        # pandas fills short rows up with missing values.
        _refuse_uneven_rows(file, dialect, len(names))
    return frame


def column_names(file: Path, dialect: CsvDialect) -> list[str]:
    """Return the names of a file's columns, in its order.

    Raises:
        DataError: The file is empty or cannot be decoded, or its header names a column twice.
    """
    line, fields = first_record(file, dialect)
    if not dialect.header:
        if dialect.columns is None:
            return [f"c{i}" for i in range(len(fields))]
        if len(dialect.columns) != len(fields):
            raise DataError(
                f"{file}: has {len(fields)} columns, but `columns` names {len(dialect.columns)}"
            )
        return list(dialect.columns)
    # pandas names the unnamed column that `DataFrame.to_csv` writes first in the same way.
    names = [text.strip() or f"Unnamed: {i}" for i, text in enumerate(fields)]
    for i, name in enumerate(names):
        if (before := names.index(name)) != i:
            raise DataError(
                f"{file}:{line}: the header names column '{name}' twice "
                f"(fields {before + 1} and {i + 1})"
            )
    return names


def first_record(file: Path, dialect: CsvDialect) -> tuple[int, list[str]]:
    """Return the first record that is not blank: its line, from 1, and its fields.

    Raises:
        DataError: The file is empty or cannot be decoded.
    """
    try:
        first = next(records(file, dialect), None)
    except _UNREADABLE as error:
        raise _unreadable(file, dialect, error) from error
    if first is None:
        raise DataError(f"{file}: the file is empty")
    return first


def records(file: Path, dialect: CsvDialect) -> Iterator[tuple[int, list[str]]]:
    """Yield every record that is not blank: the line where it starts, from 1, and its fields."""
    with _rows(file, dialect) as (stream, skipped, separator):
        reader = csv.reader(
            stream,
            delimiter=separator,
            quotechar=dialect.quote,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            skipinitialspace=True,
        )
        start = skipped + 1
        try:
            for fields in reader:
                if len(fields) > 1 or (fields and fields[0].strip()):
                    yield start, fields
                start = skipped + reader.line_num + 1
        except csv.Error as error:
            raise DataError(f"{file}:{start}: cannot be read: {error}") from error


@contextmanager
def _rows(file: Path, dialect: CsvDialect) -> Iterator[tuple[IO[str], int, str]]:
    """Open a file at its header, or first row; how many lines are above it, and the separator.

    Excel writes the separator above the header: `sep=;`.
    """
    opener = _OPENERS.get(file.suffix, open)
    with opener(file, "rt", encoding=dialect.python_encoding(), newline="") as stream:
        for _ in islice(stream, dialect.skip):
            pass
        named = _SEPARATOR_LINE.fullmatch(next(stream, ""))
        skipped = dialect.skip + (named is not None)
        if named is None:
            stream.seek(0)
            for _ in islice(stream, dialect.skip):
                pass
        usual = "\t" if {".tsv", ".tab"} & set(file.suffixes) else ","
        yield stream, skipped, dialect.separator or (named[1] if named else usual)


def record_at(file: Path, dialect: CsvDialect, row: int) -> tuple[int, list[str]]:
    """Return the line, from 1, where a row of data starts, and its fields as they are written.

    Args:
        file: A file that `read_delimited` has read.
        dialect: How it is written.
        row: The row, counted from 0.
    """
    wanted = row + 1 if dialect.header else row
    return next(itertools.islice(records(file, dialect), wanted, None))


def _refuse_uneven_rows(file: Path, dialect: CsvDialect, expected: int) -> None:
    for line, fields in records(file, dialect):
        # A separator at the end of every line adds an empty field, which is harmless.
        if len(fields) != expected and not (len(fields) == expected + 1 and not fields[-1]):
            _, header = first_record(file, dialect)
            marks = [mark for mark in OTHER_SEPARATORS if mark in header[0]]
            if len(header) == 1 and marks:
                raise DataError(
                    f"{file}: the header is one column, '{header[0]}', but line {line} has "
                    f"{len(fields)}; is the `separator` {marks[0]!r}?"
                )
            raise DataError(
                f"{file}:{line}: expected {expected} fields, found {len(fields)}; a field that "
                f"holds the separator {dialect.separator_of(file)!r} must be in quotes"
            )


def _unreadable(file: Path, dialect: CsvDialect, error: Exception) -> DataError:
    if isinstance(error, LookupError):
        return DataError(f"{file}: unknown encoding '{dialect.encoding}'")
    if isinstance(error, UnicodeError):
        place = f"{file}"
        with unpacked(file) as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    line.decode(dialect.encoding)
                except UnicodeError:
                    place = f"{file}:{number}"
                    break
        return DataError(
            f"{place}: not written in {dialect.encoding}; "
            f"say which `encoding` it has, such as latin-1"
        )
    return DataError(f"{file}: cannot be read: {error}")


def unpacked(file: Path) -> IO[Any]:
    """Open a file for its bytes, unpacked where it ends in one of `COMPRESSED`."""
    return _OPENERS.get(file.suffix, open)(file, "rb")
