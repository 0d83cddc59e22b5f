"""Whole groups dealt to parts of given sizes: rows first, then classes.

Groups are dealt one after another to the part that lacks them most, and then moved and exchanged
while that brings the parts nearer to their sizes, or the classes nearer to their shares.

Legend: n rows, g groups, c classes, p parts.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from dlrun.data.samples import Array

_MOST_STEPS = 200
"""Moves and exchanges at most: where there are many groups, the first ones change the most."""

_MOST_EXCHANGED = 200
"""With more groups, moving single ones brings every part near enough to its size."""

_LEAST_GAIN = 1e-3
"""What a step has to gain where only classes gain by it, as a share of what is left to gain."""

_EPSILON = 1e-9


def deal_groups(
    groups: Array,
    sizes: Array,
    *,
    classes: Array | None = None,
    kept: Array | None = None,
    seed: int | None = None,
    exchange: bool = True,
) -> Array:
    """Return the part of each row, (n,) int64; no part is empty.

    Each part is within the size of one group of what was asked for: no single group can be moved
    so that the numbers of rows come nearer to `sizes`. With classes, a part that is off by half the
    median group is near enough, and within that the shares of the classes are brought as near to
    those of all rows as moves and exchanges can (by Pearson's chi-squared statistic).

    Args:
        groups: (n,) group of each row, at least p different ones.
        sizes: (p,) how many rows each part should get, n in all.
        classes: (n,) class of each row, or None where their shares do not matter.
        kept: (n,) bool, rows of which the groups stay in the last part; None for none.
        seed: Of the order in which groups are dealt; None: the largest ones first.
        exchange: Whether groups are also exchanged. Without that, more different deals are found.
    """
    codes = np.unique(groups, return_inverse=True)[1].reshape(-1)
    rows = np.bincount(codes)
    if seed is None:
        order = np.argsort(-rows, kind="stable")
    else:
        order = np.random.default_rng(seed).permutation(len(rows))
    # In the order in which they are dealt, so that none is preferred for its name.
    codes = np.argsort(order)[codes]
    free = np.ones(len(rows), bool)
    if kept is not None:
        free[codes[kept]] = False
    deal = _Deal(codes, np.asarray(sizes, np.float64), classes, free)
    for _ in range(_MOST_STEPS):
        deal.measure()
        if not deal.move() and not (exchange and deal.exchange()):
            break
    return deal.part[codes]


class _Deal:
    """Groups, and the parts that they are in.

    Attributes:
        part: (g,) int64, the part of each group.
    """

    def __init__(self, codes: Array, sizes: Array, classes: Array | None, free: Array) -> None:
        """Deal the groups in their order.

        Args:
            codes: (n,) number of each row's group, from 0.
            sizes: (p,) rows that each part should get.
            classes: (n,) class of each row, or None.
            free: (g,) bool, which groups may be in any part; the others are in the last one.
        """
        from scipy.sparse import csr_array

        labels = np.zeros(len(codes), np.int64)
        if classes is not None:
            labels = np.unique(classes, return_inverse=True)[1].reshape(-1)
        self.free = free
        self.sizes, self.rows = sizes, np.bincount(codes).astype(np.float64)
        self.counts = csr_array((np.ones(len(codes)), (codes, labels)))
        self.expected = np.outer(sizes, np.bincount(labels)) / len(codes)
        self.by_class = classes is not None
        self.weights = 1 / self.expected if self.by_class else np.zeros_like(self.expected)
        self.near_enough = float(np.median(self.rows)) / 2 if self.by_class else 0.0
        self.squares = self.counts.multiply(self.counts) @ self.weights.T
        self.part = self._dealt()

    def _dealt(self) -> Array:
        """Deal each group to the part that is least full of its rows and classes, and then one to
        each part that is empty."""
        begins, labels, counts = self.counts.indptr, self.counts.indices, self.counts.data
        base = self.squares + np.outer(self.rows**2, 1 / self.sizes)
        full, held = np.zeros(len(self.sizes)), np.zeros_like(self.expected)
        part = np.zeros(len(self.rows), np.int64)
        for group, rows in enumerate(self.rows):
            cost = base[group] + 2 * rows * full
            if self.by_class:
                place = slice(begins[group], begins[group + 1])
                own, of = counts[place], labels[place]
                cost += 2 * (held[:, of] @ own)
            part[group] = best = int(cost.argmin()) if self.free[group] else len(self.sizes) - 1
            full[best] += rows / self.sizes[best]
            if self.by_class:
                held[best, of] += own * self.weights[best, of]
        for empty in np.setdiff1d(np.arange(len(self.sizes)), part):
            part[np.where(self._may_leave(part), self.rows, np.inf).argmin()] = empty
        return part

    def measure(self) -> None:
        """Measure how far the parts are from their sizes, and what it would cost the classes to
        move a group to each part."""
        inside = np.equal.outer(self.part, np.arange(len(self.sizes))).astype(np.float64)
        self.over = inside.T @ self.rows - self.sizes
        excess = (self.counts.T @ inside).T - self.expected
        self.to_gain = float((excess**2 * self.weights).sum())
        linear = 2 * (self.counts @ (excess * self.weights).T)
        leaving = (self.squares - linear)[inside.astype(bool)]
        self.costs = leaving[:, None] + self.squares + linear

    def move(self) -> bool:
        """Move the group to another part that helps most; return whether any does."""
        other = self.part[:, None] != np.arange(len(self.sizes))
        group, to = np.nonzero(other & self._may_leave(self.part)[:, None])
        best = self._best(self.part[group], to, self.rows[group], self.costs[group, to])
        if best is not None:
            self.part[group[best]] = to[best]
        return best is not None

    def exchange(self) -> bool:
        """Exchange the two groups of different parts that helps most; return whether any does."""
        if len(self.rows) > _MOST_EXCHANGED:
            return False
        free = np.logical_and.outer(self.free, self.free)
        one, other = np.nonzero(np.triu(free & np.not_equal.outer(self.part, self.part)))
        here, there = self.part[one], self.part[other]
        costs = self.costs[one, there] + self.costs[other, here]
        if self.by_class:
            # Neither meets the other, as each would if it were moved alone.
            costs -= 2 * (self._shared[here, one, other] + self._shared[there, one, other])
        best = self._best(here, there, self.rows[one] - self.rows[other], costs)
        if best is not None:
            self.part[one[best]], self.part[other[best]] = there[best], here[best]
        return best is not None

    @cached_property
    def _shared(self) -> Array:
        """(p, g, g) what it costs that the classes of two groups meet in a part, halved."""
        counts = self.counts.toarray()
        return np.stack([(counts * weights) @ counts.T for weights in self.weights])

    def _best(self, here: Array, there: Array, rows: Array, costs: Array) -> int | None:
        """Return the number of the step to take, or None where none helps.

        Args:
            here: (s,) part that loses rows.
            there: (s,) part that gets them.
            rows: (s,) how many.
            costs: (s,) what it costs the classes.
        """
        if not len(rows):
            return None
        before = self._penalty(self.over)
        after = self._penalty(self.over[here] - rows) + self._penalty(self.over[there] + rows)
        gains = before[here] + before[there] - after
        helps_rows = gains.max() > _EPSILON
        best = np.flatnonzero(gains >= (gains.max() if helps_rows else 0.0) - _EPSILON)
        if not len(best):
            return None
        chosen = int(best[costs[best].argmin()])
        enough = costs[chosen] < -_LEAST_GAIN * self.to_gain - _EPSILON
        return chosen if helps_rows or enough else None

    def _penalty(self, over: Array) -> Array:
        """(s,) what parts cost that have so many rows more than they should."""
        return np.maximum(np.abs(over) - self.near_enough, 0) ** 2

    def _may_leave(self, part: Array) -> Array:
        """(g,) bool, which groups may leave their part: it must not become empty."""
        return self.free & (np.bincount(part)[part] > 1)
