"""What needs no Keras does not import it: help and mistakes in a config answer at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click

from dlrun.cli.main import dlrun

HEAVY = {"keras", "tensorflow", "jax", "torch", "sklearn", "scipy", "matplotlib"}

WATCHED = """
import json, os, sys
from dlrun.cli.main import main
seen = []
for folder, *arguments in json.loads(sys.argv[1]):
    os.chdir(folder)
    try:
        main(arguments)
    except SystemExit as end:
        packages = {name.split(".")[0] for name in sys.modules}
        seen.append([end.code, sorted(packages)])
with open(sys.argv[2], "w") as file:
    json.dump(seen, file)
"""
"""Runs commands one after the other, and writes down what is imported after each."""

HOUSES = "area,rooms,price\n" + "".join(f"{60 + n},{n % 4},{150.5 + n}\n" for n in range(20))

SOUND = """
dataset: {source: csv, path: houses.csv, target: price}
preprocess: [standardize, {targets: standardize}]
architecture: {layers: [{Dense: {units: 64, activation: relu}}, {Dense: 1}]}
loss: mse
optimizer: {rmsprop: {learning_rate: 0.001}}
metrics: [mae]
training: {callbacks: [{EarlyStopping: {monitor: val_loss}}]}
evaluation: {protocol: kfold, folds: 4}
"""
BUNDLED = SOUND.replace("{source: csv, path: houses.csv, target: price}",
                        "{source: sklearn, name: diabetes}")  # fmt: skip
WRONG = SOUND.replace("mse", "msee").replace("relu", "rleu").replace("EarlyStopping", "EarlyStop")
MISSING_FILE = SOUND.replace("houses.csv", "nowhere.csv")
NO_COLUMN = SOUND.replace("price", "cost")

GRAPH = SOUND.replace(
    "{layers: [{Dense: {units: 64, activation: relu}}, {Dense: 1}]}",
    "{layers: [{Dense: 8, from: area, name: a}, {Dense: 8, from: rooms, name: b}, "
    "{Concatenate: {}, from: [a, b]}, {Dense: 1}]}",
)

COMMANDS = dlrun.list_commands(click.Context(dlrun))

HELP: dict[str, tuple[list[str], str, int]] = {
    "help": (["--help"], SOUND, 0),
    "version": (["--version"], SOUND, 0),
    **{f"{command} --help": ([command, "--help"], SOUND, 0) for command in COMMANDS},
    "an unknown command": (["trian"], SOUND, 2),
}
RUNS: dict[str, tuple[list[str], str, int]] = {
    "runs": (["runs"], SOUND, 0),
    "runs by score": (["runs", "--sort", "score", "--json"], SOUND, 0),
    "runs show": (["runs", "show", "0001"], SOUND, 0),
    "runs diff": (["runs", "diff", "20261121-101530", "0002"], SOUND, 0),
    "runs rm": (["runs", "rm", "0002", "--yes"], SOUND, 0),
}
CONFIGS: dict[str, tuple[list[str], str, int]] = {
    "schema": (["schema"], SOUND, 0),
    "check of a sound config": (["check", "c.yaml"], BUNDLED, 0),
    "check of a wrong config": (["check", "c.yaml"], WRONG, 2),
    "train with a wrong config": (["train", "c.yaml"], WRONG, 2),
    "train without its data": (["train", "c.yaml"], MISSING_FILE, 1),
    "kfold with a wrong override": (["kfold", "c.yaml", "--set", "seed=x"], SOUND, 2),
    "kfold in one part": (["kfold", "c.yaml", "--folds", "1"], SOUND, 2),
    "evaluate without a run": (["evaluate", "nothing"], SOUND, 1),
    "predict without a run": (["predict", "nothing", "--input", "houses.csv"], SOUND, 1),
    "compare without results": (["compare", "20261121-101530", "0002"], SOUND, 1),
    "init": (["init", "--task", "binary"], SOUND, 0),
}
TABLES: dict[str, tuple[list[str], str, int]] = {
    "train without its target": (["train", "c.yaml"], NO_COLUMN, 2),
    "check of a config on a table": (["check", "c.yaml"], SOUND, 0),
    "check of a graph on a table": (["check", "c.yaml"], GRAPH, 0),
}
FIRST: dict[str, tuple[list[str], str, int]] = {
    "init for a table": (["init", "--data", "houses.csv", "-o", "new.yaml"], SOUND, 0),
}
"""What deals rows, as training does, needs scikit-learn."""

GROUPS = [
    (HELP, HEAVY | {"pandas", "numpy", "pydantic", "yaml", "rich"}),
    (RUNS, HEAVY | {"pandas", "numpy", "pydantic", "yaml"}),
    (CONFIGS, HEAVY | {"pandas"}),
    (TABLES, HEAVY),
    (FIRST, HEAVY - {"sklearn", "scipy"}),
]
"""What may import more comes later: what was imported for one command stays for the next."""


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    commands, expected = [], []
    for cases, forbidden in GROUPS:
        for case, (arguments, config, status) in cases.items():
            folder = tmp_path / str(len(commands))
            folder.mkdir()
            (folder / "c.yaml").write_text(config)
            (folder / "houses.csv").write_text(HOUSES)
            make_runs(folder / "runs")
            commands.append([str(folder), *arguments])
            expected.append((case, status, forbidden))
    seen = tmp_path / "seen.json"
    words = [sys.executable, "-c", WATCHED, json.dumps(commands), str(seen)]
    subprocess.run(words, capture_output=True, check=True)
    answers = json.loads(seen.read_text())
    for (case, status, forbidden), (code, packages) in zip(expected, answers, strict=True):
        assert (case, code) == (case, status)
        assert not set(packages) & forbidden, case


def make_runs(folder: Path) -> None:
    """Two runs of which nothing but their `run.json` is there."""
    for number in (1, 2):
        run = folder / f"20261121-10153{number - 1}-houses-000{number}"
        run.mkdir(parents=True)
        facts = {"status": "finished", "config": {"seed": number}, "result": {"epochs": 3}}
        (run / "run.json").write_text(json.dumps(facts))
