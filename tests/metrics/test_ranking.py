"""ROC and precision-recall against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlrun.metrics.figures import ranking_curves

ROWS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.8, 1.0])))


def rates(true: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[float, float, float]:
    """Recall, false positive rate and precision of calling everything from a threshold on."""
    called = scores >= threshold
    hits = int((called & true).sum())
    return hits / true.sum(), (called & ~true).sum() / (~true).sum(), hits / max(called.sum(), 1)


@given(ROWS)
def test_areas_are_those_of_counted_pairs_and_thresholds(rows):
    true = np.array([label for label, _ in rows], bool)
    scores = np.array([score for _, score in rows])
    found = ranking_curves(true, scores)
    if len(set(true.tolist())) < 2:
        assert found is None
        return
    assert found is not None
    above = scores[true][:, None] - scores[~true][None, :]
    assert found.area == pytest.approx(((above > 0) + 0.5 * (above == 0)).mean())
    recall, average = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        now, _, precision = rates(true, scores, threshold)
        average += (now - recall) * precision
        recall = now
    assert found.average_precision == pytest.approx(average)
    assert found.share == true.mean()


def test_every_point_is_a_threshold():
    random = np.random.default_rng(0)
    true, scores = random.random(80) < 0.4, random.random(80).round(1)
    found = ranking_curves(true, scores)
    assert found is not None
    possible = {
        tuple(np.round(rates(true, scores, t), 9)) for t in [*np.unique(scores), np.inf, -np.inf]
    }
    roc = {(r, f) for r, f, _ in possible}
    pr = {(r, p) for r, _, p in possible}
    for f, r in zip(found.false_positive_rate, found.true_positive_rate, strict=True):
        assert (round(r, 9), round(f, 9)) in roc
    # At recall 0 nothing is called, which scikit-learn counts as precision 1.
    for r, p in list(zip(found.recall, found.precision, strict=True))[1:]:
        assert (round(r, 9), round(p, 9)) in pr
    assert (np.diff(found.recall) >= 0).all()
    assert (np.diff(found.false_positive_rate) >= 0).all()


def test_scores_that_are_no_numbers_have_no_curve():
    assert ranking_curves([0, 1], [0.5, np.nan]) is None
    assert ranking_curves([], []) is None
