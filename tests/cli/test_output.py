"""Standard output that is full, closed, or not read to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full device")

DLRUN = [sys.executable, "-P", "-m", "dlrun"]
FULL = "error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_device_is_said_in_one_line(unbuffered: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*DLRUN, "runs", "--json"],
            cwd=tmp_path,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr) == (1, FULL)


def test_a_reader_that_has_read_enough_is_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*DLRUN, "--help"], cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(("place", "status"), [("/dev/full", 1), (os.devnull, 0)])
def test_a_training_goes_on_when_nobody_can_see_it(
    place: str, status: int, project: object
) -> None:
    folder: Path = project.folder  # type: ignore[attr-defined]
    words = ["train", "credit.yaml", "--set", "training.epochs=2", "--runs-dir", f"to{status}"]
    with open(place, "w") as out:
        done = subprocess.run([*DLRUN, *words], cwd=folder, stdout=out, stderr=subprocess.PIPE)
    assert done.returncode == status
    assert done.stderr.decode() == (FULL if status else "")
    [run] = (folder / f"to{status}").iterdir()
    assert (run / "result.json").exists()
    assert '"status": "finished"' in (run / "run.json").read_text()
