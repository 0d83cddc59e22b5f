"""Only `evaluate` reads test rows: with test data that cannot be read, or that is garbage, all
other commands do the very same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlrun
from dlrun.data.source import Source
from dlrun.errors import DataError
from dlrun.registry.families import SOURCES
from dlrun.workflows.check import check
from dlrun.workflows.compare import compare
from dlrun.workflows.report import report

MODEL = """
architecture: {layers: [{Dense: {units: 4, activation: relu}}, {Dense: 1}]}
loss: mse
optimizer: sgd
metrics: [mae]
training: {epochs: 2, callbacks: [{EarlyStopping: {patience: 1}}]}
"""


def table(rows: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [f"{x:.6f},{x * 3 + 1:.6f}" for x in random.normal(size=rows)]


def write_csv(folder: Path) -> str:
    (folder / "rows.csv").write_text("x,y\n" + "\n".join(table(60, 0)) + "\n")
    return "{source: csv, path: rows.csv, target: y, test: {path: sealed.csv}}"


def write_npz(folder: Path) -> str:
    x = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    np.savez(folder / "rows.npz", x=x, y=x.sum(axis=1))
    test = "test: {path: sealed.npz}"
    return f"{{source: npz, path: rows.npz, inputs: x, targets: y, {test}}}"


def write_sklearn(folder: Path) -> str:
    return "{source: sklearn, name: diabetes, limit: 60, test: {fraction: 0.2}}"


def write_keras(folder: Path) -> str:
    return "{source: keras, name: boston_housing, limit: 60}"


PLACE = re.compile(r"/(honest|garbage)/|\d{8}-\d{6}-c(-final)?-[0-9a-f]{4}")
"""What differs from one folder and one run to another."""


class Sealed:
    """Arrays of test data that nobody may look into."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the test data was looked at: {name}")

    def __len__(self) -> int:
        raise AssertionError("the test data was counted")


@pytest.fixture
def no_test_part(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every source raises when it is asked for its test part; Keras' loader gives one that
    cannot be looked into."""
    import keras

    asked: list[str] = []

    def guarded(load: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Source, part: str, *arguments: Any, **named: Any) -> Any:
            if part == "test":
                raise AssertionError(f"the test part of {self.member_name()} was read")
            asked.append(self.member_name())
            return load(self, part, *arguments, **named)

        return wrapped

    for name in SOURCES.names():
        member = SOURCES.get(name)
        monkeypatch.setattr(member, "load", guarded(member.load))

    def load_data(**options: Any) -> Any:
        x = np.random.default_rng(0).normal(size=(80, 13))
        return (x, x.sum(axis=1)), (Sealed(), Sealed())

    monkeypatch.setattr(keras.datasets.boston_housing, "load_data", load_data)
    yield asked
    assert asked, "no source was read at all"


@pytest.mark.slow
@pytest.mark.parametrize(
    "write",
    [
        write_csv,
        *(
            pytest.param(write, marks=pytest.mark.slow)
            for write in (write_npz, write_sklearn, write_keras)
        ),
    ],
)
def test_no_command_but_evaluate_asks_for_the_test_part(
    write: Callable[[Path], str], no_test_part: list[str], tmp_path: Path
) -> None:
    config, runs = tmp_path / "c.yaml", tmp_path / "runs"
    config.write_text(f"dataset: {write(tmp_path)}\n{MODEL}")
    for ending in ("csv", "npz"):
        # `check` says where a test file is missing, but opens none.
        (tmp_path / f"sealed.{ending}").write_bytes(b"\x00\xff garbage")
    check(config, with_data=True)
    trained = [
        dlrun.train(config, runs_dir=runs),
        dlrun.kfold(config, folds=2, runs_dir=runs),
    ]
    dlrun.finalize(trained[0].path, runs_dir=runs)
    dlrun.finalize(trained[1].path, runs_dir=runs)
    dlrun.finalize(trained[1].path, ensemble=True, runs_dir=runs)
    compare([run.path for run in trained], runs_dir=runs)
    report([run.path for run in trained], runs_dir=runs)
    assert not (runs / "test-looks.jsonl").exists()


@pytest.mark.slow
@pytest.mark.parametrize("content", [None, b"\x00\xff garbage"], ids=["missing", "garbage"])
@pytest.mark.parametrize("write", [write_csv, write_npz])
def test_a_test_file_that_cannot_be_read_is_noticed_by_evaluate_alone(
    write: Callable[[Path], str], content: bytes | None, tmp_path: Path
) -> None:
    config, runs = tmp_path / "c.yaml", tmp_path / "runs"
    config.write_text(f"dataset: {write(tmp_path)}\n{MODEL}")
    if content is not None:
        for ending in ("csv", "npz"):
            (tmp_path / f"sealed.{ending}").write_bytes(content)
    final = dlrun.finalize(dlrun.train(config, runs_dir=runs).path, runs_dir=runs)
    with pytest.raises(DataError, match="sealed"):
        dlrun.evaluate(final.path)
    assert not (runs / "test-looks.jsonl").exists(), "nothing was seen"


def learnt(runs: Path) -> list[Any]:
    """All that runs hold which the data decides."""
    found: list[Any] = []
    for run in sorted(runs.iterdir()):
        metrics = (run / "metrics.csv").read_text().splitlines()
        # Columns: fold, epoch, seconds, ...
        found.append([line.split(",")[:2] + line.split(",")[3:] for line in metrics])
        data = json.loads((run / "data.json").read_text())
        found.append(data)
        found.append({k: v.tolist() for k, v in np.load(run / "splits.npz").items()})
        result = json.loads((run / "result.json").read_text())
        found.append([result["score"], result["baseline"], result.get("diagnosis")])
    return found


@pytest.mark.slow
def test_test_rows_dealt_from_the_table_change_nothing_when_they_are_garbage(
    tmp_path: Path,
) -> None:
    answers, sealed = [], np.empty(0, np.int64)
    for name in ("honest", "garbage"):
        folder = tmp_path / name
        folder.mkdir()
        lines = table(60, 1)
        for row in sealed:
            lines[row] = f"{'' if row % 2 else 1e9},{-1e9 + row}"
        (folder / "rows.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
        config, runs = folder / "c.yaml", folder / "runs"
        dataset = "{source: csv, path: rows.csv, target: y, test: {fraction: 0.2}}"
        config.write_text(f"dataset: {dataset}\npreprocess: [standardize]\n{MODEL}")
        said = check(config, with_data=True).as_dict()
        run = dlrun.train(config, runs_dir=runs)
        dlrun.kfold(config, folds=2, runs_dir=runs)
        dlrun.finalize(run.path, epochs=2, runs_dir=runs)
        said.pop("config", None)
        answers.append([json.loads(json.dumps(said, default=str)), *learnt(runs)])
        sealed = np.load(run.path / "splits.npz")["test"]
    assert len(sealed) == 12
    honest, garbage = (PLACE.sub("", json.dumps(answer)) for answer in answers)
    assert honest == garbage
