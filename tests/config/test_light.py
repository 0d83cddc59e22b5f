"""Reading a config is quick because nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from dlrun.config.load import load_config
from dlrun.errors import ConfigError
try:
    load_config(sys.argv[1])
    print("sound")
except ConfigError as error:
    print(len(error.problems), "problems")
heavy = ["keras", "tensorflow", "jax", "torch", "sklearn", "scipy", "pandas", "matplotlib"]
print("imported:", [name for name in heavy if name in sys.modules])
"""

SOUND = """
dataset: {source: csv, path: houses.csv, target: price}
preprocess: [standardize, {targets: standardize}]
architecture: {layers: [{Dense: {units: 64, activation: relu}}, {Dense: 1}]}
loss: mse
optimizer: {adam: {learning_rate: 0.001}}
metrics: [mae]
training: {callbacks: [{EarlyStopping: {monitor: val_loss}}]}
evaluation: {protocol: kfold, folds: 4}
"""
BROKEN = """
colour: red
dataset: {source: csv, paht: houses.csv, num_words: 5}
preprocess: [standardise, {rescale: none}]
architecture: {layers: [{Danse: 64}, {Dense: sixty}]}
optimizer: {adam: {lr: 0.1}}
metrics: [MeanAbsoluteErro]
training: {epoch: 5, callbacks: [EarlyStoping]}
evaluation: {protocol: holdout, folds: 5}
"""


@pytest.mark.parametrize(("text", "answer"), [(SOUND, "sound"), (BROKEN, "14 problems")])
def test_nothing_heavy_is_imported(text: str, answer: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{answer}\nimported: []\n"


def test_the_schema_for_editors_needs_no_keras_either() -> None:
    program = "import sys, dlrun.config.json_schema as s; s.json_schema(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"keras", "tensorflow", "sklearn", "pandas"} & set(done.stdout.split())
