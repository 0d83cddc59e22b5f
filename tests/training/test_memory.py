"""Peak memory of whole processes. Processes of their own: what a test before took, stays taken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.slow

MEGABYTE = 1e6

TRAIN = """
import json, resource, sys
from pathlib import Path
import dlrun

config, runs, *engines = sys.argv[1:]
for engine in engines:
    dlrun.train(config, runs_dir=f"{runs}/{engine}", overrides=[f"training.engine={engine}"])
unit = 1 if sys.platform == "darwin" else 1024
held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
if sys.platform == "linux":
    # Linux counts to `ru_maxrss` what the process held from which this one was started.
    words = Path("/proc/self/status").read_text().split()
    held = int(words[words.index("VmHWM:") + 1]) * 1024
print(json.dumps(held))
"""

CONFIG = """
dataset: {source: npz, path: rows.npz}
preprocess:
  - multi_hot: {num_tokens: 10000, columns: [x]}
architecture:
  layers: [Dense: {units: 4, activation: relu}, Dense: {units: 1, activation: sigmoid}]
loss: binary_crossentropy
optimizer: rmsprop
training: {epochs: 2, batch_size: 256}
evaluation: {protocol: holdout, validation: 0.2, score: loss}
"""


def printed_by(program: str, *arguments: str) -> object:
    """What a fresh Python prints as its last line, read as JSON."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def peak(folder: Path, rows: int) -> float:
    """Most memory that training held, in 10^6 bytes, by both engines in turn."""
    folder.mkdir()
    random = np.random.default_rng(0)
    x = random.integers(0, 10_000, (rows, 30), np.int32)
    np.savez(folder / "rows.npz", x=x, y=np.arange(rows) % 2)
    (folder / "config.yaml").write_text(CONFIG)
    held = printed_by(TRAIN, str(folder / "config.yaml"), str(folder / "runs"), "fused", "keras")
    assert isinstance(held, int)
    return held / MEGABYTE


def test_zeros_and_ones_are_never_held_as_a_matrix(tmp_path: Path) -> None:
    # As bytes they would take 200 MB, as float32 800 MB.
    assert peak(tmp_path / "many", 20_000) < peak(tmp_path / "few", 600) + 100


STREAMED = """
dataset: {source: %s, stream: true}
preprocess: [%s]
architecture:
  layers: [Dense: {units: 4, activation: relu}, Dense: {units: 1, activation: sigmoid}]
loss: binary_crossentropy
optimizer: rmsprop
training: {epochs: 1, batch_size: 256}
evaluation: {protocol: holdout, validation: 0.2, score: loss}
"""


def peak_of(config: Path, source: str, steps: str) -> float:
    """Most memory that training from disk held, in 10^6 bytes."""
    config.write_text(STREAMED % (source, steps))
    held = printed_by(TRAIN, str(config), str(config.with_suffix("")), "auto")
    assert isinstance(held, int)
    return held / MEGABYTE


def write_array(folder: Path, rows: int) -> str:
    """Write an npy file of 10,000 bytes a row, most of which take no room on the disk."""
    folder.mkdir()
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, 50, 50))
    x[::1000] = 1
    np.save(folder / "y.npy", np.arange(rows) % 2)
    return f"npz, path: ['{folder}/x.npy', '{folder}/y.npy']"


def write_parquet(folder: Path, rows: int) -> str:
    """Write a folder of Parquet files, 200 columns of 8 bytes a row."""
    folder.mkdir()
    for part in range(4):
        size = rows // 4
        frame = pd.DataFrame({f"c{i}": np.arange(size) % (i + 2) * 0.5 for i in range(200)})
        frame.assign(y=np.arange(size) % 2).to_parquet(folder / f"{part}.parquet")
    return f"csv, path: '{folder}', target: y"


@pytest.mark.slow
def test_an_array_larger_than_its_share_of_memory_is_never_held(tmp_path: Path) -> None:
    few = peak_of(tmp_path / "few.yaml", write_array(tmp_path / "a", 600), "standardize, flatten")
    many = write_array(tmp_path / "b", 60_000)
    assert peak_of(tmp_path / "many.yaml", many, "standardize, flatten") < few + 250


@pytest.mark.slow
def test_a_parquet_folder_is_never_held(tmp_path: Path) -> None:
    few = peak_of(tmp_path / "few.yaml", write_parquet(tmp_path / "a", 2_000), "standardize")
    many = write_parquet(tmp_path / "b", 250_000)
    assert peak_of(tmp_path / "many.yaml", many, "standardize") < few + 250


SERIES = """
dataset: {source: timeseries, path: series.csv, target: q0, lookback: 720, delay: 144, stride: 10}
preprocess: [standardize]
architecture: {layers: [Flatten, Dense: {units: 16, activation: relu}, Dense: 1]}
loss: mae
optimizer: rmsprop
training: {epochs: 1, batch_size: 128}
evaluation: {protocol: holdout, validation: 0.2, score: loss}
"""


def peak_of_series(folder: Path, rows: int) -> float:
    """Most memory that training on windows over a CSV file held, in 10^6 bytes."""
    folder.mkdir()
    values = np.random.default_rng(0).normal(size=(rows, 14)).round(2)
    pd.DataFrame(values).add_prefix("q").to_csv(folder / "series.csv", index=False)
    (folder / "config.yaml").write_text(SERIES)
    held = printed_by(TRAIN, str(folder / "config.yaml"), str(folder / "runs"), "auto")
    assert isinstance(held, int)
    return held / MEGABYTE


@pytest.mark.slow
def test_windows_are_never_held_one_by_one(tmp_path: Path) -> None:
    # As many rows as the Jena weather has: 47 MB of float64. Its windows would take 1,700 MB.
    few = peak_of_series(tmp_path / "few", 2_000)
    many = peak_of_series(tmp_path / "many", 420_551)
    assert many < few + 300


FOLDS = """
import json, sys
from pathlib import Path
import dlrun
from dlrun.protocols.observer import Observer

class Watch(Observer):
    held = []
    def fold_ended(self, *arguments, **options):
        self.held.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096)

watch = Watch()
dlrun.train(sys.argv[1], runs_dir=sys.argv[2], observer=watch)
print(json.dumps(watch.held))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
# TensorFlow keeps the functions of each fit's tf.data pipeline: a quarter of a megabyte a fold.
@pytest.mark.parametrize(("engine", "growth"), [("fused", 20), ("keras", 40)])
def test_a_hundred_folds_take_no_more_memory_than_twenty(
    engine: str, growth: int, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "dataset: {source: sklearn, name: diabetes}\n"
        "preprocess: [standardize]\n"
        "architecture: {layers: [Dense: {units: 8, activation: relu}, Dense: 1]}\n"
        "loss: mse\noptimizer: rmsprop\n"
        f"training: {{epochs: 2, batch_size: 64, engine: {engine}}}\n"
        "evaluation: {protocol: kfold, folds: 100, score: loss}\n"
    )
    held = printed_by(FOLDS, str(config), str(tmp_path / "runs"))
    assert isinstance(held, list)
    assert len(held) == 100
    assert held[99] < held[19] + growth * MEGABYTE
