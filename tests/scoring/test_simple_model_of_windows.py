"""The simple model beside a series: what it sees of a window, against scikit-learn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dlrun.data.encoded import Encoded
from dlrun.data.windows import Series, Windows
from dlrun.metrics.scores import Score
from dlrun.scoring import simple_models
from dlrun.scoring.simple_models import simple_output

TABLE = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
MAE = Score("mae", "min", lambda truth, output, weights: float(np.abs(truth - output).mean()))


def windows(first: int, count: int, length: int = 24) -> Windows:
    starts = np.arange(first, first + count)
    return Windows(Series(TABLE, ("a", "b", "c"), np.arange(400)), starts, length, 2)


def targets(of: Windows) -> np.ndarray:
    """What stood 10 rows before the window's end, so that the last row alone cannot know it."""
    return TABLE[of.last - 10, :1]


def seen(length: int = 24) -> tuple[str, np.ndarray, Windows, Windows]:
    known, scored = windows(0, 250, length), windows(300, 40, length)
    train = (Encoded((known,)), targets(known))
    output = simple_output("regression", MAE, [], train, Encoded((scored,)), 1)
    assert output.predictions is not None
    return output.name, output.predictions, known, scored


def by_hand(known: Windows, scored: Windows, rows: list[int]) -> np.ndarray:
    model = make_pipeline(StandardScaler(), Ridge())
    model.fit(known[:][:, rows].reshape(len(known), -1), targets(known))
    predicted = model.predict(scored[:][:, rows].reshape(len(scored), -1))
    return np.asarray(predicted).reshape(len(scored), -1)


def test_it_sees_the_whole_window() -> None:
    name, predictions, known, scored = seen()
    assert name == "ridge regression on the whole window"
    expected = by_hand(known, scored, list(range(24)))
    np.testing.assert_allclose(predictions, expected, rtol=1e-3, atol=1e-4)
    # What it is there for: that is known from the rows before the last.
    assert np.abs(predictions - targets(scored)).mean() < 0.05


@pytest.mark.parametrize(
    ("features", "rows", "told"),
    [
        (24, [2, 5, 8, 11, 14, 17, 20, 23], "8 of the 24 rows of the window, evenly apart"),
        (3, [23], "the last of the 24 rows of the window"),
    ],
)
def test_of_a_large_window_it_sees_rows_evenly_apart(
    features: int, rows: list[int], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simple_models, "MOST_PRODUCTS", 250 * features**2)
    name, predictions, known, scored = seen()
    assert name == f"ridge regression on {told}"
    expected = by_hand(known, scored, rows)
    np.testing.assert_allclose(predictions, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("steps", range(1, 25))
def test_thinned_windows_end_with_the_last_row(steps: int) -> None:
    whole = windows(5, 3)
    thin = whole.thinned(steps)
    assert 1 <= thin.length <= steps
    every = thin.step // whole.step
    np.testing.assert_array_equal(thin[:], whole[:][:, ::-1][:, ::every][:, : thin.length][:, ::-1])
    np.testing.assert_array_equal(thin.last, whole.last)


@pytest.mark.parametrize("rows", [10, 500, 5_000, 200_000, 10**9])
@pytest.mark.parametrize("task", ["regression", "binary"])
def test_as_many_features_as_can_be_fitted_are_never_refused(task: str, rows: int) -> None:
    most = simple_models.most_features(task, rows, 1)  # type: ignore[arg-type]  # of two literals
    if most > 1:
        simple_models.refuse_large(task, rows, most, 1)  # type: ignore[arg-type]  # the same
