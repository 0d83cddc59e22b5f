"""How a text file is written, inferred from its lines: spreadsheets of many countries write
`1.234,5;2,5`, some below a title, and old data sets come without a header."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise, zip_longest
from pathlib import Path

from dlrun.data.reading.compressed import unpacked
from dlrun.data.reading.delimited import SEPARATOR_LINE, CsvDialect, first_record
from dlrun.data.reading.number_texts import number_pattern, without_unit

SEPARATORS = ("\t", ";", "|", ",", " ")
"""In the order in which they are tried: a comma may also be a decimal point."""

EVEN_SHARE = 0.9
"""Share of the rows that have the same number of fields if a file is split in the right way."""

_MOST_READ = 500
"""Lines from which the rest is inferred."""

ROW_NAMES = "row"
"""Name of a first column that a header leaves out."""

_MOST_TITLES = 30
"""Lines above a table at most."""

_MOST_LINES = 100_000
"""Lines in which quotation marks are looked for."""

_RUN = 4
"""A first row of at least so many numbers, each one more than the one before, names the columns."""

MISSING = ("", "na", "n/a", "nan", "null", "none")
"""Texts that always mark a missing value, in any case."""

MARKERS = ("?", "-", "--", ".", "*", "n.a.", "n/d", "#n/a", "missing", "unknown")
"""Texts, in lower case, that mark a missing value among numbers."""

_SEVERAL_NUMBERS = re.compile(r"\s*[-+\d.?eE]+(\s+[-+\d.?eE]+){2,}\s*")
_NUMBER = re.compile(r"[-+]?(\d[\d.,' ]*|[.,]\d+)([eE][-+]?\d+)?")
_DATE = re.compile(r"\d{1,4}([-/.:]\w{1,9}){1,2}([T ,]+\d{1,2}(:\d{2})+.*)?")
_MARKS: tuple[tuple[str, str | None], ...] = (
    (".", None),
    (",", None),
    (",", "."),
    (".", ","),
    (".", "'"),
    (".", " "),
    (",", " "),
)
"""Decimal points, each with a thousands separator; of two that fit equally well, the first."""


def infer_dialect(file: Path, *, header: bool | None = None) -> CsvDialect:
    """Infer how a text file is written.

    Args:
        file: The file.
        header: Whether the first row names the columns; None: whether it differs from the others.

    Raises:
        DataError: The file is empty or cannot be decoded.
    """
    plain = CsvDialect(encoding=_encoding(file))
    first_record(file, plain)
    usual = plain.separator_of(file)
    start = list(islice(_lines(file, plain), _MOST_READ))
    declared = SEPARATOR_LINE.fullmatch(start[0])
    split = _split(start[1:] if declared else start, declared[1] if declared else None, usual)
    counted = header is None and _counts_rows(file, plain, split)
    if counted:
        split = replace(split, rows=split.rows[1:], titles=split.titles + 1, above=[])
        header = False
    rows = split.rows
    names = None if header is False else _names_without_first(split)
    named = names is None and (_names_columns(rows) if header is None else header)
    columns = [
        [
            text
            for field in column
            if (text := without_unit(field)[0].strip()).lower() not in MISSING
        ]
        for column in zip_longest(*(rows[1:] if named else rows), fillvalue="")
    ]
    columns = [[text for text in column if text.lower() not in MARKERS] for column in columns]
    # Between commas, `"1,234"` is a thousand.
    marks = sorted(_MARKS, key=lambda mark: split.separator == "," and mark[0] == ",")
    decimal, thousands = max(marks, key=lambda mark: _numeric(columns, *mark))
    dialect = replace(
        plain,
        separator=None if split.separator == usual else split.separator,
        header=named,
        columns=names,
        decimal=decimal,
        thousands=thousands,
        skip=split.titles,
    )
    return replace(dialect, quote=_quote(file, dialect, split))


@dataclass(frozen=True)
class _Split:
    """Lines as a separator splits them.

    Args:
        separator: Between two fields.
        quote: Around a field.
        rows: The records of the table that are not blank.
        even: Share of the rows that have as many fields as most of them.
        width: How many.
        titles: Lines above the table.
        above: The last record above it.
    """

    separator: str
    quote: str
    rows: list[list[str]]
    even: float
    width: int
    titles: int
    above: list[str]


def _split(lines: list[str], declared: str | None, usual: str) -> _Split:
    """Split lines by the separator that is declared, or by the first one that does so evenly."""
    if declared is not None:
        return _split_by(lines, declared)
    # A file's ending tells, unless it splits nothing.
    first = (usual,) if usual == "\t" else ()
    marks = dict.fromkeys((*first, *SEPARATORS))
    several = [split for mark in marks if (split := _split_by(lines, mark)).width > 1]
    even = [split for split in several if split.even >= EVEN_SHARE]
    untitled = [split for split in even if not split.titles]
    if untitled or even:
        best = (untitled or even)[0]
        spaced = next((split for split in untitled if split.separator == " "), best)
        return spaced if spaced.even == 1 and _are_in_line(best) else best
    several = [split for split in several if split.separator != " "]
    return max(several, key=lambda s: s.even, default=_split_by(lines, usual))


def _are_in_line(split: _Split) -> bool:
    """Whether columns of numbers are in line, with blanks between them and a tab before the last
    one. What has single blanks is one field, such as the pixels of a picture."""
    if split.separator != "\t" or split.width != 2:
        return False
    first = [fields[0] for fields in split.rows]
    several = all(map(_SEVERAL_NUMBERS.fullmatch, first))
    return several and any("  " in field.strip() for field in first)


def _split_by(lines: list[str], separator: str) -> _Split:
    """Split lines, with apostrophes around fields where they make all of them whole rows."""
    if any(re.search(rf"(^|{re.escape(separator)})\s*'.+'", line) for line in lines):
        split = _quoted_by(lines, separator, "'")
        blank = sum(not line.strip() for line in lines)
        if split.even == 1 and not split.titles and len(split.rows) == len(lines) - blank:
            return split
    return _quoted_by(lines, separator, '"')


def _quoted_by(lines: list[str], separator: str, quote: str) -> _Split:
    records = [
        (number, fields)
        for number, fields in _records(lines, separator, quote)
        if len(fields) > 1 or (fields and fields[0].strip())
    ]
    widths = Counter(_width(fields) for _, fields in records)
    width = max(widths, key=lambda count: (widths[count], count), default=1)
    titles, above = 0, []
    for number, fields in records[:_MOST_TITLES]:
        filled = sum(bool(field.strip()) for field in fields)
        if _width(fields) >= width and not (width > 2 and filled == 1):
            titles = number
            break
        above = fields
    rows = [fields for number, fields in records if number >= titles]
    even = sum(_width(fields) == width for fields in rows) / max(1, len(rows))
    return _Split(separator, quote, rows, even, width, titles, above)


def _counts_rows(file: Path, dialect: CsvDialect, split: _Split) -> bool:
    """Whether the first row is none: it tells how many rows and features follow, and the names of
    the classes, as in `150,4,setosa,versicolor,virginica`."""
    first = [field.strip() for field in split.rows[0]] if split.rows else []
    if split.titles or first[1:2] != [str(split.width - 1)] or not first[0].isdigit():
        return False
    return int(first[0]) == sum(bool(line.strip()) for line in _lines(file, dialect)) - 1


def _names_without_first(split: _Split) -> tuple[str, ...] | None:
    """The names of the columns where only that of the first is missing, as R leaves it out."""
    names = [field.strip() for field in split.above]
    if len(names) < 2 or len(names) != split.width - 1 or len(set(names)) < len(names):
        return None
    return (ROW_NAMES, *names) if all(_kind(name) == "text" for name in names) else None


def _records(
    lines: Iterable[str], separator: str, quote: str | None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines before each record, and its fields; up to one that cannot be read."""
    if separator == " ":
        lines = (f"{' '.join(line.split())}\n" for line in lines)
    reader = csv.reader(
        lines,
        delimiter=separator,
        quotechar=quote,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        skipinitialspace=True,
    )
    before = 0
    try:
        for fields in reader:
            yield before, fields
            before = reader.line_num
    except csv.Error:
        return


