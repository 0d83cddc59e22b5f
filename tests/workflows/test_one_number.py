"""The last epoch's validation metric, the score of the trained model and Keras' own `evaluate` of
the saved model on the same rows are one number, for every form of target, metric and loss, protocol
and engine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml

import dlrun

Array = np.ndarray
ROWS, STEPS = 40, 4

ERRORS: list[Any] = [
    "mae",
    "mse",
    "RootMeanSquaredError",
    "mape",
    "msle",
    "LogCoshError",
    "R2Score",
    "CosineSimilarity",
    {"PearsonCorrelation": {"axis": 0}},
    {"ConcordanceCorrelation": {"axis": 0}},
]
PROBABILITIES: list[Any] = [
    "accuracy",
    {"BinaryAccuracy": {"threshold": 0.4}},
    "AUC",
    {"AUC": {"curve": "PR", "name": "pr"}},
    "Precision",
    {"Recall": {"thresholds": 0.3}},
    "TruePositives",
    "FalseNegatives",
    "TrueNegatives",
    "FalsePositives",
    {"SensitivityAtSpecificity": {"specificity": 0.5}},
    {"PrecisionAtRecall": {"recall": 0.5}},
    "BinaryCrossentropy",
    {"BinaryIoU": {"target_class_ids": [1]}},
]
ONE_HOT: list[Any] = [
    "accuracy",
    "CategoricalCrossentropy",
    {"TopKCategoricalAccuracy": {"k": 2}},
    {"F1Score": {"average": "macro"}},
    {"FBetaScore": {"average": "weighted", "beta": 2.0}},
    {"Precision": {"class_id": 1}},
    {"OneHotMeanIoU": {"num_classes": 3}},
    "KLDivergence",
]
SPARSE: list[Any] = [
    "accuracy",
    "SparseCategoricalCrossentropy",
    {"SparseTopKCategoricalAccuracy": {"k": 2}},
]


@dataclass(frozen=True)
class Form:
    """One form of target.

    Args:
        output: The last layer.
        losses: Losses that take it.
        metrics: Metrics that take it.
        shape: Of a row's target.
        classes: Of the labels; 0 for quantities.
        one_hot: Whether the loss takes vectors.
        steps: Whether each step of a masked sequence has a target.
        scaled: Whether the targets are standardized, so that Keras' own `evaluate` counts in
            standard deviations.
    """

    output: dict[str, Any]
    losses: list[Any]
    metrics: list[Any]
    shape: tuple[int, ...] = ()
    classes: int = 0
    one_hot: bool = False
    steps: bool = False
    scaled: bool = False


def dense(units: int, activation: str | None = None) -> dict[str, Any]:
    return {"Dense": {"units": units, **({"activation": activation} if activation else {})}}


QUANTITIES = ["mse", "mae", "huber", "log_cosh", "mape", "msle"]
FORMS = {
    "quantity": Form(dense(1), QUANTITIES, [m for m in ERRORS if m != "CosineSimilarity"]),
    "scaled quantity": Form(dense(1), ["mse", "mae", "huber"], ERRORS[:7], scaled=True),
    "quantities": Form(dense(2), [*QUANTITIES, "cosine_similarity"], ERRORS, (2,)),
    "scaled quantities": Form(dense(2), ["mse", "log_cosh"], ERRORS, (2,), scaled=True),
    "counts": Form(dense(1, "exponential"), ["poisson"], ["mae", "Poisson"]),
    "two classes": Form(
        dense(1, "sigmoid"),
        ["binary_crossentropy", "binary_focal_crossentropy", "mse", "dice"],
        [*PROBABILITIES, {"F1Score": {"threshold": 0.5}}],
        classes=2,
    ),
    "logits": Form(
        dense(1),
        [{"BinaryCrossentropy": {"from_logits": True}}],
        [{"BinaryAccuracy": {"threshold": 0.0}}, {"AUC": {"from_logits": True}}],
        classes=2,
    ),
    "signs": Form(
        dense(1, "tanh"),
        ["hinge", "squared_hinge"],
        ["Hinge", "SquaredHinge", {"BinaryAccuracy": {"threshold": 0.0}}],
        classes=2,
    ),
    "labels": Form(
        dense(3, "sigmoid"),
        ["binary_crossentropy"],
        [m for m in PROBABILITIES if m != "accuracy"],
        (3,),
        2,
    ),
    "classes": Form(dense(3, "softmax"), ["sparse_categorical_crossentropy"], SPARSE, classes=3),
    "class vectors": Form(
        dense(3, "softmax"),
        [
            "categorical_crossentropy",
            {"CategoricalCrossentropy": {"label_smoothing": 0.2}},
            "categorical_focal_crossentropy",
            "kl_divergence",
            "categorical_hinge",
        ],
        ONE_HOT,
        classes=3,
        one_hot=True,
    ),
    "tags": Form(
        dense(3, "softmax"), ["sparse_categorical_crossentropy"], SPARSE, (STEPS,), 3, steps=True
    ),
    "quantity a step": Form(dense(1), ["mse", "huber"], ["mae", "mse"], (STEPS, 1), steps=True),
}


def arrays(form: Form) -> tuple[Array, Array]:
    random = np.random.default_rng(0)
    x: Array = random.normal(size=(ROWS, 5)).astype(np.float32)
    if form.steps:
        x = random.integers(1, 9, (ROWS, STEPS))
        x[::3, 2:] = 0
    if form.classes:
        return x, random.integers(0, form.classes, (ROWS, *form.shape))
    amounts = random.gamma(3.0, 4.0, (ROWS, *form.shape)) + 1
    return x, np.round(amounts) if "exponential" in str(form.output) else amounts


def metrics_beside(form: Form, number: int) -> list[Any]:
    """All metrics of a form beside its first two losses, one for each engine; two beside others.

    Compiling takes most of the time, and a metric does not depend on the loss.
    """
    return form.metrics if number < 2 else form.metrics[:2]


def config(form: Form, number: int, kfold: bool, engine: str) -> dict[str, Any]:
    layers = [dense(6, "relu"), form.output]
    if form.steps:
        layers = [
            {"Embedding": {"input_dim": 9, "output_dim": 4, "mask_zero": True}},
            {"GRU": {"units": 4, "return_sequences": True}},
            form.output,
        ]
    target = {"scaled": "standardize", "one_hot": "one_hot"}
    steps = [{"targets": step} for key, step in target.items() if getattr(form, key)]
    return {
        "dataset": {"source": "npz", "path": "rows.npz", "inputs": "x", "targets": "y"},
        "preprocess": steps,
        "architecture": {"layers": layers},
        "loss": form.losses[number],
        "optimizer": {"adam": {"learning_rate": 0.01}},
        "metrics": metrics_beside(form, number),
        "training": {"epochs": 2, "batch_size": 8, "engine": engine},
        "evaluation": {"protocol": "kfold", "folds": 2} if kfold else {"validation": 0.3},
    }


def seen_by_keras(form: Form, targets: Array) -> Array:
    """Targets as the losses and metrics of Keras take them."""
    if form.one_hot:
        return np.eye(form.classes, dtype=np.float32)[targets]
    targets = targets.astype(np.float32)
    return targets[:, None] if targets.ndim == 1 and form.classes != 3 else targets


CASES = [
    pytest.param(
        name,
        number,
        engine,
        kfold,
        id=f"{name}-{loss if isinstance(loss, str) else next(iter(loss))}-{engine}",
        marks=[] if (name, number) == ("scaled quantities", 0) else pytest.mark.slow,
    )
    for name, form in FORMS.items()
    for number, loss in enumerate(form.losses)
    for engine, kfold in (("keras" if number % 2 else "fused", bool(number % 3)),)
]


@pytest.mark.parametrize(("name", "number", "engine", "kfold"), CASES)
def test_history_score_and_keras_agree(
    name: str,
    number: int,
    engine: str,
    kfold: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = FORMS[name]
    monkeypatch.chdir(tmp_path)
    x, y = arrays(form)
    np.savez("rows.npz", x=x, y=y)
    Path("c.yaml").write_text(yaml.safe_dump(config(form, number, kfold, engine)))
    run = dlrun.train("c.yaml", force=True)
    result = json.loads((run.path / "result.json").read_text())
    splits = np.load(run.path / "splits.npz")
    for fold_number, fold in enumerate(result["folds"]):
        history = run.history[run.history["fold"] == fold_number].iloc[-1]
        for measure, value in fold["measures"].items():
            last = history[f"val_{measure}"]
            assert last == pytest.approx(value, rel=1e-4, abs=1e-5, nan_ok=True), measure
        if form.scaled:
            continue
        place = run.path / f"folds/{fold_number:02d}" if kfold else run.path
        model = keras.models.load_model(place / "model.keras")
        # One batch takes less time than compiling it.
        model.run_eagerly = True
        rows = splits[f"fold{fold_number:02d}_validation"]
        targets = seen_by_keras(form, y[rows])
        by_keras = model.evaluate(x[rows], targets, batch_size=256, verbose=0, return_dict=True)
        for measure, value in by_keras.items():
            expected = float(np.mean(value))
            assert fold["measures"][measure] == pytest.approx(expected, rel=1e-4, abs=1e-5), measure
