"""How long a list of runs takes: `python benchmarks/run_list.py [--runs 10000]`.

Makes that many run directories, each with the `run.json` of a training, and lists them in whole
processes, Python's start included. The best of the repeats counts, because other processes can only
slow it down.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

COMMANDS = (
    ["runs"],
    ["runs", "--name", "digits-1*"],
    ["runs", "--sort", "score"],
    ["runs", "--sort", "score", "--json"],
    ["runs", "--status", "failed"],
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder) / "runs", given.runs)
        for command in COMMANDS:
            times = [timed(command, folder) for _ in range(given.repeats)]
            wall, cpu = map(min, zip(*times, strict=True))
            print(f"dlrun {' '.join(command):<32} {wall:.2f} s ({cpu:.2f} s of CPU)")


def timed(command: list[str], folder: str) -> tuple[float, float]:
    """Return the seconds that one command takes as a process of its own, and those of CPU."""
    began, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, "-m", "dlrun", *command], cwd=folder, check=True, capture_output=True
    )
    wall, after = time.perf_counter() - began, os.times()
    user = after.children_user - before.children_user
    return wall, user + after.children_system - before.children_system


def make_runs(folder: Path, count: int) -> None:
    """Make run directories that hold a `run.json` and nothing else."""
    draw = random.Random(0)
    begin = datetime(2026, 1, 1)
    for number in range(count):
        started = begin + timedelta(minutes=13 * number)
        path = folder / f"{started:%Y%m%d-%H%M%S}-digits-{number % 7}-{number % 65536:04x}"
        path.mkdir(parents=True)
        facts = run_facts(number, started, draw)
        (path / "run.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")


def run_facts(number: int, started: datetime, draw: random.Random) -> dict[str, Any]:
    """Return what `run.json` holds of a finished, or sometimes failed, run."""
    units = draw.choice([16, 32, 64, 128])
    layer = {"activation": "relu", "use_bias": True, "kernel_initializer": "glorot_uniform"}
    config = {
        "name": f"digits-{number % 7}",
        "seed": number,
        "backend": "tensorflow",
        "dataset": {"source": "sklearn", "test": {"fraction": 0.2}, "name": "digits"},
        "preprocess": [{"rescale": {"scale": "1/16", "offset": 0.0}}],
        "architecture": {"layers": [{"Dense": {"units": units, **layer}} for _ in range(4)]},
        "loss": "sparse_categorical_crossentropy",
        "optimizer": {"adam": {"learning_rate": draw.choice([1e-3, 1e-4]), "beta_1": 0.9}},
        "metrics": ["accuracy"],
        "training": {"epochs": 30, "batch_size": 32, "shuffle": True, "callbacks": []},
        "evaluation": {"protocol": "holdout", "validation": {"fraction": 0.2}},
    }
    value = draw.uniform(0.8, 0.99)
    score = {"name": "accuracy", "direction": "max", "value": value, "std": None}
    interval = {"low": value - 0.02, "high": value + 0.01, "level": 0.95, "method": "bootstrap"}
    failed = number % 50 == 0
    return {
        "status": "failed" if failed else "finished",
        "started": started.astimezone().isoformat(timespec="milliseconds"),
        "ended": started.astimezone().isoformat(timespec="milliseconds"),
        "seconds": draw.uniform(1, 300),
        "name": config["name"],
        "seed": number,
        "command": ["dlrun", "train", "configs/digits.yaml"],
        "packages": dict.fromkeys(("dlrun", "keras", "tensorflow", "jax", "numpy"), "1.2.3"),
        "platform": "Linux-6.18.44-x86_64-with-glibc2.36",
        "process": {"host": "vm", "pid": 10937, "birth": "7c3a4d9f-1241989"},
        "config": config,
        "result": None
        if failed
        else {
            "protocol": "holdout",
            "best_epoch": draw.randint(1, 30),
            "epochs": 30,
            "score": score | {"interval": interval},
            "baseline": {"name": "majority class", "value": 0.1},
        },
    }


if __name__ == "__main__":
    main()
