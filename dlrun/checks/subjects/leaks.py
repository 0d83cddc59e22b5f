"""Columns that give the target away, or nearly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import (
    DATASET,
    as_codes,
    drop_columns,
    is_series,
    labels_of,
    numeric_columns,
    text_columns,
)
from dlrun.checks.finding import Finding
from dlrun.checks.views import DataView
from dlrun.data.samples import Array
from dlrun.text import figure, first_few, percent

_FEWEST_FOR_LEAKS = 30

ALMOST_ALL = 0.995

"""Share of the rows, or of the variance, above which a column reveals the target."""


def gives_classes(column: Array, labels: Array) -> bool:
    """Whether cutting one column, (n,), once between two classes tells nearly every class."""
    column = column.astype(np.float64)
    known = np.isfinite(column)
    values, codes = column[known], as_codes(labels)[known]
    classes = len(np.unique(codes))
    if classes < 2 or len(np.unique(values)) < 2:
        return False
    if _majority(codes) > 0.98:
        return False
    order = np.lexsort((codes, values))
    values, codes = values[order], codes[order]
    # Where values tie across classes, their order within the tie tells nothing.
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1) != 0)
    counts = _running_counts(codes, int(codes.max()) + 1)
    pure = counts[[*starts[1:], len(codes)]] - counts[starts]
    winners, right = pure.argmax(axis=1), int(pure.max(axis=1).sum())
    changes = int((np.diff(winners) != 0).sum())
    return right >= ALMOST_ALL * len(codes) and changes <= classes - 1


def names_classes(column: Array, labels: Array) -> bool:
    """Whether each text of a column, (n,), goes with one class."""
    texts, codes = as_codes(column), as_codes(labels)
    different = int(texts.max()) + 1
    if not 2 <= different <= len(texts) / 5 or _majority(codes) > 0.98:
        return False
    table = np.zeros((different, int(codes.max()) + 1), np.int64)
    np.add.at(table, (texts, codes), 1)
    return bool(table.max(axis=1).sum() >= ALMOST_ALL * len(texts))


def gives_quantity(column: Array, target: Array) -> bool:
    """Whether the order of one column, (n,), is that of the target (rank correlation)."""
    return rank_correlation(column, target) >= ALMOST_ALL


def rank_correlation(column: Array, target: Array) -> float:
    """The size of the rank correlation of two columns, (n,); 0 where too few values differ."""
    known = np.isfinite(column.astype(np.float64)) & np.isfinite(target.astype(np.float64))
    values, goal = column[known], target[known]
    if len(values) < 10 or len(np.unique(values)) < 10 or len(np.unique(goal)) < 2:
        return 0.0
    return float(abs(np.corrcoef(_ranks(values), _ranks(goal))[0, 1]))


def share_right(column: Array, labels: Array) -> float:
    """Return the share of (n,) rows whose class one column, (n,), gives: one for each text, or one
    for each of a few ranges of a number; missing numbers are a range of their own."""
    codes = as_codes(labels)
    classes = int(codes.max()) + 1
    if column.dtype == object:
        texts = as_codes(column)
        if int(texts.max()) + 1 > len(texts) / 10:
            return 0.0
        table = np.zeros((int(texts.max()) + 1, classes), np.int64)
        np.add.at(table, (texts, codes), 1)
        return float(table.max(axis=1).sum() / len(codes))
    known = np.isfinite(column.astype(np.float64))
    right = 0 if known.all() else int(np.bincount(codes[~known]).max())
    order = np.argsort(column[known], kind="stable")
    values, codes = column[known][order], codes[known][order]
    counts = _running_counts(codes, classes)
    cuts = np.flatnonzero(values[1:] != values[:-1]) + 1
    parts = [(0, len(codes))] if len(codes) else []
    while len(parts) <= classes and (best := _best_cut(counts, cuts, parts)) is not None:
        place, cut = best
        parts[place : place + 1] = [(parts[place][0], cut), (cut, parts[place][1])]
    right += sum(int((counts[stop] - counts[start]).max()) for start, stop in parts)
    return right / len(column)


def _running_counts(codes: Array, classes: int) -> Array:
    """(n + 1, k) how many of the first 0, 1, ... n rows are of each of k classes."""
    counts = np.zeros((len(codes) + 1, classes), np.int32)
    counts[np.arange(1, len(codes) + 1), codes] = 1
    return np.cumsum(counts, axis=0, dtype=np.int32)


def _best_cut(
    counts: Array, cuts: Array, parts: Sequence[tuple[int, int]]
) -> tuple[int, int] | None:
    """Which of the parts of sorted rows to cut, and where, to get most rows right."""
    best, gained = None, 0
    for place, (start, stop) in enumerate(parts):
        inside = cuts[(cuts > start) & (cuts < stop)]
        if not len(inside):
            continue
        left, right = counts[inside] - counts[start], counts[stop] - counts[inside]
        correct = left.max(axis=1) + right.max(axis=1)
        gain = int(correct.max()) - int((counts[stop] - counts[start]).max())
        if gain > gained:
            best, gained = (place, int(inside[correct.argmax()])), gain
    return best


def leaking_columns(view: DataView) -> list[str]:
    """Return the columns each of which gives the target away; of a series none: what was measured
    last tells most of what comes next, as it may."""
    target = labels_of(view.train)
    if target is None or len(target) < _FEWEST_FOR_LEAKS or is_series(view.train):
        return []
    quantity = view.task == "regression"
    tells = gives_quantity if quantity else gives_classes
    found = [name for name, values in numeric_columns(view.train) if tells(values, target)]
    if not quantity:
        texts = text_columns(view.train)
        found += [name for name, values in texts if names_classes(values, target)]
    return found


def _ranks(values: Array) -> Array:
    """Ranks of (n,) values, those of ties averaged."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[places.reshape(-1)]


