"""Reading CSV and TSV with pandas, and finding the line where a file is broken."""

from __future__ import annotations

import codecs
import csv
import io
import lzma
import re
import warnings
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.data.reading.compressed import unpacked
from dlrun.data.reading.number_texts import is_number
from dlrun.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


OTHER_SEPARATORS = (";", "\t", "|")
"""Separators other than the comma."""

MISSING_WORDS = ("NA", "N/A", "n/a", "NULL", "null", "None")
"""Words for a missing value that may be names as well, such as those of classes."""

_MISSING_MARKS = (
    *("", "NaN", "nan", "-NaN", "-nan", "<NA>", "#N/A", "#N/A N/A", "#NA"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
"""What programs write for a missing value, with the words the same as pandas' own."""

SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\s]*', re.IGNORECASE)
"""What Excel writes above a table to name its separator."""

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
        file: The file; unpacked where it is compressed.
        dialect: How it is written.
        as_text: Columns whose fields stay text, such as `007`.

    Raises:
        DataError: The file is empty, cannot be decoded, names a column twice, or has rows of
            different length; says in which line.
    """
    import pandas as pd

    names = column_names(file, dialect)
    try:
        frame = _parsed(file, dialect, names, as_text)
        if blank := _blank_rows(file, dialect, frame):
            frame = _parsed(file, dialect, names, as_text, rows=len(frame) - blank)
        # All columns at once: pandas takes long to take out each of ten thousand.
        large = (frame.select_dtypes("float64").abs() >= EXACT).any()
        if inexact := large.index[large].tolist():
            frame = _parsed(file, dialect, names, [*as_text, *inexact], rows=len(frame))
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        if "EOF inside string" in str(error):
            line = max(start for start, _ in records(file, dialect))
            raise DataError(
                f"{file}:{line}: a quotation mark opens in this row and never closes",
                advice="if quotation marks are part of the text, say `quote: none`",
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


def _parsed(
    file: Path,
    dialect: CsvDialect,
    names: list[str],
    as_text: Collection[str],
    rows: int | None = None,
) -> pd.DataFrame:
    """The first rows of a file as pandas reads it; None: all of them."""
    import pandas as pd

    marks = {name: [*_MISSING_MARKS, *dialect.missing_in(name)] for name in names}
    alike = all(each == marks[names[0]] for each in marks.values())
    with warnings.catch_warnings(), _rows(file, dialect) as (stream, _, separator):
        # pandas only warns where the first rows are longer than the header.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            stream,
            sep=separator,
            header=0 if dialect.header else None,
            names=names,
            index_col=False,
            dtype=dict.fromkeys((name for name in as_text if name in names), str),
            # Marks by column take pandas long where there are thousands.
            na_values=marks[names[0]] if alike else marks,
            keep_default_na=False,
            decimal=dialect.decimal,
            quotechar=dialect.quote or '"',
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            skipinitialspace=True,
            low_memory=False,
            nrows=rows,
        )


def _blank_rows(file: Path, dialect: CsvDialect, frame: pd.DataFrame) -> int:
    """How many rows at the end of a file hold nothing but separators, as spreadsheets write them;
    those that are all of the file count as rows."""
    if not len(frame) or len(frame.columns) == 1 or not frame.iloc[-1].isna().all():
        return 0
    blank = 0
    for _, fields in records(file, dialect):
        blank = 0 if any(field.strip() for field in fields) else blank + 1
    return blank if blank < len(frame) else 0


EXACT = 2**53
"""Whole numbers beyond it are kept as text: no float holds all of them."""


def may_be_inexact(series: pd.Series) -> bool:
    """Tell whether a column of floats may have been whole numbers that no float holds exactly."""
    return series.dtype.kind == "f" and bool((series.abs() >= EXACT).any())


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
    places: dict[str, int] = {}
    for i, name in enumerate(names):
        if (before := places.setdefault(name, i)) != i:
            raise DataError(
                f"{file}:{line}: the header names column '{name}' twice "
                f"(fields {before + 1} and {i + 1})"
            )
    return names


def first_record(file: Path, dialect: CsvDialect) -> tuple[int, list[str]]:
    """Return the first of `first_records`."""
    return first_records(file, dialect, 1)[0]


def first_records(file: Path, dialect: CsvDialect, count: int) -> list[tuple[int, list[str]]]:
    """Return the first records that are not blank, at least one: the line of each, from 1, and its
    fields.

    Raises:
        DataError: The file is empty or cannot be decoded.
    """
    try:
        found = list(islice(records(file, dialect), count))
    except _UNREADABLE as error:
        raise _unreadable(file, dialect, error) from error
    if not found:
        raise DataError(f"{file}: the file is empty")
    return found


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
def _rows(file: Path, dialect: CsvDialect) -> Iterator[tuple[io.TextIOBase, int, str]]:
    """Open a file at its header, or first row; how many lines are above it, and the separator.

    Excel writes the separator above the header: `sep=;`.
    """
    encoding = dialect.python_encoding()
    with unpacked(file) as packed, io.TextIOWrapper(packed, encoding, newline="") as stream:
        for _ in islice(stream, dialect.skip):
            pass
        named = SEPARATOR_LINE.fullmatch(next(stream, ""))
        skipped = dialect.skip + (named is not None)
        if named is None:
            stream.seek(0)
            for _ in islice(stream, dialect.skip):
                pass
        usual = "\t" if {".tsv", ".tab"} & set(file.suffixes) else ","
        separator = dialect.separator or (named[1] if named else usual)
        # Columns in line often have a tab before the last one.
        yield _WithoutTabs(stream) if separator == " " else stream, skipped, separator


class _WithoutTabs(io.TextIOBase):
    """A text with spaces for its tabs, read a piece at a time."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> str:
        return self._stream.read(-1 if size is None else size).replace("\t", " ")

    def readline(self, size: int = -1) -> str:  # type: ignore[override]  # pandas passes a size alone
        return self._stream.readline(size).replace("\t", " ")


def records_of_rows(
    file: Path, dialect: CsvDialect, rows: Collection[int]
) -> list[tuple[int, list[str]]]:
    """Return the line, from 1, where each row of data starts, and its fields as they are written,
    in the order of the lines.

    Args:
        file: A file that `read_delimited` has read.
        dialect: How it is written.
        rows: The rows, counted from 0.
    """
    wanted = {row + dialect.header for row in rows}
    found = enumerate(islice(records(file, dialect), max(wanted) + 1))
    return [record for number, record in found if number in wanted]


def _refuse_uneven_rows(file: Path, dialect: CsvDialect, expected: int) -> None:
    for line, fields in records(file, dialect):
        # A separator at the end of every line adds an empty field, which is harmless.
        if len(fields) == expected or (len(fields) == expected + 1 and not fields[-1]):
            continue
        _, header = first_record(file, dialect)
        marks = [mark for mark in OTHER_SEPARATORS if mark in header[0]]
        if len(header) == 1 and marks:
            raise DataError(
                f"{file}: the header is one column, '{header[0]}', but line {line} has "
                f"{len(fields)}",
                advice=f"is the `separator` {marks[0]!r}?",
            )
        separator = dialect.separator_of(file)
        advice = f"a field that holds the separator {separator!r} must be in quotes"
        if above := _lines_above(file, dialect):
            advice = f"if the table begins in line {above + 1}, say `skip: {above}`"
        raise DataError(
            f"{file}:{line}: expected {expected} fields, found {len(fields)}", advice=advice
        )


_FIRST_ROWS = 500
"""Rows among which the header is looked for."""


def _lines_above(file: Path, dialect: CsvDialect) -> int:
    """How many lines are above what looks like a table: rows of the same, larger width."""
    found = [(line, len(fields)) for line, fields in islice(records(file, dialect), _FIRST_ROWS)]
    width = max(width for _, width in found)
    first = next(i for i, (_, other) in enumerate(found) if other == width)
    same = sum(other == width for _, other in found[first:])
    is_table = first > 0 and same > max(2, 0.9 * len(found[first:]))
    return found[first][0] - 1 if is_table else 0


def line_with(file: Path, dialect: CsvDialect, name: str) -> int | None:
    """Return the line below the header that may be the header: the only one that holds a name as a
    field, and no number; None where there is none."""
    below = islice(records(file, dialect), 1, _FIRST_ROWS)
    found = [(line, fields) for line, fields in below if name in map(str.strip, fields)]
    return found[0][0] if len(found) == 1 and not any(map(is_number, found[0][1])) else None


def _unreadable(file: Path, dialect: CsvDialect, error: Exception) -> DataError:
    if isinstance(error, LookupError):
        return DataError(f"{file}: unknown encoding '{dialect.encoding}'")
    if not isinstance(error, UnicodeError):
        return DataError(f"{file}: cannot be read: {error}")
    with unpacked(file) as stream:
        data = stream.read()
    line = 1
    try:
        data.decode(dialect.encoding)
    except UnicodeDecodeError as found:
        line += data[: found.start].decode(dialect.encoding, "ignore").count("\n")
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return DataError(
        f"{file}:{line}: not written in {dialect.encoding}",
        advice=f"say which `encoding` it has, such as {'utf-16' if utf16 else 'latin-1'}",
    )
