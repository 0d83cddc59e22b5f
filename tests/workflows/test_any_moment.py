"""A signal at any moment of a small run: it ends with one line, and what it says is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlrun.store.names import MARKER

CONFIG = """
dataset: {source: sklearn, name: iris}
preprocess: [standardize]
architecture:
  layers:
    - Dense: {units: 4, activation: relu}
    - Dense: {units: 3, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: adam
metrics: [accuracy]
training:
  epochs: 6
  batch_size: 32
  callbacks: [{EarlyStopping: {monitor: val_loss, patience: 5}}]
evaluation: {score: accuracy}
"""

DRIVER = '''
"""Run a command in forked processes that have imported Keras, each with a signal at one moment."""
import json, os, signal, sys, threading
from pathlib import Path

signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from dlrun.training.backend import start_backend
start_backend("tensorflow")
import dlrun.workflows.execute, scipy.stats, sklearn.linear_model, sklearn.datasets
import matplotlib.backends.backend_agg, matplotlib.backends.backend_svg
from dlrun.__main__ import main

moments, number, *command = json.loads(sys.argv[1])
KINDS = ("open", "import", "os.mkdir", "os.rename", "os.link", "os.remove", "os.scandir")


def child(folder, at):
    seen = 0

    def hook(kind, arguments):
        nonlocal seen
        if kind in KINDS and threading.current_thread() is threading.main_thread():
            seen += 1
            if seen == at:
                signal.raise_signal(number)

    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(folder)
    sys.argv[1:] = [*command, "--runs-dir", "runs", "--seed", "0"]
    sys.addaudithook(hook)
    status = 99
    try:
        main()
    except SystemExit as end:
        status = end.code
    (folder / "seen").write_text(str(seen))
    os._exit(status)


def run(at):
    folder = Path(f"at-{at}")
    folder.mkdir()
    sys.stdout.flush()
    if not (process := os.fork()):
        child(folder.absolute(), at)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    print(json.dumps([at, status, str(folder)]), flush=True)
    return folder


whole = int((run(0) / "seen").read_text())
for turn in range(moments):
    run(1 + turn * (whole - 1) // moments)
'''


def files_of(run: Path) -> set[str]:
    return {str(path.relative_to(run)) for path in run.rglob("*")}


def status_of(folder: Path) -> tuple[str | None, Path]:
    """How the only run of a folder says that it ended, if there is one."""
    runs = sorted((folder / "runs").glob("*")) if (folder / "runs").is_dir() else []
    assert len(runs) <= 1
    if not runs:
        return None, folder
    assert not (folder / "runs").is_symlink()
    return json.loads((runs[0] / MARKER).read_text())["status"], runs[0]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize(
    ("signal", "command"),
    [(15, ["train", "iris.yaml"]), (2, ["kfold", "iris.yaml", "--folds", "2"])],
    ids=["SIGTERM", "SIGINT"],
)
def test_a_signal_at_any_moment_loses_nothing(
    signal: int, command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "iris.yaml").write_text(CONFIG)
    (tmp_path / "driver.py").write_text(DRIVER)
    command[1] = str(tmp_path / command[1])
    done = subprocess.run(
        [sys.executable, "driver.py", json.dumps([20, signal, *command])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    endings: list[Any] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(endings) == 21
    whole = files_of(status_of(tmp_path / endings[0][2])[1])
    met = set()
    for at, code, name in endings:
        folder = tmp_path / name
        status, run = status_of(folder)
        met.add(status)
        errors = (folder / "err").read_text().splitlines()
        told = (at, code, status, errors)
        assert code == (0 if status == "finished" else 128 + signal), told
        # One line, or the summary of what was reached.
        summary = "\n  status " in (folder / "out").read_text()
        assert len(errors) == (1 if code and not summary else 0), told
        if status is None:
            continue
        files = files_of(run)
        assert not [file for file in files if file.startswith(".")], told
        if status == "finished":
            # Drawn later where there was no time.
            assert {f for f in whole - files if "curves" not in f} == set(), told
        for model in (file for file in files if file.endswith("model.keras")):
            assert model.replace("model.keras", "preprocess.json") in files, told
    assert met == {None, "interrupted", "finished"}
