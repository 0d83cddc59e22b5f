"""Commands leave nothing outside the run directory: no cache, no file in the user's home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = """
import sys
from pathlib import Path
from dlrun.cli.main import main

def run(*arguments):
    try:
        main(arguments)
    except SystemExit as end:
        assert end.code == 0, arguments

run("train", "digits.yaml", "--set", "training.epochs=1", "--report", "--quiet")
(first,) = Path("runs").glob("*-digits-*")
run("report", str(first))
run("finalize", str(first), "--quiet")
run("evaluate", next(str(run) for run in Path("runs").glob("*-final-*")))
"""


@pytest.mark.slow
def test_nothing_is_written_but_runs(tmp_path: Path) -> None:
    home, temporary, work = tmp_path / "home", tmp_path / "temporary", tmp_path / "work"
    for folder in (home, temporary, work):
        folder.mkdir()
    configs = Path(__file__).parents[2] / "configs"
    (work / "digits.yaml").write_text((configs / "digits.yaml").read_text())
    taken = ("KERAS_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in taken}
    environment |= {"HOME": str(home), "TMPDIR": str(temporary)}
    ended = subprocess.run(
        [sys.executable, "-c", COMMANDS], cwd=work, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not list(home.iterdir())
    assert not list(temporary.iterdir())
    assert sorted(path.name for path in work.iterdir()) == ["digits.yaml", "runs"]
