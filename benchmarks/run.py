"""dlrun against the Keras script that one would have written: `python benchmarks/run.py [NAME...]`.

Each workload runs as two whole processes in turn, `--repeats` times: the script of
`benchmarks/scripts/`, and dlrun with the equivalent config. The best of the repeats counts, because
other processes can only slow it down.

The results replace the rows of those workloads in `--output` (JSON) and on the page of the docs
that `--page` names (Markdown).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import synthetic
from workloads import WORKLOADS, Workload

HERE = Path(__file__).parent

HEAD = """\
# How much faster

Each workload was trained as whole processes in turn: by the Keras script that one would have
written (`benchmarks/scripts/`), and by dlrun with the equivalent config. The ratio is the
script's time over dlrun's. The best of the repeats counts, and the time of an epoch leaves out
the first epoch of each fit, which compiles. Script and dlrun have their own initial weights and
order of rows, so the metrics of the last epoch differ as between two seeds.
`python benchmarks/run.py` repeats the measurement and writes this page.
"""


@dataclass(frozen=True)
class Measurement:
    """One process.

    Args:
        seconds: From its start to its end.
        epoch_seconds: Median of an epoch; the first of each fit, which compiles, is left out.
        memory_mb: The most memory it held, in 10^6 bytes.
        metric: The last epoch's, averaged over folds.
    """

    seconds: float
    epoch_seconds: float
    memory_mb: float
    metric: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named workloads, write the tables and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(WORKLOADS))
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="epochs of every workload")
    parser.add_argument("--set", action="append", default=[], help="passed on to dlrun")
    parser.add_argument("--backend", help="what Keras computes with, both ways")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    parser.add_argument("--page", type=Path, default=HERE.parent / "docs" / "benchmark.md")
    options = parser.parse_args(arguments)
    if options.backend:
        os.environ["KERAS_BACKEND"] = options.backend
    if unknown := set(options.names) - set(WORKLOADS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    results = json.loads(options.output.read_text()) if options.output.exists() else {}
    for name in options.names or WORKLOADS:
        workload = WORKLOADS[name]
        if options.epochs:
            workload = replace(workload, epochs=options.epochs)
        title = f"{name}, {options.backend}" if options.backend else name
        results[title] = compare(workload, options.repeats, options.set) | {"machine": machine()}
        print(_row(title, results[title]), flush=True)
        results = dict(sorted(results.items(), key=lambda row: _place(row[0])))
        options.output.write_text(json.dumps(results, indent=2) + "\n")
        options.page.write_text(page(results))
    return 0


def _place(title: str) -> tuple[int, str]:
    """Where a row belongs: in the order of the workloads, TensorFlow's first."""
    return list(WORKLOADS).index(title.partition(",")[0]), title


