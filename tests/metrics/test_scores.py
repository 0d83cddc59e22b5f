"""Every score against Keras' own metric on random data; see also `test_contract`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlrun.metrics.scores import find_score

ROWS = 203
RNG = np.random.default_rng(0)


def probabilities(classes: int) -> np.ndarray:
    """Random rows that sum to 1; some are as sure as float32 can be, some tie."""
    values = RNG.dirichlet(np.ones(classes), ROWS).astype(np.float32)
    values[:6] = np.eye(classes, dtype=np.float32)[RNG.integers(0, classes, 6)]
    values[6:9] = 1 / classes
    return values


INDICES = RNG.integers(0, 7, ROWS)
ONE_HOT = np.eye(7, dtype=np.float32)[INDICES]
MANY = probabilities(7)
BITS = RNG.integers(0, 2, ROWS)
SINGLE = probabilities(2)[:, 1:]
MULTI_HOT = RNG.integers(0, 2, (ROWS, 4)).astype(np.float32)
EACH = RNG.random((ROWS, 4)).astype(np.float32)
AMOUNT = RNG.normal(3, 5, ROWS).astype(np.float32)
GUESS = (AMOUNT + RNG.normal(0, 2, ROWS))[:, None].astype(np.float32)
AMOUNTS = RNG.normal(3, 5, (ROWS, 3)).astype(np.float32)
GUESSES = (AMOUNTS + RNG.normal(0, 2, (ROWS, 3))).astype(np.float32)
MARGINS = RNG.normal(0, 1, (ROWS, 1)).astype(np.float32)
WEIGHTS = RNG.random(ROWS).astype(np.float32)
LOGITS = RNG.normal(0, 3, (ROWS, 7)).astype(np.float32)

SAME = [
    ("BinaryAccuracy", {}, BITS, SINGLE),
    ("BinaryAccuracy", {"threshold": 0.3}, BITS, SINGLE),
    ("BinaryAccuracy", {}, MULTI_HOT, EACH),
    ("CategoricalAccuracy", {}, ONE_HOT, MANY),
    ("SparseCategoricalAccuracy", {}, INDICES, MANY),
    ("SparseCategoricalAccuracy", {}, INDICES[:, None], MANY),
    ("TopKCategoricalAccuracy", {}, ONE_HOT, MANY),
    ("TopKCategoricalAccuracy", {"k": 2}, ONE_HOT, MANY),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, INDICES, MANY),
    ("MeanAbsoluteError", {}, AMOUNT, GUESS),
    ("MeanAbsoluteError", {}, AMOUNTS, GUESSES),
    ("MeanSquaredError", {}, AMOUNT, GUESS),
    ("MeanSquaredError", {}, AMOUNTS, GUESSES),
    ("RootMeanSquaredError", {}, AMOUNT, GUESS),
    ("RootMeanSquaredError", {}, AMOUNTS, GUESSES),
    ("MeanAbsolutePercentageError", {}, AMOUNTS, GUESSES),
    ("MeanSquaredLogarithmicError", {}, AMOUNTS, GUESSES),
    ("LogCoshError", {}, AMOUNTS, GUESSES),
    ("CosineSimilarity", {}, AMOUNTS, GUESSES),
    ("R2Score", {}, AMOUNT, GUESS),
    ("R2Score", {}, AMOUNTS, GUESSES),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, AMOUNTS, GUESSES),
    ("Precision", {}, BITS, SINGLE),
    ("Precision", {"thresholds": 0.7}, BITS, SINGLE),
    ("Precision", {"thresholds": [0.2]}, BITS, SINGLE),
    ("Precision", {}, ONE_HOT, MANY),
    ("Precision", {"top_k": 2}, ONE_HOT, MANY),
    ("Precision", {"class_id": 3}, ONE_HOT, MANY),
    ("Precision", {"top_k": 3, "class_id": 1}, ONE_HOT, MANY),
    ("Recall", {}, BITS, SINGLE),
    ("Recall", {"thresholds": 0.2}, MULTI_HOT, EACH),
    ("Recall", {"top_k": 2}, ONE_HOT, MANY),
    ("F1Score", {"average": "macro"}, ONE_HOT, MANY),
    ("F1Score", {"average": "micro"}, ONE_HOT, MANY),
    ("F1Score", {"average": "weighted"}, ONE_HOT, MANY),
    ("F1Score", {"average": "macro", "threshold": 0.4}, MULTI_HOT, EACH),
    ("F1Score", {"average": "macro", "threshold": 0.5}, BITS[:, None], SINGLE),
    ("FBetaScore", {"average": "macro", "beta": 2.0}, ONE_HOT, MANY),
    ("BinaryCrossentropy", {}, BITS[:, None], SINGLE),
    ("BinaryCrossentropy", {}, MULTI_HOT, EACH),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, BITS[:, None], SINGLE),
    ("BinaryCrossentropy", {"from_logits": True}, BITS[:, None], MARGINS),
    ("CategoricalCrossentropy", {}, ONE_HOT, MANY),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, ONE_HOT, MANY),
    ("CategoricalCrossentropy", {"from_logits": True}, ONE_HOT, LOGITS),
    ("SparseCategoricalCrossentropy", {}, INDICES, MANY),
    ("SparseCategoricalCrossentropy", {}, INDICES[:, None], MANY),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, INDICES, LOGITS),
    ("Hinge", {}, BITS[:, None], MARGINS),
    ("Hinge", {}, 2 * BITS[:, None] - 1, MARGINS),
    ("SquaredHinge", {}, BITS[:, None], MARGINS),
    ("CategoricalHinge", {}, ONE_HOT, LOGITS),
    ("Poisson", {}, np.abs(AMOUNTS), np.abs(GUESSES)),
    ("KLDivergence", {}, probabilities(7), MANY),
]


@pytest.mark.parametrize(("name", "arguments", "y_true", "y_pred"), SAME)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_equals_keras_metric(name, arguments, y_true, y_pred, weights):
    import keras

    metric = getattr(keras.metrics, name)(**arguments)
    metric.update_state(y_true, y_pred, sample_weight=weights)
    score = find_score(name, arguments)
    assert score.function(y_true, y_pred, weights) == pytest.approx(
        float(np.asarray(metric.result())), rel=1e-5, abs=1e-5
    )


LOSSES = [
    ("CosineSimilarity", {}, AMOUNTS, GUESSES),
    ("Huber", {}, AMOUNTS, GUESSES),
    ("Huber", {"delta": 2.5}, AMOUNT, GUESS),
    ("LogCosh", {}, AMOUNTS, GUESSES),
    ("MeanSquaredError", {}, AMOUNT, GUESS),
    ("MeanSquaredError", {"reduction": "sum"}, AMOUNT, GUESS),
    ("MeanSquaredError", {"reduction": "mean_with_sample_weight"}, AMOUNT, GUESS),
    ("SparseCategoricalCrossentropy", {}, INDICES, MANY),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, BITS, SINGLE),
    ("SquaredHinge", {}, BITS[:, None], MARGINS),
]


@pytest.mark.parametrize(("name", "arguments", "y_true", "y_pred"), LOSSES)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_equals_keras_loss(name, arguments, y_true, y_pred, weights):
    import keras

    loss = getattr(keras.losses, name)(**arguments)
    score = find_score(name, arguments, kind="loss")
    assert score.direction == "min"
    assert score.function(y_true, y_pred, weights) == pytest.approx(
        float(np.asarray(loss(y_true, y_pred, sample_weight=weights))), rel=1e-5
    )


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [
        (BITS, SINGLE),
        (BITS[:, None], SINGLE),
        (INDICES, MANY),
        (INDICES[:, None], MANY),
        (ONE_HOT, MANY),
        (MULTI_HOT, EACH),
    ],
    ids=["binary", "binary column", "indices", "index column", "one-hot", "multi-hot"],
)
@pytest.mark.parametrize("name", ["accuracy", "acc", "Accuracy"])
def test_accuracy_is_chosen_by_shapes_as_compile_does(name, y_true, y_pred):
    import keras

    model = keras.Sequential([keras.layers.Identity()])
    model.compile(loss="mse", metrics=[name])
    model.compute_metrics(None, y_true.reshape(ROWS, -1), y_pred, None)
    assert find_score(name).function(y_true, y_pred) == pytest.approx(
        float(np.asarray(model.get_metrics_result()[name])), rel=1e-6
    )


@pytest.mark.parametrize("name", ["crossentropy", "ce"])
def test_crossentropy_is_chosen_by_shapes(name):
    score = find_score(name, kind="loss")
    for other, y_true, y_pred in [
        ("binary_crossentropy", BITS, SINGLE),
        ("sparse_categorical_crossentropy", INDICES, MANY),
        ("categorical_crossentropy", ONE_HOT, MANY),
    ]:
        expected = find_score(other).function(y_true, y_pred)
        assert score.function(y_true, y_pred) == pytest.approx(expected)


def test_auc_is_near_scikit_learns():
    from sklearn.metrics import roc_auc_score

    area = find_score("AUC", {"num_thresholds": 5000}).function(BITS, SINGLE, WEIGHTS)
    expected = roc_auc_score(BITS, SINGLE[:, 0], sample_weight=WEIGHTS)
    assert area == pytest.approx(expected, abs=1e-3)


def test_auc_of_one_class_is_not_a_number():
    assert np.isnan(find_score("auc").function(np.ones(5), np.linspace(0, 1, 5)[:, None]))


@pytest.mark.parametrize("name", ["f1_score", "F1Score"])
def test_f1_without_average_is_the_mean_of_keras_classes(name):
    import keras

    metric = keras.metrics.F1Score()
    metric.update_state(ONE_HOT, MANY)
    expected = float(np.mean(np.asarray(metric.result())))
    assert find_score(name).function(ONE_HOT, MANY) == pytest.approx(expected, rel=1e-5)
    assert find_score(name).function(INDICES, MANY) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "name", ["mae", "MAE", "mean_absolute_error", "MeanAbsoluteError"], ids=str
)
def test_spellings_mean_the_same(name):
    score = find_score(name)
    assert score.name == name
    assert score.metric == "MeanAbsoluteError"
    assert score.direction == "min"
    assert score.function(AMOUNT, GUESS) == pytest.approx(np.abs(AMOUNT - GUESS[:, 0]).mean())


LABELS = [
    ("BinaryAccuracy", {}),
    ("accuracy", {}),
    ("Precision", {}),
    ("Recall", {}),
    ("F1Score", {}),
    ("FBetaScore", {"beta": 2.0}),
    ("BinaryIoU", {}),
    ("FalsePositives", {}),
    ("AUC", {}),
]


@pytest.mark.parametrize(("name", "arguments"), LABELS)
@pytest.mark.parametrize("meaning", ["logits", "margins"])
def test_outputs_around_0_are_cut_there(name, arguments, meaning):
    chances = 1 / (1 + np.exp(-MARGINS.astype(np.float64)))
    centred = find_score(name, arguments, outputs=meaning)
    with_threshold = {"threshold": 0.5} if name in ("F1Score", "FBetaScore") else {}
    plain = find_score(name, arguments | with_threshold)
    expected = plain.function(BITS, chances.astype(np.float32))
    assert centred.function(BITS, MARGINS) == pytest.approx(expected)
    if meaning == "margins":
        assert centred.function(2 * BITS - 1, MARGINS) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "argument"), [("BinaryAccuracy", "threshold"), ("Recall", "thresholds")]
)
def test_a_threshold_of_the_config_wins(name, argument):
    wanted = find_score(name, {argument: 0.25}, outputs="logits")
    plain = find_score(name, {argument: 0.25})
    assert wanted.function(BITS, MARGINS) == plain.function(BITS, MARGINS)


def test_class_logits_are_cut_as_probabilities():
    logits = LOGITS / 3
    exponents = np.exp(logits.astype(np.float64))
    shares = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    for name, arguments in [
        ("Precision", {"class_id": 2}),
        ("categorical_accuracy", {}),
        ("kl_divergence", {}),
        ("CategoricalCrossentropy", {}),
        ("F1Score", {}),
        ("AUC", {"multi_label": True}),
    ]:
        of_logits = find_score(name, arguments, outputs="class logits")
        expected = find_score(name, arguments).function(ONE_HOT, shares)
        assert of_logits.function(ONE_HOT, logits) == pytest.approx(expected, rel=1e-5), name


def test_binary_crossentropy_of_logits():
    chances = 1 / (1 + np.exp(-MARGINS.astype(np.float64)))
    found = find_score("BinaryCrossentropy", outputs="logits").function(BITS, MARGINS)
    assert found == pytest.approx(find_score("BinaryCrossentropy").function(BITS, chances))
    mae = find_score("mae", outputs="logits").function(AMOUNT, GUESS)
    assert mae == pytest.approx(np.abs(AMOUNT - GUESS[:, 0]).mean())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Precision", {"thresholds": [0.2, 0.8]}),
        ("R2Score", {"class_aggregation": None}),
        ("AUC", {"no_such_argument": 1}),
        ("MeanIoU", {"num_classes": 3, "axis": 1}),
        ("no_such_metric", {}),
    ],
)
def test_what_is_not_covered_is_left_to_keras(name, arguments):
    assert find_score(name, arguments) is None


def test_arguments_that_say_the_default_are_covered():
    arguments = {"axis": -1, "ignore_class": None, "name": "xent", "dtype": None}
    assert find_score("SparseCategoricalCrossentropy", arguments) is not None


@pytest.mark.parametrize(
    "name", ["mae", "rmse", "RootMeanSquaredError", "accuracy", "auc", "R2Score", "Precision"]
)
def test_no_weight_is_no_crash(name):
    score = find_score({"rmse": "RootMeanSquaredError"}.get(name, name))
    value = score.function(BITS, SINGLE, np.zeros(ROWS))
    assert np.isnan(value) or value == 0


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"y_true.shape=\(203, 1\) and y_pred.shape=\(203, 3\)"):
        find_score("mae").function(AMOUNT, GUESSES)


def test_weights_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"Expected 203 sample weights\. Received: 5"):
        find_score("mae").function(AMOUNT, GUESS, np.ones(5))


@pytest.mark.parametrize(
    ("name", "kind", "weighted"),
    [
        ("accuracy", "metric", False),
        ("BinaryCrossentropy", "metric", False),
        ("BinaryCrossentropy", "loss", False),
        ("mae", "metric", True),
        ("mae", "loss", False),
        ("RootMeanSquaredError", "metric", True),
        ("AUC", "metric", True),
        ("Precision", "metric", False),
        ("Recall", "metric", True),
        ("BinaryIoU", "metric", True),
    ],
)
@given(seed=st.integers(0, 2**16), steps=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_masked_steps_might_as_well_not_be_there(name, kind, weighted, seed, steps):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (5, steps, 1)).astype(np.float32)
    output = rng.uniform(0.01, 0.99, truth.shape).astype(np.float32)
    mask = rng.random((5, steps)) > 0.4
    mask[0, 0] = True
    weights = rng.uniform(0.5, 2, (5, steps)) if weighted else None
    score = find_score(name, kind=kind)
    kept = None if weights is None else weights[mask]
    expected = score.function(truth[mask], output[mask], kept)
    assert score.function(truth, output, weights, mask) == pytest.approx(expected, nan_ok=True)
    if score.rows is not None:
        rows, of_mean = (
            score.rows(truth, output, weights, mask),
            score.of_mean or (lambda mean: mean),
        )
        assert rows.shape == (5,)
        assert of_mean(rows.mean()) == pytest.approx(expected)


def test_poisson_is_undefined_below_0():
    score = find_score("Poisson")
    assert np.isnan(score.function(np.array([1.0, 2.0]), np.array([-0.5, 1.0])))
