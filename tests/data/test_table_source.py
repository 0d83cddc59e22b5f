"""Tables: what columns become, in every file format, against an independent reading."""

from __future__ import annotations

import csv as standard_csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.source import Loaded
from dlrun.data.sources.csv import Csv

TEXT = """age,smoker,town,score,y
31,yes,Köln,0.1,1.5
,no,"Bonn, Rhein",-2e3,2.5
45,,,nan,3.5
"""
COLUMNS = {
    "age": [31, np.nan, 45],
    "smoker": [1, 0, np.nan],
    "town": ["Köln", "Bonn, Rhein", None],
    "score": [0.1, -2000.0, np.nan],
}


def load(base: Path, part: str = "train", extra: tuple[str, ...] = (), **options: Any) -> Loaded:
    source = Csv.model_validate({"path": "d.csv", "target": "y", **options})
    return source.load(part, base, extra)


def assert_columns(found: dict[str, np.ndarray], expected: dict[str, list[Any]]) -> None:
    assert list(found) == list(expected)
    for name, values in expected.items():
        if any(isinstance(value, str) for value in values):
            assert found[name].tolist() == values
        else:
            np.testing.assert_array_equal(found[name].astype(float), np.asarray(values, float))


def as_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": pd.array([31, None, 45], dtype="Int64"),
            "smoker": pd.array([True, False, None], dtype="boolean"),
            "town": pd.Categorical(["Köln", "Bonn, Rhein", None]),
            "score": [0.1, -2000.0, np.nan],
            "y": [1.5, 2.5, 3.5],
        }
    )


JSON_LINES = """{"age": 31, "smoker": true, "town": "Köln", "score": 0.1, "y": 1.5}

{"age": null, "smoker": false, "town": "Bonn, Rhein", "score": -2e3, "y": 2.5}
{"age": 45, "smoker": null, "y": 3.5}
"""


def write_parquet(path: Path) -> None:
    as_frame().to_parquet(path)


FORMATS = {
    "d.csv": lambda path: path.write_text(TEXT, encoding="utf-8"),
    "with a byte-order mark.csv": lambda path: path.write_text(TEXT, encoding="utf-8-sig"),
    "blank lines.csv": lambda path: path.write_text(TEXT.replace("\n", "\n\n"), encoding="utf-8"),
    "line ends.csv": lambda path: path.write_bytes(TEXT.replace("\n", "\r\n").encode()),
    "d.csv.gz": lambda path: path.write_bytes(gzip.compress(TEXT.encode())),
    "any.data": lambda path: path.write_text(TEXT.replace(",", ", "), encoding="utf-8"),
    "d.jsonl": lambda path: path.write_text(JSON_LINES, encoding="utf-8"),
    "d.jsonl.gz": lambda path: path.write_bytes(gzip.compress(JSON_LINES.encode())),
    "d.parquet": write_parquet,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_columns(name, tmp_path):
    FORMATS[name](tmp_path / name)
    loaded = load(tmp_path, path=name)
    expected = COLUMNS | ({"town": ["Köln", "Bonn,  Rhein", None]} if name == "any.data" else {})
    assert_columns(loaded.features, expected)
    assert loaded.targets["y"].tolist() == [1.5, 2.5, 3.5]


def test_half_an_emoji_in_json_lines_is_an_unknown_character(tmp_path):
    lines = ['{"t": "cut \\ud83d", "y": 0}', '{"t": "\\ud83d\\ude00", "y": 1}']
    (tmp_path / "d.jsonl").write_text("\n".join(lines), encoding="utf-8")
    loaded = load(tmp_path, path="d.jsonl", target="y")
    assert loaded.features["t"].tolist() == ["cut �", "😀"]


def test_tab_separated_and_other_layouts(tmp_path):
    (tmp_path / "d.tsv").write_text("a\ty\n1,5\t2\n3,5\t4\n")
    assert load(tmp_path, path="d.tsv", decimal=",").features["a"].tolist() == [1.5, 3.5]
    (tmp_path / "d.csv").write_text("1;K\xf6ln;2\n3;?;4\n", encoding="latin-1")
    loaded = load(
        tmp_path,
        header=False,
        columns=["a", "town", "y"],
        separator=";",
        encoding="latin-1",
        missing=["?", 3],
    )
    assert_columns(loaded.features, {"a": [1, np.nan], "town": ["Köln", None]})
    nameless = load(tmp_path, header=False, separator=";", encoding="latin-1", target="c2")
    assert list(nameless.features) == ["c0", "c1"]


def test_features_drop_and_several_targets(tmp_path):
    (tmp_path / "d.csv").write_text("a,b,c,y,z\n1,2,3,4,5\n6,7,8,9,10\n")
    assert list(load(tmp_path, target=["y", "z"]).features) == ["a", "b", "c"]
    assert list(load(tmp_path, target=["z", "y"]).targets) == ["z", "y"]
    assert list(load(tmp_path, features=["c", "a"]).features) == ["c", "a"]
    assert list(load(tmp_path, drop=["b", "z"]).features) == ["a", "c"]
    split = load(tmp_path, extra=("b",))
    assert list(split.features) == ["a", "c", "z"]
    assert split.extras["b"].tolist() == [2, 7]


def test_types_override_what_the_values_look_like(tmp_path):
    (tmp_path / "d.csv").write_text("zip,on,code,y\n01234,1,7,1\n00007,0,7.0,2\n")
    plain = load(tmp_path).features
    assert plain["zip"].tolist() == [1234, 7]
    types = {"zip": "categorical", "on": "boolean", "code": "categorical"}
    typed = load(tmp_path, types=types).features
    assert typed["zip"].tolist() == ["01234", "00007"]
    assert typed["on"].dtype == bool
    assert typed["code"].tolist() == ["7", "7"]


def test_several_files_are_one_table(tmp_path):
    (tmp_path / "b.csv").write_text("a,code,y\n3,x9,30\n")
    (tmp_path / "a.csv").write_text("code,y,a\n007,10,1\n,20,2.5\n")
    loaded = load(tmp_path, path="*.csv")
    # What are numbers in one file and text in another is text, as it is written.
    assert_columns(loaded.features, {"code": ["007", None, "x9"], "a": [1, 2.5, 3]})
    assert loaded.targets["y"].tolist() == [10, 20, 30]
    assert load(tmp_path, path=["b.csv", "a.csv"]).targets["y"].tolist() == [30, 10, 20]


def test_a_test_file_is_read_as_the_training_file_is(tmp_path):
    (tmp_path / "d.csv").write_text("code,on,y,unused\nA1,yes,cat,1\n17,no,dog,1\nB2,no,cat,1\n")
    (tmp_path / "t.csv").write_text("y,on,code\ndog,1,17\n")
    test = load(tmp_path, "test", test={"path": "t.csv"}, drop=["unused"])
    assert_columns(test.features, {"code": ["17"], "on": [1]})
    assert test.targets["y"].tolist() == ["dog"]


def test_suspicious_columns_are_pointed_out(tmp_path):
    lines = [f"{i},name {i},,{i % 2},{i}" for i in range(30)]
    (tmp_path / "d.csv").write_text("\n".join([",name,empty,a,y", *lines]))
    assert load(tmp_path).findings == (
        "column 'Unnamed: 0' has no name in the file; drop it if it numbers the rows",
        "column 'name' holds 30 different texts in 30 rows, as an identifier does; drop it "
        "unless they mean something",
        "column 'empty' holds no value in any row; drop it",
    )


fields = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**62), 2**62).map(str),
    st.just(""),
)


