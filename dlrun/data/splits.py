"""Splits into training and validation rows: pure functions over scikit-learn's splitters.

All functions return positions (int64, sorted, counted from 0 among the given rows), a pair of
training and validation positions for a split. They depend on the `RowInfo` and their options
alone. https://scikit-learn.org/stable/modules/cross_validation.html
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from dlrun.data.group_deals import deal_groups
from dlrun.data.row_info import RowInfo
from dlrun.data.samples import Array
from dlrun.errors import DataError, KeyPath

_GROUPS_IN_TIME = "a split in time order cannot keep groups together; leave out `groups`"
_GROUPS_OF_ONE_SERIES = (
    "a split in time order cannot keep groups together; leave out `groups`, or `time` under "
    "`evaluation`, and name the column of the series: `series` under `dataset`"
)

Split = tuple[Array, Array]
"""Training positions and validation positions, each (k,) int64 and sorted."""


@contextmanager
def errors_at(path: KeyPath, split: str = "") -> Iterator[None]:
    """Say in errors about a split where the config asks for it, and which one it is."""
    try:
        yield
    except DataError as error:
        named = f"{split}: {error}" if split else str(error)
        raise DataError(named, path=error.path or path) from error


def holdout_split(
    rows: RowInfo,
    *,
    fraction: float | None = None,
    samples: int | None = None,
    first: int | None = None,
    shuffle: bool = True,
    stratify: bool | None = None,
    loosely: bool = False,
) -> Split:
    """Hold rows out once. Exactly one of `fraction`, `samples` and `first` is given.

    Args:
        rows: The rows. With `time`, the last stretch is held out, and rows of one time stay
            together: the cut moves to before the rows that it would separate, or after them
            where nothing would be left to train on. Windows over a series are held out as rows
            with a time are, and training windows that share rows with them are left out; of
            several series, those too whose targets are not known when the first held-out window
            ends. With `groups`, whole groups are held out, so many rows that moving one more group
            would not bring their number nearer to the requested one.
        fraction: Share of the rows to hold out, rounded up to whole rows.
        samples: Number of rows to hold out.
        first: Hold out this many of the first rows (the book's `x_val = x_train[:first]`).
        shuffle: Whether rows are drawn at random; otherwise the last ones are held out, with
            `groups` the groups that begin last.
        stratify: Whether the held-out rows keep the class shares; None: where there are enough
            rows to hold out. A class with a single row is then trained on.
        loosely: Whether to find more different splits of groups; see `deal_groups`.

    Raises:
        DataError: The rows cannot be split like that; says why, with figures.
    """
    if stratify and (first is not None or rows.order is not None or not shuffle):
        raise DataError(
            "which rows are held out is fixed by `first`, by time or by `shuffle: false`; leave "
            "out `stratify`"
        )
    if first is not None:
        return _first_rows(rows, first)
    held_out = samples if samples is not None else math.ceil((fraction or 0) * rows.n - 1e-9)
    _refuse_too_many(rows, held_out)
    if rows.whole_series:
        _refuse_divided_series(rows)
    elif rows.order is not None:
        return _without_overlap(rows, *_last_stretch(rows, held_out))
    if rows.groups is not None:
        return _group_holdout(rows, held_out, shuffle, stratify, loosely)
    if not shuffle:
        return _split(rows, np.arange(rows.n - held_out, rows.n))
    return _random_holdout(rows, held_out, stratify)


def kfold_splits(
    rows: RowInfo,
    folds: int,
    *,
    shuffle: bool = True,
    stratify: bool | None = None,
    loosely: bool = False,
) -> list[Split]:
    """Cut the rows into `folds` parts; each is the validation rows of one split.

    Without shuffling, classes and groups the parts are contiguous. They are the book's
    (`data[i * size:(i + 1) * size]` with `size = n // folds`, listing 3.56) where `folds`
    divides n; otherwise the first `n % folds` parts hold one row more, where the book would
    never validate on the last rows.

    Args:
        rows: The rows; with `groups`, no group is on both sides of a split, and the parts differ
            in their numbers of rows as little as the groups permit.
        folds: Number of parts, at least 2.
        shuffle: Whether rows are put in a random order first.
        stratify: Whether every part keeps the class shares; None: where rows are shuffled. The rows
            of a class that has fewer of them than there are parts go to different parts.
        loosely: Whether to find more different splits of groups; see `deal_groups`.

    Raises:
        DataError: The rows cannot be split like that; says why, with figures.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    if rows.whole_series:
        _refuse_divided_series(rows)
    elif rows.places is not None:
        raise DataError(
            f"{folds} folds of a series would train on the future of what they score; use "
            "`dlrun train` with the protocol `time_series`, or `holdout`"
        )
    if rows.time is not None:
        raise DataError(
            f"{folds} folds would train on the future of rows that have a time; "
            f"use the protocol `time_series`, or leave out `time`"
        )
    if rows.n < folds:
        raise DataError(f"{folds} folds need at least {folds} rows; there are {rows.n}")
    seed = rows.seed if shuffle else None
    stratified = _stratified(rows, folds, stratify, f"{folds} stratified folds", shuffle)
    if rows.groups is None:
        plain = StratifiedKFold if stratified else KFold
        return _splits(plain(folds, shuffle=shuffle, random_state=seed).split, rows)
    _refuse_few_groups(rows, folds, f"{folds} folds need at least {folds} groups")
    parts = deal_groups(
        np.asarray(rows.groups),
        np.full(folds, rows.n / folds),
        classes=rows.labels if stratified else None,
        seed=seed,
        exchange=not loosely,
    )
    return [_split(rows, np.flatnonzero(parts == part)) for part in range(folds)]


def time_series_splits(
    rows: RowInfo, folds: int, *, gap: int = 0, max_train: int | None = None
) -> list[Split]:
    """Forward chaining: validate on a stretch, train on what came before it.

    The rows are taken in the order of `rows.time`, or in their own. Rows of the time at which
    a stretch begins are not trained on for it, so that validation comes strictly later.

    Args:
        rows: The rows.
        folds: Number of stretches, each n // (folds + 1) rows long.
        gap: Rows left out between training and validation.
        max_train: Train on at most this many of the latest rows; None: on all of the past.

    Raises:
        DataError: The rows cannot be split like that; says why, with figures.
    """
    from sklearn.model_selection import TimeSeriesSplit

    if rows.groups is not None:
        raise DataError(_GROUPS_IN_TIME)
    size = rows.n // (folds + 1)
    if size == 0 or rows.n - gap - size * folds <= 0:
        needed = (folds + 1) * max(1, gap + 1)
        raise DataError(
            f"{folds} folds in time order with a gap of {gap} rows leave nothing to train on; "
            f"there are {rows.n} rows, and {needed} would be enough"
        )
    if rows.order is None:
        splitter = TimeSeriesSplit(folds, gap=gap, max_train_size=max_train)
        return _splits(splitter.split, rows)
    times = rows.order
    order = np.argsort(times, kind="stable")
    splits: list[Split] = []
    for train, validation in TimeSeriesSplit(folds, gap=gap).split(order):
        begin = times[order[validation[0]]]
        train, validation = order[train], order[validation]
        train = train[times[train] < begin]
        if rows.places is not None:
            where = f"fold {len(splits) + 1} of {folds}: "
            train, validation = _without_overlap(rows, train, validation, where)
        train = train[-(max_train or rows.n) :]
        if len(train) == 0:
            raise DataError(
                f"fold {len(splits) + 1} of {folds} has nothing to train on: no row comes before "
                f"{begin}, where its validation begins; use fewer folds"
            )
        splits.append((np.sort(train), np.sort(validation)))
    return splits


def _random_holdout(rows: RowInfo, held_out: int, stratify: bool | None) -> Split:
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    what = f"a stratified hold-out of {held_out} rows"
    stratified = _stratified(rows, 2, stratify, what, True)
    drawn = np.arange(rows.n)
    if stratified and stratify is None:
        several = np.flatnonzero(_rows_of_class(rows) > 1)
        drawn = several if held_out < len(several) else drawn
    part = rows.part(drawn)
    if stratified:
        classes = len(np.unique(_labels(part)))
        if min(held_out, part.n - held_out) < classes:
            if stratify:
                raise DataError(
                    f"{what} from {rows.n} needs a row of each of the {classes} classes on both "
                    f"sides; hold out more rows, or say `stratify: false`"
                )
            stratified = False
    splitter = StratifiedShuffleSplit if stratified else ShuffleSplit
    split = splitter(1, test_size=held_out, random_state=rows.seed).split
    return _split(rows, drawn[_splits(split, part)[0][1]])


def _group_holdout(
    rows: RowInfo, held_out: int, shuffle: bool, stratify: bool | None, loosely: bool
) -> Split:
    _refuse_few_groups(rows, 2, "a hold-out of whole groups needs at least 2 groups")
    if not shuffle:
        return _last_groups(rows, held_out)
    what = f"a stratified hold-out of {held_out} rows"
    by_class = _stratified(rows, 2, stratify, what, True)
    parts = deal_groups(
        np.asarray(rows.groups),
        np.asarray([held_out, rows.n - held_out]),
        classes=rows.labels if by_class else None,
        kept=_with_all_of_a_class(rows, held_out) if by_class else None,
        seed=rows.seed,
        exchange=not loosely,
    )
    return _split(rows, np.flatnonzero(parts == 0))


def _last_groups(rows: RowInfo, held_out: int) -> Split:
    """Hold out the groups that begin last, so many that the number of their rows is nearest."""
    _, first, codes = np.unique(_codes(rows.groups), return_index=True, return_inverse=True)
    latest = np.argsort(-first)
    sizes = np.cumsum(np.bincount(codes)[latest])[:-1]
    count = int(np.abs(sizes - held_out).argmin()) + 1
    return _split(rows, np.flatnonzero(np.isin(codes, latest[:count])))


def _with_all_of_a_class(rows: RowInfo, held_out: int) -> Array | None:
    """(n,) bool, rows of the groups that hold every row of some class, which would not be trained
    on if they were held out; None where too few others are left to hold out."""
    groups, classes = _codes(rows.groups), _codes(rows.labels)
    pairs = np.unique(np.stack([classes, groups]), axis=1)
    only = np.bincount(pairs[0])[pairs[0]] == 1
    kept = np.isin(groups, pairs[1][only])
    return kept if (~kept).sum() >= held_out else None


def _last_stretch(rows: RowInfo, held_out: int) -> Split:
    if rows.groups is not None:
        raise DataError(_GROUPS_IN_TIME if rows.places is None else _GROUPS_OF_ONE_SERIES)
    times = rows.order
    assert times is not None
    begin = np.sort(times)[rows.n - held_out]
    validation = times >= begin
    if validation.all():
        validation = times > begin
    if not validation.any():
        raise DataError(
            f"all {rows.n} rows have the same time, {begin}; no row comes after another"
        )
    return _split(rows, np.flatnonzero(validation))


def _without_overlap(rows: RowInfo, train: Array, held_out: Array, where: str = "") -> Split:
    """Leave the training windows out that share rows of the series with those held out."""
    if rows.places is None:
        return train, held_out
    series = np.zeros(rows.n, np.int64) if rows.series is None else rows.series
    begins = np.full(int(series.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(begins, series[held_out], rows.places[held_out])
    kept = train[rows.places[train] + rows.overlap < begins[series[train]]]
    if rows.series is not None and rows.moments is not None and rows.ends is not None:
        kept = kept[rows.ends[kept] < rows.moments[held_out].min()]
    if not len(kept):
        raise DataError(
            f"{where}no window is left to train on: each takes {rows.overlap + 1} rows with its "
            f"targets, and {len(train)} begin before those held out; take a shorter `lookback` "
            "or `delay`, or hold less out",
            path=("dataset", "lookback"),
        )
    return kept, held_out


def _refuse_divided_series(rows: RowInfo) -> None:
    """Raise an error where the windows of one series belong to several groups."""
    pairs = np.unique(np.stack([np.asarray(rows.series), _codes(rows.groups)]), axis=1)
    if len(np.unique(pairs[0])) < pairs.shape[1]:
        raise DataError(
            "`groups` divides a series: its windows share rows, so each series must belong to one "
            "group as a whole; name the column of the series, or leave out `groups`"
        )


def _codes(values: Array | None) -> Array:
    return np.unique(np.asarray(values), return_inverse=True)[1].reshape(-1)


def _first_rows(rows: RowInfo, first: int) -> Split:
    _refuse_too_many(rows, first)
    if rows.order is not None:
        raise DataError("the first rows cannot come after the others in time; leave out `first`")
    if rows.groups is not None:
        divided = np.intersect1d(rows.groups[:first], rows.groups[first:])
        if len(divided):
            raise DataError(
                f"a hold-out of the first {first} rows splits the group '{divided[0]}'; "
                f"use `fraction`, or leave out `groups`"
            )
    return _split(rows, np.arange(first))


def _stratified(rows: RowInfo, parts: int, stratify: bool | None, what: str, shuffle: bool) -> bool:
    """Decide whether to stratify, and refuse what is asked for but impossible."""
    if rows.labels is None:
        if stratify:
            raise DataError(f"{what} need classes; there are none, so leave out `stratify`")
        return False
    counts = _rows_of_class(rows)
    if stratify and counts.min() < parts:
        rarest = int(counts.argmin())
        raise DataError(
            f"{what}: at least {parts} rows of each class are needed; class "
            f"'{rows.labels[rarest]}' has {counts[rarest]}; add rows, leave the class out, or say "
            "`stratify: false`"
        )
    # Without a class that all parts can get a row of there is nothing to balance.
    return int(counts.max()) >= parts and (shuffle if stratify is None else stratify)


def _rows_of_class(rows: RowInfo) -> Array:
    """(n,) how many rows there are of the class of each row."""
    _, codes, counts = np.unique(_labels(rows), return_inverse=True, return_counts=True)
    return counts[codes.reshape(-1)]


def _labels(rows: RowInfo) -> Array:
    assert rows.labels is not None
    return rows.labels


def _refuse_too_many(rows: RowInfo, held_out: int) -> None:
    if not 0 < held_out < rows.n:
        raise DataError(
            f"{held_out} of {rows.n} rows cannot be held out; at least one row must be held out, "
            f"and one left to train on"
        )


def _refuse_few_groups(rows: RowInfo, needed: int, what: str) -> None:
    groups = len(np.unique(np.asarray(rows.groups)))
    if groups < needed:
        raise DataError(f"{what}; there {'is' if groups == 1 else 'are'} {groups}")


def _split(rows: RowInfo, validation: Array) -> Split:
    mask = np.zeros(rows.n, dtype=bool)
    mask[validation] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _splits(split: Callable[..., Iterable[Split]], rows: RowInfo) -> list[Split]:
    """Call a splitter of scikit-learn's on the rows."""
    with warnings.catch_warnings():
        # Stratified groups may hold fewer rows of a class than there are folds.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        pairs = list(split(np.zeros(rows.n), rows.labels, rows.groups))
    return [
        (np.sort(train).astype(np.int64), np.sort(held).astype(np.int64)) for train, held in pairs
    ]
