"""What finding DL111 says of classes by their rows, and that its advice is not refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from dlrun.checks.check import data_findings
from dlrun.config.load import load_config
from dlrun.workflows.loading import load_rows


def found(folder: Path, counts: dict[str, int], evaluation: dict[str, Any]) -> list[str]:
    """The messages and advice of DL111 for classes with so many rows, three rows a group."""
    random = np.random.default_rng(3)
    labels = random.permutation(np.repeat(list(counts), list(counts.values())))
    groups = np.arange(len(labels)) // 3
    table = pd.DataFrame({"x": random.normal(size=len(labels)), "group": groups, "y": labels})
    table.to_csv(folder / "rows.csv", index=False)
    config = {
        "dataset": {"source": "csv", "path": "rows.csv", "target": "y"},
        "architecture": {"layers": [{"Dense": {"units": len(counts), "activation": "softmax"}}]},
        "loss": "sparse_categorical_crossentropy",
        "optimizer": "adam",
        "training": {"epochs": 1},
        "evaluation": evaluation,
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    loaded = load_config(folder / "experiment.yaml", [])
    findings = data_findings(loaded, load_rows(loaded))
    one = [finding for finding in findings.shown if finding.code == "DL111"]
    return [text for finding in one for text in (finding.problem.message, finding.write)]


@pytest.mark.parametrize(
    ("counts", "evaluation", "expected"),
    [
        (
            {"cat": 40, "dog": 30, "emu": 2},
            {"protocol": "kfold", "folds": 4},
            [
                "class 'emu' (2 rows) is in the validation rows of only some of the 4 folds",
                "add rows of the class, or leave it out",
            ],
        ),
        (
            {"cat": 40, "emu": 1, "owl": 1},
            {"validation": 0.2},
            [
                "classes 'owl' (1 row) and 'emu' (1 row) are not in the validation rows",
                "add rows of these classes, or leave them out",
            ],
        ),
        (
            {"cat": 40, "dog": 40, "emu": 3},
            {"validation": {"samples": 2}, "stratify": False},
            [
                "class 'emu' (3 rows) is not in the validation rows",
                "remove `stratify: false`",
            ],
        ),
        (
            {"cat": 40, "dog": 40, "emu": 3},
            {"validation": {"samples": 2}},
            [
                "class 'emu' (3 rows) is not in the validation rows",
                "hold out more rows, add rows of the class, or leave it out",
            ],
        ),
    ],
)
def test_classes_on_one_side_are_named_with_their_rows_and_their_split(
    tmp_path: Path, counts: dict[str, int], evaluation: dict[str, Any], expected: list[str]
) -> None:
    assert found(tmp_path, counts, evaluation) == expected


def test_the_only_row_of_a_class_is_not_trained_on_in_the_fold_that_scores_it(
    tmp_path: Path,
) -> None:
    counts = {"cat": 40, "dog": 30, "emu": 1}
    message, advice = found(tmp_path, counts, {"protocol": "kfold", "folds": 4})
    assert message.startswith("class 'emu' (1 row) is not in the training rows of fold ")
    assert message.endswith(" of 4")
    assert advice == "add rows of the class, or leave it out"
    [message, advice] = found(tmp_path, counts, {"validation": 0.2, "groups": "group"})
    assert message == "class 'emu' (1 row) is not in the validation rows"
    assert advice == "add groups with such rows, or leave it out"
