"""Several outputs, each with its own task, loss and metrics, against Keras' own `fit`, NumPy and
scikit-learn."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, mean_squared_error

from dlrun.workflows.compare import compare
from dlrun.workflows.evaluate import evaluate
from dlrun.workflows.finalize import finalize
from dlrun.workflows.predict import predict
from dlrun.workflows.report import report
from dlrun.workflows.train import train

ROWS, VALIDATED = 200, 50
LEVELS = ["high", "low", "mid"]

CONFIG = """
    dataset: {source: csv, path: people.csv, target: [age, income]}
    preprocess:
      - {targets: [standardize, one_hot]}
    architecture:
      layers:
        - {Dense: {units: 8, activation: relu}, name: body}
        - {Dense: 1, from: body, name: age}
        - {Dense: {units: 3, activation: softmax, kernel_regularizer: {L2: 0.01}}, from: body,
           name: income}
      outputs: [age, income]
    loss: {age: mse, income: categorical_crossentropy}
    loss_weights: {age: 0.25}
    metrics: {age: [mae], income: accuracy}
    optimizer: {SGD: {learning_rate: 0.05}}
    training: {epochs: 3, batch_size: 16, shuffle: false, xla: false}
    evaluation: {validation: {fraction: 0.25}, shuffle: false, stratify: false}
