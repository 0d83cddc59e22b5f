"""What killed writers leave, and what many writers at once do to one folder of runs."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlrun.errors import RunError
from dlrun.store import files, run_list
from dlrun.store.files import append_line, remove_leftovers, temporary_path
from dlrun.store.names import run_names
from dlrun.store.removal import remove_run
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import run_entries

KILLED = """
import os, signal, sys
from pathlib import Path
from dlrun.store.files import atomic_path
writers = [atomic_path(Path(name)) for name in ("model.keras", "evaluations/002.json")]
for writer in writers:
    writer.__enter__().write_bytes(b"half")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A finished run with one evaluation."""
    run = RunDirectory.create(tmp_path / "runs", "x", write=lambda run: run.start({}))
    run.finish("finished")
    run.add_evaluation({"score": 1})
    return run


def hidden(run: RunDirectory) -> list[str]:
    return sorted(path.name for path in run.path.rglob(".*"))


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_what_a_killed_writer_leaves_is_removed_by_the_next_one(run: RunDirectory) -> None:
    subprocess.run([sys.executable, "-c", KILLED], cwd=run.path, check=False)
    (run.path / ".model.1a2b3c4d.keras").touch()
    assert len(hidden(run)) == 3
    mine = temporary_path(run.model)
    mine.touch()
    (run.path / ".notes").touch()
    run.add_evaluation({"score": 2})
    # This process is still at work, and the notes are the user's.
    assert hidden(run) == sorted([mine.name, ".notes"])


def test_what_is_written_on_another_host_is_left_alone(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(files.platform, "node", lambda: "elsewhere")
        patch.setattr(files.os, "getpid", lambda: 2**22 + 1)
        theirs = temporary_path(run.model)
    theirs.touch()
    run.add_report("<html>")
    assert hidden(run) == [theirs.name]


def test_a_run_appears_with_all_that_it_begins_with(tmp_path: Path) -> None:
    seen: list[list[object]] = []

    def write(run: RunDirectory) -> None:
        seen.append([*run_entries(tmp_path), *run_names(tmp_path)])
        run.start({})
        seen.append([*run_entries(tmp_path), *run_names(tmp_path)])

    run = RunDirectory.create(tmp_path, "x", write=write)
    assert seen == [[], []]
    assert [entry.path for entry in run_entries(tmp_path)] == [run.path]
    assert [path.name for path in tmp_path.iterdir()] == [run.name]


def test_a_run_that_cannot_be_begun_leaves_nothing(tmp_path: Path) -> None:
    def write(run: RunDirectory) -> None:
        run.start({})
        raise RunError("no space")

    with pytest.raises(RunError, match="no space"):
        RunDirectory.create(tmp_path, "x", write=write)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_full_to_begin_is_said_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot make a run in .*: No space left on device; choose"):
        RunDirectory.create(tmp_path, "x", write=lambda run: run.start({}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_run_that_was_killed_while_it_was_made_is_removed_by_the_next(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from dlrun.store.run_directory import RunDirectory\n"
        "def write(run):\n"
        "    run.start({})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "RunDirectory.create(Path('runs'), 'x', write=write)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert len(list((tmp_path / "runs").iterdir())) == 1
    assert list(run_entries(tmp_path / "runs")) == []
    run = RunDirectory.create(tmp_path / "runs", "y")
    assert list((tmp_path / "runs").iterdir()) == [run.path]


def test_files_of_the_user_are_no_leftovers(tmp_path: Path) -> None:
    for name in (".env.face", ".git", ".model.keras", "..abcd", ".cache"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_line_that_the_disk_takes_only_a_part_of_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.csv"
    append_line(path, "1,0.5")
    write = os.write
    monkeypatch.setattr(files.os, "write", lambda file, data: write(file, data[:3]))
    with pytest.raises(RunError, match=r"cannot write .*metrics\.csv: No space left on device"):
        append_line(path, "2,0.25")
    assert path.read_text() == "1,0.5\n"


WORKER = """
import random, sys
from datetime import datetime
from pathlib import Path
from dlrun.errors import RunError
from dlrun.store.removal import remove_run
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import run_entries
from dlrun.store.names import run_names

runs, number = Path("runs"), int(sys.argv[1])
draw = random.Random(number)
for turn in range(int(sys.argv[2])):
    def write(run):
        run.start({"name": "x", "worker": number, "turn": turn})
        run.write_config(b"name: x")
    # All at the same second: only the ending tells them apart.
    run = RunDirectory.create(runs, "x", datetime(2026, 11, 30), write=write)
    run.write_result({"worker": number, "turn": turn})
    run.finish("finished", result={"score": None})
    run.add_evaluation({"turn": turn})
    run.add_report("<html>")
    for entry in run_entries(runs):
        assert entry.status in ("running", "finished"), (entry, entry.problem)
    assert run_entries(runs)
    run_names(runs)
    if turn % 3 == 2:
        remove_run(run.path)
    else:
        print(run.name, number, turn)
"""


def at_once(folder: Path, workers: int, turns: int) -> None:
    """Let processes make, list and remove runs in one folder, and look at what is there then."""
    (folder / "worker.py").write_text(WORKER)
    words = [sys.executable, "worker.py"]
    processes = [
        subprocess.Popen(
            [*words, str(number), str(turns)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(workers)
    ]
    told: dict[str, list[int]] = {}
    said = [process.communicate() for process in processes]
    for process, (out, err) in zip(processes, said, strict=True):
        assert process.returncode == 0, err
        for line in out.splitlines():
            name, *numbers = line.split()
            told[name] = [int(number) for number in numbers]
    assert len(told) == workers * (turns - turns // 3)
    runs = folder / "runs"
    assert {path.name for path in runs.iterdir()} == set(told)
    entries = list(run_entries(runs))
    assert {entry.path.name: entry.status for entry in entries} == dict.fromkeys(told, "finished")
    for entry in entries:
        run = RunDirectory.open(entry.path)
        assert list(run.read_result().values()) == told[run.name]
        assert run.evaluation_numbers() == [1]


def test_eight_processes_share_a_folder_of_runs(tmp_path: Path) -> None:
    at_once(tmp_path, workers=8, turns=3)


@pytest.mark.slow
def test_fifty_processes_share_a_folder_of_runs(tmp_path: Path) -> None:
    at_once(tmp_path, workers=50, turns=3)


def test_a_run_that_is_removed_is_gone_at_once(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[object]] = []

    def look(path: Path) -> None:
        seen.append(list(run_entries(run.path.parent)))

    monkeypatch.setattr("dlrun.store.removal.shutil.rmtree", look)
    monkeypatch.setattr(Path, "rmdir", lambda path: None)
    remove_run(run.path)
    assert seen == [[]]


def test_a_run_that_is_removed_or_written_while_it_is_listed_is_not_called_changed(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, read = run.path.parent, run_list._content
    reads: list[str] = []

    def rewrite(file: str) -> bytes:
        content = read(file)
        reads.append(file)
        if len(reads) == 1:
            for status in ("interrupted", "failed"):
                run.rewrite({**run.read_run(), "status": status})
        return content

    monkeypatch.setattr(run_list, "_content", rewrite)
    assert [entry.status for entry in run_entries(runs)] == ["failed"]
    reads.clear()

    def remove(file: str) -> bytes:
        content = read(file)
        if not reads:
            reads.append(file)
            remove_run(run.path)
        return content

    monkeypatch.setattr(run_list, "_content", remove)
    assert list(run_entries(runs)) == []
