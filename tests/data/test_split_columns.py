"""Text columns that are split: labels, multi-hot features, and sequences to predict; against
pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.fingerprint import describe, fingerprint
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.samples import Dataset, Samples
from dlrun.data.sources.csv import Csv
from dlrun.errors import DataError
from dlrun.registry.families import STEPS, TARGET_STEPS


def films(rows: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    genres = np.array(["drama", "war", "short", "1"])
    tags = np.array(["red", "green", "blue"])

    def joined(words: np.ndarray, mark: str) -> list[str]:
        chosen = rng.random((rows, len(words))) < 0.5
        return [mark.join(words[row]) for row in chosen]

    return pd.DataFrame(
        {
            "length": rng.normal(size=rows),
            "genres": joined(genres, " | "),
            "tags": joined(tags, ";"),
        }
    )


def sentences(rows: int = 40) -> pd.DataFrame:
    rng, words = np.random.default_rng(1), np.array(["a", "the", "cat", "runs", "fast"])
    drawn = [words[rng.integers(0, 5, rng.integers(2, 7))] for _ in range(rows)]
    tag = dict(zip(words, ["D", "D", "N", "V", "A"], strict=True))
    return pd.DataFrame(
        {
            "words": [" ".join(row) for row in drawn],
            "tags": [" ".join(tag[word] for word in row) for row in drawn],
        }
    )


def source(folder: Path, table: pd.DataFrame, **options: Any) -> Csv:
    table.to_csv(folder / "table.csv", index=False)
    return Csv.model_validate({"path": "table.csv", "target": "tags"} | options)


MARKS = {"tags": ";", "genres": "|"}


def load(folder: Path, table: pd.DataFrame, labels: Any = None, **options: Any) -> Dataset:
    given = source(folder, table, **({"split": MARKS} | options))
    return load_dataset(given, folder, 0, regression=False, labels=labels)


def test_a_target_becomes_labels_and_a_feature_multi_hot(tmp_path: Path) -> None:
    table = films()
    dataset = load(tmp_path, table)
    assert dataset.task == "multilabel"
    expected = table["tags"].str.get_dummies(";").drop(columns="", errors="ignore")
    assert list(dataset.samples.targets) == list(expected.columns)
    pipeline = fit_pipeline([STEPS.get("multi_hot")()], [], dataset, dataset.samples)
    np.testing.assert_array_equal(pipeline.targets(dataset.samples), expected)
    made = np.asarray(cast("Any", pipeline.inputs(dataset.samples)))
    dummies = (
        table["genres"].str.replace(" ", "").str.get_dummies("|").drop(columns="", errors="ignore")
    )
    np.testing.assert_array_equal(made[:, 1:], dummies)
    assert pipeline.feature_names[1:] == tuple(f"genres={name}" for name in dummies)
    table.head(3).assign(genres=["war|west", "", "1"]).to_csv(tmp_path / "new.csv", index=False)
    again = Pipeline.from_state(*pipeline.to_state())
    columns = source(tmp_path, table, split=MARKS).read_new_rows(
        tmp_path / "new.csv", again.expected_columns
    )
    new = Samples(columns, {}, np.arange(3))
    rows = np.asarray(cast("Any", again.inputs(new)))[:, 1:]
    np.testing.assert_array_equal(rows, [[0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
    assert again.findings(new) == [
        "multi_hot: column 'genres' has 1 row with labels that are not among the 4 learnt (west); "
        "they were left out"
    ]


def test_labels_are_those_of_the_rows_that_are_not_sealed(tmp_path: Path) -> None:
    table = films()
    table.loc[59, "tags"] = "red;rare"
    options = {"test": {"fraction": 0.1, "shuffle": False}}
    dataset = load(tmp_path, table, **options)
    assert list(dataset.samples.targets) == ["blue", "green", "red"]
    given = source(tmp_path, table, split=MARKS, **options)
    test = load_test(given, tmp_path, 0, regression=False)
    assert list(test.targets) == ["blue", "green", "red"]
    assert test.targets["red"][-1] == 1
    films().head(4).assign(tags=["red", "", "blue;odd", "green"]).to_csv(
        tmp_path / "later.csv", index=False
    )
    with pytest.raises(DataError) as error:
        load_dataset(
            source(tmp_path, films(), split=MARKS),
            tmp_path,
            0,
            regression=False,
            validation="later.csv",
        )
    assert str(error.value) == (
        f"{tmp_path / 'later.csv'}:4: the target 'tags' holds the label 'odd', which no training "
        "row has; the labels are: blue, green and red"
    )


def test_words_and_tags_are_aligned_steps(tmp_path: Path) -> None:
    table = sentences()
    split = {"words": " ", "tags": " "}
    dataset = load(tmp_path, table, labels="indices", split=split)
    assert dataset.task == "multiclass"
    pipeline = fit_pipeline([STEPS.get("pad_sequences")()], [], dataset, dataset.samples)
    inputs = np.asarray(cast("Any", pipeline.inputs(dataset.samples)))
    targets = pipeline.targets(dataset.samples)
    length = int(table["words"].str.split().str.len().max())
    for column, made in (("words", inputs), ("tags", targets)):
        counts = table[column].str.split().explode().value_counts()
        order = sorted(counts.index, key=lambda word: (-counts[word], word))
        expected = [
            [0] * (length - len(row)) + [order.index(word) + 2 for word in row]
            for row in table[column].str.split()
        ]
        np.testing.assert_array_equal(made, expected)
    assert targets.dtype == np.int32
    assert pipeline.class_names[:2] == ("[PAD]", "[UNK]")
    assert set(pipeline.class_names[2:]) == set("DNVA")
    options = {"padding": "post", "maxlen": 3, "truncating": "post", "vocabulary": 4}
    step = TARGET_STEPS.get("pad_sequences").model_validate(options)
    short = fit_pipeline([STEPS.get("pad_sequences")()], [step], dataset, dataset.samples)
    again = Pipeline.from_state(*short.to_state())
    made = again.targets(dataset.samples)
    assert made.shape == (40, 3)
    assert made.max() == 3
    first = len(table["words"][0].split())
    assert (made[0] > 0).sum() == min(first, 3)
    marks = {fingerprint(dataset.samples), fingerprint(dataset.samples.take(slice(1, None)))}
    assert len(marks) == 2
    assert describe(dataset.samples, {})["features"]["words"]["dtype"] == "str"


def test_several_flags_may_be_written_in_several_ways(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": [1.0, 2.0, 3.0], "rain": ["Yes", "No", "No"]})
    table = table.assign(frost=["N", "N", "Y"], wind=[1, 0, 1])
    given = source(tmp_path, table, target=["rain", "frost", "wind"])
    table.head(1).to_csv(tmp_path / "later.csv", index=False)
    dataset = load_dataset(given, tmp_path, 0, regression=False, validation="later.csv")
    assert dataset.task == "multilabel"
    flags = np.stack(list(dataset.samples.targets.values()), axis=1)
    np.testing.assert_array_equal(flags, [[1, 0, 1], [0, 0, 0], [0, 1, 1], [1, 0, 1]])


def test_parts_need_something_between_them() -> None:
    with pytest.raises(ValueError, match="at least 1 character"):
        Csv(path="films.csv", target="tags", split={"tags": ""})