def compare(workload: Workload, repeats: int, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Run both ways in turn and return the best of each and their ratios."""
    with tempfile.TemporaryDirectory(prefix="dlrun-benchmark-") as folder:
        arrays = arrays_of(workload, Path(folder))
        if arrays is not None:
            settings = [
                *synthetic.settings(str(workload.dataset), arrays, workload.words),
                *settings,
            ]
        measured: dict[str, list[Measurement]] = {"script": [], "dlrun": []}
        for number in range(repeats):
            measured["script"].append(run_script(workload, arrays))
            measured["dlrun"].append(run_dlrun(workload, Path(folder) / str(number), settings))
    best = {
        way: Measurement(
            seconds=min(m.seconds for m in ms),
            epoch_seconds=min(m.epoch_seconds for m in ms),
            memory_mb=min(m.memory_mb for m in ms),
            metric=ms[0].metric,
        )
        for way, ms in measured.items()
    }
    script, dlrun = best["script"], best["dlrun"]
    return {
        "epochs": workload.epochs,
        "metric": workload.metric,
        "data": "real" if arrays is None else "synthetic",
        **{way: asdict(m) for way, m in best.items()},
        "whole_process": script.seconds / dlrun.seconds,
        "per_epoch": script.epoch_seconds / dlrun.epoch_seconds,
        "memory": script.memory_mb / dlrun.memory_mb,
    }


def arrays_of(workload: Workload, folder: Path) -> Path | None:
    """Write synthetic arrays if the workload's data is missing; return the file."""
    if workload.dataset is None or synthetic.is_at_hand(workload.dataset):
        return None
    file = folder / synthetic.file_name(workload.dataset)
    synthetic.write(workload.dataset, file, workload.words)
    return file


def run_script(workload: Workload, arrays: Path | None) -> Measurement:
    """Run the hand-written script."""
    command = [
        sys.executable,
        str(HERE / "scripts" / f"{workload.script}.py"),
        str(workload.epochs),
    ]
    command += [workload.variant] if workload.variant else []
    given = {} if arrays is None else {"BENCHMARK_ARRAYS": str(arrays)}
    seconds, memory, output = timed(command, given)
    facts = json.loads(output.splitlines()[-1])
    later = [value for fold in facts["epochs"] for value in fold[1:]]
    return Measurement(seconds, median(later), memory, facts["metric"])


def run_dlrun(workload: Workload, runs: Path, settings: Sequence[str]) -> Measurement:
    """Run dlrun with the equivalent config."""
    command = [sys.executable, "-m", "dlrun", workload.command, str(workload.config), "--json"]
    command += ["--runs-dir", str(runs)]
    for setting in (f"training.epochs={workload.epochs}", *settings):
        command += ["--set", setting]
    seconds, memory, _ = timed(command)
    (metrics,) = runs.glob("*/metrics.csv")
    header, *rows = [line.split(",") for line in metrics.read_text().splitlines()]
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    epoch = [int(value) for value in columns["epoch"]]
    later = [float(s) for s, number in zip(columns["seconds"], epoch, strict=True) if number > 1]
    last = [
        float(m)
        for m, number in zip(columns[workload.metric], epoch, strict=True)
        if number == workload.epochs
    ]
    return Measurement(seconds, median(later), memory, sum(last) / len(last))


def timed(
    command: Sequence[str], given: Mapping[str, str] | None = None
) -> tuple[float, float, str]:
    """Run a process; return its seconds, its peak memory in 10^6 bytes and what it printed."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(given or {})}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read()}")
        unit = 1 if sys.platform == "darwin" else 1024
        return seconds, usage.ru_maxrss * unit / 1e6, output.read()


def machine() -> dict[str, Any]:
    """Where this was measured."""
    from importlib.metadata import version

    import keras

    backend = keras.backend.backend()
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in (backend, "keras", "numpy")},
    }


def _processor() -> str:
    """The processor's name, if the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page of the docs."""
    machines = {_sentence(facts["machine"]) for facts in results.values()}
    return "\n".join([HEAD, table(results), "", *sorted(machines), ""])


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    head = (
        "| workload | data | epochs | whole process, s (script / dlrun) | ratio "
        "| an epoch, ms (script / dlrun) | ratio | peak memory, MB (script / dlrun) "
        "| last epoch (script / dlrun) |"
    )
    rule = "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    rows = [_row(name, facts) for name, facts in results.items()]
    return "\n".join([head, rule, *rows])


def _sentence(facts: Mapping[str, Any]) -> str:
    hardware = ("processor", "cpus", "python")
    versions = [f"{name} {version}" for name, version in facts.items() if name not in hardware]
    return (
        f"Measured on {facts['cpus']} cores of {facts['processor']}, Python {facts['python']}, "
        f"{', '.join(versions)}."
    )


def _row(name: str, facts: Mapping[str, Any]) -> str:
    script, dlrun = facts["script"], facts["dlrun"]
    cells = [
        name,
        facts["data"],
        str(facts["epochs"]),
        f"{script['seconds']:.1f} / {dlrun['seconds']:.1f}",
        f"{facts['whole_process']:.1f}x",
        f"{script['epoch_seconds'] * 1e3:.1f} / {dlrun['epoch_seconds'] * 1e3:.1f}",
        f"{facts['per_epoch']:.1f}x",
        f"{script['memory_mb']:.0f} / {dlrun['memory_mb']:.0f}",
        f"{facts['metric']} {script['metric']:.3f} / {dlrun['metric']:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
