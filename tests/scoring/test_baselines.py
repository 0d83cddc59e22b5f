"""The common-sense baseline against predictions written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dlrun.metrics.scores import find_score
from dlrun.scoring.baselines import Baseline, common_sense

RNG = np.random.default_rng(1)
AMOUNTS = RNG.gamma(2.0, 5.0, 90)
TRAIN, ROWS = AMOUNTS[:60], AMOUNTS[60:]


def baseline(task, score, train, rows, **options) -> Baseline:
    return common_sense(task, score, train, rows, **options).baseline


def value(task, name, train, rows, **options):
    return baseline(task, find_score(name), train, rows, **options)


def test_mean_absolute_error_is_of_the_training_median():
    result = value("regression", "mae", TRAIN, ROWS)
    assert result.value == pytest.approx(np.abs(ROWS - np.median(TRAIN)).mean())
    assert result.name == "median"
    assert result.description.startswith("always predicts the median of the training rows, ")


@pytest.mark.parametrize("name", ["mse", "RootMeanSquaredError", "r2_score"])
def test_squared_errors_are_of_the_training_mean(name):
    result = value("regression", name, TRAIN, ROWS)
    constant = np.full((len(ROWS), 1), TRAIN.mean())
    assert result.value == pytest.approx(find_score(name).function(ROWS, constant))
    assert result.name == "mean"


@pytest.mark.parametrize(
    "name", ["mae", "mse", "mape", "msle", "huber", "log_cosh_error", "poisson", "rmse"]
)
def test_no_other_constant_is_better_on_the_training_rows(name):
    score = find_score({"rmse": "RootMeanSquaredError"}.get(name, name))
    found = value("regression", score.name, TRAIN, TRAIN).value
    grid = np.linspace(TRAIN.min(), TRAIN.max(), 4001)
    best = min(score.function(TRAIN, np.full((len(TRAIN), 1), constant)) for constant in grid)
    assert found <= best + 1e-6


def test_the_best_direction_of_a_cosine_is_the_mean_of_unit_vectors():
    train = np.array([[3.0, 4.0], [0.0, 1.0], [10.0, 0.0]])
    score = find_score("cosine_similarity")
    found = value("regression", "cosine_similarity", train, train).value
    angles = np.linspace(0, 2 * np.pi, 2001)
    each = [np.tile([np.cos(angle), np.sin(angle)], (3, 1)) for angle in angles]
    assert found == pytest.approx(max(score.function(train, one) for one in each), abs=1e-5)


def test_several_targets_have_a_constant_each():
    train, rows = AMOUNTS[:60].reshape(-1, 2), AMOUNTS[60:].reshape(-1, 2)
    result = value("regression", "mae", train, rows)
    assert result.value == pytest.approx(np.abs(rows - np.median(train, axis=0)).mean())
    assert result.description == "always predicts the median of the training rows of each target"


INDICES = np.array([0, 1, 1, 1, 2, 2] * 10)
HELD_OUT = np.array([2, 2, 1, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("shape", ["indices", "column", "one-hot"])
def test_accuracy_is_of_the_majority_class(shape):
    forms = {
        "indices": lambda y: y,
        "column": lambda y: y[:, None],
        "one-hot": lambda y: np.eye(3)[y],
    }
    train, rows = forms[shape](INDICES), forms[shape](HELD_OUT)
    result = value("multiclass", "accuracy", train, rows, classes=["a", "b", "c"])
    assert result.value == pytest.approx(3 / 8)
    assert result.name == "majority class"
    assert result.description == "always predicts 'b', 50% of the training rows"


def test_binary_majority_counts_on_the_training_rows_alone():
    train, rows = np.array([1, 1, 1, 0, 0]), np.array([0, 0, 0, 1])
    result = value("binary", "accuracy", train, rows)
    assert result.value == pytest.approx(1 / 4)
    assert result.description == "always predicts class 1, 60% of the training rows"


@pytest.mark.parametrize(
    ("name", "train", "rows"),
    [
        ("sparse_categorical_crossentropy", INDICES, HELD_OUT),
        ("categorical_crossentropy", np.eye(3)[INDICES], np.eye(3)[HELD_OUT]),
    ],
)
@pytest.mark.parametrize("from_logits", [False, True])
def test_crossentropy_is_of_the_class_shares(name, train, rows, from_logits):
    shares = np.array([10, 30, 20]) / 60
    result = baseline(
        "multiclass",
        find_score(name, outputs="class logits" if from_logits else "probabilities"),
        train,
        rows,
    )
    assert result.value == pytest.approx(-np.log(shares[HELD_OUT]).mean(), rel=1e-6)
    assert result.name == "class shares"


@pytest.mark.parametrize("from_logits", [False, True])
def test_binary_crossentropy_is_of_the_share_of_ones(from_logits):
    train, rows = np.array([1, 0, 0, 0]), np.array([1, 0, 0])
    score = find_score("binary_crossentropy", outputs="logits" if from_logits else "probabilities")
    expected = -(np.log(0.25) + 2 * np.log(0.75)) / 3
    assert baseline("binary", score, train, rows).value == pytest.approx(expected, rel=1e-6)


MOSTLY_TRUE = np.array([1] * 7 + [0] * 3)
RARELY_TRUE = 1 - MOSTLY_TRUE


@pytest.mark.parametrize("train", [MOSTLY_TRUE, RARELY_TRUE])
@pytest.mark.parametrize("name", ["f1_score", "precision", "recall"])
def test_what_counts_positives_is_beaten_by_calling_all_positive(name, train):
    from sklearn.metrics import f1_score, precision_score, recall_score

    rows = np.array([1, 0, 0, 1, 1])
    score = find_score(name, {"threshold": 0.5} if name == "f1_score" else {})
    result = baseline("binary", score, train, rows, classes=["no", "yes"])
    judge = {"f1_score": f1_score, "precision": precision_score, "recall": recall_score}[name]
    assert result.value == pytest.approx(judge(rows, np.ones(5)))
    assert result.name == ("majority class" if train is MOSTLY_TRUE else "always positive")
    assert result.description.startswith("always predicts 'yes', ")


def test_one_class_may_score_better_than_the_most_frequent_one():
    score = find_score("precision", {"class_id": 0})
    result = baseline("multiclass", score, np.eye(3)[INDICES], np.eye(3)[HELD_OUT])
    assert (result.name, result.value) == ("one class", pytest.approx(1 / 8))


def test_two_softmax_outputs_for_a_binary_target():
    train, rows = np.array([1, 0, 0, 0]), np.array([1, 0, 0])
    expected = -(np.log(0.25) + 2 * np.log(0.75)) / 3
    result = value("binary", "sparse_categorical_crossentropy", train, rows)
    assert result.value == pytest.approx(expected, rel=1e-6)
    assert value("binary", "accuracy", train, rows, shape=(2,)).value == pytest.approx(2 / 3)


def test_a_class_that_is_not_in_training_costs_what_keras_charges():
    result = value("multiclass", "sparse_categorical_crossentropy", np.array([0, 1]), np.array([2]))
    assert result.value == pytest.approx(-np.log(1e-7), rel=1e-3)


def test_constant_predictions_rank_nothing():
    train, rows = np.array([1, 0, 0, 0]), np.array([1, 0, 0, 1, 1])
    assert value("binary", "auc", train, rows).value == pytest.approx(0.5)


def test_top_k_takes_the_most_frequent_classes():
    result = value("multiclass", "SparseTopKCategoricalAccuracy", INDICES, HELD_OUT)
    assert result.value == 1
    score = find_score("SparseTopKCategoricalAccuracy", {"k": 2})
    assert baseline("multiclass", score, INDICES, HELD_OUT).value == pytest.approx(7 / 8)


def test_hinge_is_of_the_majority_side():
    train, rows = np.array([1, 1, 1, 0]), np.array([1, 0])
    assert value("binary", "hinge", train, rows).value == pytest.approx((0 + 2) / 2)


def test_several_labels_have_a_share_each():
    train = np.array([[1, 0, 0], [1, 0, 1], [1, 1, 0], [0, 0, 0]])
    rows = np.array([[1, 0, 0], [0, 1, 1]])
    shares = train.mean(axis=0)
    expected = -(rows * np.log(shares) + (1 - rows) * np.log(1 - shares)).mean()
    assert value("multilabel", "binary_crossentropy", train, rows).value == pytest.approx(expected)
    assert value("multilabel", "binary_accuracy", train, rows).value == pytest.approx(3 / 6)
    logits = find_score("binary_crossentropy", outputs="logits")
    assert baseline("multilabel", logits, train, rows).value == pytest.approx(expected)


def test_a_label_that_training_never_has_is_never_given():
    train, rows = np.array([[0, 1], [0, 1]]), np.array([[1, 1]])
    assert value("multilabel", "binary_accuracy", train, rows).value == pytest.approx(0.5)


def test_weights_of_the_scored_rows_count():
    train, rows = np.array([1, 1, 0]), np.array([1, 0])
    result = value("binary", "accuracy", train, rows, sample_weight=np.array([3.0, 1.0]))
    assert result.value == pytest.approx(0.75)


def test_a_constant_answer_has_no_correlation():
    score = find_score("PearsonCorrelation", {"axis": 0})
    result = baseline("regression", score, TRAIN, ROWS)
    assert np.isnan(result.value)
    assert result.description == "a constant answer has no correlation"
    concordance = find_score("ConcordanceCorrelation", {"axis": 0})
    assert baseline("regression", concordance, TRAIN, ROWS).value == pytest.approx(0, abs=1e-6)


def test_every_step_counts_and_masked_ones_do_not():
    train = np.array([[1, 0, 0, 0], [2, 1, 0, 0], [1, 2, 0, 0]])
    mask = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]], bool)
    rows = np.array([[1, 1, 2, 0]])
    score = find_score("sparse_categorical_accuracy")
    for given, share in ((None, 1 / 4), (mask, 2 / 4)):
        result = common_sense("multiclass", score, train, rows, shape=(4, 3), train_mask=given)
        assert result.baseline.value == pytest.approx(share)
        assert result.predictions.shape == (1, 4, 3)
