"""Columns of rows for checks: a bounded number of them, and sentences that name them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from dlrun.checks.finding import Change, put
from dlrun.config.dump import shortest_entry
from dlrun.config.schema import Config
from dlrun.data.lazy import windows_of
from dlrun.data.samples import Array, Dataset, Samples, is_of_tokens, kind_of
from dlrun.data.windows import Windows
from dlrun.errors import KeyPath

MOST_COLUMNS = 200
"""Checks of single columns use at most this many, the first ones."""

_NAMES_OF_TIMES = re.compile(
    r"(^|_)(date|datetime|day|hour|minute|month|time|timestamp|week|year)(_(utc|local|at))?$"
    r"|_at$",
    re.IGNORECASE,
)
_DATE = re.compile(r"^\d{4}-\d{1,2}(-\d{1,2})?([ T]\d{1,2}:\d{2}|$)|^\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_FEWEST_TIMES = 10


def numeric_columns(samples: Samples) -> Iterator[tuple[str, Array]]:
    """Yield the name and the values, (n,), of every numeric feature.

    The columns of an (n, f) array are separate features, and of windows over a series each
    quantity by its last row; arrays of more axes are left out.
    """
    given = 0
    for name, column in samples.features.items():
        if (windows := windows_of(column)) is not None:
            yield from list(_quantities(windows))[:MOST_COLUMNS]
            continue
        if kind_of(column) != "numeric" or column.ndim > 2 or column.dtype.kind not in "biuf":
            continue
        parts = [(name, column)] if column.ndim == 1 else _parts(name, column)
        for part in parts:
            given += 1
            if given > MOST_COLUMNS:
                return
            yield part


_BETWEEN_LABELS = ("|", ";", ",")
_FEWEST_CLASSES = 3


def mark_between_labels(config: Config, dataset: Dataset, name: str) -> str | None:
    """Return what separates the labels of a target whose classes look like combinations of a few
    labels in one field; None where they do not, or the source cannot split them."""
    classes = dataset.classes.get(name, ())
    of_text = dataset.samples.targets[name].dtype == object
    if not hasattr(config.dataset, "split") or not of_text or len(classes) < _FEWEST_CLASSES:
        return None
    for mark in _BETWEEN_LABELS:
        parts = {part.strip() for text in classes for part in text.split(mark)}
        several = sum(mark in text for text in classes)
        if several >= len(classes) / 3 and len(parts) < len(classes):
            return mark
    return None


def is_series(samples: Samples) -> bool:
    """Whether the rows are windows over a series."""
    return samples.windows is not None


def _quantities(windows: Windows) -> Iterator[tuple[str, Array]]:
    values = windows.last_values()
    for index, name in enumerate(windows.series.names):
        if name not in windows.series.categories:
            yield name, values[:, index]


def text_columns(samples: Samples) -> Iterator[tuple[str, Array]]:
    """Yield the name and the values, (n,) of text or None, of every categorical feature."""
    found = [(n, c) for n, c in samples.features.items() if kind_of(c) == "categorical"]
    yield from found[:MOST_COLUMNS]


def read_as_text(config: Config, samples: Samples) -> set[str]:
    """Return the categorical features whose words a step `text` uses."""
    names = {name for name, _ in text_columns(samples)}
    steps = [step for step in config.preprocess if step.member_name() == "text"]
    columns = [getattr(step, "columns", None) for step in steps]
    return {name for name in names if any(c is None or name in c for c in columns)}


def _parts(name: str, column: Array) -> Iterator[tuple[str, Array]]:
    for index in range(min(column.shape[1], MOST_COLUMNS)):
        yield f"{name}[{index}]", column[:, index]


DATASET: KeyPath = ("dataset",)
"""The place of findings about rows."""


def drop_columns(config: Config, names: Sequence[str]) -> Change | None:
    """Return the change that leaves columns of a table out, or None for other data."""
    source = config.dataset
    if not hasattr(source, "drop"):
        return None
    if (features := getattr(source, "features", None)) is not None:
        return put(("dataset", "features"), [name for name in features if name not in names])
    return put(("dataset", "drop"), [*(source.drop or []), *names])


def with_step(config: Config, step: Any, *, last: bool = False) -> Change:
    """Return the change that adds a preprocessing step before, or after, all others."""
    given = list(shortest_entry(config, "preprocess") or [])
    if not last:
        return put(("preprocess",), [step, *given])
    targets = [entry for entry in given if isinstance(entry, dict) and "targets" in entry]
    return put(("preprocess",), [*(e for e in given if e not in targets), step, *targets])


def with_targets(config: Config, step: str | None) -> Change:
    """Return the change that has one step on targets in place of all, or none."""
    given = list(shortest_entry(config, "preprocess") or [])
    kept = [entry for entry in given if not (isinstance(entry, dict) and "targets" in entry)]
    return put(("preprocess",), [*kept, *([] if step is None else [{"targets": step}])])


def preprocess_place(config: Config) -> KeyPath:
    """The place of the preprocessing, or of the data where there is none."""
    written = config.document.root.mapping or {}
    return ("preprocess",) if "preprocess" in written else DATASET


def labels_of(samples: Samples) -> Array | None:
    """Return the class of each row, (n,), where each has one."""
    values = next(iter(samples.targets.values()))
    if len(samples.targets) != 1 or values.ndim > 2 or is_of_tokens(values):
        return None
    if values.ndim == 1:
        return values
    # Others are a class or a flag for each step, several labels, or quantities.
    one_hot = np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all()
    return values.argmax(axis=1) if one_hot and values.shape[1] > 1 else None


def as_codes(values: Array) -> Array:
    """Return (n,) int64 numbers that are equal where the values are."""
    if values.dtype != object:
        return np.unique(values, return_inverse=True)[1].reshape(-1)
    codes = {value: code for code, value in enumerate(dict.fromkeys(values))}
    return np.fromiter(map(codes.__getitem__, values), np.int64, len(values))


def may_differ_in_nearly_every_row(column: Array) -> bool:
    """Whether a quarter of 1,000 evenly spaced rows of (n,) have a unique value: without it,
    most of all rows cannot have one, and need not be compared."""
    few = column[:: max(1, len(column) // 1000)]
    return 4 * len(set(few.tolist())) >= len(few)


def time_column(samples: Samples) -> str | None:
    """Return the name of the feature that looks like a time and orders the rows, or None.

    Its name or its texts are those of times, and no row comes before the one above.
    """
    if len(samples) < _FEWEST_TIMES:
        return None
    for name, column in samples.features.items():
        if column.ndim > 1:
            continue
        if kind_of(column) == "categorical":
            if _are_dates(column) and _ascends(column):
                return name
        elif column.dtype.kind in "iufM" and _NAMES_OF_TIMES.search(name) and _ascends(column):
            return name
    return None


def _are_dates(column: Array) -> bool:
    return all(text is not None and _DATE.match(text) for text in column[:100])


def _ascends(column: Array) -> bool:
    """Whether the rows are in order, with at least a few different values."""
    if column.dtype == object:
        ordered = all(a <= b for a, b in pairwise(map(str, column)))
        return ordered and len(set(column)) >= _FEWEST_TIMES
    steps = np.diff(column)
    zero = np.zeros(1, steps.dtype)[0]
    return bool((steps >= zero).all()) and int((steps > zero).sum()) >= _FEWEST_TIMES - 1
