"""Whether the files of runs are as the runs wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.errors import RunError
from dlrun.store.ledger import read_ledger
from dlrun.store.manifest import NAME
from dlrun.store.members import verify_run
from dlrun.store.recorded_files import Fault
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import kept_evaluations, read_entry, run_entries
from dlrun.store.search_directory import SearchDirectory


@dataclass(frozen=True)
class VerifiedRun:
    """What was found in one run.

    Args:
        path: The run directory.
        files: How many files its manifest lists; None if it has no manifest.
        faults: What is wrong with them.
        sealed: When a user accepted its files as they were, ISO 8601; None if nobody did.
    """

    path: Path
    files: int | None
    faults: tuple[Fault, ...]
    sealed: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        faults = [fault._asdict() for fault in self.faults]
        return {"run": self.path.name, "path": self.path, **vars(self), "faults": faults}


@dataclass(frozen=True)
class Verification:
    """What was found in runs.

    Args:
        runs: One by one.
        notices: What is wrong with the ledgers of test evaluations beside them, a sentence each.
    """

    runs: tuple[VerifiedRun, ...]
    notices: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.notices and not any(run.faults for run in self.runs)

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {"runs": [run.as_dict() for run in self.runs], "notices": list(self.notices)}


def verify_runs(runs: Sequence[str | Path] = (), *, runs_dir: str | Path = "runs") -> Verification:
    """Read every file of runs, and compare it with their manifests.

    Args:
        runs: Run directories, or the unique beginnings of their names; none for all of `runs_dir`.
        runs_dir: Where to look for runs.

    Raises:
        RunError: There is no such run.
    """
    folder = Path(runs_dir)
    if runs:
        paths = [RunDirectory.open(run, folder).path for run in runs]
    else:
        paths = [entry.path for entry in run_entries(folder)]
    # Each trial of a search has a manifest of its own.
    paths = [each for path in paths for each in (path, *SearchDirectory(path).trained_runs())]
    notices: list[str] = []
    for place in dict.fromkeys(RunDirectory(path).runs_dir for path in paths):
        notices += read_ledger(place, kept_evaluations(place)).notices
    return Verification(tuple(map(_verified, paths)), tuple(notices))


def _verified(path: Path) -> VerifiedRun:
    directory = RunDirectory(path)
    faults = verify_run(directory)
    manifest = None
    if not faults or faults[0].name != NAME:
        manifest = directory.files.manifest()
    entry = read_entry(path)
    if not faults and entry is not None and entry.problem is not None:
        faults = [Fault("run.json", entry.problem)]
    if manifest is None:
        return VerifiedRun(path, None, tuple(faults))
    return VerifiedRun(path, len(manifest.files), tuple(faults), manifest.sealed)


def seal_run(run: str | Path, *, runs_dir: str | Path = "runs") -> VerifiedRun:
    """Accept the files of a run as they are now, and return what did not fit its manifest before.

    Args:
        run: The run directory, or the unique beginning of its name.
        runs_dir: Where to look for a run that is given by name.

    Raises:
        RunError: There is no such run, it is still running, or its `run.json` is damaged.
    """
    directory = RunDirectory.open(run, Path(runs_dir))
    entry = read_entry(directory.path)
    if entry is not None and entry.status in ("damaged", "unreadable"):
        raise RunError(f"{directory.name} is {entry.status}: {entry.problem}")
    faults = directory.seal()
    manifest = directory.files.manifest()
    assert manifest is not None
    return VerifiedRun(directory.path, len(manifest.files), tuple(faults), manifest.sealed)
