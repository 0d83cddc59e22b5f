"""Every public metric of Keras at every form of output: which ones mean something there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dlrun.checks.check import config_findings
from dlrun.checks.views import Known
from dlrun.cli.main import main
from dlrun.config.load import load_config
from dlrun.metrics.names import NO_MEASURES
from dlrun.registry import catalogue

ARGUMENTS = {
    "IoU": "{num_classes: 6, target_class_ids: [1], sparse_y_true: SPARSE, sparse_y_pred: false}",
    "MeanIoU": "{num_classes: 6, sparse_y_true: SPARSE, sparse_y_pred: false}",
    "OneHotIoU": "{num_classes: 6, target_class_ids: [1]}",
    "OneHotMeanIoU": "{num_classes: 6}",
    "PrecisionAtRecall": "{recall: 0.5}",
    "RecallAtPrecision": "{precision: 0.5}",
    "SensitivityAtSpecificity": "{specificity: 0.5}",
    "SpecificityAtSensitivity": "{sensitivity: 0.5}",
}
CODES = {"DL017", "DL020", "DL021", "DL022", "DL023", "DL024"}
NAMES = sorted(set(catalogue.names("metric")) - NO_MEASURES)

BINARY = Known("binary", 2, labels_are_indices=True)
MULTICLASS = Known("multiclass", 6, labels_are_indices=True)
FORMS = {
    "unit": ("units: 1, activation: sigmoid", "binary_crossentropy", "", BINARY),
    "one-hot": ("units: 6, activation: softmax", "categorical_crossentropy", "one_hot", MULTICLASS),
    "sparse": ("units: 6, activation: softmax", "sparse_categorical_crossentropy", "", MULTICLASS),
    "labels": ("units: 6, activation: sigmoid", "binary_crossentropy", "", Known("multilabel")),
    "quantity": ("units: 1", "mse", "", Known("regression", outputs=1)),
    "quantities": ("units: 6", "mse", "", Known("regression", outputs=6)),
    "margins": ("units: 1, activation: tanh", "hinge", "", BINARY),
}


def found(folder: Path, form: str, metrics: list[str]) -> dict[str, str]:
    """The code of what is found in each metric, by the metric."""
    layer, loss, target, known = FORMS[form]
    entries = []
    for name in metrics:
        given = ARGUMENTS.get(name, "").replace("SPARSE", "false" if target else "true")
        entries.append(f"{{{name}: {given}}}" if given else name)
    (folder / "c.yaml").write_text(
        "dataset: {source: npz, path: d.npz, inputs: x, targets: y}\n"
        f"preprocess: [{f'{{targets: {target}}}' if target else ''}]\n"
        f"architecture: {{layers: [{{Dense: {{{layer}}}}}]}}\n"
        f"loss: {loss}\noptimizer: adam\nmetrics: [{', '.join(entries)}]\n"
    )
    config = load_config(folder / "c.yaml")
    shown = [f for f in config_findings(config, known).shown if f.code in CODES]
    places = {config.problem_at(m.path, "").place: m.alias for m in config.metrics}
    by_metric = {places.get(f.problem.place) or f.problem.message.split()[0]: f.code for f in shown}
    assert len(by_metric) == len(shown)
    return by_metric


@pytest.fixture(scope="module")
def every_form(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    folder = tmp_path_factory.mktemp("metrics")
    return {form: found(folder, form, NAMES) for form in FORMS}


def test_every_metric_means_something_somewhere(every_form: dict[str, dict[str, str]]) -> None:
    assert set.intersection(*(set(flagged) for flagged in every_form.values())) == set()


MEANT = {
    "unit": {
        "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU", "FalseNegatives",
        "FalsePositives", "MeanSquaredError", "Precision", "PrecisionAtRecall", "Recall",
        "RecallAtPrecision", "SensitivityAtSpecificity", "SpecificityAtSensitivity",
        "TrueNegatives", "TruePositives", "accuracy",
    },
    "sparse": {
        "Accuracy", "IoU", "MeanIoU", "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
        "SparseTopKCategoricalAccuracy", "accuracy",
    },
    "one-hot": {
        "Accuracy", "CategoricalAccuracy", "CategoricalCrossentropy", "CategoricalHinge",
        "CosineSimilarity", "F1Score", "FBetaScore", "IoU", "KLDivergence", "MeanIoU",
        "MeanSquaredError", "OneHotIoU", "OneHotMeanIoU", "TopKCategoricalAccuracy", "accuracy",
    },
    "quantity": {
        "LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
        "MeanSquaredLogarithmicError", "Poisson", "R2Score", "RootMeanSquaredError",
    },
}  # fmt: skip
"""Metrics in which nothing is found."""


@pytest.mark.parametrize("form", MEANT)
def test_what_means_something_at_an_output(
    form: str, every_form: dict[str, dict[str, str]]
) -> None:
    assert set(NAMES) - every_form[form].keys() == MEANT[form]


def test_the_faults_have_codes_of_their_own(every_form: dict[str, dict[str, str]]) -> None:
    assert every_form["unit"]["F1Score"] == every_form["labels"]["FBetaScore"] == "DL020"
    assert every_form["one-hot"]["AUC"] == every_form["sparse"]["Recall"] == "DL021"
    assert every_form["quantity"]["PearsonCorrelation"] == "DL022"
    assert every_form["sparse"]["CategoricalAccuracy"] == "DL023"
    assert every_form["margins"]["MeanSquaredError"] == "DL017"


@pytest.mark.parametrize(
    ("form", "metric"),
    [
        ("unit", "{F1Score: {threshold: 0.5}}"),
        ("one-hot", "{Precision: {class_id: 2}}"),
        ("one-hot", "{Recall: {top_k: 2}}"),
        ("one-hot", "{AUC: {multi_label: true, num_labels: 6}}"),
        ("quantity", "{ConcordanceCorrelation: {axis: 0}}"),
        ("labels", "{FBetaScore: {threshold: 0.4}}"),
    ],
)
def test_arguments_that_give_it_a_meaning(form: str, metric: str, tmp_path: Path) -> None:
    assert found(tmp_path, form, [metric]) == {}


@pytest.mark.parametrize(
    ("form", "metric"), [("labels", "{F1Score: {threshold: 0.5}}"), ("quantities", "R2Score")]
)
def test_keras_takes_one_answer_a_row(
    form: str, metric: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, loss, target, known = FORMS[form]
    steps = Known(known.task, outputs=known.outputs, by_step=True, steps=True)
    monkeypatch.setitem(FORMS, form, (layer, loss, target, steps))
    assert set(found(tmp_path, form, [metric]).values()) == {"DL023"}


def test_a_class_is_counted_at_each_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, loss, target, known = FORMS["one-hot"]
    steps = Known(known.task, known.classes, by_step=True, steps=True)
    monkeypatch.setitem(FORMS, "one-hot", (layer, loss, target, steps))
    metrics = ["{Precision: {class_id: 2}}", "{RecallAtPrecision: {precision: 0.5, class_id: 1}}"]
    assert found(tmp_path, "one-hot", metrics) == {}


def test_shares_have_a_crossentropy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, loss, target, known = FORMS["quantity"]
    shares = Known(known.task, outputs=1, shares=True)
    layer = "units: 1, activation: sigmoid"
    monkeypatch.setitem(FORMS, "quantity", (layer, loss, target, shares))
    assert found(tmp_path, "quantity", ["BinaryCrossentropy"]) == {}
    assert found(tmp_path, "quantity", ["AUC"]) == {"AUC": "DL017"}


def test_steps_that_are_flattened_are_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Targets (n, t) of flags face outputs (n, t): accuracy would take the largest of each row."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5, 2)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=x, y=(x[..., 0] > 0).astype(np.int32))
    (tmp_path / "tags.yaml").write_text(
        """
dataset: {source: npz, path: rows.npz}
architecture: {layers: [{Dense: {units: 1, activation: sigmoid}}, Flatten]}
loss: binary_crossentropy
optimizer: adam
metrics: [accuracy, binary_accuracy]
training: {epochs: 1}
"""
    )
    with pytest.raises(SystemExit, match="2"):
        main(["check", str(tmp_path / "tags.yaml"), "--data", "--json"])
    told = json.loads(capsys.readouterr().out)["findings"]
    errors = [one for one in told if one["severity"] == "error"]
    assert [(one["code"], one["write"]) for one in errors] == [
        ("DL017", "metrics: [binary_accuracy]")
    ]
