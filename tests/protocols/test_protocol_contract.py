"""What every protocol promises; a new protocol joins by an entry in `EXAMPLES`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from dlrun.data.row_info import RowInfo
from dlrun.errors import DataError
from dlrun.protocols.protocol import Fold, Protocol, Validation
from dlrun.protocols.schemes.holdout import Holdout
from dlrun.protocols.schemes.iterated_kfold import IteratedKFold
from dlrun.protocols.schemes.kfold import KFold
from dlrun.protocols.schemes.repeated_holdout import RepeatedHoldout
from dlrun.registry.families import PROTOCOLS

ANY_ORDER = ("plain", "labelled", "grouped", "labelled and grouped")


@dataclass(frozen=True)
class Example:
    """A protocol with options.

    Args:
        options: As in the config.
        rows: The kinds of rows (see `rows_of`) that it deals.
        scored: How often each row is scored; None where some are not.
    """

    options: dict[str, Any]
    rows: tuple[str, ...] = ANY_ORDER
    scored: int | None = None


EXAMPLES: dict[str, list[Example]] = {
    "holdout": [
        Example({}, (*ANY_ORDER, "timed")),
        Example({"validation": {"fraction": 0.35}, "stratify": False}, (*ANY_ORDER, "timed")),
        Example({"validation": {"samples": 5}, "stratify": True}, ("labelled",)),
        Example({"validation": {"first": 4}}, ("plain", "labelled")),
        Example({"validation": 0.3, "shuffle": False}, ("plain", "labelled")),
        Example({"validation": {"path": "later.csv"}}, ("from a file",)),
    ],
    "kfold": [
        Example({"folds": 3}, scored=1),
        Example({"folds": 2, "validation": "fold"}, scored=1),
        Example({"folds": 3, "validation": {"samples": 3}, "stratify": False}, scored=1),
        Example({"folds": 3, "shuffle": False}, ("plain", "labelled"), scored=1),
    ],
    "iterated_kfold": [
        Example({"folds": 3, "iterations": 2}, scored=2),
        Example({"folds": 2, "iterations": 3, "validation": 0.4}, scored=3),
    ],
    "repeated_holdout": [
        Example({"repeats": 3}, (*ANY_ORDER, "timed")),
        Example({"repeats": 2, "validation": {"samples": 5}, "reshuffle": True}),
        Example({"repeats": 2, "validation": {"path": "later.csv"}}, ("from a file",)),
    ],
    "time_series": [
        Example({"folds": 3}, ("plain", "labelled", "timed")),
        Example({"folds": 2, "gap": 2, "max_train": 9}, ("plain", "timed")),
        Example({"folds": 2, "validation": "fold"}, ("plain", "timed")),
    ],
}

CASES = [
    pytest.param(name, example, kind, id=f"{name}-{number}-{kind}")
    for name, examples in EXAMPLES.items()
    for number, example in enumerate(examples)
    for kind in example.rows
]
every_protocol = pytest.mark.parametrize(("name", "example", "kind"), CASES)
some_rows = settings(max_examples=3)
"""Enough: there are many cases, and rows of every kind are alike."""


def every_protocol_on_some_rows(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test for each case with drawn rows, and with and without callbacks that watch."""
    return every_protocol(some_rows(given(data=st.data(), monitors_validation=st.booleans())(test)))


