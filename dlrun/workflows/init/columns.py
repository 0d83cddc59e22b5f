"""What each column of a table holds, and why a first config leaves some of them out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dlrun.data.reading.delimited import CsvDialect
from dlrun.data.reading.files import find_files
from dlrun.data.reading.number_texts import notation_of
from dlrun.data.reading.row_places import format_of
from dlrun.data.reading.table_columns import (
    ColumnType,
    are_flags,
    are_sentences,
    as_texts,
    column_type,
    has_several_words,
    to_array,
    to_tokens,
)
from dlrun.data.reading.tables import TableFiles, names_of_columns, read_table
from dlrun.data.timestamps import TimeColumns
from dlrun.errors import DataError
from dlrun.workflows.init.dialect import MARKERS, infer_dialect
from dlrun.workflows.init.times import date_columns, is_clock

LIKELY_TARGETS = (
    *("target", "label", "labels", "class", "outcome", "y", "price", "diagnosis", "survived"),
    *("sales", "demand", "close"),
)
"""Names under which a target is looked for before the last column is taken."""

MOST_CATEGORIES = 50
ROWS_A_CATEGORY = 5
WIDEST = 1_000
"""Text columns of more different values are categories only where each has so many rows on average,
and never above the last: one-hot, each takes a column."""

FEWEST_LABELS = 3
"""Columns of yes and no are labels unasked where there are so many."""

MOST_LABELS = 100
"""Parts of texts that are labels, such as `red|green`, are of no more different ones."""

LABEL_MARKS = ("|", ";", ",")
LONGEST_LABEL = 30
FEWEST_SPLIT = 0.2
"""Share of texts that hold several labels at least."""

NEARLY_ALL = 0.9
"""Share of rows in which an id has a different value, at least."""

_NUMBERS_ROWS = re.compile(r"(.*_)?id|obs|index|row|no|nr|number|unnamed: \d+", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Args:
        kind: As a feature; None: neither a feature nor a target.
        is_type_given: Whether the config has to say so.
        left_out: Why it is no feature unasked, in a few words; empty: it is one.
        sentences: Whether it holds sentences.
        mark: What is between its labels; None: a text is one value.
        missing: Whether values are missing.
    """

    kind: ColumnType | None
    is_type_given: bool = False
    left_out: str = ""
    sentences: bool = False
    mark: str | None = None
    missing: bool = False


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Args:
        table: The rows.
        found: What each column holds.
        dates: The columns of dates, and how each is read; None: in no way that is certain.
    """

    table: TableFiles
    found: Mapping[str, Column]
    dates: Mapping[str, TimeColumns | None]


def read_columns(file: Path, target: str | None = None, *, header: bool | None = None) -> Columns:
    """Read a table and say what its columns hold.

    Args:
        file: A file, or a folder of Parquet files.
        target: The column to predict, of which `None` may be a class; None: any that is likely.
        header: Whether the first row of a CSV file names the columns; None: inferred.

    Raises:
        DataError: The file is missing or broken.
    """
    files = find_files(str(file), Path())
    of_text = format_of(files[0]) == "delimited"
    dialect = infer_dialect(files[0], header=header) if of_text else CsvDialect()
    names = names_of_columns(files[0], dialect)
    likely = [name for name in names if name.lower() in LIKELY_TARGETS] + names[-1:]
    dialect = replace(dialect, names=frozenset(likely if target is None else [target]))
    table = read_table(files, dialect)
    if markers := {name: words for name in table.names if (words := _markers(table, name))}:
        every = set().union(*markers.values()) <= {"?"}
        missing = {"*": ("?",)} if every else {n: tuple(w) for n, w in markers.items()}
        table = read_table(files, replace(dialect, missing=missing))
    dates = date_columns(table)
    found = {name: _described(table, name) for name in table.names if name not in dates}
    found |= {name: Column(None, left_out="dates") for name in dates}
    return Columns(table, {name: found[name] for name in table.names}, dates)


def _offered(columns: Columns, of_rows: Sequence[str]) -> list[str]:
    """The columns that may be the target unasked: complete ones, if there are any."""
    found = columns.found
    usable = [name for name in found if found[name].kind is not None and name not in of_rows]
    fit = [name for name in usable if not found[name].left_out and not found[name].sentences]
    complete = [name for name in fit if not found[name].missing]
    usable = usable or [name for name in found if found[name].kind is not None]
    return complete or fit or usable


def likely_target(columns: Columns, target: str | None, of_rows: Sequence[str]) -> tuple[str, bool]:
    """Return the target: as given, else a likely one; and whether it is clear that it is this one.

    Args:
        columns: The columns of a table.
        target: As given, or None.
        of_rows: Columns that say which row it is, such as its time.
    """
    offered = _offered(columns, of_rows)
    likely = target or next((n for t in LIKELY_TARGETS for n in offered if n.lower() == t), None)
    clear = likely is not None or len(offered) == 1
    return likely or _first_class(columns, offered) or offered[-1], clear


def yes_or_no_labels(columns: Columns, of_rows: Sequence[str]) -> list[str]:
    """Return the last columns of a table if they are labels of which a row may have any number: at
    least `FEWEST_LABELS` of them, and no other column, say yes or no. None has a likely name of a
    target, and some row has several.

    Args:
        columns: The columns of a table.
        of_rows: Columns that say which row it is, such as its time.
    """
    table = columns.table
    offered = _offered(columns, of_rows)
    labels = [name for name in offered if _says_yes_or_no(columns, name)]
    named = any(name.lower() in LIKELY_TARGETS for name in table.names)
    if named or len(labels) < FEWEST_LABELS or list(table.names[-len(labels) :]) != labels:
        return []
    of_words = [columns.found[name].kind != "numeric" for name in labels]
    said = [
        to_array(table, name, "boolean" if words else "numeric")
        for name, words in zip(labels, of_words, strict=True)
    ]
    return labels if (np.sum(said, axis=0) > 1).any() else []


def _says_yes_or_no(columns: Columns, name: str) -> bool:
    column, table = columns.found[name], columns.table
    if column.missing:
        return False
    if column.kind == "numeric":
        return set(table.series(name).unique()) == {0, 1}
    return column.kind == "boolean" or are_flags(table, name)


def _first_class(columns: Columns, offered: Sequence[str]) -> str | None:
    """The one column of classes of a file without a header whose last column holds fractions."""
    if columns.table.dialect.header or columns.table.series(offered[-1]).dtype.kind != "f":
        return None
    classes = [name for name in offered if columns.found[name].kind == "categorical"]
    return classes[0] if len(classes) == 1 else None


def _described(table: TableFiles, name: str) -> Column:
    series = table.series(name)
    present = series.dropna()
    missing = len(present) < len(series)
    if not len(present):
        return Column(None, left_out="no values")
    if present.dtype.kind == "m" or is_clock(present):
        return Column(None, left_out="durations" if present.dtype.kind == "m" else "times of day")
    if isinstance(present.iloc[0], list | dict | tuple | np.ndarray):
        return Column(None, left_out="lists or objects")
    given = _is_money(table, name)
    try:
        kind: ColumnType = "numeric" if given else column_type(table, name)
        if given:
            to_array(table, name, kind)
    except DataError:
        return Column(None, left_out=f"numbers and texts, such as '{_odd_text(table, name)}'")
    if kind == "numeric" and not given and name in table.codes:
        return _described_code(table, name, missing)
    plain = Column(kind, is_type_given=given, missing=missing)
    if present.nunique() == 1:
        return replace(plain, left_out="the same value in all rows")
    if kind != "categorical":
        return replace(plain, left_out=_why_numbers_rows(table, name))
    array = to_array(table, name, kind)
    if (mark := _label_mark(table, name)) is not None:
        return replace(plain, mark=mark)
    if _are_texts(array):
        return replace(plain, sentences=True)
    return replace(plain, left_out=_why_too_many(int(present.nunique()), len(present)))


def _described_code(table: TableFiles, name: str, missing: bool) -> Column:
    """Digits with zeros in front are categories."""
    present = table.series(name).dropna()
    why = _why_too_many(int(present.nunique()), len(present))
    return Column("categorical", is_type_given=True, left_out=why, missing=missing)


def _markers(table: TableFiles, name: str) -> list[str]:
    """The texts of a column that mark a missing value: all that are no numbers, among numbers."""
    if table.series(name).dtype.kind != "O" and str(table.series(name).dtype) != "str":
        return []
    try:
        texts = as_texts(table, name)
    except DataError:
        return []
    words = [
        word for word, number in zip(texts.words, texts.numbers, strict=True) if number != number
    ]
    several = len(texts.words) > len(words)
    return words if several and all(word.lower() in MARKERS for word in words) else []


def _is_money(table: TableFiles, name: str) -> bool:
    """Whether a column of text holds numbers with a currency or a percent sign."""
    if table.series(name).dtype.kind in "biufmM":
        return False
    texts = as_texts(table, name)
    if not np.isnan(texts.numbers).any():
        return False
    found = notation_of(texts.words, texts.decimal, texts.thousands)
    plain = found is not None and (found.decimal, found.thousands) == (
        texts.decimal,
        texts.thousands,
    )
    return found is not None and plain and found.units and bool(found.fits.all())


def _odd_text(table: TableFiles, name: str) -> str:
    texts = as_texts(table, name)
    return texts.words[int(np.flatnonzero(np.isnan(texts.numbers))[0])]


def _label_mark(table: TableFiles, name: str) -> str | None:
    """What is between several labels in one text, such as `red|green`; else None."""
    words = as_texts(table, name).words
    for mark in LABEL_MARKS:
        several = sum(mark in word.strip() for word in words)
        if several < FEWEST_SPLIT * len(words) or several < 2:
            continue
        counts = Counter(label for row in to_tokens(table, name, mark) for label in row)
        short = all(len(label) <= LONGEST_LABEL for label in counts)
        if short and len(counts) <= MOST_LABELS and 2 * len(counts) <= counts.total():
            singles = sum(word in counts for word in words)
            if len(counts) < len(words) and singles + several >= len(words):
                return mark
    return None


def _are_texts(column: np.ndarray) -> bool:
    """Whether words say more than the text as a whole: several rows may hold the same text."""
    different = len({text for text in column if text is not None})
    several = different > MOST_CATEGORIES and has_several_words(column)
    return several or are_sentences(column)


def _why_too_many(different: int, present: int) -> str:
    """Why a column of text has too many values for categories; empty: it has not."""
    if different <= MOST_CATEGORIES and different <= present / 2:
        return ""
    if different > present / 2:
        return "a different text in most rows" if different > 10 else ""
    if different * ROWS_A_CATEGORY > present or different > WIDEST:
        return f"{different:,} categories, few rows of each"
    return ""


def _why_numbers_rows(table: TableFiles, name: str) -> str:
    """Why a column of numbers says nothing but which row it is; empty: it says more."""
    series = table.series(name)
    if series.dtype.kind not in "iu" or series.nunique() < NEARLY_ALL * len(series):
        return ""
    if series.isna().any():
        return ""
    named = _NUMBERS_ROWS.fullmatch(name.strip())
    first = table.names.index(name) == 0 and len(table.names) > 2
    counts = first and series.iloc[0] in (0, 1) and (np.diff(series.to_numpy()) == 1).all()
    return "numbers the rows" if counts or named else ""
