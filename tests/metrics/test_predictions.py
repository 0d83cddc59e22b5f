"""Which rows are the most wrong."""

from __future__ import annotations

import numpy as np
import pytest

from dlrun.metrics.predictions import by_step, class_indices, class_shares, most_wrong, wrongness


def test_classes_by_how_much_more_was_given_to_the_wrong_one():
    shares = [[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.0, 0.0, 1.0], [0.4, 0.6, 0.0]]
    true = [0, 2, 0, 0]
    assert wrongness("multiclass", true, shares) == pytest.approx([0, 0.2, 1.0, 0.2])
    assert most_wrong("multiclass", true, shares, 9).tolist() == [2, 1, 3]
    assert most_wrong("multiclass", true, shares, 1).tolist() == [2]
    one_hot = np.eye(3)[true]
    assert most_wrong("multiclass", one_hot, shares, 9).tolist() == [2, 1, 3]


@pytest.mark.parametrize("form", [(4,), (4, 1)])
def test_one_output_is_the_second_of_two_classes(form):
    output = np.reshape([0.9, 0.4, 0.1, 0.7], form)
    true = np.array([1, 1, 1, 0])
    assert most_wrong("binary", true, output, 9).tolist() == [2, 3, 1]
    assert class_shares(output)[0] == pytest.approx([0.1, 0.9])
    assert class_indices(true[:, None]).tolist() == [1, 1, 1, 0]


def test_labels_by_what_was_given_to_wrong_answers():
    true = [[1, 0], [1, 1], [0, 0]]
    shares = [[0.8, 0.2], [0.1, 0.4], [0.7, 0.0]]
    assert wrongness("multilabel", true, shares) == pytest.approx([0, 0.75, 0.35])
    assert most_wrong("multilabel", true, shares, 9).tolist() == [1, 2]


def test_quantities_by_the_size_of_the_error():
    assert most_wrong("regression", [1.0, 2, 3], [[1.0], [5.0], [2.0]], 9).tolist() == [1, 2]


def test_several_quantities_count_in_their_own_standard_deviations():
    # Standard deviations 1 and 1000: an error of 500 is less than one of 2.
    true = np.array([[0.0, 0.0], [2.0, 2000.0]])
    assert most_wrong("regression", true, [[0.0, 500.0], [4.0, 2000.0]], 9).tolist() == [1, 0]


def test_what_is_no_number_is_left_out():
    assert most_wrong("regression", [1.0, 2.0], [[np.nan], [3.0]], 9).tolist() == [1]


def test_rows_of_steps_are_as_wrong_as_the_steps_that_count():
    true = np.array([[0, 1, 1], [1, 0, 0]])
    shares = np.eye(2)[[[0, 0, 0], [0, 0, 1]]]
    assert most_wrong("binary", true, shares, 9).tolist() == [0, 1]
    mask = np.array([[1, 0, 0], [1, 1, 0]], bool)
    assert most_wrong("binary", true, shares, 9, mask).tolist() == [1]
    steps = by_step("binary", true, shares, mask)
    assert steps.true.tolist() == [0, 1, 0]
    assert steps.rows.tolist() == [0, 1, 1]
