"""Rows that stand among the training rows and among those that give the score."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlrun.checks.columns import as_codes
from dlrun.checks.views import DataView
from dlrun.data.samples import Array, Columns, kind_of
from dlrun.text import counted, first_few


@dataclass(frozen=True)
class Shared:
    """Rows that are scored, and stand among the training rows of the same fold too.

    Args:
        count: How many.
        scored: How many rows are scored in all.
        pairs: Numbers of the first few, each with that of a training row, in the source.
    """

    count: int
    scored: int
    pairs: tuple[tuple[int, int], ...]

    def text(self, how: str) -> str:
        """The finding as a sentence."""
        shown = first_few(f"{row} ({other})" for row, other in self.pairs)
        are = "is" if self.count == 1 else "are"
        return (
            f"{counted(self.count, 'row')} of {self.scored:,} that give the score {are} {how} a "
            f"training row (in brackets): {shown}, counted from 0"
        )


def expected_by_chance(features: Columns, rows: int) -> float:
    """Return for how many of a hundred rows an equal one is to be expected among `rows` others,
    where columns are coarse and independent; 0 where a column of its own tells rows apart.
    """
    same = 1.0
    for column in features.values():
        if column.ndim > 1 or kind_of(column) == "sequences":
            return 0.0
        shares = np.bincount(as_codes(column)) / len(column)
        if len(shares) > len(column) / 4:
            return 0.0
        same *= float((shares**2).sum())
    return 100 * -math.expm1(-rows * same)


def shared_rows(
    view: DataView, hashes: Array, but: Array | None = None, *, with_targets: bool = False
) -> Shared | None:
    """Return the rows whose hash a training row of their fold has too; None where there are none.

    Args:
        view: Says which rows were hashed, and how they are dealt.
        hashes: (n,) of the hashed rows.
        but: (n,) other hashes; rows that have one in common are left out.
        with_targets: Whether the rows were hashed with their targets.

    Coarse columns make rows equal by chance: up to three times as many as that are passed over.
    """
    positions = view.hashed_positions
    place = np.full(len(view.dataset.samples), -1, np.int64)
    place[positions] = np.arange(len(positions))
    found: dict[int, int] = {}
    scored_rows = 0
    for fold in view.folds:
        if fold.scored is None:
            continue
        train, scored = (p[p >= 0] for p in (place[fold.train], place[fold.scored]))
        scored_rows += len(scored)
        twins = scored[np.isin(hashes[scored], hashes[train])]
        if but is not None and len(twins):
            twins = twins[~np.isin(but[twins], but[train])]
        if not len(twins):
            continue
        by_hash = dict(zip(hashes[train].tolist(), train.tolist(), strict=True))
        for twin in twins.tolist():
            found.setdefault(twin, by_hash[int(hashes[twin])])
    if not found:
        return None
    columns = dict(view.hashed.features)
    if with_targets and view.dataset.task == "regression":
        # Classes may follow from the features, so that they make equal rows no rarer.
        columns |= {f"target {name}": column for name, column in view.hashed.targets.items()}
    chance = expected_by_chance(columns, len(view.folds[0].train))
    if 100 * len(found) / scored_rows <= 3 * chance:
        return None
    rows = view.dataset.samples.rows[positions]
    pairs = tuple((int(rows[a]), int(rows[b])) for a, b in sorted(found.items()))
    return Shared(len(pairs), scored_rows, pairs)
