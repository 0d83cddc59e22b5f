"""Phases that are broken off go on to the digits of those that were left alone."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import dlrun
from dlrun.errors import RunError
from dlrun.training import features, interrupt
from dlrun.training.checkpoint import FitState
from dlrun.training.interrupt import Interrupt, end_if_signalled
from dlrun.workflows.run_recorder import RunRecorder, SavedFit

CONFIG = """
dataset: {source: npz, path: rows.npz, inputs: x, targets: y}
architecture:
  layers:
    - Dense: {units: 8, activation: relu, name: base}
    - BatchNormalization: {name: norm}
    - Dropout: 0.3
    - Dense: {units: 1, activation: sigmoid, name: head}
loss: binary_crossentropy
optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}
metrics: [accuracy]
training:
  batch_size: 16
  callbacks: [{EarlyStopping: {patience: 5, restore_best_weights: true}}]
  phases:
    - {name: head alone, epochs: 2, freeze: base}
    - {epochs: 2, unfreeze: "*", optimizer: adam, learning_rate: 0.01, batch_size: 8}
    - {name: head again, epochs: 2, freeze: base}
evaluation: {validation: {fraction: 0.25}}
"""


def written(folder: Path) -> Path:
    """Write the config and its rows."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(80, 5)).astype("float32")
    np.savez(folder / "rows.npz", x=inputs, y=(inputs.sum(axis=1) > 0).astype("int64"))
    config = folder / "experiment.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    return config


def without_times(facts: Any) -> Any:
    """Facts without what depends on how long something took, and where it is."""
    if isinstance(facts, list):
        return [without_times(each) for each in facts]
    if isinstance(facts, dict):
        return {k: without_times(v) for k, v in facts.items() if "seconds" not in k and k != "next"}
    return facts


def facts_of(run: dlrun.Run) -> dict[str, Any]:
    """What a run left behind, but for times."""
    model = keras.saving.load_model(run.path / "model.keras")
    result = json.loads((run.path / "result.json").read_text())
    with np.load(run.path / "predictions.npz") as predictions:
        arrays = {name: predictions[name] for name in predictions}
    return {
        "metrics": pd.read_csv(run.path / "metrics.csv").drop(columns="seconds").to_dict("list"),
        "result": without_times(result),
        "phases": json.loads((run.path / "run.json").read_text())["phases"],
        "predictions": arrays,
        "weights": [np.asarray(variable) for variable in model.variables],
        "optimizer": [np.asarray(variable) for variable in model.optimizer.variables],
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_phases_go_on_where_they_were_broken_off(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = written(tmp_path)
    left: list[Path] = []
    save = RunRecorder.save

    def save_and_keep(recorder: RunRecorder, fold: int, state: FitState) -> None:
        """Keep the run directory as a process leaves it that is killed here."""
        save(recorder, fold, state)
        assert recorder.directory is not None
        path = recorder.directory.path
        left.append(tmp_path / f"killed {len(left) + 1}" / path.name)
        shutil.copytree(path, left[-1])

    monkeypatch.setattr(SavedFit, "due", lambda _: True)
    monkeypatch.setattr(RunRecorder, "save", save_and_keep)
    run = dlrun.train(config, runs_dir=tmp_path / "runs", overrides=[f"training.engine={engine}"])
    whole = facts_of(run)
    assert len(whole["metrics"]["epoch"]) == 6
    assert [phase["features"] for phase in whole["phases"]] == [8, None, 8]
    monkeypatch.undo()
    monkeypatch.setattr("dlrun.store.run_directory.process_is_gone", lambda _: True)
    assert len(left) >= 6
    for path in left:
        resumed = dlrun.resume(path)
        np.testing.assert_equal(facts_of(resumed), whole, err_msg=str(path))


LIMIT = 60.0
"""Seconds that a job has: shorter than the features of a phase take, longer than a step."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_shorter_than_the_features_of_a_phase_gets_on_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, engine = written(tmp_path), "training.engine=keras"
    whole = facts_of(dlrun.train(config, runs_dir=tmp_path / "whole", overrides=[engine]))
    now = [0.0]
    monkeypatch.setattr(interrupt, "time", SimpleNamespace(monotonic=lambda: now[0]))
    step_ended = Interrupt.step_ended

    def slow_step(self: Interrupt) -> str | None:
        now[0] += 1
        return step_ended(self)

    def slow_batch() -> None:
        end_if_signalled()
        now[0] += 100

    monkeypatch.setattr(Interrupt, "step_ended", slow_step)
    monkeypatch.setattr(features, "end_if_signalled", slow_batch)
    runs = tmp_path / "runs"
    # What is computed before there is a run is kept beside the runs.
    with pytest.raises(RunError, match=r"time limit of 60\.0s was over before training began"):
        dlrun.train(config, runs_dir=runs, overrides=[engine], time_limit=LIMIT)
    with suppress(KeyboardInterrupt):
        dlrun.train(config, runs_dir=runs, overrides=[engine], time_limit=LIMIT)
    [path] = runs.glob("2*")
    facts = json.loads((path / "run.json").read_text())
    assert (facts["status"], facts["interrupted_by"]) == ("interrupted", "time limit")
    # The features of the last phase are kept, whatever time they took.
    np.testing.assert_equal(facts_of(dlrun.resume(path, time_limit=LIMIT)), whole)
