"""One table, however it is written, gives the same splits, fitted state and inputs."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import dlrun
from dlrun.data.dataset import load_dataset
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.samples import Dataset, Samples
from dlrun.data.sources.csv import Csv
from dlrun.registry.families import STEPS

TOWNS = ("Köln, Süd", "Ulm; Ost", "a|b", "x\ty", 'say "yes"', "O'Brien", "two\nlines", "05", "Bonn")
NUMBERS = ("area", "rooms", "heated")
OPTIONS: dict[str, Any] = {
    "target": "y",
    "features": ["area", "rooms", "heated", "code", "town"],
    "types": {"code": "categorical", "town": "categorical"},
    "missing": {"*": ["?"], "rooms": ["?", -1]},
    "test": {"fraction": 0.25},
}


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Rows of every kind of column, of at least five shops."""
    n = draw(st.integers(15, 25))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    hundredths = st.integers(-(10**6), 10**7)
    frame = pd.DataFrame(
        {
            "area": pd.array([v / 100 for v in column(hundredths)]),
            "rooms": pd.array(column(st.none() | st.integers(0, 2000)), "Int64"),
            "heated": column(st.booleans()),
            "code": column(st.integers(1, 7)),
            "town": pd.Series(column(st.sampled_from((None, *TOWNS))), dtype=object),
            "shop": [89490200001045784320 + i for i in (*range(5), *column(st.integers(0, 8))[5:])],
            "y": pd.array([v / 100 for v in column(hundredths)]),
        }
    )
    frame.loc[0, ["rooms", "heated", "town", "y"]] = [3, True, "Bonn", 1.0]
    frame.loc[1, ["rooms", "heated", "town", "y"]] = [4, False, "05", 2.0]
    return frame


@st.composite
def spellings(draw: st.DrawFn) -> dict[str, Any]:
    decimal = draw(st.sampled_from(".,"))
    return {
        "format": draw(st.sampled_from(("csv", "csv", "jsonl", "parquet"))),
        "separator": draw(st.sampled_from(",;\t|")),
        "decimal": decimal,
        "thousands": draw(st.sampled_from((None, "'", " ", ",.".replace(decimal, "")))),
        "quote": draw(st.sampled_from("\"'")),
        "encoding": draw(st.sampled_from(("utf-8", "utf-8-sig", "cp1252", "utf-16"))),
        "skip": draw(st.integers(0, 2)),
        "blank": draw(st.integers(0, 2)),
        "fraction": draw(st.booleans()),
        "missing": draw(st.sampled_from(("", "?", "NaN"))),
        "flags": draw(st.sampled_from((("True", "False"), ("yes", "no"), ("TRUE", "FALSE")))),
        "order": draw(st.permutations(("area", "rooms", "heated", "code", "town", "shop", "y"))),
    }


PLAIN = {
    "format": "csv",
    "separator": ",",
    "decimal": ".",
    "thousands": None,
    "quote": '"',
    "encoding": "utf-8",
    "skip": 0,
    "blank": 0,
    "fraction": False,
    "missing": "",
    "flags": ("True", "False"),
    "order": ["area", "rooms", "heated", "code", "town", "shop", "y"],
}


def field(value: Any, name: str, how: Mapping[str, Any]) -> str:
    """A value as a CSV file has it."""
    if value is None or value is pd.NA:
        return "-1" if name == "rooms" and how["fraction"] else str(how["missing"])
    if isinstance(value, (bool, np.bool_)):
        return str(how["flags"][0 if value else 1])
    if isinstance(value, str) or name == "shop":
        return str(value)
    digits = f"{value:.1f}" if name == "code" and how["fraction"] else str(value)
    if name == "code":
        return digits.replace(".", how["decimal"])
    if how["thousands"] is not None:
        digits = f"{value:,}" if "." not in digits else f"{value:,.2f}"
    marks = {",": how["thousands"] or "", ".": how["decimal"]}
    return "".join(marks.get(character, character) for character in digits)


