"""Repeated rows, and what reading and preparing the rows reported."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import DATASET, as_codes, preprocess_place, read_as_text
from dlrun.checks.duplicates import exact_hashes, near_hashes
from dlrun.checks.finding import Finding
from dlrun.checks.subjects.columns import NEARLY_ALL
from dlrun.checks.views import DataView, ModelView
from dlrun.data.samples import MOST_NAMED, Array, Columns, kind_of
from dlrun.text import first_few


@dataclass(frozen=True)
class Shared:
    """Scored rows that are also among the training rows of the same fold.

    Args:
        count: How many.
        scored: How many rows are scored in all.
        pairs: Where the first few are, each with where a training row is.
        numbered: Whether that is by numbers, counted from 0.
    """

    count: int
    scored: int
    pairs: tuple[tuple[str, str], ...]
    numbered: bool

    def text(self, how: str) -> str:
        """The finding as a sentence."""
        pairs = (f"{row} ({other})" for row, other in self.pairs)
        are = "is" if self.count == 1 else "are"
        return (
            f"{self.count:,} of {self.scored:,} scored rows {are} {how} a training row "
            f"(in brackets): {first_few(pairs, MOST_NAMED, self.count)}"
            f"{', counted from 0' if self.numbered else ''}"
        )


def expected_by_chance(features: Columns, rows: int) -> float:
    """Return how many of a hundred rows are expected to have an equal one among `rows` others,
    if columns are independent; 0 where one column makes every row unique.

    Args:
        features: The columns of rows that are all different.
        rows: Among how many.
    """
    same = 1.0
    for column in features.values():
        if column.ndim > 1 or kind_of(column) == "sequences" or len(column) < 2:
            return 0.0
        counts = np.bincount(as_codes(column)).astype(np.float64)
        same *= float((counts * (counts - 1)).sum()) / (len(column) * (len(column) - 1))
    return 100 * -math.expm1(-rows * same)


def shared_rows(
    view: DataView, hashes: Array, but: Array | None = None, *, with_targets: bool = False
) -> Shared | None:
    """Return the rows whose hash a training row of their fold has too; None where there are none.

    Args:
        view: The hashed rows and the folds.
        hashes: (n,) of the hashed rows.
        but: (n,) other hashes; rows that have one in common are left out.
        with_targets: Whether the rows were hashed with their targets.

    Coarse columns make rows equal by chance: up to three times that many are ignored.
    """
    found: dict[int, int] = {}
    ordered = np.sort(hashes)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(repeated):
        return None
    is_repeated = np.isin(hashes, repeated)
    scored_rows = 0
    for train, scored in view.hashed_folds():
        scored_rows += len(scored)
        train, scored = train[is_repeated[train]], scored[is_repeated[scored]]
        twins = scored[np.isin(hashes[scored], hashes[train])]
        if but is not None and len(twins):
            # A row that shares the other hash with a training row shares this one with it, too.
            twins = twins[~np.isin(but[twins], but[train])]
        if not len(twins):
            continue
        by_hash = dict(zip(hashes[train].tolist(), train.tolist(), strict=True))
        for twin in twins.tolist():
            found.setdefault(twin, by_hash[int(hashes[twin])])
    if not found:
        return None
    columns = dict(view.hashed.features)
    if with_targets and view.task == "regression":
        # Classes may follow from the features, so that they make equal rows no rarer.
        columns |= {f"target {name}": column for name, column in view.hashed.targets.items()}
    different = np.unique(hashes, return_index=True)[1]
    columns = {name: column[different] for name, column in columns.items()}
    chance = expected_by_chance(columns, len(view.folds[0].train))
    if 100 * len(found) / scored_rows <= 3 * chance:
        return None
    first = np.asarray(sorted(found.items())[: MOST_NAMED + 1])
    places = view.hashed.places_of(first.reshape(-1))
    shown = [str(row) for row in view.hashed.rows[first.reshape(-1)]] if places is None else places
    pairs = tuple(zip(shown[::2], shown[1::2], strict=True))
    return Shared(len(found), scored_rows, pairs, places is None)


_OF_IDENTIFIERS = re.compile(r"column '(.+)' holds (\d+) different texts in (\d+) rows")
"""A finding of tables about texts; DL115 says more about them."""

_OF_FILES = re.compile(r"\bfiles? of other endings\b")

_ABOUT_FILES = "ignore this if these files are not examples; otherwise save them in another format"


@check(
    "DL101",
    severity="note",
    why="seen while the data was read",
    source="the data source",
    instead="check that this is intended",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # y is 1, 2 or 3
    architecture: {layers: [{Dense: {units: 4, activation: softmax}}]}
    loss: sparse_categorical_crossentropy
    """,
    fix="""
    preprocess: [{targets: label_index}]
    architecture: {layers: [{Dense: {units: 3, activation: softmax}}]}
    """,
)
def reported_by_source(view: DataView) -> Iterator[Finding]:
    """What the source reported while it read the data, such as a class that appears once."""
    as_text = read_as_text(view.config, view.dataset.samples)
    for text in view.dataset.findings:
        match = _OF_IDENTIFIERS.search(text)
        if match and int(match[2]) >= NEARLY_ALL * int(match[3]):
            continue
        if match and match[1] in as_text:
            continue
        files = _OF_FILES.search(text)
        yield Finding(text, DATASET, advice=_ABOUT_FILES if files else None, on_key=True)