def _majority(codes: Array) -> float:
    return float(np.bincount(codes).max() / len(codes))


@check(
    "DL114",
    why="a column that decides the answer alone was usually recorded after the answer was known, "
    "and will be missing in use",
    source=BOOK + "4.5",
    instead="leave the column out, unless it is known before the answer",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # outcome says what y says
    preprocess: [one_hot]
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, drop: [outcome]}
    """,
)
def target_leak(view: DataView) -> Iterator[Finding]:
    """A single column that gives the target away."""
    found = leaking_columns(view)
    if found:
        alone = "alone gives" if len(found) == 1 else "each give"
        yield Finding(
            f"{first_few(found)} {alone} the target away in these rows",
            DATASET,
            drop_columns(view.config, found),
            on_key=True,
        )


NEARLY = 0.98
"""Share of the rows, or rank correlation, above which a column nearly gives the target away."""

_LEFT_OPEN = 0.1
"""It also leaves at most this share of the mistakes of always answering the most frequent class."""

_FEWEST_FOR_NEAR_LEAKS = 100
_MOST_CLASSES = 20


@check(
    "DL143",
    severity="note",
    why="hardly any column says so much before the answer is known; the model may learn how it was "
    "recorded, and nothing else",
    source=BOOK + "4.5",
    instead="find out when the column is recorded; if that is after the answer, leave it out",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # grade was given after y, with few mistakes
    preprocess: [standardize]
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, drop: [grade]}
    """,
)
def near_leak(view: DataView) -> Iterator[Finding]:
    """A single column that tells nearly every answer by itself."""
    target = labels_of(view.train)
    few = target is None or len(target) < _FEWEST_FOR_NEAR_LEAKS
    if few or target is None or is_series(view.train):
        return
    nearly = _of_quantities if view.task == "regression" else _of_classes
    found = [*nearly(view, target)]
    leaks = leaking_columns(view) if found else []
    for name, message in found:
        if name not in leaks:
            yield Finding(message, DATASET, drop_columns(view.config, [name]), on_key=True)


def _of_quantities(view: DataView, target: Array) -> Iterator[tuple[str, str]]:
    if getattr(view.config.evaluation.protocol, "time", None) is not None:
        # The value of the day before may be a column.
        return
    for name, column in numeric_columns(view.train):
        if (found := rank_correlation(column, target)) >= NEARLY:
            message = f"the order of '{name}' is nearly that of the target"
            yield name, f"{message} (rank correlation {figure(found)})"


def _of_classes(view: DataView, target: Array) -> Iterator[tuple[str, str]]:
    usual = _majority(as_codes(target))
    if usual > NEARLY or len(np.unique(target)) > _MOST_CLASSES:
        return
    for name, column in (*numeric_columns(view.train), *text_columns(view.train)):
        share = share_right(column, target)
        if share >= NEARLY and 1 - share <= _LEFT_OPEN * (1 - usual):
            right = f"'{name}' alone is right in {percent(share)} of the rows"
            yield name, f"{right}; the most frequent class is in {percent(usual)}"
