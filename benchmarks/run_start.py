"""How long a short run takes from the shell to its summary: `python benchmarks/run_start.py`.

`dlrun train configs/digits.yaml` against a bare `import keras`, as whole processes in turn. The
best of the repeats counts: what else the machine does can only slow a process down.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

CONFIG = Path(__file__).parent.parent / "configs" / "digits.yaml"
LAST_LINE = "next"
"""What the last line of a summary begins with."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    # Both find their bytecode compiled.
    bare, summary = seconds_of_import(), seconds_to_summary()
    for _ in range(options.repeats):
        bare, summary = min(bare, seconds_of_import()), min(summary, seconds_to_summary())
        print(f"import keras {bare:.2f} s, digits to the summary {summary:.2f} s", flush=True)
    print(f"ratio {summary / bare:.2f} (aim: at most 0.90)")
    return 0


def seconds_of_import() -> float:
    """Return how long a process takes that only imports Keras with TensorFlow."""
    begun = time.perf_counter()
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-c", "import keras"]
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def seconds_to_summary() -> float:
    """Return how long `dlrun train` takes from its start to the last line of the summary."""
    with tempfile.TemporaryDirectory(prefix="dlrun-benchmark-") as folder:
        begun = time.perf_counter()
        command = [sys.executable, "-m", "dlrun", "train", str(CONFIG), "--runs-dir", folder]
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        seconds = next(
            time.perf_counter() - begun
            for line in process.stdout
            if line.strip().startswith(LAST_LINE)
        )
        process.stdout.read()
        process.wait()
    return seconds


if __name__ == "__main__":
    sys.exit(main())
