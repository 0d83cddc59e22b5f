"""How a run that does not reach its end is recorded."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dlrun.errors import RunError
from dlrun.store import files
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import read_entry
from dlrun.training.interrupt import Interrupted
from dlrun.workflows.execute import _end_early
from dlrun.workflows.resumption import lies_in_the_machine


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run that is being trained."""
    return RunDirectory.create(tmp_path, "x", write=lambda run: run.start({"name": "x"}))


def full_disk(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> RunError:
    """What a write raises for which there is no space."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(RunError) as raised:
            run.write_result({"score": 1})
    return raised.value


def test_a_full_disk_interrupts_a_run_that_can_go_on(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.append_metrics(0, 1, 0.1, {"loss": 0.5})
    error = full_disk(run, monkeypatch)
    _end_early(run, error)
    facts = run.read_run()
    assert (facts["status"], facts["interrupted_by"]) == ("interrupted", "disk")
    assert str(error).endswith("result.json: No space left on device")
    assert error.__notes__ == [
        f"the results so far are kept in {run.path}; go on with: dlrun resume {run.path}"
    ]
    # Curves would take the space that is needed to go on.
    assert not run.curves_png.exists()


def test_a_disk_that_takes_nothing_more_leaves_a_run_that_can_go_on(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = full_disk(run, monkeypatch)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    _end_early(run, error)
    assert run.read_run()["status"] == "running"
    # Also for the process that trained it, as in a notebook.
    entry = read_entry(run.path)
    assert entry is not None
    assert (run.status, entry.status) == ("died", "died")
    assert "go on with: dlrun resume" in error.__notes__[0]


def test_the_signal_that_ended_a_run_is_kept(run: RunDirectory) -> None:
    error = Interrupted("SIGTERM")
    _end_early(run, error)
    facts = run.read_run()
    assert (facts["status"], facts["interrupted_by"]) == ("interrupted", "SIGTERM")
    assert "go on with: dlrun resume" in error.__notes__[0]


def test_a_program_that_ends_itself_leaves_a_run_that_can_go_on(run: RunDirectory) -> None:
    # As `signal.signal(SIGTERM, lambda *_: sys.exit(0))` does.
    error = SystemExit(0)
    _end_early(run, error)
    facts = run.read_run()
    assert (facts["status"], facts["interrupted_by"]) == ("interrupted", "SystemExit")


@pytest.mark.parametrize(
    ("message", "full"),
    [
        ("OOM when allocating tensor", True),
        ("RESOURCE_EXHAUSTED: 3 GiB", True),
        ("no column 'rooms'; it has RandomZoom", False),
    ],
)
def test_only_a_lack_of_memory_is_called_so(message: str, full: bool) -> None:
    assert lies_in_the_machine(ValueError(message)) is full
