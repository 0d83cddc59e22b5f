"""One config, three backends: the same splits, and the same scores but for rounding."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

DIGITS = """\
dataset: {source: sklearn, name: digits, limit: {random: 400}, test: {fraction: 0.2}}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
training: {epochs: 4, batch_size: 32}
"""
WORDS = """\
dataset: {source: npz, path: words.npz, inputs: x, targets: y}
loss: binary_crossentropy
optimizer: adam
metrics: [accuracy]
training: {epochs: 3, batch_size: 16}
"""
CONFIGS = {
    "dense": DIGITS
    + """
preprocess: [{rescale: 1/16}]
optimizer: rmsprop
architecture:
  layers:
    - Dense: {units: 32, activation: relu}
    - Dense: {units: 10, activation: softmax}
evaluation: {protocol: kfold, folds: 2}
""",
    "convnet": DIGITS
    + """
preprocess: [{rescale: 1/16}]
optimizer: adam
architecture:
  layers:
    - Reshape: {target_shape: [8, 8, 1]}
    - Conv2D: {filters: 6, kernel_size: 3, activation: relu, kernel_initializer: he_normal}
    - MaxPooling2D
    - Flatten
    - Dense: {units: 10, activation: softmax}
""",
    "batch norm": DIGITS
    + """
preprocess: [standardize]
optimizer: {sgd: {learning_rate: 0.05, momentum: 0.9}}
architecture:
  layers:
    - Dense: {units: 24, kernel_initializer: {RandomNormal: {stddev: 0.1}}}
    - BatchNormalization
    - Activation: relu
    - Dense: {units: 10, activation: softmax}
""",
    "lstm": WORDS
    + """
architecture:
  layers:
    - Embedding: {input_dim: 30, output_dim: 8}
    - LSTM: 8
    - Dense: {units: 1, activation: sigmoid}
""",
}
SCRIPT = """\
import json, sys, dlrun
runs = {name: dlrun.train(f"{name}.yaml", runs_dir=name, overrides=[f"backend={sys.argv[1]}"])
        for name in sys.argv[2:]}
print(json.dumps({name: str(run.path) for name, run in runs.items()}))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """Runs all configs on a backend, in a process of its own; returns the run directories."""
    folder = tmp_path_factory.mktemp("backends")
    random = np.random.default_rng(0)
    words = random.integers(0, 30, (120, 9)).astype(np.int32)
    np.savez(folder / "words.npz", x=words, y=(words[:, 4] > 14).astype(np.float32))
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text)

    @cache
    def train(backend: str) -> dict[str, Path]:
        if importlib.util.find_spec(backend) is None:
            pytest.skip(f"{backend} is not installed")
        command = [sys.executable, "-c", SCRIPT, backend, *CONFIGS]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        paths = json.loads(done.stdout.splitlines()[-1])
        return {name: folder / path for name, path in paths.items()}

    return train


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gives_the_same_splits_and_scores(trained, backend: str, name: str) -> None:
    theirs, ours = trained("tensorflow")[name], trained(backend)[name]
    with np.load(theirs / "splits.npz") as wanted, np.load(ours / "splits.npz") as found:
        assert sorted(wanted) == sorted(found)
        for split in wanted:
            np.testing.assert_array_equal(found[split], wanted[split])
    assert json.loads((ours / "run.json").read_text())["backend"] == backend
    histories = [
        np.genfromtxt(run / "metrics.csv", delimiter=",", names=True) for run in (theirs, ours)
    ]
    for column in histories[0].dtype.names:
        if column != "seconds":
            np.testing.assert_allclose(
                histories[1][column], histories[0][column], rtol=1e-3, atol=1e-4, err_msg=column
            )
    scores = [
        json.loads((run / "result.json").read_text())["score"]["value"] for run in (theirs, ours)
    ]
    assert scores[1] == pytest.approx(scores[0], abs=1e-4)
