"""Metrics as they are compiled into a model against scikit-learn and SciPy on the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from dlrun.config.schema import OutputEntry
from dlrun.metrics.scores import find_score
from dlrun.models.compiling import compile_model, compile_outputs
from dlrun.registry.keras_component import KerasComponent
from dlrun.scoring.measures import measures_of

RNG = np.random.default_rng(4)
ROWS = 90


def component(kind: Any, name: str, **arguments: Any) -> KerasComponent:
    return KerasComponent(kind, name, name, arguments)


def evaluated(
    loss: KerasComponent, metrics: list[KerasComponent], truth: np.ndarray, output: np.ndarray
) -> dict[str, float]:
    """What a compiled model whose output is its input measures, which is what dlrun scores."""
    import keras

    model = keras.Sequential([keras.Input(output.shape[1:]), keras.layers.Identity()])
    compile_model(model, loss, component("optimizer", "SGD"), metrics)
    model.run_eagerly = True
    found = model.evaluate(output, truth, batch_size=17, verbose=0, return_dict=True)
    found = {name: float(np.mean(np.asarray(value))) for name, value in found.items()}
    for measure in measures_of([OutputEntry(loss=loss, metrics=metrics)]):
        scored = measure(truth, output, batch_size=17)
        assert scored == pytest.approx(found[measure.name], rel=1e-5, abs=1e-6), measure.name
    return found


CUT = [
    component("metric", "accuracy"),
    component("metric", "Precision"),
    component("metric", "Recall"),
    component("metric", "F1Score"),
    component("metric", "AUC", num_thresholds=2000),
    component("metric", "FalsePositives"),
]


@pytest.mark.parametrize(
    ("loss", "classes"),
    [
        (component("loss", "BinaryCrossentropy", from_logits=True), (0, 1)),
        (component("loss", "Hinge"), (-1, 1)),
    ],
    ids=["logits", "margins of classes -1 and 1"],
)
def test_outputs_around_0_are_cut_there(loss: KerasComponent, classes: tuple[int, int]) -> None:
    positive = RNG.integers(0, 2, ROWS)
    truth = np.take(classes, positive)[:, None].astype(np.float32)
    output = RNG.normal(0.8 * positive - 0.2, 0.7)[:, None].astype(np.float32)
    found = evaluated(loss, CUT, truth, output)
    called = output[:, 0] > 0
    assert found["accuracy"] == pytest.approx(accuracy_score(positive, called))
    assert found["Precision"] == pytest.approx(precision_score(positive, called))
    assert found["Recall"] == pytest.approx(recall_score(positive, called))
    assert found["F1Score"] == pytest.approx(f1_score(positive, called))
    assert found["auc"] == pytest.approx(roc_auc_score(positive, output[:, 0]), abs=2e-3)
    assert found["FalsePositives"] == (called & (positive == 0)).sum()


@pytest.mark.slow
def test_class_logits_are_cut_as_probabilities() -> None:
    indices = RNG.integers(0, 3, ROWS)
    output = RNG.normal(2 * np.eye(3)[indices], 1.5).astype(np.float32)
    metrics = [
        component("metric", "accuracy"),
        component("metric", "Precision", class_id=1),
        component("metric", "F1Score"),
        component("metric", "KLDivergence"),
    ]
    loss = component("loss", "CategoricalCrossentropy", from_logits=True)
    found = evaluated(loss, metrics, np.eye(3, dtype=np.float32)[indices], output)
    shares = np.exp(output) / np.exp(output).sum(axis=1, keepdims=True)
    expected = precision_score(indices == 1, shares[:, 1] > 0.5)
    assert found["precision"] == pytest.approx(expected)
    macro = f1_score(indices, output.argmax(axis=1), average="macro")
    assert found["F1Score"] == pytest.approx(macro)


def test_correlations_with_axis_0_are_over_all_rows() -> None:
    truth = RNG.normal(5000, 3, (ROWS, 2)).astype(np.float32)
    output = (truth + RNG.normal(1, 2, truth.shape)).astype(np.float32)
    names = ("PearsonCorrelation", "ConcordanceCorrelation", "CosineSimilarity")
    metrics = [component("metric", name, axis=0) for name in names]
    found = evaluated(component("loss", "MeanSquaredError"), metrics, truth, output)
    pairs = list(zip(truth.T, output.T, strict=True))
    expected = np.mean([pearsonr(*pair).statistic for pair in pairs])
    assert found["pearson_correlation"] == pytest.approx(expected, rel=1e-4)
    concordance = [
        2 * np.cov(a, b, ddof=0)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
        for a, b in pairs
    ]
    assert found["concordance_correlation"] == pytest.approx(np.mean(concordance), rel=1e-4)


def test_correlations_with_axis_0_leave_out_masked_steps() -> None:
    import keras

    output = RNG.normal(2, 1, (60, 3, 2)).astype(np.float32)
    kept = RNG.random((60, 3)) > 0.4
    output[~kept] = 0
    truth = (output + RNG.normal(0, 1, output.shape)).astype(np.float32)
    model = keras.Sequential([keras.Input((3, 2)), keras.layers.Masking(0.0)])
    metric = component("metric", "PearsonCorrelation", axis=0)
    compile_model(
        model, component("loss", "MeanSquaredError"), component("optimizer", "SGD"), [metric]
    )
    found = model.evaluate(output, truth, batch_size=7, verbose=0, return_dict=True)
    expected = np.mean(
        [
            pearsonr(truth[kept[:, t], t, k], output[kept[:, t], t, k]).statistic
            for t in range(3)
            for k in range(2)
        ]
    )
    assert found["pearson_correlation"] == pytest.approx(expected, rel=1e-4)
    score = find_score("PearsonCorrelation", {"axis": 0})
    assert score is not None
    assert score.function(truth, output, None, kept) == pytest.approx(expected, rel=1e-4)


def mean_of_rows(y_true: Any, y_pred: Any) -> Any:
    """A plugin's loss: one value a row, whatever the axes."""
    from keras import ops

    return ops.mean(ops.abs(y_true - y_pred), axis=(1, 2))


