"""Weights of classes and rows are scikit-learn's, and act as Keras lets them act."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from dlrun.data.samples import Samples
from dlrun.errors import DataError
from dlrun.protocols.preparation import class_weights, sample_weights

TABLE = """
    dataset: {source: csv, path: rows.csv, target: kind}
    architecture: {layers: [{Dense: {units: 3, activation: softmax}}]}
    loss: sparse_categorical_crossentropy
    optimizer: {SGD: {learning_rate: 0.1}}
    metrics: [accuracy]
    training: {epochs: 3, batch_size: 10, shuffle: false}
    evaluation: {protocol: holdout, validation: 0.25, shuffle: false, score: loss}
"""


@pytest.fixture
def rows(tmp_path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A file with features a and b, a text class, and a weight; classes in alphabetical order."""
    rng = np.random.default_rng(0)
    x, kinds = rng.normal(size=(40, 2)).astype(np.float32), rng.choice(3, 40, p=[0.6, 0.3, 0.1])
    weights = rng.uniform(0, 3, 40).round(2).astype(np.float32)
    lines = ["a,b,weight,kind"]
    for (a, b), weight, kind in zip(x.tolist(), weights, kinds, strict=True):
        lines.append(f"{a!r},{b!r},{weight},{['ant', 'bee', 'cat'][kind]}")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    return x, kinds, weights


def history_of_keras(x: np.ndarray, y: np.ndarray, validation: Any, **options: Any) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
    sgd = keras.optimizers.SGD(0.1)
    model.compile(sgd, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    given = {"epochs": 3, "batch_size": 10, "shuffle": False, "verbose": 0}
    return model.fit(x, y, validation_data=validation, **given, **options).history


def assert_history(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> None:
    for name, values in theirs.items():
        assert ours[name] == pytest.approx(values, rel=1e-5), name


@pytest.mark.slow
def test_balanced_is_scikit_learns_rule_in_keras_fit(rows: Any, run: Callable[..., Any]) -> None:
    x, y, _ = rows
    train, labels = slice(0, 30), np.unique(y[:30])
    balanced = compute_class_weight("balanced", classes=labels, y=y[train])
    weights = dict(zip(labels.tolist(), balanced, strict=True))
    changes = {"dataset__drop": "[weight]", "training__class_weight": "balanced"}
    [fold] = run(TABLE, **changes).outcome.folds
    theirs = history_of_keras(x[train], y[train], (x[30:], y[30:]), class_weight=weights)
    assert_history(fold.history, theirs)


@pytest.mark.slow
def test_weights_by_class_name(rows: Any, run: Callable[..., Any]) -> None:
    x, y, _ = rows
    changes = {"dataset__drop": "[weight]", "training__class_weight": "{bee: 4, cat: 0.5}"}
    [fold] = run(TABLE, **changes).outcome.folds
    # A class that is not named counts as it is.
    weights = {0: 1.0, 1: 4.0, 2: 0.5}
    theirs = history_of_keras(x[:30], y[:30], (x[30:], y[30:]), class_weight=weights)
    assert_history(fold.history, theirs)


@pytest.mark.slow
def test_a_column_of_row_weights(rows: Any, run: Callable[..., Any]) -> None:
    x, y, weights = rows
    [fold] = run(TABLE, training__sample_weight="weight").outcome.folds
    validation = (x[30:], y[30:], weights[30:])
    theirs = history_of_keras(x[:30], y[:30], validation, sample_weight=weights[:30])
    assert_history(fold.history, theirs)
    # The loss of the trained model counts the weights too; metrics do not, as in Keras.
    assert fold.score == pytest.approx(theirs["val_loss"][-1], rel=1e-5)
    assert fold.measures["accuracy"] == pytest.approx(theirs["val_accuracy"][-1])


@pytest.mark.slow
def test_classes_and_rows_weighted_at_once(rows: Any, run: Callable[..., Any]) -> None:
    x, y, weights = rows
    changes = {"training__sample_weight": "weight", "training__class_weight": "{bee: 4}"}
    [fold] = run(TABLE, **changes).outcome.folds
    product = weights * np.where(y == 1, 4, 1).astype(np.float32)
    validation = (x[30:], y[30:], weights[30:])
    theirs = history_of_keras(x[:30], y[:30], validation, sample_weight=product[:30])
    assert_history(fold.history, theirs)


@pytest.mark.parametrize(
    ("given", "task", "classes", "message"),
    [
        (
            "balanced",
            "regression",
            (),
            "class_weight needs one target with classes; this task is regression",
        ),
        (
            {"bea": 2.0},
            "multiclass",
            ("ant", "bee", "cat"),
            "class_weight names the class 'bea', which the target does not have; its classes "
            "are ant, bee, cat",
        ),
        (
            {3: 1.0},
            "multiclass",
            (),
            "class_weight names the class '3', which the target does not have; its classes are "
            "0, 1, 2",
        ),
    ],
)
def test_class_weights_that_cannot_be(
    given: Any, task: Any, classes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError) as error:
        class_weights(given, np.asarray([0, 1, 2]), task, classes)
    assert str(error.value) == message


@pytest.mark.parametrize("targets", [[1, 1, 0, 2], np.eye(3)[[1, 1, 0, 2]]])
def test_one_hot_targets_have_the_same_class_weights(targets: Any) -> None:
    weights = class_weights("balanced", np.asarray(targets), "multiclass", ())
    assert weights == {0: 4 / 3, 1: 2 / 3, 2: 4 / 3}


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_row_weight_that_is_none(bad: float) -> None:
    weights = {"weight": np.asarray([1.0, bad])}
    samples = Samples({"x": np.zeros(2)}, {}, np.asarray([4, 9]), extras=weights)
    with pytest.raises(DataError) as error:
        sample_weights("weight", samples)
    assert str(error.value) == (
        f"sample_weight column 'weight' holds {bad} in row 9 (counted from 0); "
        "weights must be finite, and 0 or more"
    )


def test_row_weights_are_numbers() -> None:
    weights = {"weight": np.asarray(["high", "low"], dtype=object)}
    samples = Samples({"x": np.zeros(2)}, {}, np.asarray([4, 9]), extras=weights)
    with pytest.raises(DataError) as error:
        sample_weights("weight", samples)
    assert str(error.value) == (
        "sample_weight column 'weight' holds 'high' in row 4 (counted from 0); "
        "weights must be numbers"
    )


def test_a_number_is_a_label_where_labels_are_numbers() -> None:
    targets = np.array([0, 1, 2])
    assert class_weights({5: 2.0}, targets, "multiclass", ("3", "5", "7")) == {1: 2.0}
    with pytest.raises(DataError, match=r"^class_weight names the class '1', which the target"):
        class_weights({1: 2.0}, targets, "multiclass", ("3", "5", "7"))
    assert class_weights({1: 2.0}, targets, "multiclass", ("ant", "bee", "cat")) == {1: 2.0}
