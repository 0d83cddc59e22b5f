"""What checkpoints cost: `python benchmarks/checkpoints.py [--units N] [--every SECONDS]`.

Trains a dense network with Adam, and prints the share of the training's time that went into
writing checkpoints, and the seconds of a write for each MB (10^6 bytes) of state. A share of 2 % at
every 60 s leaves a write 1.2 s.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

CONFIG = """\
dataset: {{source: npz, path: rows.npz, inputs: x, targets: y}}
architecture:
  layers:
    - Dense: {{units: {units}, activation: relu}}
    - Dense: {{units: {units}, activation: relu}}
    - Dense: 1
loss: mse
optimizer: adam
training: {{epochs: {epochs}, batch_size: 100, engine: {engine}, checkpoint: {every}}}
evaluation: {{validation: {{fraction: 0.1}}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=2000, help="of each hidden layer")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between checkpoints")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--engine", choices=["fused", "keras"], default="fused")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import dlrun
    from dlrun.training.saving import FitSaving
    from dlrun.workflows import run_recorder

    # Every so many seconds, however long a write takes.
    run_recorder.WRITING_SHARE = float("inf")
    seconds: list[float] = []
    sizes: list[int] = []
    save_if_due, write = FitSaving._save_if_due, run_recorder.SavedFit.write

    def timed(saving: FitSaving, *arguments: object) -> None:
        began, writes = time.perf_counter(), len(sizes)
        save_if_due(saving, *arguments)
        if len(sizes) > writes:
            seconds.append(time.perf_counter() - began)

    def measured(fit: object, state: object) -> None:
        sizes.append(sum(array.nbytes for array in state.arrays.values()))
        write(fit, state)

    FitSaving._save_if_due, run_recorder.SavedFit.write = timed, measured
    with tempfile.TemporaryDirectory() as folder:
        random = np.random.default_rng(0)
        rows = random.normal(size=(options.rows, 500)).astype(np.float32)
        np.savez(Path(folder) / "rows.npz", x=rows, y=rows.sum(axis=1))
        config = Path(folder) / "experiment.yaml"
        config.write_text(CONFIG.format(**vars(options)), encoding="utf-8")
        run = dlrun.train(config, runs_dir=Path(folder) / "runs")
        trained = float(run.history["seconds"].sum())
    if not seconds:
        raise SystemExit(
            f"no checkpoint was due in {trained:.0f} s; train longer, or write more often"
        )
    each, megabytes = sum(seconds) / len(seconds), sum(sizes) / len(sizes) / 1e6
    print(f"trained {trained:.1f} s; {len(seconds)} checkpoints of {megabytes:.0f} MB")
    print(f"{each:.2f} s each, {each / megabytes:.4f} s a MB")
    print(f"share at every {options.every:g} s: {sum(seconds) / (trained + sum(seconds)):.1%}")
    print(f"share at every 60 s: {each / (60 + each):.2%}")


if __name__ == "__main__":
    main()
