"""The simple model against scikit-learn's own, and what it is not fitted for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dlrun.metrics.cuts import Meaning
from dlrun.metrics.names import TargetType
from dlrun.metrics.scores import Score, find_score
from dlrun.scoring import simple_models
from dlrun.scoring.simple_models import (
    SkippedError,
    fit_simple_model,
    refuse_large,
    simple_output,
)

X, Y = load_iris(return_X_y=True)
TRAIN, ROWS = np.arange(0, 150, 2), np.arange(1, 150, 2)


def score_named(name: str, outputs: Meaning = "probabilities") -> Score:
    score = find_score(name, outputs=outputs)
    assert score is not None
    return score


@pytest.mark.parametrize("form", ["indices", "one-hot"])
def test_classes_are_those_of_scikit_learn(form: str) -> None:
    targets = Y if form == "indices" else np.eye(3)[Y]
    model = fit_simple_model("multiclass", X[TRAIN], targets[TRAIN], 3)
    expected = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[TRAIN], Y[TRAIN])
    found = model.predict(X[ROWS], score_named("accuracy"))
    assert found == pytest.approx(expected.predict_proba(X[ROWS]), abs=1e-3)
    assert model.name == "logistic regression"


def test_one_output_is_the_probability_of_the_second_class() -> None:
    model = fit_simple_model("binary", X[TRAIN], (Y[TRAIN] > 0).astype(int)[:, None], 1)
    found = model.predict(X[ROWS], score_named("accuracy"))
    assert found.shape == (75, 1)
    assert ((found[:, 0] > 0.5) == (Y[ROWS] > 0)).all()


def test_logits_where_the_measure_takes_logits() -> None:
    model = fit_simple_model("multiclass", X[TRAIN], Y[TRAIN], 3)
    of_logits = score_named("sparse_categorical_crossentropy", "class logits")
    plain = score_named("sparse_categorical_crossentropy")
    values = [
        score.function(Y[ROWS], model.predict(X[ROWS], score)) for score in (of_logits, plain)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


def test_a_class_that_training_lacks_gets_nothing() -> None:
    kept = TRAIN[Y[TRAIN] < 2]
    model = fit_simple_model("multiclass", X[kept], Y[kept], 3)
    assert (model.predict(X[ROWS], score_named("accuracy"))[:, 2] == 0).all()


def test_quantities_are_those_of_ridge_regression() -> None:
    features, target = load_diabetes(return_X_y=True)
    targets = np.column_stack([target, -2 * target])
    model = fit_simple_model("regression", features[:300], targets[:300], 2)
    expected = make_pipeline(StandardScaler(), Ridge()).fit(features[:300], targets[:300])
    found = model.predict(features[300:], score_named("mae"))
    assert found == pytest.approx(expected.predict(features[300:]))
    assert model.name == "ridge regression"
    one = fit_simple_model("regression", features[:300], target[:300], 1)
    assert one.predict(features[300:], score_named("mae")).shape == (142, 1)


def test_each_label_has_its_own_and_a_constant_one_is_constant() -> None:
    labels = np.column_stack([Y > 0, Y > 1, np.ones(150), np.zeros(150)]).astype(int)
    model = fit_simple_model("multilabel", X[TRAIN], labels[TRAIN], 4)
    found = model.predict(X[ROWS], score_named("binary_accuracy"))
    expected = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[TRAIN], Y[TRAIN] > 1)
    assert found[:, 1] == pytest.approx(expected.predict_proba(X[ROWS])[:, 1], abs=1e-3)
    assert (found[:, 2:] == [1, 0]).all()


def test_zeros_and_ones_may_be_sparse() -> None:
    rng = np.random.default_rng(0)
    words = (rng.random((200, 40)) < 0.1).astype(np.float32)
    labels = (words[:, 0] + words[:, 1] > 0).astype(int)
    model = fit_simple_model("binary", csr_matrix(words), labels, 1)
    expected = LogisticRegression().fit(words, labels).predict_proba(words)[:, 1]
    found = model.predict(csr_matrix(words), score_named("accuracy"))[:, 0]
    assert found == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize(
    ("size", "why"),
    [
        (
            ("multiclass", 50_000, 784, 10, None),
            "50000 rows of 784 features and 10 outputs take too long",
        ),
        (("regression", 50_000, 2000, 1, None), "50000 rows of 2000 features take too long"),
        (
            ("multiclass", 8000, 10_000, 46, 700_000),
            "8000 rows of 10000 features and 46 outputs take too long",
        ),
    ],
)
def test_what_takes_too_long_is_not_fitted(size: tuple, why: str) -> None:
    with pytest.raises(SkippedError, match=why):
        refuse_large(*size)


@pytest.mark.parametrize(
    "size",
    [
        ("multiclass", 1149, 64, 10, None),
        ("regression", 300_000, 8, 1, None),
        ("binary", 15_000, 10_000, 1, 2_100_000),
    ],
)
def test_what_takes_less_than_a_second_is_fitted(size: tuple) -> None:
    refuse_large(*size)


def test_a_single_class_cannot_be_learned() -> None:
    with pytest.raises(SkippedError, match="the training rows hold a single class"):
        fit_simple_model("binary", X[:20], np.zeros(20, int), 1)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_many_rows_are_replaced_by_evenly_spaced_ones(
    task: TargetType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3)).astype(np.float32)
    y = x @ [1.0, -2.0, 0.5] + rng.normal(size=2000)
    y = (y > 0).astype(np.int64) if task == "binary" else y
    score = score_named("accuracy" if task == "binary" else "mae")
    monkeypatch.setattr(simple_models, "FEWEST_SEEN", 100)
    monkeypatch.setattr(simple_models, "MOST_NUMBERS", 500 * 3)
    monkeypatch.setattr(simple_models, "MOST_PRODUCTS", 500 * 9)
    output = simple_output(task, score, [], (x, y[:, None]), x, 1)
    assert output.name.endswith(" regression on 500 evenly spaced rows")
    seen = np.linspace(0, 1999, 500).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression() if task == "binary" else Ridge())
    model.fit(x[seen], y[seen])
    expected = model.predict_proba(x)[:, 1] if task == "binary" else model.predict(x)
    assert output.predictions is not None
    np.testing.assert_allclose(output.predictions[:, 0], expected, rtol=1e-3, atol=1e-4)
    # Fewer than a linear model needs say nothing.
    monkeypatch.setattr(simple_models, "FEWEST_SEEN", 1000)
    skipped = simple_output(task, score, [], (x, y[:, None]), x, 1).skipped
    assert skipped is not None
    assert skipped.endswith("take too long")
