"""Tables as they are written: quotation marks, lines above the header, missing values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlrun.data.source import Loaded
from dlrun.data.sources.csv import Csv
from dlrun.errors import DataError


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
        ("sep=;;\n", {}),
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


def refusal(base: Path, **options: Any) -> str:
    with pytest.raises(DataError) as refused:
        load(base, **options)
    return str(refused.value).replace(str(base / "d.csv"), "d.csv")


@pytest.mark.parametrize(
    ("values", "options", "mend", "numbers"),
    [
        (["1.291", "924", "2.521"], {"decimal": ","}, {"thousands": "."}, [1291, 924, 2521]),
        (["1,291", "924", "12,521.5"], {}, {"thousands": ","}, [1291, 924, 12521.5]),
        (["16,5", "9", "-0,25"], {}, {"decimal": ","}, [16.5, 9, -0.25]),
        (["1.234,5", "7,25", "900"], {}, {"decimal": ",", "thousands": "."}, [1234.5, 7.25, 900]),
        (["1 234", "900", "12\u00a0000"], {}, {"thousands": " "}, [1234, 900, 12000]),
        (["$9", "-$8.5", "($7)"], {}, {"types": {"x": "numeric"}}, [9, -8.5, -7]),
        (["45%", "7.5 %", "0%"], {}, {"types": {"x": "numeric"}}, [45, 7.5, 0]),
        (
            ["$92,345", "$1,092,345", "$7"],
            {},
            {"thousands": ",", "types": {"x": "numeric"}},
            [92345, 1092345, 7],
        ),
        (
            ["1.200 €", "CHF 90,5", "12,25"],
            {"decimal": ","},
            {"thousands": ".", "types": {"x": "numeric"}},
            None,
        ),
    ],
)
def test_numbers_written_otherwise_are_told_with_the_mend(values, options, mend, numbers, tmp_path):
    rows = [f"{value};{i}" for i, value in enumerate(values)]
    (tmp_path / "d.csv").write_text("x;y\n" + "\n".join(rows) + "\n", encoding="utf-8")
    options = {"separator": ";", **options}
    message = refusal(tmp_path, **options)
    assert "column 'x' holds numbers that are written as" in message
    for key, value in mend.items():
        assert f"`{key}: " in message, value
    if numbers is None:
        assert "in several units: " in refusal(tmp_path, **options, **mend)
    else:
        found = load(tmp_path, **options, **mend).features["x"]
        np.testing.assert_array_equal(found, np.asarray(numbers, float))
    assert load(tmp_path, **options, types={"x": "categorical"}).features["x"].dtype == object


def test_of_two_ways_to_read_a_number_both_are_told(tmp_path):
    (tmp_path / "d.csv").write_text("x;y\n1,291;1\n2,555;2\n9;3\n")
    assert refusal(tmp_path, separator=";").startswith(
        "d.csv:2: column 'x' holds numbers that are written as '1,291' is; say `thousands: \",\"` "
        "to read it as 1291, or `decimal: ','` to read it as 1.291, or "
    )
    (tmp_path / "d.csv").write_text('x,y\n"1,291",1\n"2,555",2\n9,3\n')
    assert "decimal" not in refusal(tmp_path)


def test_with_a_decimal_comma_a_point_makes_text(tmp_path):
    (tmp_path / "d.csv").write_text("x;v;y\n1,5;1.2.3;1\n2,25;1.10;2\n;x;3\n")
    found = load(tmp_path, separator=";", decimal=",").features
    np.testing.assert_array_equal(found["x"], [1.5, 2.25, np.nan])
    assert found["v"].tolist() == ["1.2.3", "1.10", "x"]


def test_texts_among_numbers_are_told_with_their_rows(tmp_path):
    values = [str(i) for i in range(60)]
    values[7], values[30], values[31] = "n.a.", "-", "?"
    rows = "\n".join(f"{value},{i}" for i, value in enumerate(values))
    (tmp_path / "d.csv").write_text(f"x,y\n{rows}\n")
    assert refusal(tmp_path).startswith(
        "d.csv:9: expected a number in column 'x', found 'n.a.', and d.csv:32 '-', d.csv:33 '?'; "
    )
    found = load(tmp_path, missing=["n.a.", "-", "?"]).features["x"]
    assert np.isnan(found).sum() == 3
    # With fewer numbers it is a column of text, which is told all the same.
    values[10:20] = "abcdefghij"
    rows = "\n".join(f"{value},{i}" for i, value in enumerate(values))
    (tmp_path / "d.csv").write_text(f"x,y\n{rows}\n")
    (finding,) = load(tmp_path).findings
    assert finding.replace(str(tmp_path / "d.csv"), "d.csv") == (
        "column 'x' is text, though it holds numbers in all but 13 rows: d.csv:9 'n.a.', d.csv:12 "
        "'a', d.csv:13 'b' and 10 more"
    )


LARGE = [89490200001045784320 + i for i in range(4)]


@pytest.mark.parametrize("first", [LARGE[0], 2**60, None])
def test_whole_numbers_that_floats_do_not_hold_stay_text(first, tmp_path):
    numbers = [first, *(range(2**60 + 1, 2**60 + 4) if first == 2**60 else LARGE[1:])]
    texts = [None if number is None else str(number) for number in numbers]
    rows = "\n".join(f"{text or ''},{i}" for i, text in enumerate(texts))
    (tmp_path / "d.csv").write_text(f"x,y\n{rows}\n")
    lines = [json.dumps({"x": number, "y": i}) for i, number in enumerate(numbers)]
    (tmp_path / "d.jsonl").write_text("\n".join(lines))
    assert load(tmp_path).features["x"].tolist() == texts
    assert load(tmp_path, "d.jsonl").features["x"].tolist() == texts
    small = [None if number is None else number % 2**20 + 2**60 for number in numbers]
    pd.DataFrame({"x": pd.array(small, "Int64"), "y": range(4)}).to_parquet(tmp_path / "d.parquet")
    pq.write_table(pa.table({"x": pa.array(small), "y": range(4)}), tmp_path / "plain.parquet")
    for path in ("d.parquet", "plain.parquet"):
        found = load(tmp_path, path).features["x"].tolist()
        assert found == [None if number is None else str(number) for number in small]


def test_groups_keep_their_digits(tmp_path):
    (tmp_path / "d.csv").write_text("g,h,x,y\n007,1,1,2\n7,2,3,4\n07,10,1,2\n")
    source = Csv.model_validate({"path": "d.csv", "target": "y"})
    extras = source.load("train", tmp_path, ["g", "h"]).extras
    assert extras["g"].tolist() == ["007", "7", "07"]
    assert extras["h"].dtype == np.int64
    typed = source.model_copy(update={"types": {"g": "numeric", "h": "categorical"}})
    extras = typed.load("train", tmp_path, ["g", "h"]).extras
    assert extras["g"].tolist() == [7, 7, 7]
    assert extras["h"].tolist() == ["1", "2", "10"]
    (tmp_path / "d.csv").write_text("h,w,x,y\n1e20,inf,1,1\n3,2,1,2\n")
    extras = source.load("train", tmp_path, ["h", "w"]).extras
    assert extras["h"].tolist() == [1e20, 3]
    assert extras["w"].tolist() == [np.inf, 2]


def test_a_category_is_the_same_however_a_number_is_written(tmp_path):
    written = ["5.0", "5", "05", "2.50", "x"]
    rows = "\n".join(f"{text},{i}" for i, text in enumerate(written))
    (tmp_path / "d.csv").write_text(f"x,y\n{rows}\n")
    (tmp_path / "comma.csv").write_text("x;y\n5,0;0\n5;1\n05;2\n2,50;3\nx;4\n")
    values = [5.0, 5, "05", "2.50", "x"]
    lines = [json.dumps({"x": value, "y": i}) for i, value in enumerate(values)]
    (tmp_path / "d.jsonl").write_text("\n".join(lines))
    pd.DataFrame({"x": written, "y": range(5)}).to_parquet(tmp_path / "d.parquet")
    types = {"x": "categorical"}
    for path in ("d.csv", "d.jsonl", "d.parquet"):
        assert load(tmp_path, path, types=types).features["x"].tolist() == [
            "5", "5", "05", "2.50", "x",
        ]  # fmt: skip
    comma = load(tmp_path, "comma.csv", separator=";", decimal=",", types=types)
    assert comma.features["x"].tolist() == ["5", "5", "05", "2.50", "x"]
    new = Csv.model_validate({"path": "d.csv", "target": "y", "types": types})
    for path in ("d.csv", "d.jsonl", "d.parquet"):
        columns = new.read_new_rows(tmp_path / path, {"x": ("categorical", ())})
        assert columns["x"].tolist() == ["5", "5", "05", "2.50", "x"]


def test_rows_of_separators_at_the_end_are_no_rows(tmp_path):
    (tmp_path / "d.csv").write_text("g,x,y\na,1,2\n,,3\nb,4,5\n,,\n, ,\n")
    found = load(tmp_path)
    assert found.targets["y"].tolist() == [2, 3, 5]
    assert found.targets["y"].dtype == np.int64


def test_an_encoding_that_does_not_fit_is_told_with_the_line(tmp_path):
    text = "town,y\nBonn,1\nKöln,2\n"
    (tmp_path / "d.csv").write_bytes(text.encode("cp1252"))
    assert refusal(tmp_path) == (
        "d.csv:3: not written in utf-8; say which `encoding` it has, such as latin-1"
    )
    (tmp_path / "d.csv").write_bytes(text.encode("utf-16"))
    assert refusal(tmp_path) == (
        "d.csv:1: not written in utf-8; say which `encoding` it has, such as utf-16"
    )
    assert load(tmp_path, encoding="utf-16").features["town"].tolist() == ["Bonn", "Köln"]


def test_lines_above_the_header_are_recognised(tmp_path):
    (tmp_path / "d.csv").write_text("Report\n\nx,y\n1,2\n3,4\n5,6\n")
    assert refusal(tmp_path).endswith("; if the table begins in line 3, say `skip: 2`")
    (tmp_path / "d.csv").write_text("Report,\n,\nx,y\n1,2\n3,4\n5,6\n")
    assert refusal(tmp_path).endswith("; if line 3 is the header, say `skip: 2`")
    # A category of the same name is no header.
    (tmp_path / "d.csv").write_text("a,b\n1,x\n2,y\n")
    assert refusal(tmp_path).endswith("no column 'y'; the columns are: a, b")


def test_rows_within_quotation_marks_are_told(tmp_path):
    lines = ["ham,see you", "spam,win a prize", 'ham,"speak soon', "spam,claim now", 'ham,call" me']
    lines += [f"spam,prize {i}" for i in range(5)]
    for end in ("\n", ""):
        (tmp_path / "d.csv").write_text("y,text\n" + "\n".join(lines) + end)
        (finding,) = load(tmp_path).findings
        assert finding.replace(str(tmp_path / "d.csv"), "d.csv") == (
            "d.csv:4: a field in quotation marks goes on over line breaks, and 2 lines within such "
            "fields look like rows: if quotation marks are part of the text, say `quote: none`"
        )
    assert load(tmp_path, quote="none").findings == ()
    # The text may come first.
    lines = ["see you,ham", '"speak soon,ham', 'claim" now,spam', "bye,ham", "win,spam"]
    (tmp_path / "d.csv").write_text("text,y\n" + "\n".join(lines) + "\n")
    assert len(load(tmp_path).findings) == 1
    # Texts of several lines are texts, with commas or without.
    for mail in ("Dear John,\nthanks", "See you\nsoon", "Yes\r\n\r\nno"):
        (tmp_path / "d.csv").write_text(f'text,y\n"{mail}",ham\nbye,ham\nwin,spam\n')
        assert load(tmp_path).findings == ()
    mails = [f'ham,"Dear {i},\nthanks, and bye"' for i in range(5)]
    (tmp_path / "d.csv").write_text("y,text\n" + "\n".join(mails) + "\nspam,win\n\n")
    assert load(tmp_path).findings == ()


def test_a_header_above_new_rows_is_recognised(tmp_path):
    source = Csv.model_validate({"path": "d.csv", "target": "c2", "header": False})
    columns = {"c0": ("numeric", ()), "c1": ("categorical", ())}
    for text, told in [
        ("1.5,a\n2,b\n", False),
        ("length,kind\n1.5,a\n2,b\n", True),
        ("c1,c0\na,1.5\nb,2\n", True),
        ("length,kind,class\n1.5,a,\n2,b,\n", True),
        ("1.5,a,x\n2,b,y\n", False),
    ]:
        (tmp_path / "new.csv").write_text(text)
        new = source.read_new([tmp_path / "new.csv"], columns)
        assert new.columns["c0"].tolist() == [1.5, 2]
        assert new.columns["c1"].tolist() == ["a", "b"]
        assert len(new.findings) == told, new.findings
