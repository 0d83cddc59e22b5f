"""A model that fits perfectly predicts the very words of the file's label column."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from dlrun.workflows.evaluate import evaluate
from dlrun.workflows.predict import predict
from dlrun.workflows.train import train

CONFIG = """
    dataset: {{source: csv, path: rows.csv, target: y, test: {{path: rows_test.csv}}}}
    preprocess: {preprocess}
    architecture: {{layers: [{{Dense: {{units: {units}, activation: {activation}}}}}]}}
    loss: {loss}
    optimizer: {{SGD: {{learning_rate: 3.0}}}}
    metrics: [accuracy]
    training: {{epochs: 30, batch_size: 8, class_weight: {weights}}}
    evaluation: {{protocol: holdout, validation: 0.25}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "preprocess", "weights"),
    [
        (
            ["mid", "low", "high"],
            "[{targets: [{label_index: {classes: [low, mid, high]}}]}]",
            "{low: 2}",
        ),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                (["5", "3", "7"], "[{targets: [label_index]}]", "{3: 2}"),
                (["yes", "no"], "[]", "{yes: 2}"),
                (["true", "false"], "[]", "balanced"),
            )
        ),
    ],
    ids=["text in a given order", "numbers", "yes and no", "true and false"],
)
def test_predictions_equal_the_label_column(
    tmp_path: Path, labels: list[str], preprocess: str, weights: str
) -> None:
    column = labels * 16
    codes = [[float(label == other) for other in labels] for label in column]
    lines = [",".join([*map(str, code), label]) for code, label in zip(codes, column, strict=True)]
    header = ",".join([*(f"x{i}" for i in range(len(labels))), "y"])
    (tmp_path / "rows.csv").write_text("\n".join([header, *lines]) + "\n")
    # Test files must not be the training file; the features alone tell the class.
    (tmp_path / "rows_test.csv").write_text("\n".join([header, *lines[::-1]]) + "\n")
    two = len(labels) == 2
    text = CONFIG.format(
        preprocess=preprocess,
        units=1 if two else 3,
        activation="sigmoid" if two else "softmax",
        loss="binary_crossentropy" if two else "sparse_categorical_crossentropy",
        weights=weights,
    )
    (tmp_path / "c.yaml").write_text(textwrap.dedent(text))
    trained = train(tmp_path / "c.yaml", runs_dir=tmp_path / "runs")
    predictions = predict(trained.path, tmp_path / "rows.csv")
    assert predictions.table.prediction.tolist() == column
    figures = evaluate(trained.path).facts["figures"]
    assert figures["accuracy"] == 1
    assert {one["name"] for one in figures["classes"]} == set(labels)
