"""A whole search on a small table: its trials, its files, and what it says of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlrun
from dlrun.errors import ConfigError, RunError, TrainingError
from dlrun.workflows.report import report
from dlrun.workflows.search import SearchRun

EXPERIMENT = """
name: irises
dataset: {source: sklearn, name: iris}
preprocess: [standardize]
architecture:
  layers: [{Dense: {units: 8, activation: relu}}, {Dense: {units: 3, activation: softmax}}]
loss: sparse_categorical_crossentropy
optimizer: {adam: {learning_rate: 0.01}}
metrics: [accuracy]
training: {epochs: 4, batch_size: 32}
search:
  trials: 4
  sampler: random
  space:
    optimizer.adam.learning_rate: {low: 1e-5, high: 1e-1, log: true}
    training.batch_size: [16, 32]
"""


def written(folder: Path, text: str = EXPERIMENT) -> Path:
    (folder / "irises.yaml").write_text(text)
    return folder / "irises.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def found(folder: Path) -> SearchRun:
    return dlrun.search(written(folder), runs_dir=folder / "runs")


def rows_of(found: SearchRun) -> list[dict[str, str]]:
    return list(csv.DictReader((found.path / "trials.csv").read_text().splitlines()))


def test_the_best_of_the_trials_is_found(found: SearchRun) -> None:
    rows = rows_of(found)
    scores = [float(row["score"]) for row in rows]
    assert [row["status"] for row in rows] == ["finished"] * 4
    for row, score in zip(rows, scores, strict=True):
        run = dlrun.Run.open(found.path / "trials" / f"{int(row['trial']):03d}")
        assert run.score == score
        predictions = np.load(run.path / "predictions.npz")
        right = predictions["predictions"].argmax(axis=1) == predictions["targets"]
        assert score == pytest.approx(right.mean())
    assert found.score == max(scores)
    assert found.best.score == max(scores)
    assert found.result["best"]["trial"] == int(np.argmax(scores))
    assert list(found.trials["score"]) == scores
    assert rows[0]["optimizer.adam.learning_rate"] == "0.01"


def test_the_corrected_score_is_no_better_than_the_raw_one(found: SearchRun) -> None:
    corrected = json.loads((found.path / "search.json").read_text())["corrected"]
    assert corrected["value"] == found.corrected
    assert corrected["interval"]["low"] <= corrected["value"] <= corrected["interval"]["high"]
    assert found.score is not None
    assert corrected["value"] <= found.score + 0.02


def test_a_trial_is_what_train_makes_of_the_same_config(found: SearchRun, folder: Path) -> None:
    alone = dlrun.train(folder / "irises.yaml", runs_dir=folder / "alone")
    assert alone.history.drop(columns="seconds").equals(
        dlrun.Run.open(found.path / "trials/000").history.drop(columns="seconds")
    )
    best = dlrun.train(found.path / "best.yaml", runs_dir=folder / "alone")
    assert best.score == found.score
    assert "search" not in (best.path / "resolved.yaml").read_text()


def test_the_report_shows_every_trial(found: SearchRun) -> None:
    page = report(found.path, found.path.parent / "page.html").read_text()
    for row in rows_of(found):
        assert f"<td>{row['trial']}" in page or f">{row['trial']}<" in page


def test_lists_show_a_search_as_one_run(found: SearchRun, folder: Path) -> None:
    listed = dlrun.runs(folder / "runs")
    assert [entry.path for entry in listed] == [found.path]
    assert listed[0].result["protocol"] == "search of 4 trials"
    assert listed[0].score["value"] == found.corrected


def test_a_search_cannot_be_evaluated_but_its_best_trial_can_be_finalized(
    found: SearchRun, folder: Path
) -> None:
    best = found.best.path
    with pytest.raises(RunError, match=f"its best trial is .*trials/{best.name}"):
        dlrun.evaluate(found.path)
    with pytest.raises(RunError, match=f"its best trial is .*trials/{best.name}"):
        dlrun.finalize(found.path)
    assert found.result["next"].endswith(f"trials/{best.name}")


def test_every_trial_counts_among_the_runs_that_validation_chose_from(
    found: SearchRun, folder: Path
) -> None:
    from dlrun.store.run_list import count_validated_runs

    data = json.loads((found.best.path / "data.json").read_text())
    assert count_validated_runs(folder / "runs", data["fingerprint"]) == 4


def searched(folder: Path, text: str, **options: Any) -> SearchRun:
    return dlrun.search(written(folder, text), runs_dir=folder / "runs", **options)


@pytest.mark.slow
def test_a_trial_that_fails_is_a_row_with_its_reason(tmp_path: Path) -> None:
    text = EXPERIMENT.replace("{low: 1e-5, high: 1e-1, log: true}", "[0.001, 1e38]")
    found = searched(tmp_path, text.replace("[16, 32]", "[32, 33]"), trials=5)
    failed = [row for row in rows_of(found) if row["status"] == "failed"]
    assert failed
    assert all("the loss became" in row["reason"] for row in failed)
    assert found.result["trials"]["failed"] == len(failed)
    assert found.score is not None


def test_nothing_is_left_where_nothing_could_be_trained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no 'search'"):
        searched(tmp_path, EXPERIMENT[: EXPERIMENT.index("search:")])
    with pytest.raises(ConfigError, match="no rows are held out"):
        searched(tmp_path, EXPERIMENT + "evaluation: {validation: null}\n")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_search_of_which_every_trial_fails_says_why(tmp_path: Path) -> None:
    text = EXPERIMENT.replace("learning_rate: 0.01", "learning_rate: 1e38")
    with pytest.raises(TrainingError, match="none of 2 trials could be trained"):
        searched(
            tmp_path, text.replace("{low: 1e-5, high: 1e-1, log: true}", "[1e37, 1e36]"), trials=2
        )


@pytest.mark.slow
def test_folds_are_scored_and_corrected_alike(tmp_path: Path) -> None:
    text = EXPERIMENT + "evaluation: {protocol: iterated_kfold, folds: 3, iterations: 2}\n"
    found = searched(tmp_path, text, trials=3)
    assert found.corrected is not None
    assert found.result["corrected"]["interval"]["note"].startswith("from 120 independent rows")
