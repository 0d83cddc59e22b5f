"""A run that was broken off goes on, at whatever write it was killed, and is then the run that was
left alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kills import (
    as_a_process_that_is_killed,
    assert_same_run,
    states_at_every_change,
    the_run,
)

import dlrun

CONFIG = """\
name: waves
dataset: {source: csv, path: rows.csv, target: y}
preprocess: [standardize]
architecture: {layers: [{Dense: {units: 3, activation: relu}}, {Dropout: 0.2}, {Dense: 1}]}
loss: mse
optimizer: adam
metrics: [mae]
training: {epochs: 4, batch_size: 8, checkpoint: 0.0001}
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


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "killed",
    [(engine, protocol) for engine in ("fused", "keras") for protocol in (HOLDOUT, FOLDS)],
    indirect=True,
    ids="-".join,
)
def test_a_run_goes_on_at_whatever_write_it_is_killed(killed: Any, tmp_path: Path) -> None:
    whole, states = killed
    went_on = [goes_on(state, whole, tmp_path / state.name) for state in states]
    # Before there is a run nothing is lost.
    assert went_on == sorted(went_on)
    assert sum(went_on) > 20
