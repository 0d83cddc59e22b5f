"""New rows for `predict`: columns by name from every kind of file."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from dlrun.data.fitting.feature_pipeline import fit_features
from dlrun.data.reading.delimited import CsvDialect
from dlrun.data.reading.new_rows import read_new_rows
from dlrun.data.samples import Samples, as_objects
from dlrun.data.sources.csv import Csv
from dlrun.data.sources.timeseries import Timeseries
from dlrun.errors import DataError
from dlrun.registry.families import STEPS

TABLE = {"age": ("numeric", ()), "heated": ("numeric", ()), "town": ("categorical", ())}
IMAGES = {"x": ("numeric", (2, 2))}
SEQUENCES = {"x": ("sequences", ())}


def assert_table(columns):
    assert list(columns) == list(TABLE)
    np.testing.assert_array_equal(columns["age"], [31, np.nan])
    assert columns["heated"].astype(float).tolist() == [1, 0]
    assert columns["town"].tolist() == ["12", None]


CSV = "unused,town,heated,age\nx,12,true,31\ny,,false,\n"
JSON_LINES = '{"town": "12", "heated": 1, "age": 31}\n{"town": null, "heated": 0, "age": null}\n'
FRAME = pd.DataFrame({"age": [31, None], "town": ["12", None], "heated": [True, False]})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("new.csv", CSV),
        ("new.tsv", CSV.replace(",", "\t")),
        ("new.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("new.jsonl", JSON_LINES),
        ("new.parquet", FRAME),
    ],
)
def test_a_table_gives_columns_by_name(name, content, write):
    assert_table(read_new_rows(write({name: content}) / name, TABLE))


def test_the_sources_own_layout_is_used(write):
    source = Csv(path="d.csv", target="y", separator=";", missing=["?"], header=False)
    folder = write({"new.csv": "31;1;12\n?;0;?\n"})
    assert_table(source.read_new_rows(folder / "new.csv", TABLE))
    named = Csv(path="d.csv", target="y", header=False, columns=["y", *TABLE])
    assert_table(named.read_new_rows(write({"b.csv": "5,31,yes,12\n6,,no,\n"}) / "b.csv", TABLE))


def test_a_missing_header_is_told(write):
    folder = write({"d.csv": "31,0,12\n32,1,5\n", "e.csv": "years,heat,city\n31,0,12\n"})
    source = Csv(path="d.csv", target="y")
    with pytest.raises(DataError) as error:
        source.read_new_rows(folder / "d.csv", TABLE)
    assert str(error.value) == (
        f"{folder / 'd.csv'}:1: the header seems to be missing: this line holds 31, 0 and 12; "
        "write the names of the columns above it, as in the training file: age, heated and town"
    )
    with pytest.raises(DataError, match="no column 'age'; the columns are: years, heat, city"):
        source.read_new_rows(folder / "e.csv", TABLE)
    series = Timeseries(path="d.csv", target="heat", features=["heat"], lookback=1)
    with pytest.raises(DataError, match=r"d.csv:1: the header seems to be missing"):
        series.read_new_rows(folder / "d.csv", {})


def test_a_row_that_a_step_cannot_take_is_told_by_its_line(write):
    table = {"a": ("numeric", ()), "b": ("numeric", ())}
    text = 'note,a,b\n"two\nlines",1,2\nx,-1,2\ny,1,\n'
    lines = '{"a": 1, "b": 2}\n\n{"a": -1, "b": 2}\n{"a": 1, "b": null}\n'
    frame = pd.DataFrame({"a": [1, -1, 1], "b": [2, 2, np.nan]})
    folder = write({"n.csv": text, "n.jsonl": lines, "n.parquet": frame})
    known = Samples({"a": np.arange(4.0), "b": np.arange(4.0)}, {}, np.arange(4))
    for name, negative, missing in (
        ("n.csv", "n.csv:4: log1p: column 'a' holds -1", "n.csv:5"),
        ("n.jsonl", "n.jsonl:3: log1p: column 'a' holds -1", "n.jsonl:4"),
        (
            "n.parquet",
            "n.parquet: row 1 (counted from 0): log1p: column 'a' holds -1",
            "n.parquet: row 2 (counted from 0)",
        ),
    ):
        new = Csv(path="d.csv", target="y").read_new([folder / name], table)
        samples = Samples(new.columns, {}, np.arange(3), places=new.places)
        steps = [STEPS.get("log1p").model_validate({"columns": ["a"]})]
        with pytest.raises(DataError) as error:
            fit_features(steps, known).inputs(samples)
        assert str(error.value).removeprefix(f"{folder}/").startswith(negative)
        with pytest.raises(DataError) as error:
            fit_features([], known).inputs(samples)
        told = str(error.value).replace(f"{folder}/", "")
        assert f"column 'b' has 1 missing value, the first in {missing}; " in told


def test_arrays_come_by_name_or_as_the_only_one(write):
    images = np.arange(12.0).reshape(3, 2, 2)
    folder = write({"a.npz": {"x": images, "y": np.zeros(5)}, "b.npz": {"other": images}})
    write({"c.npy": images, "d.npy": np.arange(6.0).reshape(3, 2)})
    for name in ("a.npz", "b.npz", "c.npy"):
        np.testing.assert_array_equal(read_new_rows(folder / name, IMAGES)["x"], images)
    pair = {"width": ("numeric", ()), "height": ("numeric", ())}
    columns = read_new_rows(folder / "d.npy", pair)
    assert {name: column.tolist() for name, column in columns.items()} == {
        "width": [0, 2, 4],
        "height": [1, 3, 5],
    }
    text = write({"t.npz": {"town": np.asarray(["a", "b"])}}) / "t.npz"
    assert read_new_rows(text, {"town": ("categorical", ())})["town"].tolist() == ["a", "b"]


def test_json_lines_hold_arrays_and_sequences_as_lists(write):
    folder = write({"i.jsonl": '{"x": [[1, 2], [3, 4.5]]}\n{"x": [[0, 0], [0, 1]]}\n'})
    expected = [[[1, 2], [3, 4.5]], [[0, 0], [0, 1]]]
    assert read_new_rows(folder / "i.jsonl", IMAGES)["x"].tolist() == expected
    write({"s.jsonl": '{"x": [1, 14, 22]}\n{"x": []}\n'})
    sequences = read_new_rows(folder / "s.jsonl", SEQUENCES)["x"]
    assert [entry.tolist() for entry in sequences] == [[1, 14, 22], []]


def test_padded_sequences_lose_their_padding(write):
    padded = np.asarray([[0, 0, 5, 0, 6], [7, 8, 0, 0, 0], [0, 0, 0, 0, 0]])
    sequences = read_new_rows(write({"s.npy": padded}) / "s.npy", SEQUENCES)["x"]
    assert [entry.tolist() for entry in sequences] == [[5, 0, 6], [7, 8], []]


def test_sequences_of_one_length_stay_sequences():
    column = as_objects([np.asarray([1, 2]), np.asarray([3, 4])])
    assert column.shape == (2,)


REFUSED = [
    ("new.csv", None, TABLE, "{}: no such file"),
    (
        "new.csv",
        "aged,town,heated\n1,a,1\n",
        TABLE,
        "{}: no column 'age'; did you mean 'aged'? The columns are: aged, town, heated",
    ),
    (
        "new.csv",
        "age,town,heated\n1,a,1\n2,b,0\nold,c,0\n",
        TABLE,
        "{}:4: expected a number in column 'age', found 'old'; if that marks a missing value, say "
        "`missing: ['old']`, and if the column is not a quantity, say "
        "`types: {{age: categorical}}`",
    ),
    (
        "new.csv",
        "x\n1\n",
        IMAGES,
        "{}: column 'x' is made of arrays of shape (2, 2), which no table holds; give an npz or "
        "npy file, or JSON lines with lists",
    ),
    (
        "new.npy",
        np.zeros((3, 5)),
        IMAGES,
        "{}: array 'new': one entry must have the shape (2, 2); it is (5,)",
    ),
    (
        "new.npz",
        {"images": np.zeros((3, 2, 2)), "labels": np.zeros(3)},
        {"image": ("numeric", (2, 2))},
        "{}: no array 'image'; did you mean 'images'? The arrays are: images, labels",
    ),
    (
        "new.npy",
        np.zeros((3, 5)),
        SEQUENCES,
        "{}: array 'new' must hold integers of shape (rows, length), padded with zeros; it is "
        "float64 of shape (3, 5)",
    ),
    (
        "new.npz",
        {"town": np.zeros(3)},
        {"town": ("categorical", ())},
        "{}: array 'town' must hold text; it is of dtype float64",
    ),
    (
        "new.jsonl",
        '{"x": [1, 2]}\n\n{"x": [1, 2.5]}\n',
        SEQUENCES,
        "{}:3: expected a list of whole numbers in column 'x', found [1, 2.5]",
    ),
    (
        "new.jsonl",
        '{"x": [[1, 2], [3]]}\n',
        IMAGES,
        "{}:1: expected numbers of shape (2, 2) in column 'x', found [[1, 2], [3]]",
    ),
]


@pytest.mark.parametrize(("name", "content", "columns", "message"), REFUSED)
def test_unfit_files_are_refused(name, content, columns, message, write, tmp_path):
    if content is not None:
        write({name: content})
    with pytest.raises(DataError) as error:
        read_new_rows(tmp_path / name, columns)
    assert str(error.value) == message.format(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "{}: the file is empty"),
        (
            b"1,\xe9\n",
            "{}:1: not written in utf-8; say which `encoding` it has, such as latin-1",
        ),
        (
            b"size,kind\n1\n",
            "{}:2: expected 2 fields, found 1; a field that holds the separator ',' must be in "
            "quotes",
        ),
    ],
)
def test_files_without_a_header_are_refused_like_others(tmp_path, content, message):
    (tmp_path / "new.csv").write_bytes(content)
    columns = {"c0": ("numeric", ()), "c1": ("categorical", ())}
    with pytest.raises(DataError) as refused:
        read_new_rows(tmp_path / "new.csv", columns, CsvDialect(header=False))
    assert str(refused.value) == message.format(tmp_path / "new.csv")
