"""Tables as they are written: quotation marks, lines above the header, missing values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlrun.data.source import Loaded
from dlrun.data.sources.csv import Csv


def load(base: Path, path: str = "d.csv", **options: Any) -> Loaded:
    return Csv.model_validate({"path": path, "target": "y", **options}).load("train", base)


def write_all(base: Path, frame: pd.DataFrame) -> list[str]:
    """Write a table as CSV, JSON lines and Parquet."""
    frame.to_csv(base / "d.csv", index=False)
    frame.to_json(base / "d.jsonl", orient="records", lines=True)
    frame.to_parquet(base / "d.parquet", index=False)
    return ["d.csv", "d.jsonl", "d.parquet"]


def test_quotation_marks_may_be_part_of_the_text(tmp_path):
    lines = ['ham\t"speak soon', 'spam\tsay "yes" now', 'ham\tcall me" later', "spam\t'win'"]
    (tmp_path / "d.tsv").write_text("y\ttext\n" + "\n".join(lines) + "\n")
    found = load(tmp_path, "d.tsv", quote="none", types={"text": "categorical"})
    assert found.features["text"].tolist() == [line.split("\t")[1] for line in lines]
    (tmp_path / "d.csv").write_text("text,y\n'a, b',1\nc,2\n\"d\",3\n")
    found = load(tmp_path, quote="'")
    assert found.features["text"].tolist() == ["a, b", "c", '"d"']


def test_lines_above_the_header_are_left_out(tmp_path):
    table = "x;y\n1;2\n3;4\n"
    for above, options in [
        ("sep=;\n", {}),
        ('"sep=;"\r\n', {"separator": ";"}),
        ("Report of 2024\n\n", {"skip": 2, "separator": ";"}),
        ("Report, with 'marks\nsep=;\n", {"skip": 1}),
    ]:
        (tmp_path / "d.csv").write_text(above + table)
        assert load(tmp_path, **options).features["x"].tolist() == [1, 3]
    (tmp_path / "d.csv").write_text("# made by hand\n\nx,y\n1,2\n3,\n")
    with pytest.raises(Exception, match=r"d\.csv:5: the target 'y' is missing"):
        load(tmp_path, skip=1)


@pytest.mark.parametrize(
    ("missing", "zeros"),
    [
        ([0], {"a", "b"}),
        ({"a": [0]}, {"a"}),
        ({"*": [0], "a": [-1]}, {"b"}),
        ({"*": ["0"]}, {"a", "b"}),
    ],
)
def test_missing_means_the_same_in_every_format(missing, zeros, tmp_path):
    frame = pd.DataFrame(
        {
            "a": [0, 1, -1, 3],
            "b": [0.0, 2.5, -1.0, 4.0],
            "flag": [True, False, False, True],
            "text": ["0x", "b", "-", "d"],
            "y": [0.5, 1.5, 2.5, 3.5],
        }
    )
    for path in write_all(tmp_path, frame):
        features = load(tmp_path, path, missing=missing).features
        for name in ("a", "b"):
            expected = frame[name].astype(float).mask((frame[name] == 0) & (name in zeros))
            if missing == {"*": [0], "a": [-1]} and name == "a":
                expected = expected.mask(frame[name] == -1)
            np.testing.assert_array_equal(features[name].astype(float), expected)
        assert features["flag"].tolist() == [True, False, False, True]
        assert features["text"].tolist() == ["0x", "b", "-", "d"]


def test_missing_names_columns_of_the_file(tmp_path):
    (tmp_path / "d.csv").write_text("age,y\n1,2\n3,4\n")
    with pytest.raises(Exception, match=r"no column 'aeg'; did you mean 'age'\?"):
        load(tmp_path, missing={"aeg": [0]})
