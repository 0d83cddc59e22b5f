"""Rows that are the same, or nearly: found by a hash of each row.

Two rows of different values share a 64-bit hash with a probability below 1e-9 for a million rows
(birthday bound).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import compress

import numpy as np

from dlrun.data.fitting.statistics import stacked
from dlrun.data.reading.table_columns import are_sentences
from dlrun.data.samples import Array, Columns, Samples, kind_of
from dlrun.data.vocabulary import PUNCTUATION

MOST_VALUES = 20_000_000
"""Rows are hashed as long as they hold no more values than this; of more, evenly spaced ones."""

STEP = 0.01
"""Numbers are nearly the same where they fall into the same hundredth of a standard deviation."""

_LONG_ROW_BYTES = 4096
"""Longer rows are hashed one by one, which is faster than word by word for all rows."""

_NO_LETTERS = f"{PUNCTUATION}' \t\r\n".encode()

FEWEST_MEASURES = 4
"""Nearly the same says little where fewer columns hold numbers with fractions."""


def positions_hashed(samples: Samples) -> Array | None:
    """Return the positions of the rows that are hashed, evenly spaced; None for all of them."""
    n = len(samples)
    values = sum(int(np.prod(c.shape[1:]) * _weight(c)) for c in samples.features.values())
    # Rows on disk are read into memory only for this, so fewer of them are hashed.
    share = 1 if samples.in_memory else 10
    most = max(1_000, MOST_VALUES // share // max(values, 1))
    return None if n <= most else np.linspace(0, n - 1, most).astype(np.int64)


def _weight(column: Array) -> float:
    """Weight of a number when rows are hashed: bytes of pictures take less time and memory."""
    return 1 / 16 if column.dtype == np.uint8 else 1


def exact_hashes(features: Columns) -> Array:
    """Return (n,) uint64, equal for rows that are equal in every feature; (0,) where there are no
    features, as of windows over a series, which are not hashed."""
    if not features:
        return np.empty(0, np.uint64)
    return _combined([_column_hash(column) for column in features.values()])


def near_hashes(features: Columns) -> Array | None:
    """Return (n,) uint64, equal for rows that differ in next to nothing; None where too few
    columns hold measures, and none sentences, to tell.

    Numbers are counted in hundredths of their standard deviation, text without case, spaces and
    punctuation. Pairs on two sides of such a hundredth are missed.
    """
    cells = _cells({n: c for n, c in features.items() if c.dtype.kind == "f" and c.ndim == 1})
    texts = [column for column in features.values() if kind_of(column) == "categorical"]
    if len(cells) < FEWEST_MEASURES and not any(map(are_sentences, texts)):
        return None
    rounded = []
    for name, column in features.items():
        if name in cells:
            rounded.append(cells[name])
        elif kind_of(column) == "categorical":
            rounded.append(_hashes_of_texts(column, _letters))
        else:
            rounded.append(_column_hash(column))
    return _combined(rounded)


def _cells(columns: Columns) -> Columns:
    """Hundredths of the standard deviation as (n,) uint64, of those columns that hold measures:
    numbers with fractions."""
    found: Columns = {}
    for names, values in stacked(columns):
        known = np.isfinite(values)
        fractions = (known & (values != np.floor(values))).any(axis=1)
        names, values = list(compress(names, fractions)), values[fractions]
        if not names:
            continue
        spread = np.nanstd(values, axis=1, keepdims=True)
        spread[spread == 0] = 1.0
        cells = np.floor(np.nan_to_num(values, nan=-1e12) / (spread * STEP)) + 0.0  # -0 is 0
        found |= zip(names, cells.view(np.uint64), strict=True)
    return found


def _letters(text: str) -> str:
    """A text in small letters, without spaces and punctuation."""
    raw = text.lower().encode("utf-8", "surrogatepass")
    return raw.translate(None, _NO_LETTERS).decode("utf-8", "surrogatepass")


def _column_hash(column: Array) -> Array:
    """(n,) uint64 of one column of any kind."""
    if kind_of(column) == "categorical":
        return _hashes_of_texts(column)
    if column.dtype == object:
        return np.fromiter(map(_of_entry, column), np.uint64, len(column))
    if column.dtype.kind == "f":
        column = column + column.dtype.type(0)  # -0 is 0
    if not (n := len(column)):
        return np.empty(0, np.uint64)
    raw = np.ascontiguousarray(column).reshape(n, -1).view(np.uint8).reshape(n, -1)
    if raw.shape[1] > _LONG_ROW_BYTES:
        return np.fromiter((_of_entry(row) for row in raw), np.uint64, n)
    if short := -raw.shape[1] % 8:
        raw = np.pad(raw, ((0, 0), (0, short)))
    words = raw.view(np.uint64)
    return _combined([words[:, i] for i in range(words.shape[1])])


def _hashes_of_texts(column: Array, change: Callable[[str], str] = str) -> Array:
    """(n,) uint64 of a column of texts, changed first; each different one is hashed once."""
    hashes = {text: 0 if text is None else _of_entry(change(text)) for text in set(column)}
    return np.fromiter(map(hashes.__getitem__, column), np.uint64, len(column))


def _of_entry(entry: object) -> int:
    if entry is None:
        return 0
    if isinstance(entry, tuple):
        entry = "\0".join(entry)
    data = entry.encode() if isinstance(entry, str) else np.ascontiguousarray(entry).tobytes()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _combined(parts: list[Array]) -> Array:
    total = np.zeros(len(parts[0]), np.uint64)
    with np.errstate(over="ignore"):
        for index, part in enumerate(parts):
            total += _mix(part + np.uint64((index + 1) * 0x9E3779B97F4A7C15 % 2**64))
    return total


def _mix(x: Array) -> Array:
    """Mix the bits of (n,) uint64 in place, and return it: SplitMix64's finaliser (Steele, Lea and
    Flood 2014, Fast splittable pseudorandom number generators)."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x
