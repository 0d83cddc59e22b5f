"""`import dlrun` does in a notebook what the commands do in a shell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dlrun
from dlrun.errors import ConfigError, RunError, UsageError
from dlrun.workflows.runs import show_run

CONFIG = """
dataset: {source: sklearn, name: iris, test: {fraction: 0.2}}
preprocess: [standardize]
architecture: {layers: [{Dense: {units: 8, activation: relu}}, {Dense: {units: 3}}, Softmax]}
loss: sparse_categorical_crossentropy
optimizer: {adam: {learning_rate: 0.05}}
metrics: [accuracy]
training: {epochs: 3}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "iris.yaml"
    file.write_text(CONFIG)
    return file


@pytest.mark.slow
def test_a_run_in_a_notebook(config: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    run = dlrun.train(config, runs_dir=tmp_path / "runs", overrides=["training.epochs=4"], seed=5)
    assert capfd.readouterr().out == "", "only the command line prints"
    assert run.status == "finished"
    assert run.path.parent == tmp_path / "runs"
    assert isinstance(run.history, pd.DataFrame)
    assert run.history.epoch.tolist() == [1, 2, 3, 4]
    assert run.score == pytest.approx(run.history.val_accuracy.iloc[-1])
    shares = run.model.predict(np.zeros((2, 4)), verbose=0)
    assert shares.sum(axis=1) == pytest.approx(1)
    assert len(repr(run).split("\n")) == 5
    again = dlrun.train(config, runs_dir=tmp_path / "runs", overrides=["training.epochs=1"])
    comparison = dlrun.compare(run, again)
    assert repr(comparison).startswith(comparison.answer()[0])
    assert repr(comparison) == repr(dlrun.compare([run.path, again.path]))
    # Another day, another notebook.
    same = dlrun.Run.open(run.path)
    assert (same.score, same.status, same.result) == (run.score, run.status, run.result)
    evaluated = dlrun.evaluate(run.path)
    assert evaluated.score == evaluated.facts["measures"]["accuracy"]
    measured = [
        f"{part} {size} (cm)" for part in ("sepal", "petal") for size in ("length", "width")
    ]
    rows = pd.DataFrame(np.ones((3, 4)), columns=measured)
    rows.to_csv(tmp_path / "new.csv", index=False)
    table = dlrun.predict(run.path, tmp_path / "new.csv").table
    assert set(table.prediction) <= {"setosa", "versicolor", "virginica"}


MEANINGLESS = ["metrics=[{SparseTopKCategoricalAccuracy: 3}]"]


def test_what_the_checks_call_an_error_is_not_trained(config: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="error DL024: the right class is always") as caught:
        dlrun.train(config, runs_dir=tmp_path / "runs", overrides=MEANINGLESS)
    assert str(caught.value).endswith("fix it, or train anyway with --force")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_forced_run_says_so(config: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    run = dlrun.train(config, runs_dir=runs, overrides=MEANINGLESS, force=True)
    assert json.loads((run.path / "run.json").read_text())["forced"] == ["DL024"]
    lines = show_run(run.path).summary.text().splitlines()
    (line,) = (line for line in lines if line.startswith("findings"))
    assert "trained with --force in spite of DL024" in line
    silenced = [*MEANINGLESS, "ignore=[DL024]"]
    quiet = dlrun.train(config, runs_dir=runs, overrides=silenced)
    assert "forced" not in json.loads((quiet.path / "run.json").read_text())


@pytest.mark.slow
def test_folds_in_a_notebook(config: Path, tmp_path: Path) -> None:
    run = dlrun.kfold(config, folds=3, runs_dir=tmp_path, overrides=["training.epochs=2"])
    assert run.history.groupby("fold").epoch.max().tolist() == [2, 2, 2]
    assert run.score == pytest.approx(np.mean(run.result["score"]["folds"]))
    with pytest.raises(RunError) as error:
        _ = run.model
    assert str(error.value) == f"{run.path} has no single model: every fold trained its own"


def test_mistakes_are_typed_errors(config: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as wrong:
        dlrun.train(config, overrides=["optimizer=adm"], runs_dir=tmp_path / "runs")
    assert [problem.place for problem in wrong.value.problems] == ["--set optimizer=adm"]
    with pytest.raises(UsageError, match="iterations must be at least 1, found 0"):
        dlrun.kfold(config, iterations=0)
    with pytest.raises(RunError, match="is not a run directory"):
        dlrun.Run.open(tmp_path)
    assert not (tmp_path / "runs").exists()


def test_importing_it_is_light() -> None:
    program = (
        "import sys, dlrun; dlrun.__version__; print(len({'numpy', 'click'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"0"


def test_what_there_is() -> None:
    assert dir(dlrun) == sorted(dlrun.__all__)
    assert {"train", "kfold", "finalize", "evaluate", "predict", "compare", "runs"} < set(
        dir(dlrun)
    )
    assert all(callable(getattr(dlrun, name)) for name in dir(dlrun) if name != "__version__")
