"""`--verbose`: what trained and why, and where the time went; and what is imported before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlrun.stages import begin_timing, current_stages, stage

CONFIG = """\
dataset: {source: npz, path: rows.npz, inputs: x, targets: y}
architecture: {layers: [{Dense: 4}, {Dense: 1}]}
loss: mse
optimizer: sgd
training: {epochs: 2}
"""

WATCHED = """
import json, sys
from dlrun.workflows.run_recorder import RunRecorder
begins = RunRecorder.training_begins
def watched(self, *arguments):
    with open("seen.json", "w") as file:
        json.dump(sorted(sys.modules), file)
    return begins(self, *arguments)
RunRecorder.training_begins = watched
from dlrun.cli.main import main
main(sys.argv[1:])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import numpy as np

    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=x, y=x.sum(axis=1))
    (tmp_path / "rows.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "kfold"])
def test_verbose_says_what_trained_and_where_the_time_went(
    call: Any, folder: Path, command: str
) -> None:
    said = call(command, "rows.yaml", "-v", "--set", "training.engine=keras")
    assert said.status == 0
    assert said.line("engine") == "keras (asked for)"
    assert said.line("XLA") == "off"
    assert said.line("device").endswith("with tensorflow, float32")
    (times,) = [line for line in said.out.splitlines() if line.startswith("  time ")][:1]
    assert "training " in times
    (run,) = (folder / "runs").iterdir()
    facts = json.loads((run / "run.json").read_text())
    assert facts["stages"]["training"] > 0
    assert {"data", "building", "compiling", "training", "writing"} <= set(facts["stages"])
    assert times in (run / "log.txt").read_text().splitlines()
    if command == "train":
        quiet = call(command, "rows.yaml", "--set", "training.engine=keras")
        assert "engine" not in quiet.out


def test_seconds_count_for_the_innermost_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0])
    monkeypatch.setattr("dlrun.stages.time.perf_counter", lambda: next(clock))
    begin_timing()
    with stage("training"), stage("writing"):
        pass
    assert current_stages().seconds() == {"training": 2.0 + 4.0, "writing": 3.0, "other": 1.0 + 5.0}


@pytest.mark.slow
def test_nothing_is_imported_before_training_that_a_script_does_not_import(folder: Path) -> None:
    """What Keras imports by itself, a script pays for too."""
    script = (
        "import json, sys, keras, numpy; json.dump(sorted(sys.modules), open('script.json', 'w'))"
    )
    for command in (["-c", script], ["-c", WATCHED, "train", "rows.yaml"]):
        subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, check=True)
    ours = set(json.loads((folder / "seen.json").read_text()))
    theirs = set(json.loads((folder / "script.json").read_text()))
    extra = {name.split(".")[0] for name in ours} - {name.split(".")[0] for name in theirs}
    needless = {"matplotlib", "pandas", "scipy", "PIL", "pyarrow", "jinja2", "optuna", "joblib"}
    assert not extra & needless
    drawing = {name for name in ours - theirs if name.startswith(("matplotlib", "pandas"))}
    assert not drawing
    models = {"sklearn.linear_model", "sklearn.ensemble", "sklearn.dummy"}
    assert not (ours - theirs) & models
