"""What the data cannot give is told at the place of the config that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from dlrun.errors import ConfigError
from dlrun.workflows.check import check

ROWS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("places")
    words = [f"word{n} and more, number {n}" for n in range(ROWS)]
    pd.DataFrame({"message": words, "kind": ["a", "b"] * 30}).to_csv(
        folder / "messages.csv", index=False
    )
    times = pd.date_range("2024-01-01", periods=ROWS, freq="h")
    pd.DataFrame({"time": times, "heat": range(ROWS)}).to_csv(folder / "heat.csv", index=False)
    return folder


def told(folder: Path, config: Mapping[str, Any], *, with_data: bool) -> tuple[str, str]:
    """The line of the config that an error points at, and what it says."""
    (folder / "experiment.yaml").write_text(yaml.safe_dump({"optimizer": "adam", **config}))
    with pytest.raises(ConfigError) as error:
        check(folder / "experiment.yaml", with_data=with_data)
    (problem,) = error.value.problems
    assert problem.line is not None
    return problem.line.strip(), problem.message


TEXTS = {
    "dataset": {"source": "csv", "path": "messages.csv", "target": "kind"},
    "architecture": {"layers": [{"Dense": {"units": 1, "activation": "sigmoid"}}]},
    "loss": "binary_crossentropy",
    "training": {"epochs": 1},
}
SERIES = {
    "dataset": {"source": "timeseries", "path": "heat.csv", "target": "heat", "lookback": 4},
    "architecture": {"layers": ["Flatten", {"Dense": 1}]},
    "loss": "mse",
    "training": {"epochs": 1},
}


def test_a_column_that_a_step_names(folder: Path) -> None:
    steps = [{"targets": "label_index"}, {"text": {"columns": ["message", "mesage"]}}]
    line, message = told(folder, {**TEXTS, "preprocess": steps}, with_data=True)
    assert line == "- mesage"
    assert message.startswith("text: unknown column 'mesage'; did you mean 'message'?")


def test_text_that_no_step_turns_into_numbers(folder: Path) -> None:
    line, message = told(folder, {**TEXTS, "preprocess": []}, with_data=True)
    assert line == "preprocess: []"
    assert message.startswith("column 'message' holds text; add ")


@pytest.mark.parametrize("key", ["delay", "lookback"])
def test_windows_that_reach_over_all_training_rows(folder: Path, key: str) -> None:
    dataset = {**SERIES["dataset"], key: 30}  # type: ignore[dict-item]  # a mapping
    line, message = told(folder, {**SERIES, "dataset": dataset}, with_data=True)
    assert line == f"{key}: 30"
    assert message.startswith("validation rows: no window is left to train on")


def test_folds_of_a_series_are_told_without_the_data(folder: Path) -> None:
    config = {**SERIES, "evaluation": {"protocol": "kfold"}}
    line, message = told(folder, config, with_data=False)
    assert line == "protocol: kfold"
    assert message == "the folds of kfold would train on the future of the series that they score"


def test_places_of_something_that_is_not_a_target(folder: Path) -> None:
    dataset = {"source": "csv", "path": "messages.csv", "target": "kind"}
    dataset |= {"places": {"kinds": "xy"}}  # type: ignore[dict-item]  # a mapping
    line, message = told(folder, {**TEXTS, "dataset": dataset}, with_data=True)
    assert line == "kinds: xy"
    assert message.startswith("`places` names 'kinds', which is not a target; did you mean 'kind'?")


def test_positions_that_are_misspelt(folder: Path) -> None:
    steps = [{"text": {"columns": ["message"], "length": 8}}]
    layer = {"Embedding": {"input_dim": 8, "output_dim": 2}, "from": "message.position"}
    architecture = {"layers": [layer, "Flatten", {"Dense": {"units": 1, "activation": "sigmoid"}}]}
    config = {**TEXTS, "preprocess": steps, "architecture": architecture}
    _, message = told(folder, config, with_data=True)
    assert message.startswith(
        "'message.position' is neither a layer above nor a column; did you mean"
    )
    assert "'message.positions'?" in message


def test_labels_that_are_no_class_indices(folder: Path) -> None:
    rows = "".join(f"{n},{(-1) ** n}\n" for n in range(ROWS))
    (folder / "signs.csv").write_text("a,y\n" + rows)
    dataset = {"source": "csv", "path": "signs.csv", "target": "y"}
    config = {**TEXTS, "dataset": dataset, "loss": "hinge"}
    config["architecture"] = {"layers": [{"Dense": {"units": 1, "activation": "tanh"}}]}
    line, message = told(folder, config, with_data=True)
    assert line == "target: y"
    assert message.startswith(
        "target 'y' holds the labels -1 and 1, where 0 and 1 are expected; add"
    )
