"""A run that was broken off goes on, at whatever write it was killed, and is then the run that was
left alone."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kills import (
    as_a_process_that_is_killed,
    assert_same_run,
    digest_of,
    states_at_every_change,
    the_run,
)

import dlrun
from dlrun.errors import RunError
from dlrun.store.examples import Examples
from dlrun.store.run_directory import RunDirectory
from dlrun.workflows.resume import _differences
from dlrun.workflows.resumption import Resumption

CONFIG = """\
name: waves
dataset: {source: csv, path: rows.csv, target: y}
preprocess: [standardize]
architecture: {layers: [{Dense: {units: 3, activation: relu}}, {Dropout: 0.2}, {Dense: 1}]}
loss: mse
optimizer: adam
metrics: [mae]
training: {epochs: 4, batch_size: 8, checkpoint: 0.0001, callbacks: [{CSVLogger: log.csv}]}
"""

HOLDOUT, FOLDS = "holdout", "kfold"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    draw = np.random.default_rng(0)
    rows = pd.DataFrame({"a": draw.normal(size=36), "b": draw.normal(size=36)})
    rows.assign(y=rows.a - 2 * rows.b).to_csv(folder / "rows.csv", index=False)
    (folder / "waves.yaml").write_text(CONFIG)
    return folder


def overrides(engine: str, protocol: str) -> list[str]:
    folds = ["evaluation.folds=3"] if protocol == FOLDS else []
    return [f"training.engine={engine}", f"evaluation.protocol={protocol}", *folds]


def train(folder: Path, runs: Path, *changes: str) -> Path:
    return dlrun.train(folder / "waves.yaml", overrides=changes, runs_dir=runs).path


@pytest.fixture(scope="module")
def killed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[Path, list[Path]]:
    """A run that was left alone, and what is on the disk where it is killed."""
    runs = tmp_path_factory.mktemp("killed") / "runs"
    with as_a_process_that_is_killed(), states_at_every_change(runs, runs.parent) as states:
        run = train(folder, runs, *overrides(*request.param))
    return run, states


def goes_on(state: Path, whole: Path, copy: Path) -> bool:
    """Resume a state and compare; False if nothing had been trained."""
    shutil.copytree(state, copy, symlinks=True)
    run = the_run(copy)
    if run is None:
        return False
    assert dlrun.resume(run).path == run
    assert_same_run(run, whole)
    shutil.rmtree(copy)
    return True


SAMPLE = 3


@pytest.mark.parametrize("killed", [("fused", HOLDOUT)], indirect=True)
def test_a_killed_run_goes_on_to_the_same_files(killed: Any, tmp_path: Path) -> None:
    whole, states = killed
    begun = [state for state in states if the_run(state)]
    assert len(begun) > 20
    chosen = [begun[place] for place in np.linspace(0, len(begun) - 1, SAMPLE).astype(int)]
    assert all(goes_on(state, whole, tmp_path / state.name) for state in chosen)


@pytest.mark.parametrize("killed", [("fused", HOLDOUT)], indirect=True)
def test_other_data_splits_or_versions_are_refused(
    killed: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, states = killed
    shutil.copytree(states[-len(states) // 2], tmp_path / "runs")
    run = the_run(tmp_path / "runs")
    assert run is not None
    before = digest_of(run)
    rows = (folder / "rows.csv").read_text()
    (folder / "rows.csv").write_text(rows.replace("\n0", "\n1", 1))
    with pytest.raises(RunError, match=r"the training data has changed .* to the same digits"):
        dlrun.resume(run)
    (folder / "rows.csv").write_text(rows)
    monkeypatch.setattr("dlrun.store.environment.package_versions", lambda: {"keras": "2.0"})
    with pytest.raises(RunError, match=rf"keras was 3\S+, is 2\.0.*dlrun resume {run} --force"):
        dlrun.resume(run)
    assert digest_of(run) == before


def broken_off(runs: Path, status: str, **facts: Any) -> RunDirectory:
    """A run with nothing but its `run.json`."""
    run = RunDirectory.create(runs, "waves")
    run.start({"name": "waves", "config": {}})
    run.rewrite({**run.read_run(), "status": status, **facts})
    return run


@pytest.mark.parametrize(
    ("status", "facts", "told"),
    [
        ("running", {}, r"is still running \(process \d+\)"),
        ("running", {"process": {"host": "elsewhere", "pid": 7}}, r"process 7 on elsewhere; .*"),
        ("failed", {"error": "DivergedError: the loss became NaN"}, "change the config and train"),
        ("failed", {"error": "TypeError: no"}, "TypeError: no; train again, or add --force"),
        ("interrupted", {"ensemble": 3, "parent": "p"}, "dlrun finalize p --ensemble"),
        ("interrupted", {"config": {"task": {"descent": {}}}}, r"train it again with: dlrun train"),
    ],
)
def test_a_run_that_cannot_go_on_is_refused_with_the_reason(
    status: str, facts: dict[str, Any], told: str, tmp_path: Path
) -> None:
    run = broken_off(tmp_path, status, **facts)
    run.write_config(b"")
    with pytest.raises(RunError, match=told):
        dlrun.resume(run.path)


def test_what_is_written_at_the_end_is_written_anew(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "waves")
    run.start({"name": "waves", "config": {}, "engine": {"name": "fused"}})
    splits = {"train": np.arange(3), "validation": np.arange(3, 5)}
    run.write_splits(splits)
    run.append_metrics(0, 1, 0.1, {"loss": 0.5})
    examples = Examples((3,), {"y": [1.0]}, {"image": np.zeros((1, 2, 2))})
    run.write_examples(examples)
    run.finish("interrupted")
    Resumption(run, True, pytest.fail, lambda: None).begin(splits)
    run.write_examples(examples)
    assert run.read_examples() is not None


def test_a_run_that_is_refused_stays_as_it_is(tmp_path: Path) -> None:
    run = broken_off(tmp_path, "running", engine={"name": "fused"})
    run.write_splits({"train": np.arange(3)})
    before = digest_of(run.path)
    resumption = Resumption(run, True, pytest.fail, lambda: None)
    with pytest.raises(RunError, match="the split 'train' holds other rows"):
        resumption.begin({"train": np.arange(4)})
    assert not resumption.taken_over
    assert digest_of(run.path) == before


@pytest.mark.parametrize("name", ["cpu", "device_names"])
def test_another_processor_is_a_difference_where_the_run_names_its_own(name: str) -> None:
    now = {"python": "3.12", "numerics": {}, "packages": {}, "cpu": "Xeon", "device_names": []}
    assert _differences(now, now) == []
    assert _differences({**now, name: "other"}, now) == [(name, "other", now[name])]
    # As runs of earlier versions.
    assert _differences({key: now[key] for key in now if key != name}, now) == []


def test_a_run_that_was_scored_on_its_test_rows_needs_force(tmp_path: Path) -> None:
    run = broken_off(tmp_path, "interrupted")
    run.write_config(b"")
    run.add_evaluation({"score": 1})
    with pytest.raises(RunError, match=r"is chosen by its test rows\. Add --force"):
        dlrun.resume(run.path)


@pytest.mark.parametrize("killed", [("fused", HOLDOUT)], indirect=True)
@pytest.mark.parametrize("refusing", [dlrun.evaluate, dlrun.finalize])
def test_commands_that_refuse_a_run_name_the_one_that_goes_on(
    refusing: Any, killed: Any, tmp_path: Path
) -> None:
    _, states = killed
    shutil.copytree(states[-len(states) // 2], tmp_path / "runs")
    run = the_run(tmp_path / "runs")
    with pytest.raises(
        RunError, match=rf"its status is 'died'; go on with:\n  dlrun resume {run}$"
    ):
        refusing(run)


FULL_FROM = (12, 25, 40, 55, 70)
"""Writes to the disk from which on there is no space: before the first epoch, in between, at the
end."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "killed", [("fused", HOLDOUT), ("keras", FOLDS)], indirect=True, ids="-".join
)
def test_a_run_whose_disk_was_full_goes_on_once_there_is_room(
    killed: Any, folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    whole, _ = killed
    changes = overrides(*request.node.callspec.params["killed"])
    ended = list[str]()
    for full_from in FULL_FROM:
        runs = tmp_path / str(full_from)
        with pytest.MonkeyPatch.context() as patch, suppress(RunError, OSError):
            patch.setattr(os, "fsync", disk_that_fills_up(full_from))
            train(folder, runs, *changes)
        if not runs.is_dir() or (run := the_run(runs)) is None:
            continue
        ended.append(RunDirectory.open(run).status)
        assert dlrun.resume(run).path == run
        assert_same_run(run, whole)
    assert len(ended) > 2
    # A run whose result is complete only lacks what is drawn of it.
    assert set(ended) <= {"interrupted", "died", "finished"}
    assert ended[0] == "died"


def disk_that_fills_up(after: int) -> Callable[[int], None]:
    """`os.fsync` of a disk that takes so many more writes."""
    left, real = [after], os.fsync

    def fsync(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    return fsync


KILLS = int(os.environ.get("DLRUN_KILLS", "12"))
"""Writes at which a run is killed, evenly spaced ones, in turn for each engine; `DLRUN_KILLS=1000`
kills at every one, which takes half an hour."""


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize(
    "killed",
    [(engine, protocol) for engine in ("fused", "keras") for protocol in (HOLDOUT, FOLDS)],
    indirect=True,
    ids="-".join,
)
def test_a_run_goes_on_at_whatever_write_it_is_killed(
    killed: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    whole, states = killed
    count = min(len(states), KILLS)
    places = np.linspace(0, len(states) - 1, count)
    if request.node.callspec.params["killed"][0] == "keras":
        # Between those of the other engine; the first and the last write in any case.
        places[1:-1] -= (places[1] - places[0]) / 2
    chosen = [states[place] for place in places.astype(int)]
    went_on = [goes_on(state, whole, tmp_path / state.name) for state in chosen]
    # Before there is a run nothing is lost.
    assert went_on == sorted(went_on)
    assert sum(went_on) > count // 2
