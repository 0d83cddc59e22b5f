"""The benchmark measures both ways and keeps the results of other workloads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = ROOT / "benchmarks" / "run.py"
sys.path.insert(0, str(RUN.parent))

from workloads import BOOK, WORKLOADS  # noqa: E402 - found beside run.py alone


def test_each_workload_names_a_script_and_a_config_that_are_there() -> None:
    for workload in WORKLOADS.values():
        assert (RUN.parent / "scripts" / f"{workload.script}.py").is_file()
        assert workload.config.is_file()
    trained = {
        workload.config.name for workload in WORKLOADS.values() if workload.config.parent == BOOK
    }
    assert {"imdb_bigger.yaml", "imdb_final.yaml", "boston_final.yaml"} <= trained


@pytest.mark.slow
def test_a_workload_is_measured_both_ways(tmp_path: Path) -> None:
    workload = "boston-100"
    output, page = tmp_path / "results.json", tmp_path / "benchmark.md"
    kept = {"script": {"seconds": 2.0, "epoch_seconds": 1.0, "memory_mb": 3.0, "metric": 0.5}}
    kept |= {"dlrun": kept["script"], "epochs": 1, "metric": "loss", "data": "synthetic"}
    kept |= {"whole_process": 1.0, "per_epoch": 1.0, "memory": 1.0}
    kept["machine"] = {
        "processor": "one",
        "cpus": 1,
        "python": "3",
        "tensorflow": "2",
        "keras": "3",
        "numpy": "2",
    }
    output.write_text(json.dumps({"gru": kept}))
    arguments = [workload, "--epochs", "2", "--repeats", "1"]
    arguments += ["--output", str(output), "--page", str(page)]
    done = subprocess.run(
        [sys.executable, str(RUN), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    assert results["gru"] == kept
    measured = results[workload]
    for way in ("script", "dlrun"):
        assert measured[way]["seconds"] > measured[way]["epoch_seconds"] > 0
    ratio = measured["script"]["seconds"] / measured["dlrun"]["seconds"]
    assert measured["whole_process"] == pytest.approx(ratio)
    assert f"| {workload} |" in page.read_text()
    assert "| gru |" in page.read_text()