@pytest.mark.parametrize(
    "loss",
    [
        component("loss", "MeanAbsoluteError"),
        component("loss", "MeanAbsoluteError", reduction="mean_with_sample_weight"),
        KerasComponent("loss", "mean_of_rows", "mean_of_rows", {}, implementation=mean_of_rows),
    ],
    ids=["by step", "divided by weights", "by row"],
)
@pytest.mark.parametrize("several", [False, True], ids=["one output", "several outputs"])
def test_the_weight_of_a_row_counts_for_each_of_its_steps(
    loss: KerasComponent, several: bool
) -> None:
    import keras

    # As many steps as rows of a batch: Keras would take the weights for those of the steps.
    rows, steps = 12, 6
    output, truth = RNG.normal(size=(2, rows, steps, 2)).astype(np.float32)
    weights = RNG.uniform(0, 3, rows).astype(np.float32)
    inputs = keras.Input((steps, 2))
    same = keras.layers.Identity(name="same")(inputs)
    first = keras.layers.Lambda(lambda x: x[:, 0, :1], name="first")(inputs)
    model = keras.Model(inputs, {"same": same, "first": first} if several else same)
    entries = [OutputEntry(name="same" if several else None, loss=loss)]
    targets: Any = truth
    if several:
        entries.append(OutputEntry(name="first", loss=component("loss", "MeanSquaredError")))
        targets = {"same": truth, "first": truth[:, 0, :1]}
    compile_outputs(model, entries, component("optimizer", "SGD"))
    found = model.evaluate(
        output, targets, sample_weight=weights, batch_size=steps, verbose=0, return_dict=True
    )["loss"]
    by_row = np.abs(truth - output).mean((1, 2))
    parts = [slice(0, steps), slice(steps, rows)]
    divided = loss.arguments.get("reduction") is not None
    by_batch = [
        np.average(by_row[part], weights=weights[part])
        if divided
        else np.mean(weights[part] * by_row[part])
        for part in parts
    ]
    expected = np.mean(by_batch)
    if several:
        expected += np.mean(weights * np.square(truth - output)[:, 0, 0])
    assert found == pytest.approx(expected, rel=1e-5)
    measure = measures_of(entries)[1 if several else 0]
    alone = measure(truth, output, weights, batch_size=steps)
    assert alone == pytest.approx(np.mean(by_batch), rel=1e-5)
