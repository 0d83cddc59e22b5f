"""Tables from JSON lines: one object a line, a value a column."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from dlrun.data.reading.compressed import unpacked
from dlrun.errors import DataError


def read_json_lines(file: Path) -> dict[str, list[Any]]:
    """Read a whole file: column name to a value a row, in the order in which keys appear.

    A key that a line does not have is a missing value (None), as `null` is. Half a character, as
    in a text that was cut within an emoji, becomes �.

    Raises:
        DataError: The file is empty, or a line is not a JSON object; says which.
    """
    columns: dict[str, list[Any]] = {}
    count = 0
    for _, record in _records(file):
        for name, value in record.items():
            if name not in columns:
                columns[name] = [None] * count
            columns[name].append(value)
        count += 1
        for values in columns.values():
            if len(values) < count:
                values.append(None)
    if count == 0:
        raise DataError(f"{file}: the file is empty")
    return columns


def lines_of_records(file: Path, rows: Collection[int]) -> list[int]:
    """Return the lines, from 1, that hold some rows (counted from 0)."""
    return [line for row, (line, _) in enumerate(_records(file)) if row in rows]


def _records(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    line = 0
    try:
        with io.TextIOWrapper(unpacked(file), encoding="utf-8-sig") as stream:
            for line, text in enumerate(stream, start=1):
                if text.strip():
                    yield line, _record(file, line, text)
    except UnicodeDecodeError as error:
        raise DataError(f"{file}:{line + 1}: not written in UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error


def _record(file: Path, line: int, text: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{file}:{line}:{error.colno}: not valid JSON: {error.msg}") from error
    if not isinstance(record, dict):
        raise DataError(
            f'{file}:{line}: expected a JSON object such as {{"age": 31}}, '
            f"found {text.strip()[:40]}"
        )
    if "\\ud" not in text.lower():
        return record
    return {_valid_text(name): _valid_text(value) for name, value in record.items()}


def _valid_text(value: Any) -> Any:
    """A text with � for half a pair of surrogates, as a text that was cut within an emoji has:
    UTF-8 has no form for it."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
