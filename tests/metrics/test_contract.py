"""Every public metric and loss of Keras, for every form of target, against `Model.evaluate` of a
model whose output is its input."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from dlrun.metrics.names import NO_MEASURES
from dlrun.metrics.scores import find_score
from dlrun.registry.catalogue import names
from dlrun.registry.keras_component import KerasComponent
from dlrun.scoring.measures import Measure

ROWS, STEPS, SIDE, WIDTH, CLASSES, BATCH = 23, 5, 4, 3, 4, 7
RNG = np.random.default_rng(11)

SHAPES = {"rows": (ROWS,), "steps": (ROWS, STEPS), "pixels": (ROWS, SIDE, SIDE)}


@dataclass(frozen=True)
class Form:
    """Targets and outputs of one form.

    Args:
        truth: (n, ...) or (n, ..., k).
        output: (n, ..., k).
        mask: (n, ...) or None.
    """

    truth: np.ndarray
    output: np.ndarray
    mask: np.ndarray | None


def form(kind: str, shape: str, *, masked: bool) -> Form:
    """Make random targets and outputs that are neither right nor wrong altogether."""
    rng = np.random.default_rng(zlib.crc32(f"{kind} {shape} {masked}".encode()))
    axes = SHAPES[shape]
    if kind in ("unit", "labels"):
        truth = rng.integers(0, 2, (*axes, 1 if kind == "unit" else WIDTH)).astype(np.float32)
        output = np.clip(0.35 * truth + rng.uniform(0.02, 0.62, truth.shape), 0, 1)
    elif kind in ("one-hot", "indices"):
        indices = rng.integers(0, CLASSES, axes)
        one_hot = np.eye(CLASSES)[indices]
        output = 0.5 * one_hot + rng.dirichlet(np.ones(CLASSES), axes)
        output /= output.sum(axis=-1, keepdims=True)
        truth = one_hot.astype(np.float32) if kind == "one-hot" else indices.astype(np.int32)
    elif kind in ("margin", "logits"):
        truth = rng.integers(0, 2, (*axes, 1)).astype(np.float32)
        output = rng.normal(truth - 0.5, 1.0)
    else:
        truth = rng.gamma(2.0, 3.0, (*axes, 1 if kind == "quantity" else WIDTH))
        truth = truth.astype(np.float32)
        output = np.maximum(truth + rng.uniform(-0.5, 1.5, truth.shape), 0.05)
    mask = None
    if masked:
        mask = rng.random(axes) > 0.3
    return Form(truth, output.astype(np.float32), mask)


ERRORS = {
    "MeanAbsoluteError": [{}],
    "MeanSquaredError": [{}],
    "MeanAbsolutePercentageError": [{}],
    "MeanSquaredLogarithmicError": [{}],
    "Poisson": [{}],
}
OF_QUANTITIES = ERRORS | {
    "RootMeanSquaredError": [{}],
    "LogCoshError": [{}],
}
OF_ROWS_OF_QUANTITIES = {
    "R2Score": [
        {},
        {"class_aggregation": "variance_weighted_average"},
        {"num_regressors": 2},
    ],
}
OF_SEVERAL = {
    "CosineSimilarity": [{}],
    "PearsonCorrelation": [{}],
    "ConcordanceCorrelation": [{}],
}
COUNTS = ["TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives"]
CURVES: dict[str, list[dict[str, Any]]] = {
    "AUC": [
        {},
        *(
            {"curve": curve, "summation_method": method}
            for curve in ("ROC", "PR", "PRGAIN")
            for method in ("interpolation", "minoring", "majoring")
        ),
        {"num_thresholds": 17},
        {"thresholds": [0.7, 0.2, 0.4]},
        {"thresholds": [0.25, 0.5, 0.75], "curve": "PR"},
    ],
    "SensitivityAtSpecificity": [{"specificity": 0.6}, {"specificity": 0.9, "num_thresholds": 9}],
    "SpecificityAtSensitivity": [{"sensitivity": 0.7}],
    "PrecisionAtRecall": [{"recall": 0.6}, {"recall": 0.6, "num_thresholds": 1}],
    "RecallAtPrecision": [{"precision": 0.7}],
}
OF_ONE_BY_ONE = CURVES | {
    "accuracy": [{}],
    "BinaryAccuracy": [{}, {"threshold": 0.3}],
    "BinaryCrossentropy": [{}, {"label_smoothing": 0.1}],
    "BinaryIoU": [{}, {"threshold": 0.4}, {"target_class_ids": [1]}],
    "Hinge": [{}],
    "SquaredHinge": [{}],
    "Precision": [{}, {"thresholds": 0.35}, {"thresholds": [0.6]}],
    "Recall": [{}, {"thresholds": 0.35}],
    **{count: [{}, {"thresholds": 0.35}] for count in COUNTS},
}
OF_LABELS = {
    "BinaryAccuracy": [{}],
    "Precision": [{"class_id": 1}, {"top_k": 2}, {"top_k": 2, "class_id": 0, "thresholds": 0.4}],
    "Recall": [{"class_id": 2}, {"top_k": 1}],
    "AUC": [{"label_weights": [1.0, 2.0, 0.5]}],
    "PrecisionAtRecall": [{"recall": 0.5, "class_id": 1}],
}
OF_ROWS_OF_LABELS = {
    "AUC": [
        {"multi_label": True},
        {"multi_label": True, "curve": "PR", "label_weights": [1.0, 2.0, 0.5]},
        {"multi_label": True, "thresholds": [0.3, 0.35, 0.6]},
    ],
    "F1Score": [{"threshold": 0.4}, {"threshold": 0.4, "average": "micro"}],
    "FBetaScore": [{"threshold": 0.4, "beta": 2.0, "average": "weighted"}],
}
OF_ONE_HOT = {
    "accuracy": [{}],
    "CategoricalAccuracy": [{}],
    "CategoricalCrossentropy": [{}, {"label_smoothing": 0.2}],
    "CategoricalHinge": [{}],
    "KLDivergence": [{}],
    "TopKCategoricalAccuracy": [{"k": 2}],
    "OneHotIoU": [{"num_classes": CLASSES, "target_class_ids": [0, 2]}],
    "OneHotMeanIoU": [{"num_classes": CLASSES}, {"num_classes": CLASSES, "ignore_class": 1}],
    "Precision": [{"class_id": 1}, {"top_k": 2}],
    "MeanSquaredError": [{}],
}
OF_ROWS_OF_ONE_HOT = {
    "F1Score": [{}, {"average": "macro"}, {"average": "micro"}, {"average": "weighted"}],
    "FBetaScore": [{"beta": 0.5}],
    "AUC": [{"multi_label": True}],
}
OF_INDICES = {
    "accuracy": [{}],
    "SparseCategoricalAccuracy": [{}],
    "SparseCategoricalCrossentropy": [{}, {"ignore_class": 1}],
    "SparseTopKCategoricalAccuracy": [{"k": 2}],
    "IoU": [
        {"num_classes": CLASSES, "target_class_ids": [1], "sparse_y_pred": False},
    ],
    "MeanIoU": [
        {"num_classes": CLASSES, "sparse_y_pred": False},
        {"num_classes": CLASSES - 1, "sparse_y_pred": False, "ignore_class": 0},
    ],
}

METRICS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "unit": (OF_ONE_BY_ONE, {"F1Score": [{"threshold": 0.5}]}),
    "labels": (OF_ONE_BY_ONE, {}),
    "more labels": (OF_LABELS, OF_ROWS_OF_LABELS),
    "one-hot": (OF_ONE_HOT, OF_ROWS_OF_ONE_HOT),
    "indices": (OF_INDICES, {}),
    "quantity": (OF_QUANTITIES, OF_ROWS_OF_QUANTITIES),
    "quantities": (OF_QUANTITIES | OF_SEVERAL, OF_ROWS_OF_QUANTITIES),
    "margin": ({"Hinge": [{}], "SquaredHinge": [{}]}, {}),
    "logits": (
        {
            "BinaryCrossentropy": [{"from_logits": True}],
            "AUC": [{"from_logits": True}, {"from_logits": True, "curve": "PR"}],
        },
        {},
    ),
}
"""Metrics with their arguments by the kind of target: for all shapes, and for rows alone."""

REDUCTIONS: list[dict[str, Any]] = [
    {},
    {"reduction": "sum"},
    {"reduction": "mean_with_sample_weight"},
]
LOSSES: dict[str, dict[str, list[dict[str, Any]]]] = {
    "unit": {
        "crossentropy": [{}],
        "BinaryCrossentropy": [*REDUCTIONS, {"label_smoothing": 0.1}],
        "BinaryFocalCrossentropy": [
            {},
            {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5, "label_smoothing": 0.1},
        ],
        "Dice": [{}],
        "Tversky": [{}, {"alpha": 0.3, "beta": 0.7}],
        "Hinge": [{}],
        "SquaredHinge": [{}],
    },
    "labels": {"BinaryCrossentropy": [{}], "BinaryFocalCrossentropy": [{}], "Dice": [{}]},
    "logits": {
        "BinaryCrossentropy": [{"from_logits": True}],
        "BinaryFocalCrossentropy": [{"from_logits": True}],
    },
    "margin": {"Hinge": REDUCTIONS, "SquaredHinge": [{}]},
    "one-hot": {
        "crossentropy": [{}],
        "CategoricalCrossentropy": [*REDUCTIONS, {"label_smoothing": 0.2}],
        "CategoricalFocalCrossentropy": [{}, {"alpha": 0.5, "gamma": 1.0, "label_smoothing": 0.1}],
        "CategoricalHinge": [{}],
        "KLDivergence": [{}],
    },
    "indices": {
        "crossentropy": [{}],
        "SparseCategoricalCrossentropy": [*REDUCTIONS, {"ignore_class": 1}],
        "CategoricalGeneralizedCrossEntropy": [{}, {"q": 0.8}],
    },
    "quantity": {**ERRORS, "Huber": [{}], "LogCosh": [{}]},
    "quantities": {
        **ERRORS,
        "MeanSquaredError": REDUCTIONS,
        "Huber": [{}, {"delta": 0.4}],
        "LogCosh": [{}],
        "CosineSimilarity": [{}],
    },
}


def evaluated(form: Form, count: int = 1, weights: Any = None, **options: Any) -> dict[str, float]:
    """What `Model.evaluate` gives for a model whose outputs, `o0` and so on, are its input."""
    import keras

    class Masked(keras.layers.Layer):
        """All channels but the last, which is their mask."""

        def call(self, inputs: Any) -> Any:
            return inputs[..., :-1]

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            return inputs[..., -1] > 0.5

    mask = np.ones(form.output.shape[:-1]) if form.mask is None else form.mask
    rows = np.concatenate([form.output, mask[..., None].astype(np.float32)], axis=-1)
    inputs = keras.Input(rows.shape[1:])
    values = inputs[..., :-1] if form.mask is None else Masked()(inputs)
    outputs = {f"o{i}": keras.layers.Identity(name=f"o{i}")(values) for i in range(count)}
    model = keras.Model(inputs, outputs)
    model.compile(run_eagerly=True, **options)
    found = model.evaluate(
        rows,
        dict.fromkeys(outputs, form.truth),
        sample_weight=None if weights is None else dict.fromkeys(outputs, weights),
        batch_size=BATCH,
        verbose=0,
        return_dict=True,
    )
    return {name: float(np.mean(np.asarray(value))) for name, value in found.items()}


def measure(kind: str, name: str, arguments: dict[str, Any]) -> Measure:
    spelt = KerasComponent(kind, name, name, dict(arguments), ())  # type: ignore[arg-type]
    score = find_score(name, arguments, "loss" if kind == "loss" else "metric")
    return Measure(name, spelt, score)


def is_mean(metric: Any) -> bool:
    import keras

    return metric == "accuracy" or isinstance(metric, keras.metrics.MeanMetricWrapper)


def compare_metrics(kind: str, shape: str, *, masked: bool) -> None:
    import keras

    made = form(kind.removeprefix("more "), shape, masked=masked)
    everywhere, of_rows = METRICS[kind]
    pairs = [
        (name, arguments)
        for table in (everywhere, of_rows if shape == "rows" else {})
        for name, variants in table.items()
        for arguments in variants
        # Keras cannot spread weights of steps over their labels.
        if not (masked and kind == "labels" and name == "BinaryIoU")
    ]
    built = [
        name if name == "accuracy" else getattr(keras.metrics, name)(**arguments, name=f"m{i}")
        for i, (name, arguments) in enumerate(pairs)
    ]
    # Training needs some loss.
    mean = {"o0": lambda _, y_pred: keras.ops.mean(y_pred, axis=-1)}
    # Keras leaves masked steps out of means alone: what is none gets the mask as weights.
    whole = [one for one in built if made.mask is not None and not is_mean(one)]
    found = evaluated(
        made,
        weights=made.mask.astype(np.int32) if whole else None,
        loss=mean,
        metrics={"o0": [one for one in built if one not in whole]},
        weighted_metrics={"o0": whole},
    )
    for i, (name, arguments) in enumerate(pairs):
        called = name if name == "accuracy" else f"m{i}"
        expected = found.get(called, found.get(f"o0_{called}"))
        one = measure("metric", name, arguments)
        assert one.score is not None, (name, arguments)
        value = one(made.truth, made.output, None, made.mask)
        assert value == pytest.approx(expected, rel=2e-5, abs=2e-6), (kind, shape, name, arguments)


def compare_losses(kind: str, shape: str, *, masked: bool, weighted: bool) -> None:
    import keras

    made = form(kind, shape, masked=masked)
    weights = RNG.uniform(0.2, 2.0, SHAPES[shape]).astype(np.float32) if weighted else None
    pairs = [(name, one) for name, variants in LOSSES[kind].items() for one in variants]
    built = {
        f"o{i}": name if name == "crossentropy" else getattr(keras.losses, name)(**arguments)
        for i, (name, arguments) in enumerate(pairs)
    }
    found = evaluated(made, len(pairs), weights, loss=built)
    for i, (name, arguments) in enumerate(pairs):
        one = measure("loss", name, arguments)
        assert one.score is not None, (name, arguments)
        value = one(made.truth, made.output, weights, made.mask, batch_size=BATCH)
        about = (kind, shape, name, arguments)
        assert value == pytest.approx(found[f"o{i}_loss"], rel=2e-5, abs=2e-6), about


@pytest.mark.parametrize(
    ("kind", "shape", "masked"),
    [("logits", "steps", True), ("quantities", "rows", False)],
)
def test_some_metrics_are_those_of_evaluate(kind: str, shape: str, masked: bool) -> None:
    compare_metrics(kind, shape, masked=masked)


@pytest.mark.slow
@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize(
    ("shape", "masked"),
    [("rows", False), ("steps", False), ("steps", True), ("pixels", False), ("pixels", True)],
)
def test_metrics_are_those_of_evaluate(kind: str, shape: str, masked: bool) -> None:
    compare_metrics(kind, shape, masked=masked)


def test_some_losses_are_those_of_evaluate() -> None:
    compare_losses("indices", "steps", masked=True, weighted=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("shape", "masked"),
    [("rows", False), ("steps", False), ("steps", True), ("pixels", False), ("pixels", True)],
)
def test_losses_are_those_of_evaluate(kind: str, shape: str, masked: bool, weighted: bool) -> None:
    compare_losses(kind, shape, masked=masked, weighted=weighted)


def test_the_contract_covers_every_measure_of_keras() -> None:
    metrics = {name for tables in METRICS.values() for table in tables for name in table}
    losses = {name for table in LOSSES.values() for name in table}
    assert metrics >= set(names("metric")) - NO_MEASURES - {"Accuracy", "acc"}
    assert losses >= set(names("loss")) - NO_MEASURES - {"CTC", "Circle"}


@pytest.mark.slow
def test_losses_that_only_keras_has_are_those_of_evaluate() -> None:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(ROWS, 1, WIDTH))
    embeddings /= np.linalg.norm(embeddings, axis=-1, keepdims=True)
    made = {
        "Circle": Form(rng.integers(0, 2, ROWS), embeddings[:, 0].astype(np.float32), None),
        "CTC": Form(
            rng.integers(1, CLASSES, (ROWS, 2)),
            rng.normal(size=(ROWS, 6, CLASSES)).astype(np.float32),
            None,
        ),
    }
    for name, one in made.items():
        expected = evaluated(one, loss={"o0": name.lower()})["loss"]
        value = measure("loss", name, {})(one.truth, one.output, batch_size=BATCH)
        assert value == pytest.approx(expected, rel=1e-5), name
