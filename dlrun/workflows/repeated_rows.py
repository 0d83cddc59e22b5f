"""Test rows that are the same as training rows."""

from __future__ import annotations

import numpy as np

from dlrun.checks.duplicates import exact_hashes
from dlrun.data.samples import Array, Samples
from dlrun.text import percent

MOST_VALUES = 200_000_000
"""Rows with more values than this in all are not compared: it would take longer than to score."""

BLOCK_VALUES = 4_000_000


def repeated_sentence(training: Samples, test: Samples) -> str | None:
    """Say how many test rows are the same, in all features and targets, as a training row; None
    where none is, or that they were not compared."""
    if training.windows is not None:
        # Each window lies wholly in its own stretch of the series.
        return None
    readable = training.in_memory and test.in_memory
    if not readable or _width(training) * (len(training) + len(test)) > MOST_VALUES:
        return "test rows were not compared with the training rows: there is too much to read"
    count = repeated_rows(training, test)
    if not count:
        return None
    rows, are = ("row", "is") if count == 1 else ("rows", "are")
    return (
        f"{count:,} test {rows} of {len(test):,} ({percent(count / len(test))}) {are} the same as "
        "a training row, in features and target: their score says nothing about new rows"
    )


def repeated_rows(training: Samples, test: Samples) -> int:
    """Return how many test rows equal a training row in all features and targets."""
    return int(np.isin(_hashes(test), _hashes(training)).sum())


def _hashes(samples: Samples) -> Array:
    """(n,) uint64, a block of rows at a time: the hashes of a row's values take many times its
    memory."""
    step = max(1, BLOCK_VALUES // _width(samples))
    starts = range(0, len(samples), step)
    blocks = [samples.take(np.arange(s, min(s + step, len(samples)))) for s in starts]
    hashes = []
    for block in blocks:
        columns = {f"feature {name}": column for name, column in block.features.items()}
        columns |= {f"target {name}": column for name, column in block.targets.items()}
        # Numbers of the training and of the test file may be of different types.
        for name, column in columns.items():
            if column.dtype.kind in "biuf":
                columns[name] = column.astype(np.float64)
        hashes.append(exact_hashes(columns))
    return np.concatenate(hashes)


def _width(samples: Samples) -> int:
    return max(1, sum(int(np.prod(c.shape[1:])) for c in samples.features.values()))
