"""What is said beside a score: test rows seen in training, whose weights were kept."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dlrun.data.samples import Samples
from dlrun.reports.summary import run_summary
from dlrun.workflows.repeated_rows import repeated_rows, repeated_sentence

Row = tuple[int, int, int]
rows = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=30)


def samples(table: list[Row], dtype: type) -> Samples:
    array = np.asarray(table)
    features = {"a": array[:, 0].astype(dtype), "b": array[:, 1].astype(dtype)}
    return Samples(features, {"y": array[:, 2]}, np.arange(len(table)))


@given(rows, rows)
def test_a_test_row_is_repeated_where_features_and_target_equal(
    training: list[Row], test: list[Row]
) -> None:
    expected = sum(row in set(training) for row in test)
    # A test file of whole numbers may be read as integers where the training file is not.
    assert repeated_rows(samples(training, np.float32), samples(test, np.int64)) == expected


def test_it_is_said_with_count_and_share() -> None:
    training = samples([(0, 0, 0), (1, 1, 1)], np.float32)
    test = samples([(1, 1, 1), (1, 1, 0), (0, 0, 0), (2, 0, 0)], np.float32)
    assert repeated_sentence(training, test) == (
        "2 test rows of 4 (50%) are the same as a training row, in features and target: "
        "their score says nothing about new rows"
    )
    assert repeated_sentence(training, samples([(1, 1, 0)], np.float32)) is None


def test_the_end_of_a_run_says_whose_weights_gave_the_score() -> None:
    result = {
        "score": {"name": "mae", "direction": "min", "value": 1.581, "folds": [1.581]},
        "best_epoch": 19,
        "best_value": 1.386,
        "epochs": 25,
        "kept_weights": {"epoch": 25, "monitor": None},
    }
    lines = run_summary(result, "runs/x").text().splitlines()
    (said,) = [line for line in lines if line.startswith("weights")]
    assert said.endswith("last epoch (25), like the score")
    at_the_end = run_summary({**result, "best_epoch": 25}, "runs/x").text()
    assert "weights" not in at_the_end
