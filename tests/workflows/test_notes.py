"""Notes of a run: each once, with the split or the fold that it is about."""

from __future__ import annotations

from dlrun.workflows.results import notes_of_folds


def test_a_note_that_every_fold_has_is_said_once() -> None:
    both = "validation rows, one_hot: column 'city' has 3 rows"
    found = notes_of_folds(
        [
            ("the loss is not bounded", both),
            ("the loss is not bounded", "validation rows, one_hot: column 'city' has 1,200 rows"),
            ("the loss is not bounded", both, "training rows, impute: column 'a' holds 0"),
        ]
    )
    assert found == [
        "the loss is not bounded",
        f"fold 1: {both}; likewise in 2 other folds",
        "fold 3: training rows, impute: column 'a' holds 0",
    ]


def test_of_one_training_no_fold_is_named() -> None:
    assert notes_of_folds([("a has 3 rows", "a has 5 rows")]) == ["a has 3 rows"]
