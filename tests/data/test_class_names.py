"""The classes of a target have the names that its file writes, in the order of their indices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlrun.data.dataset import load_dataset
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.samples import Dataset
from dlrun.data.sources.csv import Csv
from dlrun.errors import DataError
from dlrun.registry.families import TARGET_STEPS


def dataset_of(base: Path, labels: list[str], **options: Any) -> Dataset:
    rows = "".join(f"{i},{label}\n" for i, label in enumerate(labels))
    (base / "d.csv").write_text("a,y\n" + rows)
    source = Csv.model_validate({"path": "d.csv", "target": "y", **options})
    return load_dataset(source, base, 0, regression=False)


def fitted(dataset: Dataset, train: np.ndarray, *steps: tuple[str, dict[str, Any]]) -> Pipeline:
    made = [TARGET_STEPS.get(name).model_validate(options) for name, options in steps]
    return fit_pipeline([], made, dataset, dataset.samples.take(train))


@pytest.mark.parametrize(
    ("labels", "source", "step", "names"),
    [
        (["mid", "low", "high"], {}, {"classes": ["low", "mid", "high"]}, ("low", "mid", "high")),
        (["mid", "low", "high"], {}, {}, ("high", "low", "mid")),
        (["7", "3", "5"], {}, {}, ("3", "5", "7")),
        (["7", "3", "5"], {}, {"classes": [7, 5, 3]}, ("7", "5", "3")),
        (["7", "3"], {"types": {"y": "categorical"}}, {"classes": [7, 3]}, ("7", "3")),
        (["yes", "no"], {}, None, ("no", "yes")),
        (["Yes", "No"], {}, {"classes": ["Yes", "No"]}, ("Yes", "No")),
        (["yes", "no"], {}, {"classes": [True, False]}, ("yes", "no")),
        (["true", "false"], {}, None, ("false", "true")),
        (["true", "false"], {}, {"classes": [True, False]}, ("true", "false")),
        (["f", "t"], {"types": {"y": "boolean"}}, None, ("f", "t")),
        (["1", "0"], {"types": {"y": "boolean"}}, None, ("0", "1")),
    ],
)
def test_a_class_index_leads_back_to_the_word_in_the_file(
    tmp_path: Path,
    labels: list[str],
    source: dict[str, Any],
    step: dict[str, Any] | None,
    names: tuple[str, ...],
) -> None:
    dataset = dataset_of(tmp_path, labels * 4, **source)
    steps = [] if step is None else [("label_index", step)]
    pipeline = fitted(dataset, np.arange(len(dataset.samples)), *steps)
    pipeline = Pipeline.from_state(*pipeline.to_state())
    assert pipeline.classes == {"y": names}
    assert [names[index] for index in pipeline.targets(dataset.samples)] == labels * 4


@pytest.mark.parametrize("kind", [{}, {"limit": 9}])
@pytest.mark.parametrize("steps", [["label_index"], ["label_index", "one_hot"], ["one_hot"]])
def test_a_fold_without_a_class_counts_it_all_the_same(
    tmp_path: Path, kind: dict[str, Any], steps: list[str]
) -> None:
    dataset = dataset_of(tmp_path, ["1", "3", "4"] * 3 + ["6"], **kind)
    train = np.array([0, 1, 3, 4])
    pipeline = fitted(dataset, train, *((name, {}) for name in steps))
    targets = pipeline.targets(dataset.samples)
    indices = targets.argmax(axis=1) if "one_hot" in steps else targets
    labels = dataset.samples.targets["y"]
    expected = np.searchsorted([1, 3, 4, 6], labels) if "label_index" in steps else labels
    np.testing.assert_array_equal(indices, expected)
    if "one_hot" in steps:
        assert targets.shape[1] == (4 if "label_index" in steps else 7)
    if "label_index" in steps:
        assert pipeline.classes == {"y": ("1", "3", "4", "6")}


def test_the_data_s_names_of_integer_labels_can_be_put_in_order() -> None:
    step = TARGET_STEPS.get("label_index").model_validate({"classes": ["virginica", "setosa"]})
    state = step.fit(np.array([2, 0]), ("setosa", "versicolor", "virginica"))
    assert step.apply(np.array([2, 0, 2]), state).tolist() == [0, 1, 0]
    assert state["names"] == ["virginica", "setosa"]


WORDS = ["None", "ill", "NA", "null", "None", "n/a"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_words_for_nothing_are_classes_like_others(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame({"a": range(24), "diet": ["None", "fish"] * 12, "y": WORDS * 4})
    file = tmp_path / f"d.{ending}"
    if ending == "csv":
        frame.to_csv(file, index=False)
    elif ending == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        frame.to_parquet(file)
    options: dict[str, Any] = {"path": file.name, "target": "y", "missing": {"diet": []}}
    dataset = load_dataset(Csv.model_validate(options), tmp_path, 0, regression=False)
    assert dataset.classes == {"y": tuple(sorted(set(WORDS)))}
    assert dataset.samples.targets["y"].tolist() == frame.y.tolist()
    assert dataset.samples.features["diet"].tolist() == frame.diet.tolist()
    assert "'None' is a class of the target 'y', in 8 rows" in dataset.findings[0]


@pytest.mark.parametrize("others", [["1", "2"], ["1.5", "7"], ["yes", "no"]])
def test_among_numbers_and_flags_such_a_word_is_a_missing_value(
    tmp_path: Path, others: list[str]
) -> None:
    with pytest.raises(DataError, match=r"d\.csv:4: the target 'y' is missing here and in 3 more"):
        dataset_of(tmp_path, [*others, "NA"] * 4)


def test_a_category_that_is_read_as_missing_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,y\nNone,1\nfish,0\n,1\nfish,0\n")
    source = Csv.model_validate({"path": "d.csv", "target": "y"})
    dataset = load_dataset(source, tmp_path, 0, regression=False)
    assert dataset.samples.features["a"].tolist() == [None, "fish", None, "fish"]
    assert dataset.findings == (
        "column 'a' says 'None', which is read as a missing value: 2 of 4 are missing; if it is a "
        "category, say `missing: {a: []}`",
    )
