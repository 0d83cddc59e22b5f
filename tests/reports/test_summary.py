"""The lines at the end of a run."""

from __future__ import annotations

from typing import Any

from dlrun.reports.summary import run_summary


def holdout(**changes: Any) -> dict[str, Any]:
    return {
        "score": {
            "name": "accuracy",
            "direction": "max",
            "value": 0.884194,
            "std": None,
            "folds": [0.884194],
        },
        "baseline": {
            "name": "majority class",
            "description": "always predicts 'good', 50.2% of the training rows",
            "value": 0.4947,
            "std": None,
            "folds": [0.4947],
        },
        "best_epoch": 4,
        "best_value": 0.8871,
        "epochs": 20,
        "folds": [{"fold": 0}],
        "seconds": 13.21,
        "interrupted": False,
        "findings": [],
    } | changes


def test_a_hold_out_run():
    summary = run_summary(holdout(), "runs/imdb-3f2a", "dlrun evaluate runs/imdb-3f2a")
    assert summary.beats_baseline is True
    assert summary.text() == (
        "score       validation accuracy 0.8842\n"
        "baseline    0.4947 (always predicts 'good', 50.2% of the training rows)\n"
        "best epoch  4 of 20 (validation accuracy 0.8871)\n"
        "time        13 s\n"
        "run         runs/imdb-3f2a\n"
        "next        dlrun evaluate runs/imdb-3f2a"
    )


def test_a_k_fold_run():
    score = {"name": "mae", "direction": "min", "value": 2.4133, "std": 0.3121, "folds": [2.4] * 4}
    baseline = {
        "name": "median",
        "description": "always predicts the median of the training rows, 21.2",
        "value": 6.531,
        "std": 0.41,
        "folds": [6.5] * 4,
    }
    result = holdout(
        score=score,
        baseline=baseline,
        folds=[{}] * 4,
        best_epoch=81,
        best_value=2.3511,
        epochs=100,
        seconds=185.0,
        findings=["3 rows have no target"],
    )
    summary = run_summary(result, "runs/boston", unit="thousand dollars")
    assert summary.text() == (
        "score       validation mae 2.41 ± 0.31 thousand dollars "
        "(mean ± standard deviation of 4 folds)\n"
        "baseline    6.53 ± 0.41 thousand dollars (median)\n"
        "best epoch  81 of 100 (mean validation mae 2.351)\n"
        "time        3 min 05 s for 4 folds\n"
        "run         runs/boston\n"
        "note: 3 rows have no target"
    )


def test_a_model_that_is_no_better_is_told_so():
    worse = holdout()["score"] | {"value": 0.41, "folds": [0.41]}
    summary = run_summary(holdout(score=worse), "runs/x")
    assert summary.beats_baseline is False
    assert summary.lines[1].text.endswith("; the model does not beat it")


def test_a_final_model_has_no_score():
    score = {"name": "mae", "direction": "min", "value": None, "std": None, "folds": []}
    result = holdout(score=score, baseline=None, best_epoch=None, best_value=None)
    summary = run_summary(result, "runs/x")
    assert summary.beats_baseline is None
    assert [line.label for line in summary.lines] == ["score", "time", "run"]
    assert summary.lines[0].text == "none: no rows were held out"


def test_an_interrupted_run_says_so_first():
    summary = run_summary(holdout(interrupted=True), "runs/x")
    assert summary.lines[0].label == "status"
    assert summary.lines[0].text == "interrupted; what was reached is kept"


def test_a_diverged_run_has_no_number():
    score = holdout()["score"]
    for value in (None, float("nan")):
        summary = run_summary(holdout(score=score | {"value": value}), "runs/x")
        assert summary.beats_baseline is None
    assert summary.lines[0].text == "validation accuracy nan"
    summary = run_summary(holdout(score=score | {"value": None, "folds": [None]}), "runs/x")
    assert summary.lines[0].text == "validation accuracy is not a number"
