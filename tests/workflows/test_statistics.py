"""What a run says of its own score: interval, simple model and verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dlrun
from dlrun.metrics.scores import find_score
from dlrun.scoring.rivals import ComparedPredictions
from dlrun.workflows.statistics import STRETCHES, Units, statistics_on_rows

Train = Callable[..., dlrun.Run]

CLASSES = """
    dataset: {source: npz, path: rows.npz, inputs: x, targets: y}
    architecture: {layers: [{Dense: {units: 32, activation: relu}}, {Dense: {units: 10}}]}
    loss: {sparse_categorical_crossentropy: {from_logits: true}}
    optimizer: adam
    metrics: [accuracy]
    training: {epochs: 8}
    evaluation: {protocol: holdout, validation: 0.25}
"""
QUANTITIES = """
    dataset: {source: csv, path: rows.csv, target: y}
    preprocess: [standardize, {targets: [standardize]}]
    architecture: {layers: [Dense: 1]}
    loss: mse
    optimizer: {adam: {learning_rate: 0.05}}
    metrics: [mae]
    training: {epochs: 20}
    evaluation: {protocol: kfold, folds: 4}
"""


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Trains a config from YAML text."""

    def run(text: str, *overrides: str) -> dlrun.Run:
        file = tmp_path / "experiment.yaml"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return dlrun.train(file, overrides=overrides, runs_dir=tmp_path / "runs")

    return run


@pytest.fixture
def digits(tmp_path: Path) -> Callable[[bool], Any]:
    """Writes digits with their own or with permuted labels, and returns them."""

    def write(permuted: bool) -> Any:
        x, y = load_digits(return_X_y=True)
        y = np.random.default_rng(0).permutation(y) if permuted else y
        np.savez(tmp_path / "rows.npz", x=(x / 16).astype(np.float32), y=y)
        return x / 16, y

    return write


@pytest.fixture
def diabetes(tmp_path: Path) -> pd.DataFrame:
    """Writes scikit-learn's diabetes data, with groups and days, as a CSV file."""
    table = load_diabetes(as_frame=True).data.round(5)
    table["y"] = load_diabetes().target
    table["clinic"] = [f"c{i % 40}" for i in range(len(table))]
    table["day"] = np.random.default_rng(0).permutation(len(table))
    table.to_csv(tmp_path / "rows.csv", index=False)
    return table


@pytest.mark.slow
def test_permuted_labels_score_at_chance(train: Train, digits: Callable[[bool], Any]) -> None:
    digits(True)
    run = train(CLASSES)
    assert run.result["verdict"]["beats_baseline"] is not True
    assert run.result["simple_model"]["verdict"]["beats_simple_model"] is not True
    interval = run.result["score"]["interval"]
    assert interval["low"] < 0.1 < interval["high"]


@pytest.mark.slow
def test_a_model_of_digits_beats_the_baseline(train: Train, digits: Callable[[bool], Any]) -> None:
    x, y = digits(False)
    run = train(CLASSES)
    result, splits = run.result, np.load(run.path / "splits.npz")
    known, rows = splits["fold00_train"], splits["fold00_validation"]
    assert result["verdict"]["beats_baseline"] is True
    assert result["verdict"]["text"].startswith("beats the baseline by 0.")
    difference = result["score"]["value"] - result["baseline"]["value"]
    assert result["verdict"]["difference"] == pytest.approx(difference)
    right = round(result["score"]["value"] * len(rows))
    expected = stats.binomtest(right, len(rows)).proportion_ci(0.95, "wilson")
    assert result["score"]["interval"]["low"] == pytest.approx(expected.low)
    assert result["score"]["interval"]["note"] == f"from {len(rows)} rows"
    simple = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[known], y[known])
    assert result["simple_model"]["name"] == "logistic regression"
    assert result["simple_model"]["value"] == pytest.approx(
        simple.score(x[rows], y[rows]), abs=0.01
    )


@pytest.mark.slow
def test_folds_are_judged_by_the_corrected_resampled_t(
    train: Train, diabetes: pd.DataFrame
) -> None:
    result = train(QUANTITIES, "dataset.drop=[clinic,day]").result
    scores, simple = (np.array(result[name]["folds"]) for name in ("score", "simple_model"))
    assert len(simple) == 4

    def half(values: np.ndarray) -> float:
        error = np.sqrt((1 / 4 + 110.5 / 331.5) * values.var(ddof=1))
        return float(stats.t.ppf(0.975, 3) * error)

    interval = result["score"]["interval"]
    assert interval["high"] - scores.mean() == pytest.approx(half(scores))
    assert interval["note"] == "from 4 folds of 110 rows"
    compared = result["simple_model"]["verdict"]
    gains = simple - scores
    assert compared["difference"] == pytest.approx(gains.mean())
    assert compared["interval"]["low"] == pytest.approx(gains.mean() - half(gains))
    # One linear layer is a linear model.
    assert compared["beats_simple_model"] is None
    # In the target's own unit, though the network was trained on standardized targets.
    assert 40 < result["simple_model"]["value"] < 50