"""


@pytest.fixture
def people(tmp_path: Path) -> pd.DataFrame:
    """Rows whose age and income follow from two features, in `people.csv`."""
    draw = np.random.default_rng(4)
    height, weight = draw.normal(size=(2, ROWS))
    age = 40 + 5 * height + draw.normal(size=ROWS)
    income = np.array(LEVELS)[np.digitize(weight + 0.3 * draw.normal(size=ROWS), [-0.4, 0.4])]
    table = pd.DataFrame({"height": height, "weight": weight, "age": age, "income": income})
    table.to_csv(tmp_path / "people.csv", index=False)
    return pd.read_csv(tmp_path / "people.csv")


def run(folder: Path, *overrides: str, text: str = CONFIG) -> Any:
    (folder / "two.yaml").write_text(textwrap.dedent(text))
    return train(folder / "two.yaml", runs_dir=folder / "runs", overrides=overrides)


def by_hand(people: pd.DataFrame, epochs: int = 3) -> tuple[Any, dict[str, list[float]]]:
    """The same model made and trained in Keras, and the history of its own `fit`."""
    import keras

    from dlrun.training.backend import reset

    reset(0)
    entrance = keras.Input((2,))
    body = keras.layers.Dense(8, activation="relu")(entrance)
    age = keras.layers.Dense(1, name="age")(body)
    income = keras.layers.Dense(
        3, activation="softmax", kernel_regularizer=keras.regularizers.L2(0.01), name="income"
    )(body)
    model = keras.Model(entrance, {"age": age, "income": income})
    model.compile(
        loss={"age": "mse", "income": "categorical_crossentropy"},
        loss_weights={"age": 0.25, "income": 1.0},
        metrics={"age": ["mae"], "income": ["accuracy"]},
        optimizer=keras.optimizers.SGD(learning_rate=0.05),
    )
    x = people[["height", "weight"]].to_numpy(np.float32)
    train_rows, rest = slice(0, ROWS - VALIDATED), slice(ROWS - VALIDATED, ROWS)
    known = people["age"][train_rows]
    y = {
        "age": ((people["age"] - known.mean()) / known.std(ddof=0)).to_numpy(np.float32)[:, None],
        "income": np.eye(3, dtype=np.float32)[people["income"].map(LEVELS.index)],
    }
    history = model.fit(
        x[train_rows],
        {name: values[train_rows] for name, values in y.items()},
        validation_data=(x[rest], {name: values[rest] for name, values in y.items()}),
        validation_batch_size=256,
        batch_size=16,
        epochs=epochs,
        shuffle=False,
        verbose=0,
    ).history
    return model, history


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fused", pytest.param("keras", marks=pytest.mark.slow)])
def test_the_history_is_that_of_keras_fit_on_several_outputs(
    tmp_path: Path, people: pd.DataFrame, engine: str
) -> None:
    ours = run(tmp_path, f"training.engine={engine}").history
    _, theirs = by_hand(people)
    unit = people["age"][: ROWS - VALIDATED].std(ddof=0)
    assert set(theirs) <= set(ours)
    for name, values in theirs.items():
        scale = unit if name.endswith("age_mae") else 1.0
        np.testing.assert_allclose(ours[name], np.array(values) * scale, rtol=2e-5, err_msg=name)


@pytest.mark.slow
def test_every_measure_follows_from_the_kept_predictions(
    tmp_path: Path, people: pd.DataFrame
) -> None:
    done = run(tmp_path)
    held = np.load(done.path / "predictions.npz", allow_pickle=False)
    rest = people.iloc[held["rows"]]
    assert len(rest) == VALIDATED
    np.testing.assert_allclose(held["targets_age"], rest["age"])
    truth = rest["income"].map(LEVELS.index)
    np.testing.assert_array_equal(held["targets_income"], truth)
    age, income = held["predictions_age"], held["predictions_income"]
    unit = people["age"][: ROWS - VALIDATED].std(ddof=0)
    measures = {name: facts["value"] for name, facts in done.result["measures"].items()}
    assert measures["age_mae"] == pytest.approx(mean_absolute_error(rest["age"], age), rel=1e-5)
    age_loss = mean_squared_error(rest["age"], age) / unit**2
    assert measures["age_loss"] == pytest.approx(age_loss, rel=1e-5)
    assert measures["income_accuracy"] == accuracy_score(truth, income.argmax(axis=1))
    income_loss = log_loss(truth, income / income.sum(axis=1, keepdims=True, dtype=float))
    assert measures["income_loss"] == pytest.approx(income_loss, rel=1e-5)
    kernel = done.model.get_layer("income").kernel.numpy()
    total = 0.25 * age_loss + income_loss + 0.01 * np.sum(kernel**2)
    assert measures["loss"] == pytest.approx(total, rel=1e-5)
    # The first metric of the first output is the score, with its own baseline.
    assert done.result["score"]["name"] == "age_mae"
    known = people["age"][: ROWS - VALIDATED]
    baseline = mean_absolute_error(rest["age"], np.full(VALIDATED, known.median()))
    assert done.result["baseline"]["value"] == pytest.approx(baseline)
    np.testing.assert_array_equal(held["predictions"], age)


@pytest.mark.slow
def test_another_output_can_give_the_score(tmp_path: Path, people: pd.DataFrame) -> None:
    done = run(tmp_path, "evaluation.score=income_accuracy")
    rest = people["income"][ROWS - VALIDATED :]
    most = people["income"][: ROWS - VALIDATED].mode()[0]
    assert done.result["task"] == "multiclass"
    assert done.result["baseline"]["value"] == pytest.approx((rest == most).mean())
    held = np.load(done.path / "predictions.npz", allow_pickle=False)
    np.testing.assert_array_equal(held["predictions"], held["predictions_income"])
    assert done.result["simple_model"]["name"] == "logistic regression"
    assert 0 < done.result["simple_model"]["value"] <= 1


@pytest.mark.slow
def test_the_sum_of_losses_can_be_the_score(tmp_path: Path, people: pd.DataFrame) -> None:
    done = run(tmp_path, "evaluation.score=loss")
    score, result = done.result["score"], done.result
    assert score["value"] == result["measures"]["loss"]["value"]
    assert score["interval"]["low"] < score["value"] < score["interval"]["high"]
    known, rest = people[: ROWS - VALIDATED], people[ROWS - VALIDATED :]
    squared = ((rest["age"] - known["age"].mean()) / known["age"].std(ddof=0)) ** 2
    shares = known["income"].value_counts(normalize=True)
    crossentropy = -np.log(rest["income"].map(shares))
    expected = 0.25 * squared.mean() + crossentropy.mean()
    assert result["baseline"]["value"] == pytest.approx(expected, rel=1e-5)
    assert "several outputs" in result["simple_model"]["skipped"]


@pytest.mark.slow
def test_evaluate_predict_finalize_report_and_compare(tmp_path: Path, people: pd.DataFrame) -> None:
    wanted = ("dataset.test.fraction=0.2", "training.epochs=2")
    first, second = run(tmp_path, *wanted), run(tmp_path, *wanted, "training.epochs=4")
    final = finalize(first.path, runs_dir=tmp_path / "runs")
    look = evaluate(final.path, runs_dir=tmp_path / "runs")
    rows = np.load(look.path.with_suffix(".npz"), allow_pickle=False)
    test = people.iloc[np.load(final.path / "splits.npz")["test"]]
    error = mean_absolute_error(test["age"], rows["predictions_age"])
    assert look.facts["measures"]["age_mae"] == pytest.approx(error, rel=1e-5)
    figures = look.facts["figures_of_outputs"]
    right = accuracy_score(
        test["income"], np.array(LEVELS)[rows["predictions_income"].argmax(axis=1)]
    )
    assert figures["income"]["accuracy"] == pytest.approx(right)
    assert figures["age"] == look.facts["figures"]
    table = predict(final.path, tmp_path / "people.csv").table
    shares = [f"income_probability_{level}" for level in LEVELS]
    assert list(table) == ["age", "income_prediction", *shares]
    np.testing.assert_allclose(table["age"].iloc[test.index], rows["predictions_age"][:, 0], 1e-5)
    assert set(table["income_prediction"]) <= set(LEVELS)
    (pair,) = compare([first.path, second.path]).pairs
    assert pair.difference == pytest.approx(abs(first.score - second.score), rel=1e-4)
    page = report([first.path]).read_text(encoding="utf-8")
    assert "Other outputs" in page
    assert "income" in page


@pytest.mark.slow
def test_folds_and_their_ensemble(tmp_path: Path, people: pd.DataFrame) -> None:
    folds = ("evaluation.protocol=kfold", "evaluation.folds=3", "training.epochs=1")
    text = CONFIG.replace(
        "evaluation: {validation: {fraction: 0.25}, shuffle: false, stratify: false}",
        "evaluation: {protocol: kfold, folds: 3}",
    )
    done = run(tmp_path, folds[2], text=text)
    held = np.load(done.path / "predictions.npz", allow_pickle=False)
    assert held["predictions_income"].shape == (ROWS, 3)
    error = mean_absolute_error(people["age"], held["predictions_age"])
    parts = done.result["measures"]["age_mae"]["folds"]
    sizes = [fold["rows"] for fold in done.result["folds"]]
    assert error == pytest.approx(np.average(parts, weights=sizes), rel=1e-5)
    kept = finalize(done.path, ensemble=True, runs_dir=tmp_path / "runs")
    together = predict(kept.path, tmp_path / "people.csv").table
    alone = []
    for fold in sorted((kept.path / "folds").iterdir()):
        state = json.loads((fold / "preprocess.json").read_text())
        steps = state["steps"] if isinstance(state, dict) else state
        step = next(s for s in steps if s.get("target") == "age")["state"]
        import keras

        model = keras.saving.load_model(fold / "model.keras")
        said = model.predict(people[["height", "weight"]].to_numpy(np.float32), verbose=0)
        alone.append(said["age"][:, 0] * step["std"] + step["mean"])
    np.testing.assert_allclose(together["age"], np.mean(alone, axis=0), rtol=1e-4)


@pytest.mark.slow
def test_row_weights_count_in_the_loss_of_each_output(tmp_path: Path, people: pd.DataFrame) -> None:
    people["worth"] = np.where(np.arange(ROWS) % 2 == 0, 1.0, 3.0)
    people.to_csv(tmp_path / "people.csv", index=False)
    done = run(tmp_path, "training.sample_weight=worth", "training.epochs=1")
    held = np.load(done.path / "predictions.npz", allow_pickle=False)
    rest = people.iloc[held["rows"]]
    unit = people["age"][: ROWS - VALIDATED].std(ddof=0)
    squared = (held["predictions_age"][:, 0] - rest["age"]) ** 2 / unit**2
    expected = np.mean(squared * rest["worth"])
    assert done.result["measures"]["age_loss"]["value"] == pytest.approx(expected, rel=1e-5)
    assert done.history["val_age_loss"].iloc[-1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_several_true_or_false_columns_are_the_labels_of_one_output(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    x = draw.normal(size=(120, 3))
    labels = x + 0.5 * draw.normal(size=x.shape) > 0
    table = pd.DataFrame(x, columns=["a", "b", "c"])
    for number, word in enumerate(["rain", "wind", "frost"]):
        table[word] = labels[:, number]
    table.to_csv(tmp_path / "weather.csv", index=False)
    text = """
    dataset: {source: csv, path: weather.csv, target: [rain, wind, frost], test: {fraction: 0.2}}
    architecture: {layers: [{Dense: {units: 3, activation: sigmoid}}]}
    loss: binary_crossentropy
    metrics: [binary_accuracy]
    optimizer: {SGD: {learning_rate: 0.5}}
    training: {epochs: 5, batch_size: 8}
    evaluation: {validation: {fraction: 0.25}}
    """
    done = run(tmp_path, text=text)
    assert done.result["task"] == "multilabel"
    held = np.load(done.path / "predictions.npz", allow_pickle=False)
    truth = labels[held["rows"]]
    np.testing.assert_array_equal(held["targets"], truth)
    right = np.mean((held["predictions"] > 0.5) == truth)
    assert done.result["score"]["value"] == pytest.approx(right)
    said = predict(done.path, tmp_path / "weather.csv").table
    assert list(said) == ["probability_rain", "probability_wind", "probability_frost"]
    np.testing.assert_allclose(said.iloc[held["rows"]], held["predictions"], rtol=1e-5)
    look = evaluate(done.path)
    test = np.load(done.path / "splits.npz")["test"]
    rows = np.load(look.path.with_suffix(".npz"), allow_pickle=False)
    expected = np.mean((rows["predictions"] > 0.5) == labels[test])
    assert look.score == pytest.approx(expected)
