"""Every broken table gets a message that names the place and the way out."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlrun.data.source import Source
from dlrun.data.sources.csv import Csv


def csv(**options: Any) -> Callable[[], Source]:
    return lambda: Csv.model_validate({"path": "d.csv", "target": "y", **options})


GOOD = "a,b,y\n1,2,3\n4,5,6\n"
MOSTLY_NUMBERS = "a,y\n" + "".join(f"{i},{i}\n" for i in range(15)) + "unknown,7\n8,8\n"

# What is broken: the files, the source, how it is loaded, the message.
CASES: dict[str, tuple[dict[str, Any], Callable[[], Source], dict[str, Any], str]] = {
    "missing file": (
        {"data.csv": GOOD},
        csv(path="dat.csv"),
        {},
        "{dat.csv}: no such file; did you mean 'data.csv'?",
    ),
    "missing folder": (
        {},
        csv(path="nowhere/d.csv"),
        {},
        "{nowhere/d.csv}: no such file; there is no folder {nowhere} either",
    ),
    "folder": (
        {"d.csv": GOOD},
        csv(path="."),
        {},
        "{.}: a folder; name the files in it, or a glob such as {*.csv}",
    ),
    "glob that matches nothing": (
        {"d.csv": GOOD},
        csv(path="*.tsv"),
        {},
        "{*.tsv}: no file matches",
    ),
    "file named twice": (
        {"d.csv": GOOD},
        csv(path=["d.csv", "*.csv"]),
        {},
        "{d.csv}: named twice by `path`, so its rows would count twice",
    ),
    "test file among the training files": (
        {"d.csv": GOOD, "test.csv": GOOD},
        csv(path="*.csv", test={"path": "test.csv"}),
        {"test": True},
        "{test.csv}: also named by `path`; rows that are scored must not be trained on",
    ),
    "empty file": (
        {"d.csv": ""},
        csv(),
        {},
        "{d.csv}: the file is empty",
    ),
    "header without rows": (
        {"d.csv": "a,y\n"},
        csv(),
        {},
        "{d.csv}: has a header, but no rows",
    ),
    "missing target column": (
        {"d.csv": "a,b,price\n1,2,3\n"},
        csv(target="prise"),
        {},
        "{d.csv}: no column 'prise'; did you mean 'price'? The columns are: a, b, price",
    ),
    "missing feature column": (
        {"d.csv": GOOD},
        csv(features=["a", "weight"]),
        {},
        "{d.csv}: no column 'weight'; the columns are: a, b, y",
    ),
    "missing group column": (
        {"d.csv": GOOD},
        csv(),
        {"groups": "patient"},
        "{d.csv}: no column 'patient'; the columns are: a, b, y",
    ),
    "wrong separator": (
        {"d.csv": "a;b;y\n1;2;3\n"},
        csv(),
        {},
        "{d.csv}: no column 'y'; the columns are: a;b;y; is the `separator` ';'?",
    ),
    "no header": (
        {"d.csv": "5.1,3.5,setosa\n4.9,3.0,setosa\n"},
        csv(),
        {},
        "{d.csv}: no column 'y'; the columns are: 5.1, 3.5, setosa; if the file has no header, "
        "say `header: false`",
    ),
    "column named twice": (
        {"d.csv": "a,b,a,y\n1,2,3,4\n"},
        csv(),
        {},
        "{d.csv}:1: the header names column 'a' twice (fields 1 and 3)",
    ),
    "column names that do not fill the file": (
        {"d.csv": "1,2,3\n4,5,6\n"},
        csv(header=False, columns=["a", "y"]),
        {},
        "{d.csv}: has 3 columns, but `columns` names 2",
    ),
    "row with too many fields": (
        {"d.csv": "a,b,y\n1,2,3\n\n4,5,6,7\n"},
        csv(),
        {},
        "{d.csv}:4: expected 3 fields, found 4; a field that holds the separator ',' must be "
        "in quotes",
    ),
    "first row with too many fields": (
        {"d.csv": "a,b,y\n1,2,3,4\n5,6,7,8\n"},
        csv(),
        {},
        "{d.csv}:2: expected 3 fields, found 4; a field that holds the separator ',' must be "
        "in quotes",
    ),
    "row with too few fields": (
        {"d.csv": 'a,b,y\n"1\n1",2,3\n4,5\n'},
        csv(),
        {},
        "{d.csv}:4: expected 3 fields, found 2; a field that holds the separator ',' must be "
        "in quotes",
    ),
    "quotation mark that never closes": (
        {"d.csv": 'a,b,y\n1,2,3\n4,"5,6\n7,8,9\n'},
        csv(),
        {},
        "{d.csv}:3: a quotation mark opens in this row and never closes; if quotation marks are "
        "part of the text, say `quote: none`",
    ),
    "text in a numeric column": (
        {"d.csv": MOSTLY_NUMBERS},
        csv(),
        {},
        "{d.csv}:17: expected a number in column 'a', found 'unknown'; if that marks a missing "
        "value, say `missing: ['unknown']`, and if the column is not a quantity, say "
        "`types: {a: categorical}`",
    ),
    "text in a numeric column of the second file": (
        {"a.csv": "a,y\n1,1\n2,2\n3,1\n", "b.csv": "a,y\n4,2\n?,1\n"},
        csv(path=["a.csv", "b.csv"]),
        {},
        "{b.csv}:3: expected a number in column 'a', found '?'; if that marks a missing value, "
        "say `missing: ['?']`, and if the column is not a quantity, say `types: {a: categorical}`",
    ),
    "text in a column that is said to be numeric": (
        {"d.csv": "a,y\nlow,1\nhigh,2\n"},
        csv(types={"a": "numeric"}),
        {},
        "{d.csv}:2: expected a number in column 'a', found 'low', and {d.csv}:3 'high'; if that "
        "marks a missing value, say `missing: ['low']`, and if the column is not a quantity, say "
        "`types: {a: categorical}`",
    ),
    "neither true nor false": (
        {"d.csv": "a,y\nyes,1\nmaybe,2\n"},
        csv(types={"a": "boolean"}),
        {},
        "{d.csv}:3: expected true or false in column 'a', found 'maybe'",
    ),
    "type of a column that is not there": (
        {"d.csv": GOOD},
        csv(types={"bb": "numeric"}),
        {},
        "{d.csv}: no column 'bb'; the columns are: a, b, y",
    ),
    "missing target values": (
        {"d.csv": "a,y\n1,1\n2,\n3,3\n4,NA\n"},
        csv(),
        {},
        "{d.csv}:3: the target 'y' is missing here and in 1 more; every row needs one: "
        "fix the file, or remove such rows",
    ),
    "missing class": (
        {"d.csv": "a,y\n1,cat\n2,dog\n3,\n"},
        csv(),
        {},
        "{d.csv}:4: the target 'y' is missing; every row needs one: fix the "
        "file, or remove such rows",
    ),
    "infinite target": (
        {"d.csv": "a,y\n1,1\n2,inf\n"},
        csv(),
        {},
        "{d.csv}:3: the target 'y' is infinite; every row needs one: fix the "
        "file, or remove such rows",
    ),
    "constant target": (
        {"d.csv": "a,y\n1,7\n2,7\n"},
        csv(),
        {},
        "the target 'y' has the same value (7) in all 2 rows; there is nothing to learn",
    ),
    "no feature": (
        {"d.csv": "a,y\n1,7\n2,8\n"},
        csv(drop=["a"]),
        {},
        "{d.csv}: no feature is left; the columns are: a, y",
    ),
    "files that differ in their columns": (
        {"a.csv": "a,b,y\n1,2,3\n", "b.csv": "a,y\n1,3\n"},
        csv(path="*.csv"),
        {},
        "{b.csv}: no column 'b', which {a.csv} has",
    ),
    "a column more in the second file": (
        {"a.csv": "a,y\n1,3\n", "b.csv": "a,b,y\n1,2,3\n"},
        csv(path="*.csv"),
        {},
        "{b.csv}: column 'b' is not in {a.csv}",
    ),
    "test file without a feature": (
        {"d.csv": GOOD, "t.csv": "a,y\n1,3\n"},
        csv(test={"path": "t.csv"}),
        {"test": True},
        "{t.csv}: no column 'b'; the columns are: a, y",
    ),
    "other encoding": (
        {"d.csv": "town,y\nKöln,1\nBonn,2\n".encode("latin-1")},
        csv(),
        {},
        "{d.csv}:2: not written in utf-8; say which `encoding` it has, such as latin-1",
    ),
    "unknown encoding": (
        {"d.csv": GOOD},
        csv(encoding="utf-99"),
        {},
        "{d.csv}: unknown encoding 'utf-99'",
    ),
    "damaged gzip": (
        {"d.csv.gz": gzip.compress(MOSTLY_NUMBERS.encode())[:40]},
        csv(path="d.csv.gz"),
        {},
        "{d.csv.gz}: cannot be read: Compressed file ended before the end-of-stream marker was "
        "reached",
    ),
    "spreadsheet": (
        {"d.xlsx": b"PK"},
        csv(path="d.xlsx"),
        {},
        "{d.xlsx}: not a table; save the sheet as CSV",
    ),
    "missing group": (
        {"d.csv": "g,a,y\nx,1,1\n,2,2\n,3,3\n"},
        csv(),
        {"groups": "g"},
        "{d.csv}:3: 'g' is missing here and in 1 more; every row needs one",
    ),
    "missing group below a field of several lines": (
        {"d.csv": 'g,a,y\n"x\ny",1,1\n,2,2\n'},
        csv(),
        {"groups": "g"},
        "{d.csv}:4: 'g' is missing; every row needs one",
    ),
    "missing group in the second file of JSON lines": (
        {"d.jsonl": '{"g": "x", "a": 1, "y": 1}\n', "e.jsonl": '\n{"g": null, "a": 2, "y": 2}\n'},
        csv(path=["d.jsonl", "e.jsonl"]),
        {"groups": "g"},
        "{e.jsonl}:2: 'g' is missing; every row needs one",
    ),
    "missing group in Parquet": (
        {"d.parquet": pd.DataFrame({"g": ["x", None], "a": [1, 2], "y": [1.0, 2.0]})},
        csv(path="d.parquet"),
        {"groups": "g"},
        "{d.parquet}: row 1 (counted from 0): 'g' is missing; every row needs one",
    ),
    "ambiguous dates": (
        {"d.csv": "t,a,y\n01/02/2024,1,1\n02/02/2024,2,2\n"},
        csv(),
        {"time": "t"},
        "the time 't' can be read in two ways: '01/02/2024' may begin with the day or with the "
        "month, and no row tells which; say `time: {column: t, format: '%d/%m/%Y'}`, or "
        "'%m/%d/%Y'",
    ),
    "broken date": (
        {"d.csv": "t,a,y\n2024-01-31,1,1\n2024-02-31,2,2\n"},
        csv(),
        {"time": "t"},
        "{d.csv}:3: the time 't' is not a date: '2024-02-31'",
    ),
    "several targets of several classes": (
        {"d.csv": "a,y,z\n1,cat,1.5\n2,dog,2.5\n"},
        csv(target=["y", "z"]),
        {},
        "several targets must all be quantities, or all true/false; found 'y' (binary), 'z' "
        "(regression): predict one of them at a time",
    ),
    "broken JSON": (
        {"d.jsonl": '{"a": 1, "y": 2}\n\n{"a": 1, "y" 2}\n'},
        csv(path="d.jsonl"),
        {},
        "{d.jsonl}:3:14: not valid JSON: Expecting ':' delimiter",
    ),
    "JSON that is no object": (
        {"d.jsonl": "[1, 2]\n"},
        csv(path="d.jsonl"),
        {},
        '{d.jsonl}:1: expected a JSON object such as {"age": 31}, found [1, 2]',
    ),
    "list in a table": (
        {"d.jsonl": '{"a": [1, 2], "y": 2}\n'},
        csv(path="d.jsonl"),
        {},
        "{d.jsonl}: column 'a' holds lists or objects, where one value a row is needed; leave it "
        "out by `drop: [a]`",
    ),
    "text among the numbers of JSON lines": (
        {"d.jsonl": "".join(f'{{"a": {i}, "y": {i}}}\n' for i in range(9)) + '{"a": "x", "y": 1}'},
        csv(path="d.jsonl"),
        {},
        "{d.jsonl}:10: expected a number in column 'a', found 'x'; if that marks a missing "
        "value, say `missing: ['x']`, and if the column is not a quantity, say "
        "`types: {a: categorical}`",
    ),
    "dates in Parquet": (
        {"d.parquet": pd.DataFrame({"day": pd.to_datetime(["2024-01-01"]), "y": [1]})},
        csv(path="d.parquet"),
        {},
        "{d.parquet}: column 'day' holds dates, which cannot be a feature; leave it out by "
        "`drop: [day]`, or name it as `time` under `evaluation`",
    ),
    "missing target in Parquet": (
        {"d.parquet": pd.DataFrame({"a": [1, 2], "y": [1.0, np.nan]})},
        csv(path="d.parquet"),
        {},
        "{d.parquet}: row 1 (counted from 0): the target 'y' is missing; every row needs one: "
        "fix the file, or remove such rows",
    ),
    "no test data": (
        {"d.csv": GOOD},
        csv(),
        {"test": True},
        "there is no test data: say `test: {fraction: 0.2}` or `test: {path: ...}` under "
        "`dataset`, and train again",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_table_gets_its_message(case, write, refusal):
    files, source, options, expected = CASES[case]
    write(files)
    assert refusal(source(), **options) == expected
