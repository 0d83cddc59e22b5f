"""Reliability diagrams against scikit-learn's bins and a plain sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlrun.metrics.figures import calibration

ROWS = st.lists(st.tuples(st.booleans(), st.floats(0, 1, width=32)), min_size=1)


@given(ROWS, st.integers(1, 15))
def test_bins_are_scikit_learns(rows, bins):
    from sklearn.calibration import calibration_curve

    true, said = [label for label, _ in rows], [share for _, share in rows]
    found = calibration(true, said, bins)
    seen, mean = calibration_curve(np.array(true, int), said, n_bins=bins, pos_label=1)
    assert [part.observed for part in found.bins] == pytest.approx(seen.tolist())
    assert [part.predicted for part in found.bins] == pytest.approx(mean.tolist())
    assert sum(part.rows for part in found.bins) == found.rows == len(rows)
    for part in found.bins:
        assert part.low - 1e-9 <= part.predicted <= part.high + 1e-9


def test_error_is_the_mean_distance_over_rows():
    # Two rows at 0.9 of which one came true, one at 0.2 that did not.
    found = calibration([1, 0, 0], [0.9, 0.9, 0.2])
    assert found.error == pytest.approx((2 * abs(0.9 - 0.5) + 0.2) / 3)


def test_perfect_probabilities_have_no_error():
    random = np.random.default_rng(0)
    said = random.random(200_000)
    assert calibration(random.random(200_000) < said, said).error < 0.01


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="at least one row"):
        calibration([], [])
