"""What `dlrun check` says of graphs beyond the config itself: columns, files, shapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlrun.errors import ConfigError
from dlrun.workflows.check import check

TABLE = "size,age,price\n" + "".join(f"{n},{n % 7},{n % 3}\n" for n in range(60))
REST = "loss: mse\noptimizer: adam\n"


def write(tmp_path: Path, architecture: str) -> Path:
    (tmp_path / "rows.csv").write_text(TABLE)
    file = tmp_path / "experiment.yaml"
    dataset = "dataset: {source: csv, path: rows.csv, target: price}\n"
    file.write_text(f"{dataset}architecture:\n{architecture}\n{REST}")
    return file


@pytest.mark.parametrize(
    ("architecture", "line", "message"),
    [
        (
            "  layers:\n    - {Dense: 8, from: size, name: hidden}\n"
            "    - {Dense: 8, from: hiden}\n    - Dense: 1",
            "5:24",
            "'hiden' is neither a layer above nor a column; did you mean 'hidden'? "
            "The columns are: size and age",
        ),
        (
            "  inputs: {both: [size, agee]}\n  layers: [{Dense: 1, from: both}]",
            "3:18",
            "there is no column 'agee' for the input 'both'; did you mean 'age'? "
            "The columns are: size and age",
        ),
        (
            "  layers:\n    - run: runs/nowhere\n    - Dense: 1",
            "4:12",
            "there is no run directory FOLDER/runs/nowhere",
        ),
        (
            "  layers:\n    - application: {VGG16: {weights: vgg.h5}}\n    - Dense: 1",
            "4:38",
            "there is no file FOLDER/vgg.h5",
        ),
    ],
)
def test_names_and_files_that_are_not_there(
    architecture: str, line: str, message: str, tmp_path: Path
) -> None:
    file = write(tmp_path, architecture)
    with pytest.raises(ConfigError) as caught:
        check(file)
    [problem] = caught.value.problems
    assert problem.place.endswith(f"experiment.yaml:{line}")
    assert problem.message == message.replace("FOLDER", str(tmp_path))


def test_a_file_that_a_block_is_given_is_looked_for_where_it_is_given(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "  layers:\n    - old: runs/a\n    - outer: {folder: runs/b}\n    - outer: runs/c\n"
        "    - net: vgg.h5\n    - Dense: 1\nblocks:\n"
        "  old: {parameters: [from_run], layers: [{run: {path: $from_run}}]}\n"
        "  outer: {parameters: [folder], layers: [{old: $folder}]}\n"
        "  net: {parameters: [start], layers: [{application: {VGG16: {weights: $start}}}]}",
    )
    with pytest.raises(ConfigError) as caught:
        check(file)
    found = {
        problem.place.split("yaml:")[1]: problem.message.split(f"{tmp_path}/")[1]
        for problem in caught.value.problems
    }
    assert found == {"4:12": "runs/a", "5:23": "runs/b", "6:14": "runs/c", "7:12": "vgg.h5"}


def test_a_shape_that_does_not_fit_is_found_with_the_data(tmp_path: Path) -> None:
    architecture = (
        "  layers:\n    - {Dense: 8, name: a}\n    - {Dense: 4, from: input, name: b}\n"
        "    - {Add: {}, from: [a, b]}\n    - Dense: 1"
    )
    with pytest.raises(ConfigError) as caught:
        check(write(tmp_path, architecture), with_data=True)
    [problem] = caught.value.problems
    assert problem.place.endswith("experiment.yaml:6:7")
    assert problem.message.startswith(
        "layer 3 (Add) cannot take the shapes (8) from layer 1 (Dense) and (4) from layer 2 (Dense)"
    )
