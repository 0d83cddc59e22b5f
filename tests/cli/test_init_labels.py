"""`dlrun init` on pictures that a table names, and on columns of yes and no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from dlrun.config.load import load_config
from dlrun.workflows.loading import load_rows

N = 24
COLOURS = ("red", "green", "blue")
DRAWN = np.random.default_rng(0).integers(0, 2, (N, 3))
DRAWN[0] = 1
TAGS = ["|".join(c for c, has in zip(COLOURS, row, strict=True) if has) for row in DRAWN]


def pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, row in enumerate(DRAWN):
        Image.fromarray(np.full((12, 12, 3), row * 200, np.uint8)).save(folder / f"p{number}.png")


def yes_and_no(row: int) -> str:
    return ",".join("NY"[has] for has in DRAWN[row])


TABLES = {
    "tags": (
        "file,tags\n" + "".join(f"p{row}.png,{TAGS[row]}\n" for row in range(1, N)),
        {"target": "tags", "split": {"tags": "|"}},
        "3, activation: sigmoid",
    ),
    "names without endings": (
        "id,size,kind\n" + "".join(f"p{row},{row % 7},{'ab'[row % 2]}\n" for row in range(N)),
        {"target": "kind"},
        "1, activation: sigmoid",
    ),
    "numbers from 1": (
        "grade,image\n" + "".join(f"{1 + row % 3},img/p{row}.png\n" for row in range(N)),
        {"target": "grade", "file": "image", "path": "."},
        "- targets: label_index",
    ),
    "quantities": (
        "name,area\n" + "".join(f"p{row}.png,{row / 3:.3f}\n" for row in range(N)),
        {"target": "area"},
        "- targets: standardize",
    ),
    "columns of yes and no": (
        "name,red,green,blue\n" + "".join(f"p{row}.png,{yes_and_no(row)}\n" for row in range(N)),
        {"target": [*COLOURS]},
        "3, activation: sigmoid",
    ),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("given", ["labels.csv", "."])
def test_pictures_that_a_table_names(call: Any, tmp_path: Path, name: str, given: str) -> None:
    text, dataset, model = TABLES[name]
    pictures(tmp_path / "img")
    (tmp_path / "labels.csv").write_text(text)
    said = call("init", given, "-o", "c.yaml")
    assert said.status == 0, said.err
    written = (tmp_path / "c.yaml").read_text()
    found = yaml.safe_load(written)["dataset"]
    expected = {"source": "image_folder", "path": "img", "labels": "labels.csv", **dataset}
    assert {option: found.get(option) for option in expected} == expected
    assert model in written
    rows = load_rows(load_config(tmp_path / "c.yaml")).samples
    if name == "columns of yes and no":
        targets = np.stack(list(rows.targets.values()), axis=1)
        np.testing.assert_array_equal(targets, DRAWN[rows.rows])


def test_a_table_beside_class_folders_names_no_pictures(call: Any, tmp_path: Path) -> None:
    pictures(tmp_path / "photos/cat")
    pictures(tmp_path / "photos/dog")
    (tmp_path / "photos/notes.csv").write_text("who,what\nAnn,cats\nBob,dogs\n")
    assert call("init", "photos").line("pictures") == f"{2 * N} of 2 classes: cat, dog"


def test_tables_beside_a_picture_that_name_none(call: Any, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "spec.png")
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"a sound")
    heights = [f"{100 + 7 * row % 31},{'ab'[row % 2]}" for row in range(N)]
    texts = {
        "long": [f"{'word and ' * 40}{row},{h}" for row, h in enumerate(heights)],
        "sounds": [f"{'ab'[row % 2]}.wav,{h}" for row, h in enumerate(heights)],
        "empty": [f",{h}" for h in heights],
        "dots": [f"{'.' * (row % 2)},{h}" for row, h in enumerate(heights)],
    }
    for name, rows in texts.items():
        (tmp_path / f"{name}.csv").write_text("note,height,kind\n" + "\n".join(rows) + "\n")
        said = call("init", f"{name}.csv")
        assert said.status == 0, said.err
        written = yaml.safe_load((tmp_path / f"{name}.yaml").read_text())
        assert (written["dataset"]["source"], written["dataset"]["target"]) == ("csv", "kind")


def test_a_table_of_pictures_that_cannot_be_trained_on_leaves_no_config(
    call: Any, tmp_path: Path
) -> None:
    pictures(tmp_path / "img")
    (tmp_path / "img/p3.png").write_bytes(b"no picture")
    rows = "".join(f"p{row}.png,{'ab'[row % 2]}\n" for row in range(N))
    (tmp_path / "labels.csv").write_text("file,kind\n" + rows)
    said = call("init", "labels.csv")
    assert said.status == 1
    assert "p3.png is not an image" in said.err
    assert not (tmp_path / "labels.yaml").exists()
    (tmp_path / "labels.csv").write_text(rows)
    assert "their names in the first line" in call("init", "labels.csv", "--no-header").err


def test_a_table_of_pictures_with_semicolons(call: Any, tmp_path: Path) -> None:
    pictures(tmp_path / "img")
    rows = "".join(f"p{row}.png;{'ab'[row % 2]}\n" for row in range(N))
    (tmp_path / "labels.csv").write_text("file;kind\n" + rows)
    said = call("init", "labels.csv")
    assert said.status == 1
    assert "a table of pictures must be UTF-8, with commas between the columns" in said.err


def table(columns: dict[str, Any]) -> str:
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"


AGES = [20 + row % 61 for row in range(5 * N)]
FLAGS = {c: ["ny"[has] for has in 5 * DRAWN[:, i].tolist()] for i, c in enumerate(COLOURS)}
ONE_HOT = {c: [int(row % 3 == i) for row in range(5 * N)] for i, c in enumerate(COLOURS)}


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"age": AGES, **FLAGS}, [*COLOURS]),
        ({"age": AGES, **{c: 5 * DRAWN[:, i].tolist() for i, c in enumerate(COLOURS)}}, [*COLOURS]),
        # Of two it is not clear, nor where there are others among the features.
        ({"age": AGES, "red": FLAGS["red"], "blue": FLAGS["blue"]}, "blue"),
        ({"smokes": FLAGS["red"], "age": AGES, **FLAGS}, "blue"),
        # One category, one-hot.
        ({"age": AGES, **ONE_HOT}, "blue"),
        ({"target": AGES, **FLAGS}, "target"),
        # Nothing would be left to predict them from.
        (FLAGS, "blue"),
        ({"a": 5 * [0, 0, 1, 1], "b": 5 * [0, 1, 0, 1], "out": 5 * [0, 1, 1, 0]}, "out"),
    ],
)
def test_columns_of_yes_and_no_are_labels(
    call: Any, tmp_path: Path, columns: dict[str, Any], target: Any
) -> None:
    (tmp_path / "raw.csv").write_text(table(columns))
    said = call("init", "raw.csv")
    assert said.status == 0, said.err
    assert yaml.safe_load((tmp_path / "raw.yaml").read_text())["dataset"]["target"] == target
