"""What single columns hold: the target, names of rows, one value, sentences, numbers in texts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import (
    DATASET,
    as_codes,
    drop_columns,
    is_series,
    labels_of,
    may_differ_in_nearly_every_row,
    numeric_columns,
    preprocess_place,
    read_as_text,
    text_columns,
    time_column,
)
from dlrun.checks.finding import Finding, put
from dlrun.checks.views import DataView
from dlrun.data.reading.table_columns import are_sentences
from dlrun.data.samples import Array
from dlrun.text import first_few

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
    pure = [codes[a:b] for a, b in zip(starts, [*starts[1:], len(codes)], strict=True)]
    winners = np.array([np.bincount(part).argmax() for part in pure])
    right = sum(int((part == w).sum()) for part, w in zip(pure, winners, strict=True))
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
    known = np.isfinite(column.astype(np.float64)) & np.isfinite(target.astype(np.float64))
    values, goal = column[known], target[known]
    if len(values) < 10 or len(np.unique(values)) < 10:
        return False
    correlation = np.corrcoef(_ranks(values), _ranks(goal))[0, 1]
    return bool(abs(correlation) >= ALMOST_ALL)


def _ranks(values: Array) -> Array:
    """Ranks of (n,) values, those of ties averaged."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[places.reshape(-1)]


def _majority(codes: Array) -> float:
    return float(np.bincount(codes).max() / len(codes))


_FEWEST_FOR_LEAKS = 30


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
    target = labels_of(view.train)
    if target is None or len(target) < _FEWEST_FOR_LEAKS:
        return
    if is_series(view.train):
        # What was measured last tells most of what comes next, as it may.
        return
    quantity = view.task == "regression"
    tells = gives_quantity if quantity else gives_classes
    found = [name for name, values in numeric_columns(view.train) if tells(values, target)]
    if not quantity:
        texts = text_columns(view.train)
        found += [name for name, values in texts if names_classes(values, target)]
    if found:
        alone = "alone gives" if len(found) == 1 else "each give"
        yield Finding(
            f"{first_few(found)} {alone} the target away in these rows",
            DATASET,
            drop_columns(view.config, found),
            on_key=True,
        )


_FEWEST_FOR_IDENTIFIERS = 20

NEARLY_ALL = 0.8
"""Share of the rows that have a unique value; rows may repeat."""

_NAMES_OF_IDENTIFIERS = re.compile(
    r"(^|_)(id|uuid|guid|key|index|record|row|no|nr|number)$", re.IGNORECASE
)


@check(
    "DL115",
    why="a number that names a row says nothing about new rows, and lets a network memorize the "
    "training rows",
    source=BOOK + "4.4",
    instead="leave the column out",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # id numbers the rows
    preprocess: [standardize]
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, drop: [id]}
    """,
)
def identifier(view: DataView) -> Iterator[Finding]:
    """A column with a different value in nearly every row: an identifier."""
    n = len(view.dataset.samples)
    if n < _FEWEST_FOR_IDENTIFIERS:
        return
    found, time = [], time_column(view.dataset.samples)
    columns = numeric_columns(view.dataset.samples)
    found += [name for name, column in columns if _numbers_rows(name, column)]
    as_text = read_as_text(view.config, view.dataset.samples)
    for name, texts in text_columns(view.dataset.samples):
        if name in as_text or not may_differ_in_nearly_every_row(texts):
            continue
        words = [text for text in texts if text is not None]
        if len(set(words)) < NEARLY_ALL * n:
            continue
        # Names or codes rather than sentences.
        if float(np.mean([len(text.split()) for text in words[:100]])) <= 3:
            found.append(name)
    # Times differ in every row too, and DL109 says what to do with them.
    found = [name for name in found if name != time]
    if found:
        have = "has" if len(found) == 1 else "have"
        yield Finding(
            f"{first_few(found)} {have} a different value in nearly every row",
            DATASET,
            drop_columns(view.config, found),
            on_key=True,
        )


def _numbers_rows(name: str, column: Array) -> bool:
    """Whether whole numbers run on from row to row, in whatever order, or are named so."""
    if not len(column) or not may_differ_in_nearly_every_row(column):
        return False
    if column.dtype.kind not in "iu" and not (column == np.floor(column)).all():
        return False
    values = np.unique(column).astype(np.float64)
    if _NAMES_OF_IDENTIFIERS.search(name) and len(values) > len(column) / 2:
        return True
    if len(values) < NEARLY_ALL * len(column):
        return False
    dense = len(values) >= NEARLY_ALL * (values[-1] - values[0] + 1)
    return dense or bool((np.diff(column.astype(np.float64)) > 0).all())


_MANY_COLUMNS = 32


@check(
    "DL117",
    severity="note",
    why="a constant says nothing, and `standardize` cannot divide by its deviation",
    source="scikit-learn, VarianceThreshold",
    instead="leave the column out",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # unit and version never change
    preprocess: [one_hot]
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, drop: [unit, version]}
    """,
)
def constant_column(view: DataView) -> Iterator[Finding]:
    """A column with a single value in all training rows. If there are more than 32 columns, those
    that are 0 everywhere, such as pixels and counts, are not reported."""
    columns = [*numeric_columns(view.train), *text_columns(view.train)]
    many = len(columns) > _MANY_COLUMNS
    found = []
    for name, column in columns:
        first = column[0]
        if bool((column == first).all()) and not (many and first == 0):
            found.append(name)
    if found and len(view.train) > 1:
        have = "has" if len(found) == 1 else "have"
        yield Finding(
            f"{first_few(found)} {have} the same value in all training rows",
            DATASET,
            drop_columns(view.config, found),
            on_key=True,
        )


