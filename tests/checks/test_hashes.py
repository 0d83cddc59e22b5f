"""Rows have the same hash where they are the same, against a comparison of every pair."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dlrun.checks.duplicates import exact_hashes, near_hashes
from dlrun.checks.subjects.leaks import gives_classes, gives_quantity, names_classes
from dlrun.checks.subjects.splits import largest_gap
from dlrun.data.samples import as_objects

ROWS = st.integers(1, 12)


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            arrays.arrays(np.int8, (n, 3), elements=st.integers(0, 2)),
            st.lists(st.sampled_from(["a", "b", None]), min_size=n, max_size=n),
            st.lists(st.lists(st.integers(0, 2), max_size=2), min_size=n, max_size=n),
        )
    )
)
def test_equal_rows_and_no_others_share_a_hash(given_rows: tuple[object, ...]) -> None:
    numbers, texts, words = given_rows
    sequences = as_objects([np.asarray(entry, np.int32) for entry in words])
    columns = {"x": numbers, "t": as_objects(texts), "s": sequences}
    hashes = exact_hashes(columns)
    rows = [(tuple(x), t, tuple(s)) for x, t, s in zip(numbers, texts, words, strict=True)]
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            assert (hashes[i] == hashes[j]) == (one == other)


def test_negative_zero_is_zero() -> None:
    hashes = exact_hashes({"x": np.array([0.0, -0.0, 1.0])})
    assert hashes[0] == hashes[1] != hashes[2]


def test_nearly_the_same_is_a_hundredth_of_the_deviation() -> None:
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(0, 50, 400) for name in "abcd"}
    for column in columns.values():
        column[200:] = column[:200] + 1e-6
    hashes = near_hashes(columns)
    assert hashes is not None
    assert (hashes[:200] == hashes[200:]).mean() > 0.99
    assert len(np.unique(hashes[:200])) == 200
    assert near_hashes({name: columns[name] for name in "abc"}) is None


def test_distributions_are_compared_as_scipy_does() -> None:
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(1)
    one, other = rng.normal(size=400), rng.normal(0.3, 1, size=150)
    gap, p_value = largest_gap(one, other)
    expected = ks_2samp(one, other, method="asymp")
    assert gap == np.float64(expected.statistic)
    # The limit for many rows, where SciPy rounds the size that stands for two samples.
    assert 0.5 < p_value / expected.pvalue < 2


def test_what_gives_the_target_away() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 300)
    assert gives_classes(y * 10 + rng.random(300), y)
    assert gives_classes(2 - y, y)
    assert not gives_classes(rng.normal(size=300), y)
    # One cut a class: values that only name rows tell nothing.
    assert not gives_classes(np.arange(300), y)
    assert names_classes(np.array(["x", "y", "z"], object)[y], y)
    assert not names_classes(np.array([str(i) for i in range(300)], object), y)
    price = rng.normal(100, 10, 300)
    assert gives_quantity(3 - 2 * price, price)
    assert gives_quantity(np.exp(price / 10), price)
    assert not gives_quantity(price + rng.normal(0, 10, 300), price)
