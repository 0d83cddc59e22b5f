"""What a comparison says in sentences, and what it calls the runs."""

from __future__ import annotations

from typing import Any

import pytest

from dlrun.reports.comparison import ComparedRun, Comparison, Pair, run_labels
from dlrun.reports.differences import differences

INTERVAL = {"low": 0.004, "high": 0.02, "level": 0.95}


def run(label: str, value: float) -> ComparedRun:
    score = {"name": "accuracy", "direction": "max", "value": value}
    return ComparedRun(label, f"dir-{label}", "holdout", score, None, None, None, None, None)


def pair(better: str, worse: str, **facts: Any) -> Pair:
    given = {"difference": 0.012, "interval": INTERVAL, "different": True} | facts
    return Pair(better, worse, "accuracy", **given)


def answer(*pairs: Pair) -> list[str]:
    labels = dict.fromkeys(label for p in pairs for label in (p.better, p.worse))
    runs = tuple(run(label, 0.9 - 0.1 * place) for place, label in enumerate(labels))
    return Comparison(runs, pairs, (), None).answer()


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({}, "B is better than A by 0.012 accuracy (95% interval 0.004 to 0.020)"),
        (
            {"different": False, "interval": {**INTERVAL, "low": -0.01}},
            "no clear difference between B and A: 0.012 accuracy (95% interval -0.010 to 0.020)",
        ),
        (
            {"different": None, "interval": None, "why": "5 rows are too few"},
            "B is better than A by 0.012 accuracy; whether by more than chance is unknown: "
            "5 rows are too few",
        ),
        (
            {"difference": None, "why": "different splits (seed 0 against 1)"},
            "B and A are not comparable: different splits (seed 0 against 1)",
        ),
    ],
)
def test_two_runs(facts: dict[str, Any], sentence: str) -> None:
    assert answer(pair("B", "A", **facts)) == [sentence]


def test_two_equal_runs() -> None:
    interval = {**INTERVAL, "low": -0.01, "high": 0.01}
    same = {"difference": 0.0, "different": False, "interval": interval}
    assert answer(pair("B", "A", **same)) == [
        "no clear difference between B and A: 0 accuracy (95% interval -0.010 to 0.010)"
    ]

    same |= {"different": None, "interval": None, "why": "all 5 folds have the same value"}
    assert answer(pair("B", "A", **same)) == ["B and A have the same accuracy on these rows"]
    assert answer(pair("A", "B", **same), pair("B", "C"), pair("A", "C")) == [
        "A has the best accuracy: 0.9; B the same; it is better than C by more than chance"
    ]


def test_a_difference_that_many_comparisons_take_back_says_so() -> None:
    assert answer(pair("B", "A", different=False, corrected_p=0.06)) == [
        "no clear difference between B and A: 0.012 accuracy (95% interval 0.004 to 0.020); "
        "corrected for the number of pairs, p is 0.06"
    ]


def test_several_runs_are_told_by_the_best() -> None:
    assert answer(
        pair("A", "B"),
        pair("A", "C", different=False),
        pair("C", "B"),
        pair("A", "D", different=None, interval=None, why="too few"),
        pair("D", "B"),
        pair("C", "D"),
    ) == [
        "A has the best accuracy: 0.9; it is better than B by more than chance; no clear "
        "difference between it and C; whether it is better than D is unknown"
    ]


def test_runs_that_can_be_compared_among_themselves_are_told_apart() -> None:
    no = {"difference": None, "why": "different data (dataset.name iris against wine)"}
    assert answer(
        pair("A", "B"),
        *(pair(one, other, **no) for one in "AB" for other in "CD"),
        pair("D", "C", different=False),
    ) == [
        "A is better than B by 0.012 accuracy (95% interval 0.004 to 0.020)",
        "no clear difference between D and C: 0.012 accuracy (95% interval 0.004 to 0.020)",
        "4 pairs of runs are not comparable: different data (dataset.name iris against wine)",
    ]


def test_a_run_that_fits_no_other_is_named_once() -> None:
    no = {"difference": None, "why": "different splits (seed 0 against 1)"}
    assert answer(pair("A", "B"), pair("A", "C", **no), pair("B", "C", **no))[1:] == [
        "C is not comparable with A and B: different splits (seed 0 against 1)"
    ]


CONFIG = {"seed": 0, "name": "x", "optimizer": {"adam": {"learning_rate": 0.1}}}
DIRECTORIES = ["20261121-101530-x-0001", "20261121-101531-x-0002"]


@pytest.mark.parametrize(
    ("names", "change", "labels"),
    [
        (["small", "large"], {}, ["small", "large"]),
        (["x", "x"], {"optimizer": {"adam": {"learning_rate": 0.2}}},
         ["learning_rate 0.1", "learning_rate 0.2"]),
        (["x", "x"], {"optimizer": {"sgd": {"learning_rate": 0.1}}},
         ["optimizer adam", "optimizer sgd"]),
        (["x", "x"], {"seed": 1}, ["seed 0", "seed 1"]),
        (["x", "x"], {"seed": 1, "optimizer": {"sgd": {}}}, ["optimizer adam", "optimizer sgd"]),
        (["x", "x"], {"seed": 1, "loss": "a long text that would fill the whole table"},
         ["x-0001", "x-0002"]),
        (["x", "x"], {"metrics": ["mae"], "loss": "mse"}, ["x-0001", "x-0002"]),
        (["x", "x"], {}, ["x-0001", "x-0002"]),
    ],
)  # fmt: skip
def test_runs_are_called_by_what_tells_them_apart(
    names: list[str], change: dict[str, Any], labels: list[str]
) -> None:
    differs = differences([CONFIG, {**CONFIG, **change}])
    assert run_labels(names, DIRECTORIES, differs) == labels


def test_labels_never_coincide() -> None:
    same_ending = ["20261121-101530-x-0001", "20261121-101531-x-0001"]
    assert run_labels(["x", "x"], same_ending, []) == same_ending
