"""`examples.json` and `examples.npz`: the raw features of a few rows, to show later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.store.files import write_json, write_npz
from dlrun.store.recorded_files import RecordedFiles
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Examples:
    """Some rows as their source gave them.

    Args:
        rows: Row numbers, in the source's numbering.
        columns: Values by column, one a row: numbers, texts, lists of numbers, or None where
            the value is missing.
        arrays: Columns whose entries have axes, (rows, ...), of plain dtypes.
        names: What each row is called in its source, such as the name of its file; empty where
            rows have numbers alone.
    """

    rows: tuple[int, ...]
    columns: Mapping[str, Sequence[Any]]
    arrays: Mapping[str, np.ndarray]
    names: tuple[str, ...] = ()


def write_examples(files: RecordedFiles, path: Path, examples: Examples) -> None:
    """Write the rows as JSON, and what has axes into an npz file beside it.

    Args:
        files: Of the run.
        path: The JSON file.
        examples: The rows.

    Raises:
        RunError: One of the files exists, or the disk refused.
    """
    with files.writing(path, path.with_suffix(".npz")):
        if examples.arrays:
            write_npz(path.with_suffix(".npz"), examples.arrays, compress=True)
        facts = {"rows": list(examples.rows), "columns": dict(examples.columns)}
        write_json(path, facts | ({"names": list(examples.names)} if examples.names else {}))


def read_examples(files: RecordedFiles, path: Path) -> Examples:
    """Return what `write_examples` wrote.

    Args:
        files: Of the run.
        path: The JSON file.

    Raises:
        RunError: A file is missing or damaged.
    """
    facts = files.read_object(path)
    rows, columns, names = facts.get("rows"), facts.get("columns"), facts.get("names", [])
    arrays = path.with_suffix(".npz")
    found = files.read_npz(arrays) if files.exists(arrays) else {}
    if (
        not isinstance(rows, list)
        or not isinstance(columns, dict)
        or not isinstance(names, list)
        or len(names) not in (0, len(rows))
        or not all(isinstance(values, list) for values in columns.values())
        or any(len(values) != len(rows) for values in [*columns.values(), *found.values()])
    ):
        raise RunError(f"{display_path(path)} is damaged: expected a value for every row")
    return Examples(tuple(rows), columns, found, tuple(map(str, names)))