def write(folder: Path, stem: str, frame: pd.DataFrame, how: Mapping[str, Any]) -> Path:
    file = folder / f"{stem}.{how['format']}"
    frame = frame[list(how["order"])]
    rows = [list(row) for row in frame.astype(object).itertuples(index=False)]
    if how["format"] == "parquet":
        frame.astype({"shop": str}).to_parquet(file, index=False)
    elif how["format"] == "jsonl":
        rows = [[None if v is pd.NA else v for v in row] for row in rows]
        lines = [json.dumps(dict(zip(frame, row, strict=True))) for row in rows]
        file.write_text("\n".join(lines), encoding="utf-8")
    else:
        with file.open("w", encoding=how["encoding"], newline="") as stream:
            stream.write("Report, 'unpaired\n" * how["skip"])
            writer = csv.writer(stream, delimiter=how["separator"], quotechar=how["quote"])
            writer.writerow(frame)
            for row in rows:
                writer.writerow([field(v, n, how) for n, v in zip(frame, row, strict=True)])
            stream.write((how["separator"] * (len(frame.columns) - 1) + "\n") * how["blank"])
    return file


def source_of(file: Path, how: Mapping[str, Any]) -> Csv:
    keys = ("separator", "decimal", "thousands", "quote", "encoding", "skip")
    return Csv.model_validate(OPTIONS | {k: how[k] for k in keys} | {"path": str(file)})


def prepared(source: Csv, base: Path) -> tuple[Dataset, Pipeline]:
    dataset = load_dataset(source, base, 7, groups="shop", regression=True)
    steps = [STEPS.get(name)() for name in ("impute", "standardize", "one_hot")]
    return dataset, fit_pipeline(steps, [], dataset, dataset.samples)


def assert_as_pandas(frame: pd.DataFrame, dataset: Dataset, pipeline: Pipeline) -> None:
    """Compare what was read and learned with pandas' own figures for the same rows."""
    rows, features = dataset.samples.rows, dataset.samples.features
    test = dataset.test_rows
    assert test is not None
    assert sorted([*rows, *test]) == list(range(len(frame)))
    kept = frame.iloc[rows]
    assert not set(kept["shop"]) & set(frame.iloc[test]["shop"])
    np.testing.assert_array_equal(dataset.samples.targets["y"], kept["y"])
    for name in NUMBERS:
        expected = kept[name].astype("Float64").to_numpy(float, na_value=np.nan)
        np.testing.assert_array_equal(features[name].astype(float), expected)
    towns = [None if pd.isna(town) else town for town in kept["town"]]
    assert features["town"].tolist() == towns
    assert features["code"].tolist() == [str(code) for code in kept["code"]]
    filled = kept["area"].astype(float)
    inputs = pipeline.inputs(dataset.samples)
    if filled.nunique() > 1:
        expected = (filled - filled.mean()) / filled.std(ddof=0)
        np.testing.assert_allclose(np.asarray(inputs)[:, 0], expected, rtol=1e-4, atol=1e-5)
    known = sorted({town for town in towns if town is not None})
    names = pipeline.feature_names
    assert [n for n in names if n.startswith("town=")] == [f"town={town}" for town in known]


