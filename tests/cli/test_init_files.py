"""`dlrun init` on files as people have them: what it writes reads the values that are meant."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from dlrun.config.load import load_config
from dlrun.errors import UsageError
from dlrun.workflows.init import init
from dlrun.workflows.init.dialect import infer_dialect
from dlrun.workflows.loading import load_rows

N = 150
DRAW = random.Random(0)
SIZES = [round(DRAW.uniform(20, 200), 2) for _ in range(N)]
TOWNS = [DRAW.choice(["Bonn", "Köln", "Ulm"]) for _ in range(N)]
RENTS = [round(1000 + 12 * size + DRAW.gauss(0, 90), 2) for size in SIZES]
YES = [rent > 2300 for rent in RENTS]
HOURS = pd.date_range("2024-03-01", periods=N, freq="h")
DAYS = pd.date_range("2024-03-01", periods=N, freq="D")
MONTHS = pd.date_range("1949-01-01", periods=N, freq="MS")


def english(number: float) -> str:
    return f"{number:,.2f}"


def german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def lines(rows: Any, header: str | None = None) -> str:
    return "\n".join([*([] if header is None else [header]), *rows]) + "\n"


def joined(mark: str, *columns: Any) -> list[str]:
    return [mark.join(map(str, row)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Raw:
    """A file, and what the config and the rows are.

    Args:
        text: What the file holds.
        dataset: Options under `dataset`.
        target: The values of the target, in the order of the file.
        ending: Of the file's name.
        encoding: Of the text.
        options: Of the command line.
        features: Columns that are features; None: not compared.
        evaluation: Options under `evaluation`.
    """

    text: str
    dataset: dict[str, Any]
    target: Any = None
    ending: str = "csv"
    encoding: str = "utf-8"
    options: tuple[str, ...] = ()
    features: set[str] | None = None
    evaluation: dict[str, Any] = field(default_factory=dict)


QUARREL = [
    f"{'spam' if row % 3 else 'ham'}\t{'' if row % 7 else chr(34)}say {row} of them"
    for row in range(N)
]
LABELS = [["red", "red|green", "green|blue", "blue", "red|blue"][row % 5] for row in range(N)]
SHOPS = [("north", "south", "east")[row % 3] for row in range(3 * N)]
PATIENTS = [f"p{row // 5:03d}" for row in range(N)]
AGES = [20 + row % 61 for row in range(N)]

TABLES = {
    "no header": Raw(
        lines(joined(",", SIZES, AGES, TOWNS)),
        {"header": False, "target": "c2"},
        TOWNS,
        "data",
        features={"c0", "c1"},
    ),
    "no header, words only": Raw(
        lines(joined(",", TOWNS, LABELS, TOWNS)), {"header": False, "target": "c2"}, TOWNS
    ),
    "no header, said": Raw(
        lines(joined(",", LABELS, TOWNS), "blue|red,Mainz"),
        {"header": False},
        ["Mainz", *TOWNS],
        options=("--no-header",),
    ),
    "a header of years": Raw(
        lines(joined(",", TOWNS, SIZES, AGES, RENTS, RENTS), "town,2019,2020,2021,2022"),
        {"target": "2022"},
        RENTS,
    ),
    "semicolons": Raw(
        lines(joined(";", TOWNS, map(german, SIZES), map(german, RENTS)), "town;size;rent"),
        {"separator": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252"},
        RENTS,
        encoding="cp1252",
    ),
    "sep=": Raw(lines(joined(";", SIZES, RENTS), "sep=;\nsize;rent"), {"target": "rent"}, RENTS),
    "columns of nothing at the end": Raw(
        lines([f"{s};{r};;" for s, r in zip(SIZES, RENTS, strict=True)] + [";;;"], "size;rent;;"),
        {"target": "rent"},
        RENTS,
        features={"size"},
    ),
    "a first row of counts": Raw(
        lines(joined(",", SIZES, AGES, RENTS), f"{N},2,rent"),
        {"header": False, "skip": 1, "target": "c2"},
        RENTS,
    ),
    "columns in line, a tab before the last": Raw(
        lines(
            f'{s:7.2f}   {a}    {r:9.2f}\t"{t}"'
            for s, a, r, t in zip(SIZES, AGES, RENTS, TOWNS, strict=True)
        ),
        {"separator": " ", "header": False, "target": "c3"},
        TOWNS,
        features={"c0", "c1", "c2"},
    ),
    "titles": Raw(
        lines(joined(",", SIZES, TOWNS, RENTS), "Rents of 2024\n\nall towns,,\nsize,town,rent"),
        {"skip": 3},
        RENTS,
    ),
    "blanks": Raw(
        lines(joined("   ", SIZES, AGES, RENTS)), {"separator": " ", "header": False}, RENTS, "dat"
    ),
    "names of rows, as R writes them": Raw(
        lines(joined(" ", (f'"{row}x"' for row in range(N)), SIZES, RENTS), '"size" "rent"'),
        {"columns": ["row", "size", "rent"], "skip": 1},
        RENTS,
        "txt",
    ),
    "thousands": Raw(
        lines((f'{s},"{english(r)}"' for s, r in zip(SIZES, RENTS, strict=True)), "size,rent"),
        {"thousands": ",", "target": "rent"},
        RENTS,
    ),
    "question marks": Raw(
        lines(joined(",", ("?" if r % 9 == 0 else s for r, s in enumerate(SIZES)), RENTS), "a,b"),
        {"missing": ["?"]},
        RENTS,
    ),
    "quotation marks in texts": Raw(
        lines(QUARREL, "kind\ttext"),
        {"quote": "none"},
        [row.split("\t")[0] for row in QUARREL],
        "tsv",
        features={"text"},
    ),
    "several lines in a field": Raw(
        lines((f'"a note\nof {row} lines, or so",{y}' for row, y in enumerate(YES)), "note,y"),
        {"target": "y"},
        YES,
    ),
    "apostrophes around fields": Raw(
        lines((f"'{t}, D',{s},{y}" for t, s, y in zip(TOWNS, SIZES, YES, strict=True)), "t,s,y"),
        {"quote": "'"},
        YES,
    ),
    "names that mean something in YAML": Raw(
        lines(
            joined(",", range(N), SIZES, SIZES, AGES, SIZES, ['"x"'] * N, RENTS),
            ',2019,on,y: z,"a, b",#c,no',
        ),
        {"target": "no", "drop": ["Unnamed: 0", "#c"]},
        RENTS,
        features={"2019", "on", "y: z", "a, b"},
    ),
    "yes and no": Raw(
        lines(joined(",", SIZES, ("Yes" if y else "No" for y in YES)), "size,no"),
        {"target": "no"},
        YES,
    ),
    "None is a class": Raw(
        lines(joined(",", SIZES, ("None" if y else "mild" for y in YES)), "size,illness"),
        {"target": "illness"},
        ["None" if y else "mild" for y in YES],
    ),
    "None is missing": Raw(
        lines(joined(",", ("None" if y else 3 for y in YES), SIZES, TOWNS), "rooms,size,town"),
        {"target": "town", "missing": None},
        TOWNS,
    ),
    "money and per cent": Raw(
        lines((f'{a}.5 %,"${r:,.2f}"' for a, r in zip(AGES, RENTS, strict=True)), "share,rent"),
        {"thousands": ",", "types": {"share": "numeric", "rent": "numeric"}},
        RENTS,
    ),
    "rows of separators at the end": Raw(
        lines([*joined(";", SIZES, TOWNS, RENTS), ";;", ";;"], "size;town;rent"),
        {"separator": ";"},
        RENTS,
    ),
    "long codes": Raw(
        lines(
            joined(",", (89490200001045784320 + r // 5 for r in range(N)), SIZES, RENTS), "c,a,y"
        ),
        {"target": "y"},
        RENTS,
        features={"a"},
        evaluation={"groups": "c"},
    ),
    "several labels": Raw(
        lines(joined(",", SIZES, LABELS), "size,tags"), {"split": {"tags": "|"}, "target": "tags"}
    ),
    "several labels in a feature": Raw(
        lines(joined(",", LABELS, RENTS), "tags,rent"), {"split": {"tags": "|"}}, RENTS
    ),
    "numbers of rows and constants": Raw(
        lines(joined(",", range(1, N + 1), ["eur"] * N, SIZES, RENTS), "key,unit,size,rent"),
        {"drop": ["key", "unit"]},
        RENTS,
        features={"size"},
    ),
    "groups": Raw(
        lines(joined(",", PATIENTS, SIZES, YES), "patient_id,size,ill"),
        {"target": "ill"},
        features={"size"},
        evaluation={"groups": "patient_id"},
    ),
}

PARTS = (HOURS.year, HOURS.month, HOURS.day, HOURS.hour)
THRICE = np.repeat(DAYS.strftime("%Y-%m-%d"), 3)

SERIES = {
    "months": Raw(
        lines(joined(",", MONTHS.strftime("%Y-%m"), SIZES), "Month,Passengers"),
        {"time": "Month", "lookback": 12, "season": 12},
    ),
    "names of months": Raw(
        lines(joined(",", DAYS.strftime("%d-%b-%Y"), SIZES), "day,sales"),
        {"time": "day", "season": 7},
    ),
    "years of two digits": Raw(
        lines(joined(",", DAYS.strftime("%d-%b-%y"), SIZES), "day,sales"),
        {"time": {"column": "day", "format": "%d-%b-%y"}, "season": 7},
    ),
    "AM and PM": Raw(
        lines(joined(",", HOURS.strftime("%m/%d/%Y %I:%M:%S %p"), SIZES), "at,load"),
        {"time": {"column": "at", "format": "%m/%d/%Y %I:%M:%S %p"}, "season": 24},
    ),
    "date and time": Raw(
        lines(joined(";", HOURS.strftime("%d.%m.%Y"), HOURS.strftime("%H:%M"), SIZES), "d;t;load"),
        {"time": ["d", "t"], "separator": ";", "season": 24},
    ),
    "year, month, day, hour": Raw(
        lines(joined(",", *PARTS, SIZES), "year,month,day,hour,pm"),
        {"time": ["year", "month", "day", "hour"], "season": 24},
    ),
    "years": Raw(lines(joined(",", range(1700, 1700 + N), SIZES), "YEAR,spots"), {"time": "YEAR"}),
    "latest first": Raw(
        lines(joined(",", DAYS[::-1].strftime("%Y-%m-%d"), SIZES), "date,close"),
        {"time": "date", "sort": True},
    ),
    "shops by day": Raw(
        lines(joined(",", THRICE, SHOPS, 3 * SIZES), "date,shop,sales"),
        {"time": "date", "series": "shop"},
    ),
    "shops one after another, without dates": Raw(
        lines(joined(",", sorted(SHOPS), 3 * SIZES), "shop,sales"), {"series": "shop"}
    ),
}

FILES = {**TABLES, **SERIES}


@pytest.fixture(params=FILES)
def raw(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Raw]:
    """A file, its name and what it is."""
    described = FILES[request.param]
    name = f"raw.{described.ending}"
    (tmp_path / name).write_text(described.text, encoding=described.encoding)
    return name, described


def test_init_reads_what_is_meant(call: Any, tmp_path: Path, raw: tuple[str, Raw]) -> None:
    name, described = raw
    said = call("init", name, *described.options)
    assert said.status == 0, said.err
    written = yaml.safe_load((tmp_path / "raw.yaml").read_text(encoding="utf-8"))
    found = written["dataset"]
    assert {option: found.get(option) for option in described.dataset} == described.dataset
    assert described.evaluation.items() <= written["evaluation"].items()
    assert found["source"] == ("timeseries" if described in SERIES.values() else "csv")
    rows = load_rows(load_config(tmp_path / "raw.yaml")).samples
    if described.features is not None:
        assert set(rows.features) == described.features
    if described.target is not None:
        (values,) = rows.targets.values()
        assert values.tolist() == [described.target[row] for row in rows.rows]


@pytest.mark.slow
def test_what_init_writes_builds(call: Any, raw: tuple[str, Raw]) -> None:
    name, described = raw
    assert call("init", name, *described.options).status == 0
    checked = call("check", "raw.yaml", "--data")
    assert checked.status == 0, checked.out + checked.err


TRAINED = ("semicolons", "quotation marks in texts", "several labels", "groups", "shops by day")


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_what_init_writes_trains(call: Any, tmp_path: Path, name: str) -> None:
    described = FILES[name]
    file = f"raw.{described.ending}"
    (tmp_path / file).write_text(described.text, encoding=described.encoding)
    assert call("init", file, *described.options).status == 0
    trained = call("train", "raw.yaml", "--set", "training.epochs=2", "--json")
    assert trained.status == 0, trained.err
    assert call("evaluate", trained.json["run"], "--json").status == 0


def pictures(folder: Path, values: Callable[[int], Any]) -> None:
    from PIL import Image

    folder.mkdir(parents=True)
    for number in range(12):
        Image.fromarray(values(number)).save(folder / f"{number}.png")


def test_a_folder_of_pictures_and_one_of_masks(call: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pictures(tmp_path / "cells/images", lambda n: draw.integers(0, 255, (40, 40, 3)).astype("u1"))
    pictures(tmp_path / "cells/masks", lambda n: (draw.integers(0, 3, (40, 40)) * 100).astype("u1"))
    said = call("init", "cells")
    assert said.line("pictures") == "12 with masks of 3 classes"
    found = yaml.safe_load((tmp_path / "cells.yaml").read_text())["dataset"]
    assert (found["path"], found["masks"]) == ("cells/images", "cells/masks")
    assert found["mask_values"] == [0, 100, 200]
    assert found["size"] == [40, 40]


DRAWN = np.random.default_rng(0)
ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "numbers": (
        {
            "x": DRAWN.random(
                (
                    40,
                    5,
                )
            ),
            "y": np.arange(40) % 3,
        },
        "softmax",
    ),
    "grey pictures": (
        {"x_train": np.zeros((40, 12, 12), "u1"), "y_train": np.arange(40) % 2},
        "Conv2D",
    ),
    "steps": (
        {
            "data": DRAWN.random(
                (
                    40,
                    20,
                    3,
                )
            ),
            "target": DRAWN.random((40,)),
        },
        "GRU",
    ),
    "one-hot": (
        {
            "X": DRAWN.random(
                (
                    40,
                    5,
                )
            ),
            "labels": np.eye(4)[np.arange(40) % 4],
        },
        "softmax",
    ),
    "several inputs": (
        {
            "photo": np.zeros((40, 12, 12), "u1"),
            "table": DRAWN.random((40, 2)),
            "ages": DRAWN.random(40),
            "ids": np.arange(40),
            "y": np.arange(40) % 2,
        },
        "from: [code_1, code_2, code_3]",
    ),
    "several inputs, with a test": (
        {
            "photo_train": np.zeros((40, 12, 12, 3), "u1"),
            "series_train": DRAWN.random((40, 9, 2)),
            "y_train": DRAWN.random((40, 2)),
            "photo_test": np.zeros((4, 12, 12, 3), "u1"),
            "series_test": DRAWN.random((4, 9, 2)),
            "y_test": DRAWN.random((4, 2)),
        },
        "inputs: [photo_train, series_train]",
    ),
    "words": (
        {
            "x": DRAWN.random(
                (
                    40,
                    5,
                )
            ),
            "y": np.array(["no", "yes"] * 20),
        },
        "sigmoid",
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(call: Any, tmp_path: Path, name: str) -> None:
    arrays, layer = ARRAYS[name]
    np.savez(tmp_path / "data.npz", **arrays)
    said = call("init", "data.npz")
    assert said.status == 0, said.err
    assert layer in (tmp_path / "data.yaml").read_text()


def test_arrays_that_hold_no_rows_are_left_out(call: Any, tmp_path: Path) -> None:
    photo, y = np.zeros((40, 12, 12, 3), "u1"), np.arange(40) % 2
    odd = {"version": np.array(3), "meta": np.array([{}, {}], dtype=object)}
    for name in ("photo", "images"):
        # `images` is the input, whatever is beside it.
        beside = {} if name == "photo" else {"boxes": DRAWN.random((40, 4))}
        np.savez(tmp_path / f"{name}.npz", **odd, **{name: photo, "labels": y}, **beside)
        said = call("init", f"{name}.npz")
        assert said.status == 0, said.err
        assert f"inputs: {name}" in (tmp_path / f"{name}.yaml").read_text()
    np.savez(tmp_path / "none.npz", **odd, labels=y)
    assert "array 'version' is a single value" in call("init", "none.npz").err


@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0)])
def test_numbers_with_blanks_between_them_are_one_field(
    tmp_path: Path, separator: str, order: tuple[int, ...]
) -> None:
    rows = [(str(row % 7), "70 80 82 91", "Training") for row in range(N)]
    text = "".join(separator.join(row[place] for place in order) + "\n" for row in rows)
    (tmp_path / "faces.csv").write_text(text)
    dialect = infer_dialect(tmp_path / "faces.csv")
    assert dialect.separator_of(tmp_path / "faces.csv") == separator
    assert (dialect.decimal, dialect.header) == (".", False)


def test_arrays_of_which_none_is_called_the_target(call: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", one=np.zeros((4, 2)), two=np.zeros(4))
    said = call("init", "data.npz")
    assert said.status == 1
    assert "which arrays are inputs and targets? There are one, two" in said.err
    assert not (tmp_path / "data.yaml").exists()


def test_lists_in_json_lines_are_left_out(call: Any, tmp_path: Path) -> None:
    rows = pd.DataFrame({"size": SIZES, "tags": [["a", "b"]] * N, "rent": RENTS})
    rows.to_json(tmp_path / "raw.jsonl", orient="records", lines=True)
    (tmp_path / "plan.png").write_bytes(b"no table names it")
    assert call("init", "raw.jsonl").status == 0
    assert "drop: [tags]" in (tmp_path / "raw.yaml").read_text()


def test_sequences_as_python_objects(call: Any, tmp_path: Path) -> None:
    x = np.array([[1, 2], [3]] * 9, dtype=object)
    np.savez(tmp_path / "imdb.npz", x_train=x, y_train=np.arange(18) % 2)
    said = call("init", "imdb.npz")
    assert said.status == 1
    assert "or as lists in a JSON lines or Parquet file for `source: csv`" in said.err
    assert "or read Keras' own data: `dataset: {source: keras, name: imdb}`" in said.err


def test_a_header_that_names_a_column_twice_is_no_row(call: Any, tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text("size,size,rent\n1,2,3\n4,5,6\n")
    told = call("init", "raw.csv")
    assert told.status == 1
    assert told.err.endswith("raw.csv:1: the header names column 'size' twice (fields 1 and 2)\n")
    assert not (tmp_path / "raw.yaml").exists()


def test_whole_numbers_may_be_missing_in_parquet(call: Any, tmp_path: Path) -> None:
    sizes = pd.array([None, *range(N - 1)], "Int64")
    pd.DataFrame({"size": sizes, "age": AGES, "rent": RENTS}).to_parquet(tmp_path / "raw.parquet")
    assert call("init", "raw.parquet").status == 0
    assert "- impute" in (tmp_path / "raw.yaml").read_text()


def test_a_task_of_several_labels_needs_several_in_a_row(tmp_path: Path) -> None:
    tags = ["red|green", "green", "blue|red", "blue", "red", "green|blue"] * 10
    pd.DataFrame({"size": range(60), "kind": ["a", "b"] * 30, "tags": tags}).to_csv(
        tmp_path / "raw.csv", index=False
    )
    written = init(tmp_path / "raw.csv", task="multilabel", output=tmp_path / "tags.yaml")
    assert written.facts is not None
    assert (written.facts.task, written.facts.classes) == ("multilabel", 3)
    with pytest.raises(UsageError, match="several labels in a row; 'kind' has one"):
        init(tmp_path / "raw.csv", task="multilabel", target="kind", output=tmp_path / "kind.yaml")
    with pytest.raises(UsageError, match="no bundled data is for a multilabel task"):
        init(task="multilabel", output=tmp_path / "kind.yaml")
