"""The final model: trained on all non-test rows, for as long as validation chose, and named so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dlrun
from dlrun.errors import RunError, UsageError
from dlrun.store.ledger import read_ledger
from dlrun.store.run_directory import RunDirectory

CONFIG = """\
name: iris
dataset: {source: sklearn, name: iris, test: {fraction: 0.2}}
preprocess: [standardize]
architecture: {layers: [{Dense: {units: 8, activation: relu}}, {Dense: {units: 3}}]}
loss: {sparse_categorical_crossentropy: {from_logits: true}}
optimizer: {adam: {learning_rate: 0.02}}
metrics: [accuracy]
training:
  epochs: 6
  callbacks:
    - EarlyStopping: {patience: 3}
    - CSVLogger: epochs.csv
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finalize")
    (folder / "iris.yaml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def holdout(folder: Path) -> dlrun.Run:
    return dlrun.train(folder / "iris.yaml", runs_dir=folder / "runs")


@pytest.fixture(scope="module")
def folds(folder: Path) -> dlrun.Run:
    return dlrun.kfold(folder / "iris.yaml", folds=3, runs_dir=folder / "runs")


def told(run: dlrun.Run) -> dict[str, Any]:
    facts = json.loads((run.path / "run.json").read_text())
    assert isinstance(facts, dict)
    return facts


class Notes:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


def test_a_hold_out_run_is_finalized_for_its_best_epoch(holdout: dlrun.Run, folder: Path) -> None:
    notes = Notes()
    final = dlrun.finalize(holdout.path, runs_dir=folder / "runs", observer=notes)
    best = holdout.result["best_epoch"]
    # 120 rows are not test rows, 96 of them trained the run.
    assert final.result["epochs"] == round(best * 120 / 96)
    splits, before = np.load(final.path / "splits.npz"), np.load(holdout.path / "splits.npz")
    every = np.union1d(before["fold00_train"], before["fold00_validation"])
    np.testing.assert_array_equal(np.sort(splits["fold00_train"]), every)
    np.testing.assert_array_equal(splits["test"], before["test"])
    assert told(final)["parent"] == holdout.path.name
    assert told(final)["finalized"]["chosen"] == best
    assert notes.said == [
        f"{final.result['epochs']} epochs: validation chose {best}, and 120 non-test rows instead "
        "of 96 can be learnt from 1.25 times as long; --epochs sets another number",
        "without EarlyStopping: no validation rows are left to monitor",
    ]
    assert (final.path / "callbacks" / "epochs.csv").exists(), "what watches nothing stays"
    assert final.result["next"] == f"dlrun evaluate {final.path}"
    assert dlrun.evaluate(final.path).facts["rows"] == 30


@pytest.mark.slow
def test_folds_give_the_median_of_their_best_epochs(folds: dlrun.Run, folder: Path) -> None:
    final = dlrun.finalize(folds.path, runs_dir=folder / "runs")
    best = [fold["best_epoch"] for fold in folds.result["folds"]]
    splits = np.load(folds.path / "splits.npz")
    trained_on = round(np.mean([len(splits[f"fold0{index}_train"]) for index in range(3)]))
    assert told(final)["finalized"]["folds"] == best
    assert final.result["epochs"] == round(np.median(best) * 120 / trained_on)
    assert final.model is not None


@pytest.mark.slow
def test_the_epochs_can_be_set(holdout: dlrun.Run, folder: Path) -> None:
    final = dlrun.finalize(holdout.path, epochs=2, runs_dir=folder / "runs")
    assert final.result["epochs"] == 2
    assert told(final)["finalized"]["chosen"] is None


@pytest.mark.slow
def test_an_ensemble_averages_probabilities_of_the_folds(folds: dlrun.Run, folder: Path) -> None:
    import keras

    ensemble = dlrun.finalize(folds.path, ensemble=True, runs_dir=folder / "runs")
    assert (told(ensemble)["parent"], told(ensemble)["ensemble"]) == (folds.path.name, 3)
    fingerprint = dlrun.evaluate(ensemble.path).facts["fingerprint"]
    evaluations = read_ledger(folder / "runs").evaluations
    before = sum(one.fingerprint == fingerprint for one in evaluations)
    facts = dlrun.evaluate(ensemble.path).facts
    assert facts["models"] == 3
    assert facts["look"] == before + 1
    from sklearn.datasets import load_iris

    data = load_iris()
    test = np.load(folds.path / "splits.npz")["test"]
    shares = []
    for place in sorted((folds.path / "folds").iterdir()):
        steps = json.loads((place / "preprocess.json").read_text())
        rows = np.load(folds.path / "splits.npz")[f"fold{place.name}_train"]
        assert [step.get("step") for step in steps[1:]] == ["standardize"]
        mean, std = data.data[rows].mean(axis=0), data.data[rows].std(axis=0)
        model = keras.saving.load_model(place / "model.keras")
        logits = model.predict((data.data[test] - mean) / std, verbose=0)
        shares.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    expected = np.mean(shares, axis=0)
    right = expected.argmax(axis=1) == data.target[test]
    assert facts["score"]["value"] == pytest.approx(right.mean())
    own = -np.log(expected[np.arange(len(test)), data.target[test]]).mean()
    assert facts["measures"]["loss"] == pytest.approx(own, rel=1e-4)
    table = pd.DataFrame(data.data[test], columns=data.feature_names)
    table.to_csv(folder / "new.csv", index=False)
    predicted = dlrun.predict(ensemble.path, folder / "new.csv").table
    np.testing.assert_allclose(predicted.iloc[:, 1:].to_numpy(float), expected, rtol=1e-3)


@pytest.mark.slow
def test_a_fold_that_was_interrupted_is_no_part_of_an_ensemble(
    folds: dlrun.Run, folder: Path
) -> None:
    parent = folder / "interrupted" / "20260101-000000-iris-0001"
    shutil.copytree(folds.path, parent)
    result = json.loads((parent / "result.json").read_text())
    result["folds"][-1]["interrupted"] = True
    (parent / "result.json").write_text(json.dumps(result))
    RunDirectory(parent).seal()
    ensemble = dlrun.finalize(parent, ensemble=True, runs_dir=parent.parent)
    kept = [place.name for place in sorted((ensemble.path / "folds").iterdir())]
    assert kept == [f"{fold['fold']:02}" for fold in result["folds"][:-1]]
    assert dlrun.evaluate(ensemble.path).facts["models"] == len(kept)


@pytest.mark.slow
def test_quantities_are_averaged_in_their_own_unit(tmp_path: Path) -> None:
    import keras
    from sklearn.datasets import load_diabetes

    (tmp_path / "d.yaml").write_text(
        "dataset: {source: sklearn, name: diabetes, test: {fraction: 0.2}}\n"
        "preprocess: [targets: [standardize]]\n"
        "architecture: {layers: [{Dense: 1}]}\n"
        "loss: mse\noptimizer: sgd\nmetrics: [mae]\ntraining: {epochs: 2}\n"
    )
    folds = dlrun.kfold(tmp_path / "d.yaml", folds=2, runs_dir=tmp_path / "runs")
    ensemble = dlrun.finalize(folds.path, ensemble=True, runs_dir=tmp_path / "runs")
    facts = dlrun.evaluate(ensemble.path).facts
    data, splits = load_diabetes(), np.load(folds.path / "splits.npz")
    outputs = []
    for fold in ("00", "01"):
        target = data.target[splits[f"fold{fold}_train"]]
        model = keras.saving.load_model(folds.path / "folds" / fold / "model.keras")
        output = model.predict(data.data[splits["test"]], verbose=0)[:, 0]
        outputs.append(output * target.std() + target.mean())
    mean = np.mean(outputs, axis=0)
    expected = np.abs(mean - data.target[splits["test"]]).mean()
    assert facts["score"]["value"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_rows_of_a_validation_file_are_trained_on_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, count in (("train", 40), ("val", 10), ("test", 10)):
        table = pd.DataFrame({"x": random.normal(size=count)})
        table.assign(y=2 * table.x).to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: csv, path: train.csv, target: y, test: {path: test.csv}}\n"
        "architecture: {layers: [{Dense: 1}]}\nloss: mse\noptimizer: sgd\n"
        "training: {epochs: 2}\nevaluation: {validation: {path: val.csv}}\n"
    )
    run = dlrun.train(tmp_path / "c.yaml", runs_dir=tmp_path / "runs")
    final = dlrun.finalize(run.path, runs_dir=tmp_path / "runs")
    assert len(np.load(final.path / "splits.npz")["fold00_train"]) == 50
    assert dlrun.evaluate(final.path).facts["rows"] == 10
    # Its config repeats it.
    again = dlrun.train(final.path / "resolved.yaml", runs_dir=tmp_path / "again")
    assert again.result["score"]["value"] is None
    for ours, theirs in zip(final.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # Other rows than those that chose the epochs are noticed.
    text = (tmp_path / "val.csv").read_text()
    (tmp_path / "val.csv").write_text(text.replace("x,y\n", "x,y\n0.5,1.0\n"))
    with pytest.raises(RunError, match="so what validation chose does not hold for it; restore"):
        dlrun.finalize(run.path, runs_dir=tmp_path / "runs")


@pytest.mark.slow
def test_what_cannot_be_finalized(holdout: dlrun.Run, folds: dlrun.Run, folder: Path) -> None:
    runs = folder / "runs"
    final = dlrun.finalize(holdout.path, epochs=1, runs_dir=runs)
    with pytest.raises(RunError) as error:
        dlrun.finalize(final.path, runs_dir=runs)
    assert str(error.value) == (
        f"{final.path.name} is a final model already, made from {holdout.path.name}: no "
        f"validation rows chose its epochs; score it with `dlrun evaluate {final.path.name}`, or "
        "finalize a run that held rows out"
    )
    with pytest.raises(RunError, match="has one model and no folds to average"):
        dlrun.finalize(holdout.path, ensemble=True, runs_dir=runs)
    with pytest.raises(UsageError, match="--ensemble trains nothing, so it takes no --epochs"):
        dlrun.finalize(folds.path, ensemble=True, epochs=3, runs_dir=runs)
    with pytest.raises(UsageError, match="epochs must be at least 1, found 0"):
        dlrun.finalize(folds.path, epochs=0, runs_dir=runs)
    facts = json.loads((holdout.path / "run.json").read_text())
    failed = runs / "20260101-000000-failed-0000"
    failed.mkdir()
    (failed / "run.json").write_text(json.dumps({**facts, "status": "failed"}))
    (failed / "resolved.yaml").write_bytes((holdout.path / "resolved.yaml").read_bytes())
    RunDirectory(failed).seal()
    with pytest.raises(RunError, match="has no result: its status is 'failed'"):
        dlrun.finalize(failed, runs_dir=runs)