@pytest.mark.usefixtures("curves_drawn")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("used", "evaluation", "note"),
    [
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ("clinic", "{protocol: holdout, validation: 0.5, groups: clinic}", "in 20 groups"),
                (
                    "day",
                    "{protocol: holdout, validation: 0.5, time: day}",
                    "in 14 stretches of time",
                ),
            )
        ),
        ("day", "{protocol: time_series, folds: 2, time: day}", "in 24 stretches of time"),
        ("", "{protocol: repeated_holdout, repeats: 2}", "from 89 rows and 2 seeds"),
    ],
)
def test_rows_that_belong_together_are_drawn_together(
    train: Train, diabetes: pd.DataFrame, used: str, evaluation: str, note: str
) -> None:
    unused = ",".join(name for name in ("clinic", "day") if name != used)
    run = train(QUANTITIES, f"evaluation={evaluation}", f"dataset.drop=[{unused}]")
    result, score = run.result, run.result["score"]
    assert score["interval"]["note"].endswith(note)
    assert score["interval"]["low"] < score["value"] < score["interval"]["high"]
    assert result["verdict"]["beats_baseline"] is True
    if "repeats" in evaluation:
        assert ">mean of 2 repeats</text>" in (run.path / "curves.svg").read_text()


def test_few_units_are_named_for_what_they_are() -> None:
    score, truth = find_score("mae"), np.random.default_rng(0).normal(size=40)
    assert score is not None
    near, far = truth[:, None] + 0.1 * truth[::-1, None], np.zeros((40, 1))
    rows = ComparedPredictions(score, truth, near, far, None, None, 0.0, 100)
    for name, why in (
        (STRETCHES, "the 40 rows in time order make 6 stretches, which are too few; 10 are needed"),
        ("groups", "6 groups are too few; 10 are needed"),
    ):
        found = statistics_on_rows([rows], Units(np.arange(40) // 7, name), 0)
        assert (found.interval, found.why) == (None, why)
        assert found.baseline is not None
        assert found.baseline.why == why


@pytest.mark.slow
def test_few_groups_give_no_interval(train: Train, diabetes: pd.DataFrame) -> None:
    evaluation = "{protocol: holdout, groups: clinic}"
    result = train(QUANTITIES, f"evaluation={evaluation}", "dataset.drop=[day]").result
    assert result["score"]["interval"] is None
    assert result["score"]["no_interval"] == "8 groups are too few; 10 are needed"
    assert result["verdict"]["beats_baseline"] is None
    assert result["verdict"]["text"].endswith(
        "better than the baseline; no interval: " + result["score"]["no_interval"]
    )


@pytest.mark.slow
def test_the_difference_in_the_loss_holds_penalties(train: Train, diabetes: pd.DataFrame) -> None:
    layer = "{Dense: {units: 1, kernel_regularizer: {L2: 0.1}}}"
    result = train(
        QUANTITIES,
        "evaluation={protocol: holdout, score: loss}",
        f"architecture.layers=[{layer}]",
        "dataset.drop=[clinic,day]",
    ).result
    difference = result["baseline"]["value"] - result["score"]["value"]
    assert result["verdict"]["difference"] == pytest.approx(difference, rel=1e-4)
    score, interval = result["score"]["value"], result["score"]["interval"]
    assert interval["low"] < score < interval["high"]


@pytest.mark.slow
def test_indices_are_no_input_of_a_linear_model(train: Train, tmp_path: Path) -> None:
    words = np.random.default_rng(0).integers(0, 50, (80, 12))
    np.savez(tmp_path / "rows.npz", x=words, y=words[:, 0] % 2)
    layers = "[{Embedding: {input_dim: 50, output_dim: 4}}, Flatten, {Dense: {units: 2}}]"
    result = train(CLASSES, f"architecture.layers={layers}", "training.epochs=1").result
    assert result["simple_model"] == {
        "name": "logistic regression",
        "skipped": "the inputs are indices for an Embedding, not quantities",
    }


@pytest.mark.slow
def test_a_simple_model_below_0_has_no_poisson_score(
    train: Train, diabetes: pd.DataFrame, tmp_path: Path
) -> None:
    layer = "{Dense: {units: 1, activation: exponential}}"
    counts = diabetes.assign(y=np.exp(diabetes["bmi"] * 60).round())
    counts.to_csv(tmp_path / "rows.csv", index=False)
    result = train(
        QUANTITIES,
        "preprocess=[standardize]",
        "loss=poisson",
        "metrics=[Poisson]",
        f"architecture.layers=[{layer}]",
        "dataset.drop=[clinic,day]",
    ).result
    assert "undefined" in result["simple_model"]["skipped"]


@pytest.mark.slow
def test_a_look_at_the_test_data_has_them_too(
    train: Train, digits: Callable[[bool], Any], tmp_path: Path
) -> None:
    digits(False)
    run = train(CLASSES, "dataset.test={fraction: 0.2}")
    from dlrun.workflows.evaluate import evaluate

    facts = evaluate(run.path, runs_dir=tmp_path / "runs").facts
    right = round(facts["score"]["value"] * facts["rows"])
    expected = stats.binomtest(right, facts["rows"]).proportion_ci(0.95, "wilson")
    assert facts["score"]["interval"]["high"] == pytest.approx(expected.high)
    assert facts["verdict"]["beats_baseline"] is True
    assert facts["simple_model"]["value"] > 0.9