def _width(fields: list[str]) -> int:
    """Number of fields; a separator at the end of the line adds none."""
    return len(fields) - (len(fields) > 2 and not fields[-1])


def _quote(file: Path, dialect: CsvDialect, split: _Split) -> str | None:
    """What is around fields: nothing, if quotation marks would join lines that are whole rows."""
    if split.quote != '"':
        return split.quote
    lines = list(islice(_lines(file, dialect), split.titles, _MOST_LINES))
    starts = [number for number, _ in _records(lines, split.separator, '"')]
    ends = [*starts[1:], len(lines)]
    spans = [
        lines[a:b] for a, b in zip(starts, ends, strict=True) if "".join(lines[a + 1 : b]).strip()
    ]
    rows = [row for _, row in _records(chain(*spans), split.separator, None) if row]
    whole = sum(len(row) == split.width for row in rows)
    return None if split.width > 1 and rows and whole >= EVEN_SHARE * len(rows) else '"'


def _names_columns(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: it has words where the others have numbers or dates,
    or what no other row has. Numbers that count up, as in `,2019,2020,2021`, are names too. Where a
    name is repeated, there are words above numbers, and nothing is like the rows below."""
    first, *others = rows or [[]]
    names = [field for field in first if field.strip()]
    if not others:
        return True
    named, alike = 0, 0
    for field, column in zip_longest(first, zip_longest(*others, fillvalue=""), fillvalue=()):
        kinds = Counter(_kind(text) for text in column)
        kind = max(kinds, key=lambda name: (name != "missing", kinds[name]), default="missing")
        own = _kind(str(field))
        if kind == "text":
            alike += own == "text" and field in column
        elif kind != "missing" and own != "missing":
            named += own == "text"
            alike += own == kind
    numbers = [float(field) for field in first if re.fullmatch(r"\d+", field)]
    if len(set(names)) < len(names):
        return named > 0 and alike == 0
    counted = len(numbers) >= _RUN and all(b == a + 1 for a, b in pairwise(numbers))
    return counted or named >= alike


def _kind(field: str) -> str:
    text = without_unit(field)[0].strip()
    if text.lower() in (*MISSING, *MARKERS):
        return "missing"
    if _NUMBER.fullmatch(text):
        return "number"
    return "date" if _DATE.fullmatch(text) else "text"


def _lines(file: Path, dialect: CsvDialect) -> Iterator[str]:
    encoding = dialect.python_encoding()
    with unpacked(file) as stream, io.TextIOWrapper(stream, encoding, newline="") as lines:
        yield from lines


def _encoding(file: Path) -> str:
    """UTF-8 where the file is written in it, else what spreadsheets write."""
    with unpacked(file) as stream:
        start = stream.read(2)
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    for encoding in ("utf-8", "cp1252"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with unpacked(file) as stream:
                while chunk := stream.read(2**20):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
        except UnicodeError:
            continue
        return encoding
    return "utf-8"


def _numeric(columns: list[list[str]], decimal: str, thousands: str | None) -> int:
    """How many columns hold nothing but numbers that are written so."""
    number = number_pattern(decimal, thousands)
    return sum(bool(column) and all(map(number.fullmatch, column)) for column in columns)
