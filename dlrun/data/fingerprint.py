"""A hash that changes with any change of the data, and a description for `data.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dlrun.data.lazy import blocks, windows_of
from dlrun.data.samples import Array, Columns, Samples, is_of_tokens, kind_of

_MOST_LABELS = 200


def fingerprint(samples: Samples) -> str:
    """Return the SHA-256, in hex, of all columns: names, dtypes, shapes and values, in order.

    The row numbers do not count: the same rows from another file are the same data. Columns
    that are mapped into memory are read piece by piece.
    """
    digest = hashlib.sha256()
    for part, columns in _parts(samples).items():
        for name, column in columns.items():
            digest.update(f"{part}\0{name}\0{kind_of(column)}\0".encode())
            for piece in _pieces(column):
                digest.update(piece)
    return digest.hexdigest()


def describe(samples: Samples, classes: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return plain data about the rows, for `data.json`.

    Args:
        samples: The rows.
        classes: Class names by target.

    Returns:
        `rows`, and a mapping from column name to facts for `features`, `targets` and `extras`:
        dtype, kind, shape of one entry, and how many values are missing; for targets also
        `counts` by class, or `range` (least, mean and greatest value).
    """
    described: dict[str, Any] = {"rows": len(samples)}
    for part, columns in _parts(samples).items():
        described[part] = {name: _facts(column) for name, column in columns.items()}
    for name, facts in describe_targets(samples, classes).items():
        described["targets"][name] |= facts
    return described


def describe_targets(
    samples: Samples, classes: Mapping[str, tuple[str, ...]]
) -> dict[str, dict[str, Any]]:
    """Return of each target `counts` by class, `range` or `sums`; see `describe`."""
    return {n: _target_facts(column, classes.get(n)) for n, column in samples.targets.items()}


def _parts(samples: Samples) -> dict[str, Columns]:
    return {"features": samples.features, "targets": samples.targets, "extras": samples.extras}


def _pieces(column: Array) -> Iterator[bytes | memoryview]:
    kind = kind_of(column)
    if (windows := windows_of(column)) is not None:
        # The rows once, and where windows begin: together they are the windows.
        yield f"windows{windows.shape}{windows.step}\0".encode()
        yield (windows.starts - windows.starts.min(initial=0)).astype("<i8").tobytes()
        covered = windows.covered()
        yield np.ascontiguousarray(windows.series.values[covered]).tobytes()
        if windows.series.categories:
            yield repr(sorted(windows.series.categories.items())).encode()
        if (codes := windows.series.codes) is not None:
            yield repr(windows.series.labels).encode() + codes[covered].astype("<i8").tobytes()
    elif kind == "numeric":
        yield f"{column.dtype.str}{column.shape}\0".encode()
        for block in blocks(column):
            yield np.ascontiguousarray(block).reshape(-1).view(np.uint8).data
    elif kind == "categorical":
        for block in blocks(column):
            sizes = {text: -1 if text is None else len(text.encode()) for text in set(block)}
            yield np.fromiter(map(sizes.__getitem__, block), "<i8", len(block)).tobytes()
        for block in blocks(column):
            encoded = {text: b"" if text is None else text.encode() for text in set(block)}
            yield b"".join(map(encoded.__getitem__, block))
    elif is_of_tokens(column):
        for entry in column:
            yield f"{len(entry)}\0{''.join(f'{len(t)} {t}' for t in entry)}".encode()
    else:
        lengths = [-1 if entry is None else len(entry) for entry in column]
        yield np.asarray(lengths, dtype="<i8").tobytes()
        for start in range(0, len(column), 4096):
            entries = [entry for entry in column[start : start + 4096] if entry is not None]
            if entries:
                yield np.concatenate(entries).astype("<i8").tobytes()


def _facts(column: Array) -> dict[str, Any]:
    kind = kind_of(column)
    facts: dict[str, Any] = {"kind": kind}
    if kind == "numeric":
        facts |= {"dtype": str(column.dtype), "shape": list(column.shape[1:])}
    if kind == "sequences":
        lengths = [len(entry) for entry in column]
        return facts | {
            "dtype": "str" if is_of_tokens(column) else str(column[0].dtype),
            "length": {"least": min(lengths), "greatest": max(lengths)},
        }
    return facts | {"missing": _count_missing(column)}


def _count_missing(column: Array) -> int:
    if (windows := windows_of(column)) is not None:
        return int(np.isnan(windows.series.values[windows.covered()]).sum())
    if column.dtype == object:
        return sum(block.tolist().count(None) for block in blocks(column))
    if column.dtype.kind == "M":
        return int(np.isnat(column).sum())
    if column.dtype.kind != "f":
        return 0
    return sum(int(np.isnan(block).sum()) for block in blocks(column))


def _target_facts(column: Array, names: tuple[str, ...] | None) -> dict[str, Any]:
    if is_of_tokens(column):
        return {}
    if column.ndim > 1:
        return {"sums": [float(value) for value in column.sum(axis=0).reshape(-1)[:_MOST_LABELS]]}
    if column.dtype == object or column.dtype.kind in "iu":
        values, counts = np.unique(column, return_counts=True)
        if names is not None or column.dtype == object or len(values) <= _MOST_LABELS:
            counted = dict(zip(values.tolist(), counts.tolist(), strict=True))
            if names is not None and column.dtype != object:
                return {"counts": {name: counted.get(i, 0) for i, name in enumerate(names)}}
            return {"counts": {str(value): count for value, count in counted.items()}}
    spread = {"least": column.min(), "mean": column.mean(), "greatest": column.max()}
    return {"range": {name: float(value) for name, value in spread.items()}}