def check_spelling(folder: Path, frame: pd.DataFrame, how: Mapping[str, Any], seed: int) -> None:
    plain = source_of(write(folder, "plain", frame, PLAIN), PLAIN)
    dataset, pipeline = prepared(plain, folder)
    assert_as_pandas(frame, dataset, pipeline)
    source = source_of(write(folder, "other", frame, how), how)
    other, other_pipeline = prepared(source, folder)
    np.testing.assert_array_equal(other.test_rows, dataset.test_rows)
    np.testing.assert_array_equal(other.samples.rows, dataset.samples.rows)
    assert other_pipeline.feature_names == pipeline.feature_names
    expected, found = pipeline.to_state(), other_pipeline.to_state()
    assert found[0] == expected[0]
    assert list(found[1]) == list(expected[1])
    for name, array in expected[1].items():
        np.testing.assert_array_equal(found[1][name], array)
    inputs = np.asarray(pipeline.inputs(dataset.samples))
    np.testing.assert_array_equal(np.asarray(other_pipeline.inputs(other.samples)), inputs)
    shuffled = np.random.default_rng(seed).permutation(dataset.samples.rows)
    new = write(folder, "new", frame.iloc[shuffled], how)
    columns = source.read_new([new], other_pipeline.expected_columns).columns
    rows = Samples(features=columns, targets={}, rows=np.arange(len(shuffled)))
    order = np.searchsorted(dataset.samples.rows, shuffled)
    np.testing.assert_array_equal(np.asarray(other_pipeline.inputs(rows)), inputs[order])


@settings(max_examples=8)
@given(frame=tables(), how=spellings(), seed=st.integers(0, 99))
def test_the_spelling_of_a_table_changes_nothing(tmp_path_factory, frame, how, seed):
    check_spelling(tmp_path_factory.mktemp("table"), frame, how, seed)


@pytest.mark.slow
@settings(max_examples=60)
@given(frame=tables(), how=spellings(), seed=st.integers(0, 99))
def test_no_spelling_of_a_table_changes_anything(tmp_path_factory, frame, how, seed):
    check_spelling(tmp_path_factory.mktemp("table"), frame, how, seed)


@pytest.mark.slow
def test_the_spelling_of_a_table_changes_no_prediction(tmp_path):
    rng = np.random.default_rng(3)
    n = 60
    frame = pd.DataFrame(
        {
            "area": rng.integers(10**4, 10**7, n) / 100,
            "rooms": pd.array([None, *rng.integers(0, 2000, n - 1).tolist()], "Int64"),
            "heated": rng.random(n) < 0.5,
            "code": rng.integers(1, 7, n),
            "town": pd.Series(rng.choice(TOWNS, n), dtype=object),
            "shop": [89490200001045784320 + int(i) for i in rng.integers(0, 12, n)],
            "y": rng.integers(0, 1000, n) / 100,
        }
    )
    german = PLAIN | {"separator": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252"}
    german |= {"order": PLAIN["order"][::-1], "fraction": True, "blank": 2, "skip": 1}
    answers = []
    for i, how in enumerate(
        (PLAIN, german, PLAIN | {"format": "jsonl"}, PLAIN | {"format": "parquet"})
    ):
        file = write(tmp_path, f"rows{i}", frame, how)
        keys = ("separator", "decimal", "thousands", "quote", "encoding", "skip")
        config = {
            "dataset": {"source": "csv", "path": file.name, **OPTIONS, **{k: how[k] for k in keys}},
            "preprocess": ["impute", "standardize", "one_hot", {"targets": "standardize"}],
            "architecture": {
                "layers": [{"Dense": {"units": 8, "activation": "relu"}}, {"Dense": 1}]
            },
            "loss": "mse",
            "optimizer": "adam",
            "metrics": ["mae"],
            "training": {"epochs": 3, "batch_size": 8},
            "evaluation": {"protocol": "holdout", "validation": 0.25, "groups": "shop"},
        }
        if config["dataset"]["thousands"] is None:
            del config["dataset"]["thousands"]
        path = tmp_path / f"config{i}.yaml"
        path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        run = dlrun.train(path, runs_dir=tmp_path / "runs")
        predicted = dlrun.predict(run.path, file, runs_dir=tmp_path / "runs")
        answers.append((run.result["score"], predicted.outputs[0].table.to_numpy()))
    for score, predictions in answers[1:]:
        assert score == answers[0][0]
        np.testing.assert_array_equal(predictions, answers[0][1])
