"""Whole groups are dealt to parts of the sizes asked for, as far as any other deal could."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dlrun.data.row_info import RowInfo
from dlrun.data.splits import holdout_split, kfold_splits

seeds = st.integers(0, 2**32 - 1)


@st.composite
def grouped(draw: st.DrawFn, most_groups: int = 30, largest: int = 20) -> RowInfo:
    """Rows in groups of any size, in any order, with classes that groups differ in, or none."""
    sizes = draw(st.lists(st.integers(1, largest), min_size=3, max_size=most_groups))
    random = np.random.default_rng(draw(seeds))
    groups = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    labels = None
    if draw(st.booleans()):
        classes = draw(st.integers(2, 4))
        likely = random.integers(0, classes, len(sizes))[groups]
        anything = random.integers(0, classes, len(groups))
        labels = np.where(random.random(len(groups)) < 0.6, likely, anything)
    return RowInfo(n=len(groups), groups=groups, labels=labels, seed=draw(seeds))


def sizes_of(rows: RowInfo, positions: np.ndarray) -> np.ndarray:
    """The sizes of the groups that these rows are of."""
    return np.unique(rows.groups[positions], return_counts=True)[1]


def groups_of_one_class(rows: RowInfo) -> list[int]:
    """The groups that hold every row of some class."""
    groups = [set(rows.groups[rows.labels == label]) for label in np.unique(rows.labels)]
    return [group for some in groups if len(some) == 1 for group in some]


def assert_whole(rows: RowInfo, splits: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Both sides hold whole groups, every row once, and none is empty."""
    for train, validation in splits:
        assert len(train)
        assert len(validation)
        assert train.dtype == validation.dtype == np.int64
        assert not set(rows.groups[train]) & set(rows.groups[validation])
        both = np.sort(np.concatenate([train, validation]))
        np.testing.assert_array_equal(both, np.arange(rows.n))


@given(grouped(), st.floats(0.05, 0.95))
def test_a_hold_out_is_off_by_no_more_than_half_of_a_group(rows: RowInfo, fraction: float) -> None:
    held_out = int(np.ceil(fraction * rows.n - 1e-9))
    assume(0 < held_out < rows.n)
    train, validation = holdout_split(rows, fraction=fraction)
    assert_whole(rows, [(train, validation)])
    again = holdout_split(rows, samples=held_out)
    np.testing.assert_array_equal(again[1], validation)
    # What one more group, or one less, would bring nearer is not left undone.
    over = len(validation) - held_out
    if over < 0 and rows.labels is not None:
        # Only groups with a class that no other has stay behind.
        train = train[~np.isin(rows.groups[train], groups_of_one_class(rows))]
    side = sizes_of(rows, validation if over > 0 else train)
    if not len(side):
        return
    near = np.median(np.unique(rows.groups, return_counts=True)[1]) / 2
    bound = side[0] if len(side) == 1 else side.min() / 2
    assert abs(over) <= max(bound, near if rows.labels is not None else 0)


@given(grouped(most_groups=8, largest=9), st.floats(0.1, 0.9))
def test_a_hold_out_of_few_groups_is_near_the_best_of_all_choices(
    rows: RowInfo, fraction: float
) -> None:
    rows = RowInfo(n=rows.n, groups=rows.groups, seed=rows.seed)
    held_out = int(np.ceil(fraction * rows.n - 1e-9))
    assume(0 < held_out < rows.n)
    _, validation = holdout_split(rows, fraction=fraction)
    sizes = sizes_of(rows, np.arange(rows.n))
    chosen = itertools.product([0, 1], repeat=len(sizes))
    sums = {int(np.dot(choice, sizes)) for choice in chosen} - {0, rows.n}
    assert len(validation) in sums
    best = min(abs(one - held_out) for one in sums)
    assert abs(len(validation) - held_out) <= max(best, sizes.max() / 2)


