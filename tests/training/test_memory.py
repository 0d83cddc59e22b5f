"""Peak memory of whole processes. Processes of their own: what a test before took, stays taken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
]

MEGABYTE = 1e6

TRAIN = """
import json, sys
from pathlib import Path
import dlrun

few, many, *engines = sys.argv[1:]
held = []
for config in (few, many):
    # Linux then forgets the most that was held so far.
    Path("/proc/self/clear_refs").write_text("5")
    for engine in engines:
        runs = Path(config).parent / f"runs {len(held)} {engine}"
        dlrun.train(config, runs_dir=runs, overrides=[f"training.engine={engine}"])
    words = Path("/proc/self/status").read_text().split()
    held.append(int(words[words.index("VmHWM:") + 1]) * 1024)
print(json.dumps(held))
"""


def growth(few: Path, many: Path, *engines: str) -> float:
    """How much more memory training on many rows held than on few, in 10^6 bytes."""
    held = printed_by(TRAIN, str(few), str(many), *engines)
    assert isinstance(held, list)
    return (held[1] - held[0]) / MEGABYTE


CONFIG = """
dataset: {source: npz, path: rows.npz}
preprocess:
  - multi_hot: {num_tokens: 10000, columns: [x]}
architecture:
  layers: [Dense: {units: 4, activation: relu}, Dense: {units: 1, activation: sigmoid}]
loss: binary_crossentropy
optimizer: rmsprop
training: {epochs: 1, batch_size: 256}
evaluation: {protocol: holdout, validation: 0.2, score: loss}
"""


def printed_by(program: str, *arguments: str) -> object:
    """What a fresh Python prints as its last line, read as JSON."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def words(folder: Path, rows: int) -> Path:
    """Write rows of 30 words each, and a config that makes 10,000 columns of them."""
    folder.mkdir()
    random = np.random.default_rng(0)
    x = random.integers(0, 10_000, (rows, 30), np.int32)
    np.savez(folder / "rows.npz", x=x, y=np.arange(rows) % 2)
    (folder / "config.yaml").write_text(CONFIG)
    return folder / "config.yaml"


def test_zeros_and_ones_are_never_held_as_a_matrix(tmp_path: Path) -> None:
    # As bytes they would take 200 MB, as float32 800 MB.
    few, many = words(tmp_path / "few", 600), words(tmp_path / "many", 20_000)
    assert growth(few, many, "fused", "keras") < 100


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


def streamed(folder: Path, source: str, steps: str) -> Path:
    (folder / "config.yaml").write_text(STREAMED % (source, steps))
    return folder / "config.yaml"


def write_array(folder: Path, rows: int) -> Path:
    """Write an npy file of 10,000 bytes a row, most of which take no room on the disk."""
    folder.mkdir()
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, 50, 50))
    x[::1000] = 1
    np.save(folder / "y.npy", np.arange(rows) % 2)
    return streamed(folder, "npz, path: [x.npy, y.npy]", "standardize, flatten")


def write_parquet(folder: Path, rows: int) -> Path:
    """Write a folder of Parquet files, 200 columns of 8 bytes a row."""
    (folder / "parts").mkdir(parents=True)
    for part in range(4):
        size = rows // 4
        frame = pd.DataFrame({f"c{i}": np.arange(size) % (i + 2) * 0.5 for i in range(200)})
        frame.assign(y=np.arange(size) % 2).to_parquet(folder / f"parts/{part}.parquet")
    return streamed(folder, "csv, path: parts, target: y", "standardize")


@pytest.mark.parametrize(
    ("write", "few", "many"),
    [(write_array, 600, 60_000), (write_parquet, 2_000, 250_000)],
    ids=["array", "Parquet folder"],
)
def test_rows_on_disk_that_are_larger_than_their_share_of_memory_are_never_held(
    write: Callable[[Path, int], Path], few: int, many: int, tmp_path: Path
) -> None:
    assert growth(write(tmp_path / "few", few), write(tmp_path / "many", many), "auto") < 250


SERIES = """
dataset: {source: timeseries, path: series.csv, target: q0, lookback: 720, delay: 144, stride: 10}
preprocess: [standardize]
architecture: {layers: [Flatten, Dense: {units: 16, activation: relu}, Dense: 1]}
loss: mae
optimizer: rmsprop
training: {epochs: 1, batch_size: 128}
evaluation: {protocol: holdout, validation: 0.2, score: loss}
"""


def write_series(folder: Path, rows: int) -> Path:
    folder.mkdir()
    values = np.random.default_rng(0).normal(size=(rows, 14)).round(2)
    pd.DataFrame(values).add_prefix("q").to_csv(folder / "series.csv", index=False)
    (folder / "config.yaml").write_text(SERIES)
    return folder / "config.yaml"


def test_windows_are_never_held_one_by_one(tmp_path: Path) -> None:
    # Half of the Jena weather: 24 MB of float64. Its windows would take 850 MB.
    few, many = write_series(tmp_path / "few", 2_000), write_series(tmp_path / "many", 210_000)
    assert growth(few, many, "auto") < 300


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
