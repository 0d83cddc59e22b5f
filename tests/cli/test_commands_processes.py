"""What shows only between processes: the same digits twice, Ctrl-C, a model without dlrun."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlrun.config.load import load_config
from dlrun.data.pipeline import Pipeline
from dlrun.store.run_directory import RunDirectory
from dlrun.workflows.loading import load_rows

DLRUN = [sys.executable, "-m", "dlrun"]


def in_its_own_process(folder: Path, *arguments: object) -> dict[str, Any]:
    """Run a command line with `--json` and return what it prints."""
    words = [*DLRUN, *map(str, arguments), "--json"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def metrics_of(run: Path) -> list[dict[str, str]]:
    """Every epoch's metrics as they are written, without the seconds."""
    with (run / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def weights_of(run: Path) -> list[np.ndarray]:
    import keras

    weights: list[np.ndarray] = keras.saving.load_model(run / "model.keras").get_weights()
    return weights


def assert_same_digits(run: Path, other: Path) -> None:
    assert metrics_of(run) == metrics_of(other)
    ours, theirs = np.load(run / "predictions.npz"), np.load(other / "predictions.npz")
    for name in ("rows", "predictions"):
        np.testing.assert_array_equal(ours[name], theirs[name])
    for one, another in zip(weights_of(run), weights_of(other), strict=True):
        np.testing.assert_array_equal(one, another)


@pytest.mark.slow
def test_the_same_config_and_seed_give_the_same_digits(project: Any, holdout_run: Any) -> None:
    again = ["credit.yaml", "--set", "training.epochs=3"]
    other = in_its_own_process(project.folder, "train", *again)
    assert_same_digits(holdout_run.path, Path(other["run"]))


@pytest.mark.slow
def test_resolved_yaml_repeats_the_run_from_anywhere(
    project: Any, holdout_run: Any, tmp_path: Path
) -> None:
    resolved = holdout_run.path / "resolved.yaml"
    other = project("train", resolved, "--runs-dir", tmp_path / "elsewhere", "--json").json
    assert_same_digits(holdout_run.path, Path(other["run"]))
    assert (Path(other["run"]) / "resolved.yaml").read_bytes() == resolved.read_bytes()
    fingerprints = [json.loads((path / "data.json").read_text())["fingerprint"]
                    for path in (holdout_run.path, Path(other["run"]))]  # fmt: skip
    assert fingerprints[0] == fingerprints[1]


@pytest.mark.slow
def test_another_seed_deals_and_trains_otherwise(project: Any, holdout_run: Any) -> None:
    other = project("train", "credit.yaml", "--set", "training.epochs=1", "--seed", 1, "--json")
    path = Path(other.json["run"])
    assert metrics_of(path)[0] != metrics_of(holdout_run.path)[0]
    ours, theirs = (np.load(run / "splits.npz")["test"] for run in (holdout_run.path, path))
    assert set(ours) != set(theirs)


PLAIN_KERAS = """
import sys
import keras, numpy
model = keras.saving.load_model(sys.argv[1])
numpy.save(sys.argv[3], model.predict(numpy.load(sys.argv[2]), verbose=0))
assert not [name for name in sys.modules if name.split(".")[0] == "dlrun"]
"""


@pytest.mark.slow
def test_the_model_is_plain_keras(project: Any, holdout_run: Any, tmp_path: Path) -> None:
    run = RunDirectory.open(holdout_run.path)
    pipeline = Pipeline.from_state(*run.read_preprocess())
    kept = run.read_predictions()
    samples = load_rows(load_config(run.resolved)).samples
    positions = np.flatnonzero(np.isin(samples.rows, kept["rows"]))
    np.save(tmp_path / "inputs.npy", pipeline.inputs(samples.take(positions)))
    words = ["-c", PLAIN_KERAS, run.model, tmp_path / "inputs.npy", tmp_path / "outputs.npy"]
    subprocess.run([sys.executable, *map(str, words)], check=True, cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "outputs.npy"), kept["predictions"])


MANY_EPOCHS = ["--set", "training.epochs=100000", "--set", "training.callbacks=[]"]


# Where the tests run in the background of a shell, a child ignores interrupts.
HEEDING_INTERRUPTS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from dlrun.cli.main import main
main()
"""


def interrupted(folder: Path, *arguments: object, at: str) -> tuple[int, str, str]:
    """Start a command, send Ctrl-C once a line begins with `at`, and see how it ends."""
    words = [sys.executable, "-c", HEEDING_INTERRUPTS, *map(str, arguments)]
    with subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith(at):
                process.send_signal(signal.SIGINT)
                break
        rest, err = process.communicate()
    return process.returncode, "".join(lines) + rest, err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_ends_a_run_that_can_be_used(project: Any) -> None:
    status, out, err = interrupted(
        project.folder, "train", "credit.yaml", *MANY_EPOCHS, at="epoch 3/"
    )
    assert (status, err) == (130, "")
    assert re.search(r"status +interrupted; the results so far are kept", out)
    name = out.split("next")[1].split()[2]
    path = project.folder / name
    assert json.loads((path / "run.json").read_text())["status"] == "interrupted"
    epochs = len(metrics_of(path))
    assert 3 <= epochs < 100_000
    result = json.loads((path / "result.json").read_text())
    assert (result["interrupted"], result["epochs"]) == (True, epochs)
    for file in ("model.keras", "curves.png", "curves.svg", "predictions.npz", "preprocess.json"):
        assert (path / file).stat().st_size > 0
    assert project("evaluate", name, "--json").json["rows"] == 32
    assert project("predict", name, "--input", "new.csv").status == 0
    final = project("finalize", name, "--epochs", 1)
    assert f"note: {path.name} was interrupted: later epochs might have been better" in final.out


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_in_a_later_fold_keeps_the_folds_before_it(project: Any) -> None:
    few = ["--folds", "3", "--set", "training.epochs=60", "--set", "training.callbacks=[]"]
    # The fused engine would train all epochs of a fold in a few calls.
    few += ["--set", "training.engine=keras"]
    status, out, err = interrupted(
        project.folder, "kfold", "credit.yaml", *few, at="fold 2/3 epoch 2/"
    )
    assert (status, err) == (130, "")
    path = project.folder / out.split("\n  run ")[1].split()[0]
    result = json.loads((path / "result.json").read_text())
    first, second = result["folds"]
    assert (first["interrupted"], second["interrupted"]) == (False, True)
    # A fold that was cut short says nothing of what the protocol would have found.
    assert result["score"]["folds"] == [first["score"]]
    assert result["score"]["value"] == first["score"]
    assert result["epochs"] == 60
    rows = np.load(path / "predictions.npz")["rows"]
    np.testing.assert_array_equal(rows, np.load(path / "splits.npz")["fold00_validation"])
    assert re.search(r"score .* \(1 of 3 folds\)", out)
    final = project("finalize", path, "--epochs", 1)
    assert f"note: {path.name} was interrupted: its score is that of 1 of 3 folds" in final.out