_BETWEEN_LABELS = ("|", ";", ",")


@check(
    "DL132",
    why="every combination of labels becomes a class of its own, and what they share is lost",
    source=BOOK + "4.5",
    instead="name the separator in `split`, and give the last layer a sigmoid unit for each label",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # red|green, green, red|blue
    preprocess: [standardize]
    architecture: {layers: [{Dense: 16}, {Dense: {units: 4, activation: softmax}}]}
    loss: sparse_categorical_crossentropy
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, split: {y: "|"}}
    preprocess: [standardize]
    architecture: {layers: [{Dense: 16}, {Dense: {units: 3, activation: sigmoid}}]}
    loss: binary_crossentropy
    """,
)
def labels_in_one_field(view: DataView) -> Iterator[Finding]:
    """Classes that are combinations of the same few labels."""
    if not hasattr(view.config.dataset, "split"):
        return
    for name, column in view.dataset.samples.targets.items():
        classes = view.dataset.classes.get(name, ())
        if column.dtype != object or len(classes) < _FEWEST_CLASSES:
            continue
        for mark in _BETWEEN_LABELS:
            parts = {part.strip() for text in classes for part in text.split(mark)}
            several = sum(mark in text for text in classes)
            if several >= len(classes) / 3 and len(parts) < len(classes):
                yield Finding(
                    f"the classes of '{name}' look like several labels in one field, such as "
                    f"'{next(text for text in classes if mark in text)}'",
                    DATASET,
                    put(("dataset", "split"), {name: mark}),
                    on_key=True,
                )
                break


_FEWEST_CLASSES = 3
_OF_CATEGORIES = ("one_hot", "ordinal")


@check(
    "DL124",
    why="nearly every text is a category of its own, so the model learns nothing from its words",
    source=BOOK + "6.1",
    instead="encode it with the step `text`, as word numbers or vectors",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # a review and its kind
    preprocess: [one_hot]
    """,
    fix="""
    preprocess: [{text: {columns: [review], output: multi_hot}}, one_hot]
    """,
)
def text_as_categories(view: DataView) -> Iterator[Finding]:
    """A column of sentences that is encoded as categories."""
    sentences = {name for name, texts in text_columns(view.dataset.samples) if are_sentences(texts)}
    for step in view.config.preprocess:
        columns = getattr(step, "columns", None)
        if step.member_name() == "text":
            sentences -= sentences if columns is None else set(columns)
        if step.member_name() in _OF_CATEGORIES:
            found = [n for n in sorted(sentences) if columns is None or n in columns]
            if found:
                hold = "holds" if len(found) == 1 else "hold"
                yield Finding(
                    f"{first_few(found)} {hold} sentences, which {step.member_name()} treats as "
                    "categories",
                    preprocess_place(view.config),
                    on_key=True,
                )
            sentences -= set(found)
