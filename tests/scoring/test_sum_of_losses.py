"""The sum of the losses of several outputs beside what common sense scores."""

from __future__ import annotations

import numpy as np
import pytest

from dlrun.metrics.scores import find_score
from dlrun.scoring.rivals import ScoredOutput, rivals_of_sum


def test_the_baseline_of_a_sum_over_a_series_is_the_sum_of_the_last_known_values() -> None:
    rng = np.random.default_rng(0)
    walks = {"heat": rng.normal(size=200).cumsum(), "wind": rng.normal(size=200).cumsum()}
    loss_weights = {"heat": 1.0, "wind": 0.25}
    score = find_score("MeanSquaredError", kind="loss")
    outputs = [
        ScoredOutput(
            "regression",
            (),
            score,
            predictions=rng.normal(size=(99, 1)),
            truth=walk[101:],
            known=walk[:100],
            naive_forecasts={"persistence": walk[100:-1, np.newaxis]},
            weight=loss_weights[name],
        )
        for name, walk in walks.items()
    ]
    rivals = rivals_of_sum(outputs, None, 0.0)
    steps = [np.mean(np.diff(walk[100:]) ** 2) for walk in walks.values()]
    assert rivals.baseline.name == "persistence"
    assert rivals.baseline.value == pytest.approx(steps[0] + 0.25 * steps[1])
    assert [other.baseline.name for other in rivals.others] == ["mean"]
