"""Layers, losses, metrics, callbacks, data sources and steps of the user's own."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from conftest import Answer, call_in
from plugin_pieces import CONFIG, PLUGIN, write

import dlrun
from dlrun.config.dump import dump_config
from dlrun.config.load import load_config
from dlrun.errors import ConfigError
from dlrun.registry import catalogue
from dlrun.registry.families import SOURCES
from dlrun.workflows.plugins import runner

DISTANCE = 60

MARK = 'open("ran.txt", "w").close()\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("plugins")).parent


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    answer = call_in(folder, "train", "config.yaml", "--trust-plugins", "--json")
    assert answer.status == 0, answer.err
    return Path(answer.json["run"])


@pytest.mark.parametrize(
    "command",
    [("check", "config.yaml"), ("train", "config.yaml"), ("kfold", "config.yaml"),
     ("show", "config.yaml")],
)  # fmt: skip
def test_without_trust_no_code_runs(command: tuple[str, ...], tmp_path: Path) -> None:
    write(tmp_path, MARK + PLUGIN)
    answer = call_in(tmp_path, *command)
    assert answer.status == 2
    assert answer.err == (
        "config.yaml:2:11: the plugin pieces.py is Python code and was not run, so the names that "
        "it defines cannot be checked\n"
        "    plugins: [own/pieces.py]\n"
        "              ^\n"
        "    hint: read own/pieces.py; if you trust it, add --trust-plugins "
        "(in Python: trust_plugins=True)\n"
    )
    assert not (tmp_path / "ran.txt").exists()
    assert not (tmp_path / "runs").exists()


def test_other_problems_are_told_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, config=CONFIG.replace("epochs: 2", "epochs: two"))
    answer = call_in(tmp_path, "check", "config.yaml")
    assert "wrong value for 'epochs'" in answer.err
    assert "unknown" not in answer.err


def test_with_trust_everything_is_checked_and_trained(folder: Path, trained: Path) -> None:
    check = call_in(folder, "check", "config.yaml", "--trust-plugins")
    assert check.status == 0, check.err
    result = json.loads((trained / "result.json").read_text())
    assert result["score"]["name"] == "within"
    assert result["score"]["direction"] == "max"
    with np.load(trained / "predictions.npz") as file:
        kept = dict(file)
    # A score is in the target's own unit, as are the predictions that are kept.
    near = np.abs(kept["predictions"].ravel() - kept["targets"].ravel()) < DISTANCE
    assert 0 < near.mean() < 1
    assert result["score"]["value"] == pytest.approx(near.mean(), abs=1e-6)
    told = [float(line) for line in (trained / "callbacks/seen.txt").read_text().split()]
    assert len(told) == 2
    assert told[0] != 0.5


def test_the_run_keeps_the_code_that_ran(folder: Path, trained: Path) -> None:
    content = (folder / "own" / "pieces.py").read_bytes()
    assert (trained / "plugins" / "pieces.py").read_bytes() == content
    facts = json.loads((trained / "run.json").read_text())
    digest = hashlib.sha256(content).hexdigest()
    assert facts["plugins"] == [{"file": "plugins/pieces.py", "sha256": digest}]
    assert yaml.safe_load((trained / "resolved.yaml").read_text())["plugins"] == [
        "plugins/pieces.py"
    ]


def ask(folder: Path, *command: object) -> Answer:
    return call_in(folder, *command, "--trust-plugins")


@pytest.mark.slow
def test_a_run_is_used_through_its_own_copy(folder: Path, trained: Path) -> None:
    refused = call_in(folder, "evaluate", trained)
    assert refused.status == 2
    assert "--trust-plugins" in refused.err
    assert ask(folder, "evaluate", trained).status == 0
    final = ask(folder, "finalize", trained, "--json")
    assert final.status == 0, final.err
    again = Path(final.json["run"])
    assert (again / "plugins" / "pieces.py").exists()
    assert ask(folder, "evaluate", again).status == 0
    assert ask(folder, "show", trained).status == 0
    new = folder / "new.csv"
    new.write_text("age,sex,bmi,bp,s1,s2,s3,s4,s5,s6\n" + "0,0,0,0,0,0,0,0,0,0\n" * 2)
    predicted = ask(folder, "predict", trained, "--input", new)
    assert predicted.status == 0, predicted.err
    assert len(predicted.out.splitlines()) == 3


@pytest.mark.slow
def test_running_the_resolved_config_repeats_the_run(folder: Path, trained: Path) -> None:
    answer = ask(folder, "train", trained / "resolved.yaml", "--json")
    assert answer.status == 0, answer.err
    columns = [
        [line.split(",")[3:] for line in (run / "metrics.csv").read_text().splitlines()]
        for run in (trained, Path(answer.json["run"]))
    ]
    assert columns[0] == columns[1]


def test_a_copy_that_was_changed_is_refused(folder: Path, trained: Path) -> None:
    copy = trained / "plugins" / "pieces.py"
    before = copy.read_bytes()
    copy.write_bytes(MARK.encode() + before)
    try:
        answer = ask(folder, "evaluate", trained)
    finally:
        copy.write_bytes(before)
    assert answer.status == 1
    assert answer.err.startswith(
        f"error: runs/{trained.name}/plugins/pieces.py is not the file that the run wrote: its "
        "SHA-256 differs from the one in manifest.json; restore it from a copy, or train again; "
    )
    assert not (folder / "ran.txt").exists()


@pytest.mark.slow
def test_python_gets_the_model_of_a_run(trained: Path) -> None:
    code = (
        "import sys, dlrun\n"
        "run = dlrun.Run.open(sys.argv[1], trust_plugins=True)\n"
        "print(type(run.model.get_layer('scaled')).__name__)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(trained)], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "Scaled\n", ended.stderr


def test_another_config_in_the_same_process_knows_nothing_of_it(folder: Path) -> None:
    load_config(folder / "config.yaml", run_plugins=runner(True))
    assert catalogue.entry("layer", "Scaled") is not None
    other = folder / "other.yaml"
    other.write_text(CONFIG.replace("plugins: [own/pieces.py]\n", ""))
    with pytest.raises(ConfigError, match="unknown layer 'Scaled'"):
        load_config(other)
    assert catalogue.entry("layer", "Scaled") is None


def test_paths_start_from_the_file_that_names_them(folder: Path) -> None:
    (folder / "below").mkdir(exist_ok=True)
    child = folder / "below" / "child.yaml"
    child.write_text("extends: ../config.yaml\n")
    config = load_config(child, run_plugins=runner(True), allow_outside=True)
    assert config.plugins == [str(folder / "own" / "pieces.py")]


def test_overrides_know_the_first_argument(folder: Path) -> None:
    overrides = ["architecture.layers.1.Scaled.name=other"]
    config = load_config(folder / "config.yaml", overrides, run_plugins=runner(True))
    layer = config.architecture.layers[1].layer
    assert layer is not None
    assert layer.arguments == {"start": 0.5, "name": "other"}


@pytest.mark.slow
def test_the_page_on_plugins_works_as_it_stands(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```(\w+)[^\n]*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    (tmp_path / "my_pieces.py").write_text(blocks["python"], encoding="utf-8")
    (tmp_path / "diabetes.yaml").write_text(blocks["yaml"], encoding="utf-8")
    answer = ask(tmp_path, "train", "diabetes.yaml", "--json")
    assert answer.status == 0, answer.err
    run = Path(answer.json["run"])
    told = [float(line) for line in (run / "callbacks/losses.txt").read_text().split()]
    rows = (run / "metrics.csv").read_text().splitlines()
    place = rows[0].split(",").index("loss")
    assert told == pytest.approx([float(row.split(",")[place]) for row in rows[1:]])
    measures = {name: facts["value"] for name, facts in answer.json["measures"].items()}
    assert measures["Halved"] == pytest.approx(measures["mae"] / 2, rel=1e-5)


SOURCE = '''
import numpy as np

from dlrun.data.step import Step
from dlrun.data.sources.npz import Npz


class TenRows(Npz):
    """Rows of a file of arrays."""
'''


def test_sources_and_steps_stand_beside_dlruns_own(tmp_path: Path) -> None:
    steps = CONFIG.replace("[standardize,", "[standardize, doubled: 3,")
    file = write(tmp_path, PLUGIN + SOURCE, steps)
    config = load_config(file, run_plugins=runner(True))
    assert dump_config(config)["preprocess"][1] == {"doubled": {"times": 3.0}}
    assert "ten_rows" in SOURCES.names()
    load_config(write(tmp_path, PLUGIN), run_plugins=runner(True))
    assert "ten_rows" not in SOURCES.names()


@pytest.mark.slow
def test_a_step_of_a_plugin_is_used_by_later_commands(tmp_path: Path) -> None:
    steps = CONFIG.replace("[standardize,", "[standardize, doubled,")
    run = dlrun.train(write(tmp_path, PLUGIN, steps), runs_dir=tmp_path / "r", trust_plugins=True)
    looked = dlrun.evaluate(run.path, trust_plugins=True)
    assert np.isfinite(looked.score)
    assert keras.saving.get_registered_name(type(run.model.get_layer("scaled"))) == "Custom>Scaled"