@given(grouped(), st.integers(2, 5), st.booleans())
def test_folds_of_groups_have_as_many_rows_as_the_largest_first_deal(
    rows: RowInfo, folds: int, shuffle: bool
) -> None:
    sizes = np.sort(sizes_of(rows, np.arange(rows.n)))
    assume(len(sizes) >= folds)
    splits = kfold_splits(rows, folds, shuffle=shuffle)
    assert_whole(rows, splits)
    scored = np.sort(np.concatenate([validation for _, validation in splits]))
    np.testing.assert_array_equal(scored, np.arange(rows.n))
    filled = [len(validation) for _, validation in splits]
    greedy = np.zeros(folds)
    for size in sizes[::-1]:
        greedy[greedy.argmin()] += size
    near = np.median(sizes) if rows.labels is not None and shuffle else 0
    # No group that is smaller than the difference could go from the fullest fold to the emptiest.
    fullest = sizes_of(rows, splits[int(np.argmax(filled))][1])
    near = max(near, fullest.min())
    assert max(filled) - min(filled) <= max(np.ptp(greedy) + sizes[0], near)
    again = kfold_splits(rows, folds, shuffle=shuffle)
    for (_, one), (_, other) in zip(splits, again, strict=True):
        np.testing.assert_array_equal(one, other)


@given(grouped(), st.floats(0.05, 0.5))
def test_a_class_of_one_group_is_trained_on_where_others_can_be_held_out(
    rows: RowInfo, fraction: float
) -> None:
    labels = np.where(rows.groups == rows.groups[0], 2, rows.groups % 2)
    rows = RowInfo(n=rows.n, groups=rows.groups, labels=labels, seed=rows.seed)
    held_out = int(np.ceil(fraction * rows.n - 1e-9))
    only = np.isin(rows.groups, groups_of_one_class(rows))
    assume(np.bincount(labels).max() > 1)
    assume(held_out <= (~only).sum())
    train, _ = holdout_split(rows, fraction=fraction)
    assert 2 in labels[train]


@pytest.mark.parametrize("rare", [False, True])
def test_shares_hold_for_every_seed(rare: bool) -> None:
    """Forty groups of 1 to 12 rows, and perhaps classes of a single row."""
    random = np.random.default_rng(5)
    sizes = np.resize(np.arange(1, 13), 40)
    groups = random.permutation(np.repeat(np.arange(40), sizes))
    labels = (groups % 3 == 0).astype(int)
    if rare:
        labels[[7, 90, 141]] = [2, 3, 4]
    different = set()
    for seed in range(12):
        rows = RowInfo(n=len(groups), groups=groups, labels=labels, seed=seed)
        train, validation = holdout_split(rows, fraction=0.2)
        assert abs(len(validation) - 0.2 * rows.n) <= 4
        assert abs((labels[validation] == 0).mean() - (labels == 0).mean()) < 0.06
        assert set(labels[train]) == set(labels)
        different.add(validation.tobytes())
        filled = [len(validation) for _, validation in kfold_splits(rows, 5)]
        assert max(filled) - min(filled) <= 7
    assert len(different) == 12


def test_one_large_group_is_held_out_only_where_it_comes_nearest() -> None:
    groups = np.asarray([0] * 91 + list(range(1, 10)))
    for seed in range(20):
        rows = RowInfo(n=100, groups=groups, seed=seed)
        assert len(holdout_split(rows, samples=5)[1]) == 5
        assert len(holdout_split(rows, samples=93)[1]) == 93
    two = RowInfo(n=100, groups=np.asarray([0] * 91 + [1] * 9), seed=3)
    assert len(holdout_split(two, samples=40)[1]) == 9


def test_classes_of_groups_are_shared_out_like_those_of_scikit_learn() -> None:
    """The chi-squared statistic of class counts by fold, beside StratifiedGroupKFold's."""
    from scipy.stats.contingency import chi2_contingency
    from sklearn.model_selection import StratifiedGroupKFold

    random = np.random.default_rng(2)
    groups = random.integers(0, 40, 400)
    labels = (random.random(400) < random.beta(1, 1, 40)[groups]).astype(int)
    ours, theirs = [], []
    for seed in range(4):
        rows = RowInfo(n=400, groups=groups, labels=labels, seed=seed)
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for splits, found in (
            (kfold_splits(rows, 5), ours),
            (splitter.split(labels, labels, groups), theirs),
        ):
            table = [np.bincount(labels[validation], minlength=2) for _, validation in splits]
            found.append(chi2_contingency(table).statistic)
    assert np.mean(ours) <= 1.25 * np.mean(theirs) + 0.5