@check(
    "DL106",
    why="the model has seen these rows, so their score says nothing about new ones",
    source=BOOK + "4.2.2",
    instead="remove the repeated rows, or name the column that they share in `evaluation.groups`",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # some houses are listed twice
    preprocess: [standardize]
    """,
    fix="""
    evaluation: {groups: house}
    """,
)
def duplicate_rows(view: DataView) -> Iterator[Finding]:
    """Scored rows that also occur among the training rows, with the same target. The score on the
    other rows then stands beside that on all."""
    # Equal features with another target are another case rather than a repeated row.
    columns = {f"target {name}": column for name, column in view.hashed.targets.items()}
    hashes = exact_hashes({"features": view.feature_hashes, **columns})
    shared = shared_rows(view, hashes, with_targets=True)
    if shared is not None:
        # A later day may be like an earlier one without being a copy of it.
        in_time = getattr(view.config.evaluation.protocol, "time", None) is not None
        mild = in_time or shared.count < 0.05 * shared.scored
        text = shared.text("the same as") + (", at another time" if in_time else "")
        yield Finding(text, DATASET, on_key=True, severity="note" if mild else None)


@check(
    "DL107",
    why="for a row it has nearly seen, a model need not have learnt anything",
    source=BOOK + "4.2.2",
    instead="find out what these rows have in common, and name that column in `evaluation.groups`",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # every piece is measured twice
    preprocess: [standardize]
    """,
    fix="""
    evaluation: {groups: piece}
    """,
)
def near_duplicates(view: DataView) -> Iterator[Finding]:
    """Scored rows that are nearly the same as a training row: numbers within a hundredth of their
    standard deviation."""
    near = near_hashes(view.hashed.features)
    if near is None:
        return
    shared = shared_rows(view, near, but=view.feature_hashes)
    if shared is not None:
        rare = shared.count < 0.05 * shared.scored
        text = shared.text("nearly the same as")
        yield Finding(text, DATASET, on_key=True, severity="note" if rare else None)


@check(
    "DL202",
    severity="note",
    why="seen while the training rows were prepared",
    source="the preprocessing steps",
    instead="look at these rows",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # reviews of 9 words
    preprocess: [{text: {output: sequence, length: 4}}]
    architecture:
      layers:
        - Embedding: {input_dim: 20000, output_dim: 8}
        - GlobalAveragePooling1D
        - Dense: {units: 1, activation: sigmoid}
    """,
    fix="""
    preprocess: [{text: {output: sequence, length: 9}}]
    """,
)
def reported_by_steps(view: ModelView) -> Iterator[Finding]:
    """What the preprocessing reported about the training rows, such as texts that were cut."""
    for text in view.findings:
        yield Finding(text, preprocess_place(view.config), on_key=True)
