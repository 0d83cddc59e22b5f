"""Splits are disjoint, cover everything, keep groups and time apart, and are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
)

from dlrun.data.row_info import RowInfo
from dlrun.data.splits import holdout_split, kfold_splits, time_series_splits
from dlrun.errors import DataError

seeds = st.integers(0, 2**32 - 1)


@st.composite
def labelled(draw: st.DrawFn) -> tuple[RowInfo, int]:
    """Rows of 2 to 4 classes, and a number of folds that every class has rows for."""
    folds = draw(st.integers(2, 5))
    counts = draw(st.lists(st.integers(folds, 20), min_size=2, max_size=4))
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.default_rng(draw(seeds)).permutation(labels)
    return RowInfo(n=len(labels), labels=labels, seed=draw(seeds)), folds


@st.composite
def timed(draw: st.DrawFn) -> RowInfo:
    time = np.asarray(draw(st.lists(st.integers(0, 30), min_size=12, max_size=60)))
    assume(len(np.unique(time)) >= 8)
    return RowInfo(n=len(time), time=time, seed=draw(seeds))


def assert_partition(deal: RowInfo, splits: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Every row is validated once, and trained on in all other folds."""
    everything = np.arange(deal.n)
    np.testing.assert_array_equal(np.sort(np.concatenate([v for _, v in splits])), everything)
    for train, validation in splits:
        assert train.dtype == validation.dtype == np.int64
        assert len(validation) > 0
        np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), everything)


def assert_same(splits: list[tuple[np.ndarray, np.ndarray]], theirs: object) -> None:
    for (train, validation), (their_train, their_validation) in zip(
        splits,
        theirs,
        strict=True,
    ):
        np.testing.assert_array_equal(train, np.sort(their_train))
        np.testing.assert_array_equal(validation, np.sort(their_validation))


@given(st.integers(2, 80), st.integers(2, 10), seeds, st.booleans())
def test_plain_folds_are_those_of_scikit_learn(n: int, folds: int, seed: int, shuffle: bool):
    assume(folds <= n)
    deal = RowInfo(n=n, seed=seed)
    splits = kfold_splits(deal, folds, shuffle=shuffle)
    assert_partition(deal, splits)
    theirs = KFold(folds, shuffle=shuffle, random_state=seed if shuffle else None)
    assert_same(splits, theirs.split(np.zeros(n)))


@given(st.integers(1, 12), st.integers(2, 8))
def test_contiguous_folds_are_the_books_where_the_folds_divide_the_rows(size: int, folds: int):
    n = size * folds
    splits = kfold_splits(RowInfo(n=n), folds, shuffle=False)
    for i, (_, validation) in enumerate(splits):
        # Deep Learning with Python, listing 3.56.
        num_val_samples = n // folds
        book = np.arange(n)[i * num_val_samples : (i + 1) * num_val_samples]
        np.testing.assert_array_equal(validation, book)


@given(labelled())
def test_stratified_folds_keep_the_class_shares(case: tuple[RowInfo, int]):
    deal, folds = case
    splits = kfold_splits(deal, folds)
    assert_partition(deal, splits)
    theirs = StratifiedKFold(folds, shuffle=True, random_state=deal.seed)
    assert_same(splits, theirs.split(np.zeros(deal.n), deal.labels))
    for label in np.unique(deal.labels):
        counts = [int((deal.labels[validation] == label).sum()) for _, validation in splits]
        assert max(counts) - min(counts) <= 1


@given(st.lists(st.integers(1, 9), min_size=2, max_size=8), st.floats(0.05, 0.9), seeds)
def test_without_shuffling_the_groups_that_begin_last_are_held_out(sizes, fraction, seed):
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    begins = [int(np.flatnonzero(groups == group)[0]) for group in range(len(sizes))]
    train, held_out = holdout_split(
        RowInfo(n=len(groups), groups=groups),
        samples=max(1, int(fraction * len(groups) * 0.9)),
        shuffle=False,
    )
    asked = max(1, int(fraction * len(groups) * 0.9))
    trained, later = set(groups[train]), set(groups[held_out])
    assert not trained & later
    assert max(begins[group] for group in trained) < min(begins[group] for group in later)
    # No other number of groups comes nearer.
    latest = sorted(range(len(sizes)), key=lambda group: -begins[group])
    counts = [sum(sizes[group] for group in latest[:k]) for k in range(1, len(sizes))]
    assert abs(len(held_out) - asked) == min(abs(count - asked) for count in counts)


@given(st.integers(2, 200), st.floats(0.01, 0.9), seeds)
def test_a_hold_out_is_that_of_scikit_learn(n: int, fraction: float, seed: int):
    held_out = int(np.ceil(fraction * n - 1e-9))
    assume(held_out < n)
    train, validation = holdout_split(RowInfo(n=n, seed=seed), fraction=fraction)
    assert_partition(RowInfo(n=n), [(train, validation), (validation, train)])
    assert len(validation) == held_out
    theirs = ShuffleSplit(1, test_size=held_out, random_state=seed)
    assert_same([(train, validation)], theirs.split(np.zeros(n)))
    again = holdout_split(RowInfo(n=n, seed=seed), samples=held_out)
    assert_same([again], [(train, validation)])


