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
            "interval": {"low": 0.8761, "high": 0.8919, "level": 0.95, "note": "from 5000 rows"},
        },
        "baseline": {
            "name": "majority class",
            "description": "always predicts 'good', 50.2% of the training rows",
            "value": 0.4947,
            "std": None,
            "folds": [0.4947],
        },
        "simple_model": {
            "name": "logistic regression",
            "description": "scikit-learn's LogisticRegression on 9 features",
            "value": 0.8731,
            "std": None,
            "folds": [0.8731],
            "verdict": {"beats_simple_model": True, "interval": {"low": 0.002, "high": 0.02}},
        },
        "verdict": {
            "beats_baseline": True,
            "text": "beats the baseline by 0.390 (95% interval 0.372 to 0.407)",
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
        "run           runs/imdb-3f2a\n"
        "time          13 s\n"
        "best epoch    4 of 20 (validation accuracy 0.887)\n"
        "baseline      0.495 (always predicts 'good', 50.2% of the training rows)\n"
        "simple model  0.873 (logistic regression; the model beats it)\n"
        "score         validation accuracy 0.884\n"
        "interval      0.876 to 0.892 (95%, from 5000 rows)\n"
        "verdict       beats the baseline by 0.390 (95% interval 0.372 to 0.407)\n"
        "next          dlrun evaluate runs/imdb-3f2a"
    )


def test_every_metric_is_shown_beside_the_score():
    one = {"std": None, "folds": [0.9]}
    measures = {
        "loss": one | {"value": 0.3121},
        "accuracy": one | {"value": 0.884194},
        "auc": one | {"value": 0.91},
        "precision": one | {"value": None},
        "mae": {"value": 2.4133, "std": 0.3121, "folds": [2.1, 2.7]},
        "left_loss": one | {"value": 1.0},
    }
    result = holdout(measures=measures, outputs={"left": "binary"})
    assert "metrics       auc 0.91  precision –  mae 2.41 ± 0.31" in run_summary(result, "r").text()


def test_a_k_fold_run():
    score = {"name": "mae", "direction": "min", "value": 2.4133, "std": 0.3121, "folds": [2.4] * 4}
    score |= {"interval": {"low": 1.651, "high": 3.172, "level": 0.95, "note": "from 4 folds"}}
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
        simple_model={"name": "ridge regression", "skipped": "the inputs are not one array"},
        verdict=None,
        folds=[{}] * 4,
        best_epoch=81,
        best_value=2.3511,
        epochs=100,
        seconds=185.0,
        findings=["3 rows have no target"],
    )
    summary = run_summary(result, "runs/boston")
    assert summary.text() == (
        "note          3 rows have no target\n"
        "run           runs/boston\n"
        "time          3 min 05 s for 4 folds\n"
        "best epoch    81 of 100 (mean validation mae 2.35)\n"
        "baseline      6.53 ± 0.41 (median)\n"
        "simple model  none (ridge regression skipped: the inputs are not one array)\n"
        "score         validation mae 2.41 ± 0.31 "
        "(mean ± standard deviation of 4 folds)\n"
        "interval      1.7 to 3.2 (95%, from 4 folds)"
    )


def test_a_model_that_is_not_shown_to_be_better_is_told_so():
    text = "no statistical power shown: 0.02 better than the baseline (95% interval -0.01 to 0.05)"
    summary = run_summary(holdout(verdict={"beats_baseline": None, "text": text}), "runs/x")
    assert summary.beats_baseline is None
    assert f"verdict       {text}" in summary.text().splitlines()


def test_a_simple_model_that_is_as_good_is_told_so():
    simple = holdout()["simple_model"]
    for answer, said in ((None, "no clear difference"), (False, "it beats the model")):
        compared = simple["verdict"] | {"beats_simple_model": answer}
        summary = run_summary(holdout(simple_model=simple | {"verdict": compared}), "runs/x")
        assert f"simple model  0.873 (logistic regression; {said})" in summary.text()


def test_a_score_without_an_interval_says_why():
    score = holdout()["score"] | {"interval": None, "no_interval": "8 rows are too few"}
    summary = run_summary(holdout(score=score), "runs/x")
    assert "interval      none: 8 rows are too few" in summary.text().splitlines()
    # The reason is not repeated in the line below.
    text = "2 better than the baseline; no interval: 8 rows are too few"
    summary = run_summary(holdout(score=score, verdict={"text": text}), "runs/x")
    assert "verdict       2 better than the baseline; no interval" in summary.text().splitlines()


def test_a_final_model_has_no_score():
    score = {"name": "mae", "direction": "min", "value": None, "std": None, "folds": []}
    score["no_interval"] = "no rows were held out"
    nothing = dict.fromkeys(("baseline", "simple_model", "verdict", "best_epoch", "best_value"))
    result = holdout(score=score, **nothing)
    summary = run_summary(result, "runs/x")
    assert summary.beats_baseline is None
    assert [line.label for line in summary.lines] == ["run", "time", "score"]
    assert summary.lines[-1].text == "none: no rows were held out"


def test_an_interrupted_run_says_so_above_its_score():
    summary = run_summary(holdout(interrupted=True), "runs/x")
    labels = [line.label for line in summary.lines]
    assert labels[labels.index("status") + 1] == "score"
    text = summary.lines[labels.index("status")].text
    assert text == "interrupted; the results so far are kept"


def test_a_diverged_run_has_no_number():
    score = holdout()["score"] | {"interval": None, "no_interval": "the score is not a number"}
    for value in (None, float("nan")):
        summary = run_summary(holdout(score=score | {"value": value}, verdict=None), "runs/x")
        assert [line.label for line in summary.lines][-2:] == ["simple model", "score"]
        assert summary.beats_baseline is None
    assert summary.lines[-1].text == "validation accuracy nan"
    summary = run_summary(holdout(score=score | {"value": None, "folds": [None]}), "runs/x")
    assert "validation accuracy is not a number" in [line.text for line in summary.lines]
