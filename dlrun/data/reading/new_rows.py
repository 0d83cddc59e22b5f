"""Feature columns from a file of new rows, for `predict`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.data.reading.arrays import ArrayFiles, read_or_stream
from dlrun.data.reading.delimited import CsvDialect, first_record, first_records
from dlrun.data.reading.factorized_text import BOOLEAN_WORDS
from dlrun.data.reading.files import refuse_missing
from dlrun.data.reading.json_lines import lines_of_records, read_json_lines
from dlrun.data.reading.number_texts import category_text, in_plain_digits, is_number, without_unit
from dlrun.data.reading.quoted_rows import rows_in_quotes
from dlrun.data.reading.row_places import RowPlaces, format_of
from dlrun.data.reading.table_columns import as_text, as_texts, to_array, to_tokens
from dlrun.data.reading.tables import (
    TableFiles,
    open_parquet,
    read_table,
    refuse_unknown_column,
    stays_on_disk,
)
from dlrun.data.samples import Array, Columns, ExpectedColumns, Places, as_objects
from dlrun.data.stored import stored
from dlrun.errors import DataError
from dlrun.text import first_few


def read_new_rows(
    file: Path,
    columns: ExpectedColumns,
    dialect: CsvDialect | None = None,
    booleans: Collection[str] = (),
    stream: bool | None = None,
    split: Mapping[str, str] | None = None,
) -> Columns:
    """Read the columns that a model needs; any others in the file are left alone.

    A table gives them by column name. In JSON lines, arrays and sequences are
    lists. npz and npy files give them by array name; the only array of a file is used for
    the only column wanted, or, of shape (n, columns), for all columns in their order.

    Args:
        file: CSV, TSV, JSON lines, Parquet, npz or npy.
        columns: The columns wanted: name to kind (see `Columns`) and the shape of one entry.
        dialect: How a CSV file is written; a file without a header may leave out the target.
        booleans: Columns of a table that write true and false in another way, such as t and f.
        stream: Whether columns of npy and Parquet files stay on disk; None: where the file is
            too large to be held.
        split: What separates the parts of columns of text that are sequences.

    Returns:
        The columns, in the order of `columns`. Integer sequences in an array of shape
        (n, length) end where their padding zeros begin, at either side.

    Raises:
        DataError: The file or a column is missing, or a column is of another kind; names the
            row where there is one.
    """
    refuse_missing(file)
    if format_of(file) == "arrays":
        return _from_arrays(ArrayFiles([file]), file, columns, stream)
    split = split or {}
    nested = any(
        shape or (kind == "sequences" and name not in split)
        for name, (kind, shape) in columns.items()
    )
    if nested and format_of(file) == "json_lines":
        return _from_lists(file, columns)
    return _from_table(file, columns, dialect or CsvDialect(), booleans, stream, split)


def new_row_places(
    file: Path, columns: ExpectedColumns, dialect: CsvDialect, rows: int
) -> Places | None:
    """Return where the rows of a file of new rows are, of which so many were read; None where it
    has no lines."""
    if format_of(file) == "arrays":
        return None
    return RowPlaces((file,), (0, rows), _with_header(file, columns, dialect)[0])


def new_rows_findings(
    file: Path, columns: ExpectedColumns, dialect: CsvDialect, rows: int
) -> list[str]:
    """Return what the user should know of a file of new rows, of which so many were read."""
    if format_of(file) != "delimited":
        return []
    dialect, finding = _with_header(file, columns, dialect)
    found = [] if finding is None else [finding]
    if quoted := rows_in_quotes(file, dialect, rows):
        # How the run reads its files is settled.
        found.append(f"{quoted}; write a quotation mark within a text twice")
    return found


def refuse_missing_header(file: Path, columns: Collection[str], dialect: CsvDialect) -> None:
    """Raise an error where a file begins with a row, although the run's own files have a header.

    Raises:
        DataError: Its first line names none of the columns, and holds a number.
    """
    if format_of(file) != "delimited" or not dialect.header:
        return
    line, fields = first_record(file, dialect)
    if not {field.strip() for field in fields}.isdisjoint(columns):
        return
    if any(map(is_number, (_plain(dialect, field) for field in fields))):
        raise DataError(
            f"{file}:{line}: the header seems to be missing: this line holds {first_few(fields)}; "
            f"write the names of the columns above it, as in the training file: "
            f"{first_few(columns)}"
        )


def _with_header(
    file: Path, columns: ExpectedColumns, dialect: CsvDialect
) -> tuple[CsvDialect, str | None]:
    """How a file of new rows is written, for a run on files without a header: the new file may have
    one, and may leave out the target. What to say of the header that it has."""
    if dialect.header or format_of(file) != "delimited":
        return dialect, None
    (line, first), *others = first_records(file, dialect, 2)
    names = [field.strip() for field in first]
    finding = f"{file}:{line}: read as a header, though the run's own files have none"
    if set(columns) <= set(names):
        return replace(dialect, header=True, columns=None), finding
    expected = tuple(columns) if len(names) == len(columns) else dialect.columns
    dialect = replace(dialect, columns=expected)
    known = expected or tuple(f"c{i}" for i in range(len(names)))
    held = [columns.get(name, ("",))[0] for name in known[: len(names)]]
    numbers = [i for i, kind in enumerate(held) if kind == "numeric"]
    above = numbers and not any(_is_value(dialect, names[i]) for i in numbers)
    below = others[0][1] if others else []
    if above and len(below) >= len(names) and all(_is_value(dialect, below[i]) for i in numbers):
        return replace(dialect, skip=line), finding
    return dialect, None


def _is_value(dialect: CsvDialect, field: str) -> bool:
    """Whether a field of a column of numbers is a number, true or false, or missing."""
    word = _plain(dialect, field)
    if not word or word.lower() in (*BOOLEAN_WORDS, "nan", "t", "f", "y", "n"):
        return True
    return field in dialect.missing_in("*") or is_number(word)


def _plain(dialect: CsvDialect, field: str) -> str:
    """A field as a number is written in Python, if it is one."""
    return in_plain_digits(without_unit(field)[0], dialect.decimal, dialect.thousands).strip()


def _from_table(
    file: Path,
    columns: ExpectedColumns,
    dialect: CsvDialect,
    booleans: Collection[str],
    stream: bool | None,
    split: Mapping[str, str],
) -> Columns:
    for name, (kind, shape) in columns.items():
        if (kind == "sequences" and name not in split) or shape:
            what = "sequences" if kind == "sequences" else f"arrays of shape {shape}"
            raise DataError(
                f"{file}: column '{name}' is made of {what}, which no table holds; give an npz or "
                f"npy file, or JSON lines with lists"
            )
    refuse_missing_header(file, columns, dialect)
    dialect, _ = _with_header(file, columns, dialect)
    on_disk = format_of(file) == "parquet" and stays_on_disk([file], stream)
    categorical = [name for name, (kind, _) in columns.items() if kind == "categorical"]
    categorical += [name for name in columns if name in split]
    table = open_parquet([file], dialect) if on_disk else read_table([file], dialect, categorical)
    read: Columns = {}
    for name, (kind, _) in columns.items():
        if kind == "sequences":
            read[name] = to_tokens(table, name, split[name])
            continue
        column = _column(table, name, kind, name in booleans)
        read[name] = stored(column) if on_disk else column
    return read


def _column(table: TableFiles, name: str, kind: str, boolean: bool) -> Array:
    if kind == "categorical":
        return to_array(table, name, "categorical")
    dtype = table.series(name).dtype.kind
    if not boolean and dtype in "biuf":
        boolean = dtype == "b"
    elif not boolean:
        boolean = any(word.lower() in BOOLEAN_WORDS for word in as_texts(table, name).words)
    return to_array(table, name, "boolean" if boolean else "numeric")


def _from_lists(file: Path, columns: ExpectedColumns) -> Columns:
    records = read_json_lines(file)
    result: Columns = {}
    for name, (kind, shape) in columns.items():
        if name not in records:
            refuse_unknown_column(file, name, list(records))
        entries = []
        for row, value in enumerate(records[name]):
            try:
                entries.append(_entry(value, kind, shape))
            except (TypeError, ValueError) as error:
                expected = f"numbers of shape {shape}" if shape else "a number"
                if kind == "sequences":
                    expected = "a list of whole numbers"
                raise DataError(
                    f"{file}:{lines_of_records(file, [row])[0]}: expected {expected} in "
                    f"column '{name}', found {str(value)[:40]}"
                ) from error
        result[name] = np.stack(entries) if kind == "numeric" else as_objects(entries)
    return result


def _entry(value: Any, kind: str, shape: tuple[int, ...]) -> Any:
    if kind == "categorical":
        return None if value is None else category_text(as_text(value), ".")
    if kind == "numeric":
        numbers = np.asarray(value, dtype=np.float64)
        if numbers.shape != shape:
            raise ValueError
        return numbers
    sequence = np.asarray(value)
    if sequence.ndim != 1 or (len(sequence) and sequence.dtype.kind != "i"):
        raise ValueError
    return sequence.astype(np.int32)


def _from_arrays(
    arrays: ArrayFiles, file: Path, columns: ExpectedColumns, stream: bool | None
) -> Columns:
    only = arrays.names[0] if len(arrays.names) == 1 else None
    if only is not None and only not in columns:
        array = arrays.read(only)
        scalar = all(kind == "numeric" and not shape for kind, shape in columns.values())
        if len(columns) > 1 and scalar and array.shape[1:] == (len(columns),):
            return {name: array[:, i] for i, name in enumerate(columns)}
        if len(columns) == 1:
            ((name, (kind, shape)),) = columns.items()
            if kind == "numeric":
                array = read_or_stream(arrays, only, stream)
            return {name: _checked(array, file, only, kind, shape)}
    return {
        name: _checked(
            read_or_stream(arrays, name, stream if kind == "numeric" else False),
            file,
            name,
            kind,
            shape,
        )
        for name, (kind, shape) in columns.items()
    }


def _checked(array: Array, file: Path, name: str, kind: str, shape: tuple[int, ...]) -> Array:
    place = f"{file}: array '{name}'"
    if kind == "sequences":
        if array.ndim != 2 or array.dtype.kind not in "iu":
            raise DataError(
                f"{place} must hold integers of shape (rows, length), padded with zeros; it is "
                f"{array.dtype} of shape {array.shape}"
            )
        return as_objects([_without_padding(row) for row in array])
    if (kind == "categorical") != (array.dtype == object):
        needed = "text" if kind == "categorical" else "numbers"
        raise DataError(f"{place} must hold {needed}; it is of dtype {array.dtype}")
    if array.shape[1:] != shape:
        raise DataError(f"{place}: one entry must have the shape {shape}; it is {array.shape[1:]}")
    return array


def _without_padding(row: Array) -> Array:
    filled = np.flatnonzero(row)
    return row[filled[0] : filled[-1] + 1] if len(filled) else row[:0]