@given(labelled(), st.floats(0.2, 0.8))
def test_a_stratified_hold_out_keeps_the_class_shares(case: tuple[RowInfo, int], fraction: float):
    deal, _ = case
    classes, counts = np.unique(deal.labels, return_counts=True)
    held_out = int(np.ceil(fraction * deal.n - 1e-9))
    assume(len(classes) <= held_out <= deal.n - len(classes))
    train, validation = holdout_split(deal, fraction=fraction)
    theirs = StratifiedShuffleSplit(1, test_size=held_out, random_state=deal.seed)
    assert_same([(train, validation)], theirs.split(np.zeros(deal.n), deal.labels))
    for label, count in zip(classes, counts, strict=True):
        found = int((deal.labels[validation] == label).sum())
        assert abs(found - count * held_out / deal.n) <= 1


@given(timed(), st.floats(0.05, 0.8))
def test_a_hold_out_in_time_is_the_last_stretch(deal: RowInfo, fraction: float):
    held_out = int(np.ceil(fraction * deal.n - 1e-9))
    train, validation = holdout_split(deal, fraction=fraction)
    assert_partition(RowInfo(n=deal.n), [(train, validation), (validation, train)])
    assert deal.time[train].max() < deal.time[validation].min()
    # The cut moves no further than the rows that share one time.
    begin = np.sort(deal.time)[deal.n - held_out]
    assert abs(len(validation) - held_out) <= (deal.time == begin).sum()