@given(st.lists(st.tuples(fields, fields), min_size=1, max_size=30))
def test_numbers_are_read_exactly(tmp_path_factory, rows):
    """Against Python's own CSV reader and float()."""
    base = tmp_path_factory.mktemp("exact")
    stream = io.StringIO()
    writer = standard_csv.writer(stream)
    writer.writerow(["a", "b", "y"])
    writer.writerows([a, b, i] for i, (a, b) in enumerate(rows))
    (base / "d.csv").write_text(stream.getvalue())
    loaded = load(base, types={"a": "numeric", "b": "numeric"})
    for i, name in enumerate("ab"):
        expected = [float(row[i]) if row[i] else np.nan for row in rows]
        np.testing.assert_array_equal(loaded.features[name].astype(float), expected)


def test_text_targets_of_a_test_file_may_hold_unknown_classes(tmp_path):
    (tmp_path / "d.csv").write_text("a,y\n1,cat\n2,dog\n")
    (tmp_path / "t.csv").write_text("a,y\n1,emu\n")
    source = Csv.model_validate({"path": "d.csv", "target": "y", "test": {"path": "t.csv"}})
    assert load_dataset(source, tmp_path, 0, regression=False).classes == {"y": ("cat", "dog")}
    test = load_test(source, tmp_path, 0, regression=False)
    assert test.targets["y"].tolist() == ["emu"]


WRONG_OPTIONS = [
    ({"features": ["a"], "drop": ["b"]}, "give either `features` or `drop`"),
    ({"target": []}, "`target` must name at least one column, and none twice"),
    ({"drop": ["y"]}, "the target 'y' must not be in `features` or `drop`"),
    (
        {"columns": ["a", "y"]},
        "`columns` is for files without a header; give `header: false` too",
    ),
    ({"columns": ["a", "a", "y"], "header": False}, "`columns` names a column twice"),
    ({"test": {"path": "t.csv", "fraction": 0.1}}, "give either `path` or `fraction`"),
    ({"limit": {}}, "give either `first` or `random`"),
]


@pytest.mark.parametrize(("options", "message"), WRONG_OPTIONS)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(pydantic.ValidationError) as error:
        Csv.model_validate({"path": "d.csv", "target": "y", **options})
    assert f"Value error, {message}" in [problem["msg"] for problem in error.value.errors()]