def rows_of(kind: str, draw: st.DrawFn) -> RowInfo:
    """Rows of one kind: their number, and whatever of labels, groups and times they have."""
    n = draw(st.integers(24, 60))
    column = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).integers
    return RowInfo(
        n=n,
        labels=column(0, draw(st.integers(2, 3)), n) if "labelled" in kind else None,
        groups=column(0, draw(st.integers(8, 20)), n) if "grouped" in kind else None,
        time=column(0, draw(st.integers(15, 90)), n) if kind == "timed" else None,
        validation=np.arange(n) >= n - 6 if kind == "from a file" else None,
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def protocol_of(name: str, example: Example) -> Protocol:
    protocol = PROTOCOLS.get(name).model_validate(example.options)
    assert isinstance(protocol, Protocol)
    return protocol


def dealt(protocol: Protocol, deal: RowInfo, monitors_validation: bool) -> list[Fold]:
    """The folds; rows drawn so unluckily that they cannot be dealt are drawn again."""
    try:
        return protocol.split(deal, monitors_validation)
    except DataError:
        reject()


def test_every_protocol_has_an_example() -> None:
    assert sorted(EXAMPLES) == PROTOCOLS.names()


@every_protocol_on_some_rows
def test_no_row_is_on_two_sides_of_a_fold(
    name: str, example: Example, kind: str, data: st.DataObject, monitors_validation: bool
) -> None:
    deal = rows_of(kind, data.draw)
    folds = dealt(protocol_of(name, example), deal, monitors_validation)
    assert [fold.index for fold in folds] == list(range(len(folds)))
    for fold in folds:
        sides = [fold.train, fold.scored]
        if not fold.monitors_scored_rows:
            sides.append(fold.monitored)
        for side in sides:
            assert side.dtype == np.int64
            assert len(side) > 0
            assert side[0] >= 0
            assert side[-1] < deal.n
            assert (np.diff(side) > 0).all()
        together = np.concatenate(sides)
        assert len(np.unique(together)) == len(together)


@every_protocol_on_some_rows
def test_every_row_is_scored_as_often_as_the_protocol_says(
    name: str, example: Example, kind: str, data: st.DataObject, monitors_validation: bool
) -> None:
    deal = rows_of(kind, data.draw)
    folds = dealt(protocol_of(name, example), deal, monitors_validation)
    for iteration in {fold.iteration for fold in folds}:
        parts = [fold.scored for fold in folds if fold.iteration == iteration]
        times = np.bincount(np.concatenate(parts), minlength=deal.n)
        assert times.max() == 1
        if example.scored is not None:
            assert times.min() == 1
    if example.scored is not None:
        assert len({fold.iteration for fold in folds}) == example.scored


@every_protocol
@some_rows
@given(data=st.data())
def test_rows_that_callbacks_watch_are_taken_from_the_training_side(
    name: str, example: Example, kind: str, data: st.DataObject
) -> None:
    deal = rows_of(kind, data.draw)
    protocol = protocol_of(name, example)
    monitors_validation = dealt(protocol, deal, monitors_validation=True)
    if "holdout" in name or example.options.get("validation") == "fold":
        assert all(fold.monitors_scored_rows for fold in monitors_validation)
        return
    plain = dealt(protocol.model_copy(update={"validation": None}), deal, monitors_validation=False)
    for inner, fold in zip(monitors_validation, plain, strict=True):
        assert fold.monitors_scored_rows
        assert not inner.monitors_scored_rows
        np.testing.assert_array_equal(inner.scored, fold.scored)
        training_side = np.sort(np.concatenate([inner.train, inner.monitored]))
        np.testing.assert_array_equal(training_side, fold.train)


@every_protocol_on_some_rows
def test_a_group_never_crosses_and_validation_comes_after_training(
    name: str, example: Example, kind: str, data: st.DataObject, monitors_validation: bool
) -> None:
    deal = rows_of(kind, data.draw)
    for fold in dealt(protocol_of(name, example), deal, monitors_validation):
        own = fold.monitors_scored_rows
        sides = [fold.train, *([] if own else [fold.monitored]), fold.scored]
        for earlier, later in itertools.pairwise(sides):
            if deal.groups is not None:
                assert not set(deal.groups[earlier]) & set(deal.groups[later])
            if deal.time is not None:
                assert deal.time[earlier].max() < deal.time[later].min()
            elif name == "time_series":
                assert earlier.max() < later.min()
        if deal.groups is not None:
            assert not set(deal.groups[fold.train]) & set(deal.groups[fold.scored])


@every_protocol_on_some_rows
def test_folds_depend_on_the_arguments_alone(
    name: str, example: Example, kind: str, data: st.DataObject, monitors_validation: bool
) -> None:
    deal = rows_of(kind, data.draw)
    protocol = protocol_of(name, example)
    np.random.seed(1)
    first = dealt(protocol, deal, monitors_validation)
    state = np.random.get_state()[1].copy()
    np.random.seed(2)
    again = dealt(protocol, deal, monitors_validation)
    for fold, same in zip(first, again, strict=True):
        for side in ("train", "scored", "monitored"):
            np.testing.assert_array_equal(getattr(fold, side), getattr(same, side))
    np.random.seed(1)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@given(st.integers(2, 12), st.integers(2, 8))
def test_without_shuffling_folds_are_the_books_partitions(size: int, folds: int) -> None:
    """Deep Learning with Python, listing 3.56: `data[i * size:(i + 1) * size]`."""
    rows = np.arange(size * folds)
    dealt = KFold(folds=folds, shuffle=False).split(RowInfo(n=len(rows)), monitors_validation=False)
    for i, fold in enumerate(dealt):
        np.testing.assert_array_equal(fold.scored, rows[i * size : (i + 1) * size])
        rest = np.concatenate([rows[: i * size], rows[(i + 1) * size :]])
        np.testing.assert_array_equal(fold.train, rest)


def test_iterations_shuffle_anew_and_the_first_one_is_plain_k_fold() -> None:
    deal = RowInfo(n=50, seed=7)
    folds = IteratedKFold(folds=5, iterations=3).split(deal, monitors_validation=False)
    plain = KFold(folds=5).split(deal, monitors_validation=False)
    assert [fold.iteration for fold in folds] == [0] * 5 + [1] * 5 + [2] * 5
    for fold, same in zip(folds, plain, strict=False):
        np.testing.assert_array_equal(fold.scored, same.scored)
    assert len({tuple(fold.scored) for fold in folds}) == 15


def test_repeats_have_the_rows_of_the_plain_hold_out_unless_dealt_anew() -> None:
    deal = RowInfo(n=50, seed=7)
    [plain] = Holdout(validation=0.3).split(deal, monitors_validation=False)
    same = RepeatedHoldout(validation=0.3, repeats=4).split(deal, monitors_validation=False)
    anew = RepeatedHoldout(validation=0.3, repeats=4, reshuffle=True).split(
        deal, monitors_validation=False
    )
    assert [fold.iteration for fold in same] == [fold.iteration for fold in anew] == [0, 1, 2, 3]
    assert {tuple(fold.scored) for fold in same} == {tuple(plain.scored)}
    assert len({tuple(fold.scored) for fold in anew}) == 4
    assert tuple(anew[0].scored) == tuple(plain.scored)


@settings(max_examples=8)
@given(st.integers(3, 6), st.integers(1, 12), st.booleans(), st.integers(0, 2**32 - 1))
def test_a_reshuffled_hold_out_repeats_only_where_every_choice_was_made(
    units: int, repeats: int, grouped: bool, seed: int
) -> None:
    """Units are rows, or groups of three rows."""
    assume(repeats > 1)
    groups = np.arange(units * 3) % units if grouped else None
    deal = RowInfo(n=units * 3 if grouped else units, groups=groups, seed=seed)
    held_out = Validation(samples=6 if grouped else 2)
    protocol = RepeatedHoldout(repeats=repeats, validation=held_out, reshuffle=True)
    folds = protocol.split(deal, monitors_validation=False)
    different = {tuple(fold.scored) for fold in folds}
    assert len(different) == min(repeats, math.comb(units, 2))
    if not grouped:
        [plain] = Holdout(validation=held_out).split(deal, monitors_validation=False)
        np.testing.assert_array_equal(folds[0].scored, plain.scored)


def all_deals(units: int, folds: int) -> set[frozenset[frozenset[int]]]:
    """Every way to deal units to parts of which the sizes differ by one at most."""
    found = set()
    for deal in itertools.product(range(folds), repeat=units):
        counts = np.bincount(deal, minlength=folds)
        if counts.max() - counts.min() <= 1:
            parts = [np.flatnonzero(np.equal(deal, part)).tolist() for part in range(folds)]
            found.add(frozenset(map(frozenset, parts)))
    return found


@some_rows
@given(
    st.integers(4, 6),
    st.integers(2, 3),
    st.integers(1, 12),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_an_iteration_repeats_another_only_where_every_deal_was_made(
    units: int, folds: int, iterations: int, grouped: bool, seed: int
) -> None:
    possible = all_deals(units, folds)
    deal = RowInfo(n=units, seed=seed)
    if grouped:
        deal = RowInfo(n=units * 3, groups=np.arange(units * 3) % units, seed=seed)
    protocol = IteratedKFold(folds=folds, iterations=iterations)
    wholes: dict[int, set[frozenset[int]]] = {}
    for fold in protocol.split(deal, monitors_validation=False):
        wholes.setdefault(fold.iteration, set()).add(frozenset((fold.scored % units).tolist()))
    different = set(map(frozenset, wholes.values()))
    assert different <= possible
    assert len(different) == min(iterations, len(possible))


def test_groups_of_different_sizes_are_dealt_in_other_ways_too() -> None:
    """Balanced best, ten groups of 10 to 19 rows go to five folds in one way only."""
    groups = np.repeat(np.arange(10), np.arange(10, 20))
    deal = RowInfo(n=len(groups), groups=groups, seed=1)
    folds = IteratedKFold(folds=5, iterations=3).split(deal, monitors_validation=False)
    assert [len(fold.scored) for fold in folds[:5]] == [29] * 5
    assert len({tuple(fold.scored) for fold in folds}) == 15
    for number in range(3):
        sizes = [len(fold.scored) for fold in folds[5 * number : 5 * number + 5]]
        assert max(sizes) - min(sizes) <= 19


def test_without_validation_rows_everything_trains() -> None:
    protocol = Holdout(validation=None)
    [fold] = protocol.split(RowInfo(n=9), monitors_validation=False)
    assert fold.train.tolist() == list(range(9))
    assert fold.scored is None
    assert fold.monitored is None
    with pytest.raises(DataError) as error:
        protocol.split(RowInfo(n=9), monitors_validation=True)
    assert str(error.value) == (
        "a callback monitors validation data, but `validation: null` holds no rows out; remove "
        "the callback (--set training.callbacks=[]) or hold rows out"
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"groups": np.asarray(list("abcdbe"), dtype=object)},
            "the group 'b' is in both the training and the validation rows; remove it from one of "
            "the files",
        ),
        (
            {"time": np.asarray([1, 2, 3, 9, 5, 6])},
            "the validation rows begin at 5, before the training rows end at 9; validation must "
            "come after training",
        ),
    ],
)
def test_a_validation_file_must_not_break_groups_or_time(
    columns: dict[str, Any], message: str
) -> None:
    protocol = Holdout.model_validate({"validation": {"path": "later.csv"}})
    deal = RowInfo(n=6, validation=np.arange(6) >= 4, **columns)
    with pytest.raises(DataError) as error:
        protocol.split(deal, monitors_validation=False)
    assert str(error.value) == message