@given(timed(), st.integers(2, 3), st.integers(0, 2), st.none() | st.integers(1, 20))
def test_forward_chaining_never_trains_on_the_future(
    deal: RowInfo, folds: int, gap: int, max_train: int | None
):
    begin = deal.n - folds * (deal.n // (folds + 1))
    assume(begin > gap)
    assume(deal.time.min() < np.sort(deal.time)[begin])
    splits = time_series_splits(deal, folds, gap=gap, max_train=max_train)
    assert len(splits) == folds
    for train, validation in splits:
        assert deal.time[train].max() < deal.time[validation].min()
        assert len(validation) == deal.n // (folds + 1)
        past = deal.time < deal.time[validation].min()
        assert len(train) <= past.sum()
        assert len(train) >= min(max_train or deal.n, past.sum() - gap)
        assert max_train is None or len(train) <= max_train
    validated = np.concatenate([validation for _, validation in splits])
    assert len(set(validated)) == len(validated)


@given(
    st.integers(12, 80),
    st.integers(2, 4),
    st.integers(0, 2),
    st.none() | st.integers(1, 20),
    seeds,
)
def test_forward_chaining_is_that_of_scikit_learn(
    n: int, folds: int, gap: int, max_train: int | None, seed: int
):
    theirs = TimeSeriesSplit(folds, gap=gap, max_train_size=max_train)
    in_order = time_series_splits(RowInfo(n=n), folds, gap=gap, max_train=max_train)
    assert_same(in_order, theirs.split(np.zeros(n)))
    time = np.random.default_rng(seed).permutation(n)
    shuffled = time_series_splits(RowInfo(n=n, time=time), folds, gap=gap, max_train=max_train)
    for (train, validation), (their_train, their_validation) in zip(
        shuffled, theirs.split(np.zeros(n)), strict=True
    ):
        np.testing.assert_array_equal(np.sort(time[train]), their_train)
        np.testing.assert_array_equal(np.sort(time[validation]), their_validation)


def test_the_first_rows_are_the_books_hold_out():
    train, validation = holdout_split(RowInfo(n=10), first=3)
    assert validation.tolist() == [0, 1, 2]
    assert train.tolist() == [3, 4, 5, 6, 7, 8, 9]


def test_without_shuffling_the_last_rows_are_held_out():
    train, validation = holdout_split(RowInfo(n=10), fraction=0.25, shuffle=False)
    assert train.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert validation.tolist() == [7, 8, 9]


@given(st.integers(4, 20), st.integers(4, 20), st.integers(1, 3), st.floats(0.1, 0.8), seeds)
def test_the_other_classes_keep_their_shares_beside_rare_ones(
    many: int, some: int, single: int, fraction: float, seed: int
):
    """Classes of one row are trained on, and never held out alone."""
    counts = [many, some, *[1] * single]
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    deal = RowInfo(n=len(labels), labels=labels, seed=seed)
    held_out = int(np.ceil(fraction * deal.n - 1e-9))
    assume(2 <= held_out <= many + some - 2)
    train, validation = holdout_split(deal, fraction=fraction)
    assert len(validation) == held_out
    assert {*range(2, len(counts))} <= {*labels[train]}
    for label, count in enumerate(counts[:2]):
        left = (many + some - held_out) * count / (many + some)
        assert label in labels[train] or left < 1
        share = held_out * count / (many + some)
        assert abs((labels[validation] == label).sum() - share) <= 1


@given(st.lists(st.integers(1, 12), min_size=2, max_size=6), st.integers(2, 6), seeds)
def test_folds_keep_the_shares_of_all_classes_also_of_rare_ones(
    counts: list[int], folds: int, seed: int
):
    assume(max(counts) >= folds)
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    deal = RowInfo(n=len(labels), labels=labels, seed=seed)
    splits = kfold_splits(deal, folds)
    assert_partition(deal, splits)
    for label, count in enumerate(counts):
        found = [int((labels[validation] == label).sum()) for _, validation in splits]
        # Rows of a class with at least two are always trained on too where one is scored.
        assert {count // folds, -(-count // folds)} >= set(found)


LABELS = np.asarray(["cat"] * 6 + ["dog"] * 3 + ["emu"])
GROUPS = np.asarray(["a"] * 4 + ["b"] * 3 + ["c"] * 3)
IMPOSSIBLE = [
    (
        lambda: kfold_splits(RowInfo(n=3), 5),
        "5 folds need at least 5 rows; there are 3",
    ),
    (
        lambda: kfold_splits(RowInfo(n=10, groups=GROUPS), 5),
        "5 folds need at least 5 groups; there are 3",
    ),
    (
        lambda: kfold_splits(RowInfo(n=10, labels=LABELS), 3, stratify=True),
        "3 stratified folds: at least 3 rows of each class are needed; class 'emu' has 1; add "
        "rows, leave the class out, or say `stratify: false`",
    ),
    (
        lambda: kfold_splits(RowInfo(n=10), 3, stratify=True),
        "3 stratified folds need classes; there are none, so leave out `stratify`",
    ),
    (
        lambda: kfold_splits(RowInfo(n=10, time=np.arange(10)), 3),
        "3 folds would train on the future of rows that have a time; use the protocol "
        "`time_series`, or leave out `time`",
    ),
    (
        lambda: holdout_split(RowInfo(n=10), samples=10),
        "10 of 10 rows cannot be held out; at least one row must be held out, and one left to "
        "train on",
    ),
    (
        lambda: holdout_split(RowInfo(n=10), first=12),
        "12 of 10 rows cannot be held out; at least one row must be held out, and one left to "
        "train on",
    ),
    (
        lambda: holdout_split(RowInfo(n=10, labels=LABELS), samples=3, stratify=True),
        "a stratified hold-out of 3 rows: at least 2 rows of each class are needed; class 'emu' "
        "has 1; add rows, leave the class out, or say `stratify: false`",
    ),
    (
        lambda: holdout_split(RowInfo(n=9, labels=LABELS[:9]), samples=1, stratify=True),
        "a stratified hold-out of 1 rows from 9 needs a row of each of the 2 classes on both "
        "sides; hold out more rows, or say `stratify: false`",
    ),
    (
        lambda: holdout_split(RowInfo(n=4, groups=GROUPS[:4]), samples=1),
        "a hold-out of whole groups needs at least 2 groups; there is 1",
    ),
    (
        lambda: holdout_split(RowInfo(n=10, groups=GROUPS), first=5),
        "a hold-out of the first 5 rows splits the group 'b'; use `fraction`, or leave out "
        "`groups`",
    ),
    (
        lambda: holdout_split(RowInfo(n=10, time=np.arange(10)), first=5),
        "the first rows cannot come after the others in time; leave out `first`",
    ),
    (
        lambda: holdout_split(RowInfo(n=10, time=np.zeros(10)), samples=5),
        "all 10 rows have the same time, 0.0; no row comes after another",
    ),
    (
        lambda: holdout_split(RowInfo(n=10, time=np.arange(10), groups=GROUPS), samples=5),
        "a split in time order cannot keep groups together; leave out `groups`",
    ),
    (
        lambda: holdout_split(RowInfo(n=10, labels=LABELS), first=5, stratify=True),
        "which rows are held out is fixed by `first`, by time or by `shuffle: false`; leave out "
        "`stratify`",
    ),
    (
        lambda: time_series_splits(RowInfo(n=10), 5, gap=5),
        "5 folds in time order with a gap of 5 rows leave nothing to train on; there are 10 "
        "rows, and 36 would be enough",
    ),
    (
        lambda: time_series_splits(RowInfo(n=9, time=np.asarray([1] * 8 + [2])), 2),
        "fold 1 of 2 has nothing to train on: no row comes before 1, where its validation "
        "begins; use fewer folds",
    ),
]


@pytest.mark.parametrize(("deal", "message"), IMPOSSIBLE, ids=[text[:40] for _, text in IMPOSSIBLE])
def test_impossible_requests_are_refused_with_figures(deal, message):
    with pytest.raises(DataError) as error:
        deal()
    assert str(error.value) == message
