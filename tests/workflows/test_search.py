"""A whole search on a small table: its trials, its files, and what it says of them."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlrun
from dlrun.errors import ConfigError, RunError, TrainingError
from dlrun.store.run_directory import RunDirectory
from dlrun.workflows.check import check
from dlrun.workflows.report import report
from dlrun.workflows.search_run import SearchRun

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


def test_the_models_of_the_three_best_are_kept(found: SearchRun) -> None:
    scores = [float(row["score"]) for row in rows_of(found)]
    worst = min(range(4), key=lambda number: (scores[number], -number))
    models = [found.path / f"trials/{number:03d}/model.keras" for number in range(4)]
    kept = [number for number, model in enumerate(models) if model.exists()]
    assert kept == [number for number in range(4) if number != worst]
    assert RunDirectory(found.path / f"trials/{worst:03d}").files.faults() == []
    assert RunDirectory(found.path).files.faults() == []


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


def test_check_builds_the_smallest_and_the_largest_model(tmp_path: Path) -> None:
    text = EXPERIMENT.replace("training.batch_size: [16", "architecture.layers.0.Dense.units: [16")
    built = check(written(tmp_path, text), with_data=True).built
    assert built is not None
    assert built.searched == (4 * 16 + 16 + 16 * 3 + 3, 4 * 32 + 32 + 32 * 3 + 3)


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
def test_test_rows_are_never_read(tmp_path: Path) -> None:
    """Other numbers in the test rows change nothing, and no test evaluation is counted."""
    random = np.random.default_rng(0)
    rows = np.column_stack([random.normal(size=(90, 3)), random.integers(2, size=90)])
    text = EXPERIMENT.replace(
        "{source: sklearn, name: iris}",
        "{source: csv, path: rows.csv, target: d, test: {path: test.csv}}",
    ).replace("units: 3", "units: 2")
    tables = []
    for test in (rows[60:], rows[60:] * 1e6 + 7):
        for name, part in (("rows.csv", rows[:60]), ("test.csv", test)):
            np.savetxt(tmp_path / name, part, delimiter=",", header="a,b,c,d", comments="")
        found = searched(tmp_path, text, trials=3)
        assert not list(tmp_path.glob("runs/*.jsonl"))
        tables.append([{**row, "seconds": ""} for row in rows_of(found)])
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_a_planted_optimum_is_found(tmp_path: Path) -> None:
    text = EXPERIMENT.replace("{low: 1e-5, high: 1e-1, log: true}", "[1e-6, 0.02, 10.0]")
    found = searched(tmp_path, text.replace("[16, 32]", "[8, 16, 32]"), trials=10)
    assert found.result["best"]["values"]["optimizer.adam.learning_rate"] == 0.02


@pytest.mark.slow
def test_folds_are_scored_and_corrected_alike(tmp_path: Path) -> None:
    text = EXPERIMENT + "evaluation: {protocol: iterated_kfold, folds: 3, iterations: 2}\n"
    found = searched(tmp_path, text, trials=3)
    assert found.corrected is not None
    assert found.result["corrected"]["interval"]["note"] == "from 150 rows"


def killed(found: SearchRun, runs: Path, lost: int) -> Path:
    """A copy of a search that was killed before one of its trials began."""
    again = runs / found.path.name
    shutil.copytree(found.path, again)
    facts = json.loads((again / "run.json").read_text())
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    facts |= {"status": "running", "process": {**facts["process"], "pid": child.pid}}
    (again / "run.json").write_text(json.dumps({k: v for k, v in facts.items() if k != "manifest"}))
    for name in ("manifest.json", "search.json", "best.yaml"):
        (again / name).unlink()
    shutil.rmtree(again / "trials" / f"{lost:03}")
    return again


def assert_same_trials(resumed: SearchRun, found: SearchRun) -> None:
    assert resumed.corrected == found.corrected
    before, now = (rows_of(one) for one in (found, resumed))
    for row in [*before, *now]:
        del row["seconds"]
    assert now == before


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_to_the_same_trials(
    found: SearchRun, tmp_path: Path
) -> None:
    again = killed(found, tmp_path / "runs", 3)
    whole = (again / "trials/001/metrics.csv").stat().st_mtime_ns
    resumed = dlrun.resume(again)
    assert isinstance(resumed, SearchRun)
    assert (again / "trials/001/metrics.csv").stat().st_mtime_ns == whole
    assert_same_trials(resumed, found)


@pytest.mark.slow
def test_a_trial_on_other_columns_goes_on_with_these(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(80, 2))
    table = np.c_[rows, rows[:, 0] > 0]
    np.savetxt(tmp_path / "rows.csv", table, "%.3f", ",", header="a,b,y", comments="")
    source = "{source: csv, path: rows.csv, target: y, drop: [a]}"
    text = EXPERIMENT.replace("{source: sklearn, name: iris}", source)
    text = text.replace("Dense: {units: 3", "Dense: {units: 2").replace("random", "grid")
    space = text.index("    optimizer.adam.learning_rate: {low")
    found = searched(tmp_path, text[:space] + "    dataset.drop: [[a], [b]]\n")
    assert [float(row["score"]) > 0.7 for row in rows_of(found)] == [False, True]
    resumed = dlrun.resume(killed(found, tmp_path / "again", 1))
    assert isinstance(resumed, SearchRun)
    assert_same_trials(resumed, found)
