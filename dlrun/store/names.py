"""Names of run directories: how they are made, and how a user's text finds one."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from pathlib import Path

from dlrun.errors import RunError
from dlrun.registry.names import closest
from dlrun.text import display_path

NAME_LENGTH = 48
"""Characters of an experiment's name that a directory's name keeps."""

MARKER = "run.json"
"""The file that makes a directory a run."""

DATA = "data.json"
EVALUATIONS = "evaluations"
"""Parts of a run that are read of all runs at once."""

RUN_NAME = re.compile(r"(\d{8}-\d{6})-(.+)-([0-9a-f]{4})")
"""How a run directory is named: its time, the experiment, and an ending."""

SHOWN = 5
"""Runs that a message lists at most."""


def slug(name: str) -> str:
    """Turn an experiment's name into a part of a file name that is safe on every system.

    Letters lose their accents, every stretch of other characters than letters, digits, `_`,
    `.` and `-` becomes one `-`, and at most `NAME_LENGTH` characters stay.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9_.]+", "-", plain).strip("-._")
    return safe[:NAME_LENGTH].rstrip("-._") or "run"


def directory_name(name: str, now: datetime, ending: str) -> str:
    """Return `YYYYMMDD-HHMMSS-name-ending`, which sorts by time."""
    return f"{now:%Y%m%d-%H%M%S}-{slug(name)}-{ending}"


def find_run(given: Path, runs_dir: Path) -> Path:
    """Find the run that a user names.

    Args:
        given: A run directory, or the first letters of a run's name in `runs_dir` that no
            other run shares; where no name begins so, its last part (`8bdd`, `digits-8bdd`), or
            the experiment (`digits`).
        runs_dir: Where runs are kept.

    Raises:
        RunError: There is no such run, or there are several; names what there is.
    """
    for path in (given, runs_dir / given):
        if (path / MARKER).is_file():
            return path
    folder = given.parent if len(given.parts) > 1 else runs_dir
    runs = run_names(folder)
    parts = ((RUN_NAME.fullmatch(name), name) for name in runs)
    experiments = (given.name, slug(given.name))
    named = [name for match, name in parts if match and match[2] in experiments]
    # Data is often in a folder named like the experiment.
    if given.is_dir() and (len(given.parts) > 1 or len(named) != 1):
        raise RunError(_no_run(given))
    if given.is_file():
        raise RunError(f"{display_path(given)} is a file; expected a run directory")
    matches = [name for name in runs if name.startswith(given.name)]
    place = "begin with"
    if not matches:
        place, matches = "end with", [n for n in runs if n.endswith(f"-{given.name}")]
    if not matches:
        place, matches = "are of the experiment", named
    if len(matches) == 1:
        return folder / matches[0]
    if matches:
        raise RunError(
            f"{len(matches)} runs in {display_path(folder)} {place} '{given.name}'; "
            f"give more of the name:{_listed(matches)}"
        )
    raise RunError(_not_found(given, runs, folder))


def run_names(runs_dir: Path) -> list[str]:
    """Names of the runs in a folder, newest first."""
    if not runs_dir.is_dir():
        return []
    # Hidden ones are being made or removed.
    return sorted(
        (marker.parent.name for marker in runs_dir.glob(f"[!.]*/{MARKER}")),
        reverse=True,
    )


def _no_run(folder: Path) -> str:
    message = f"{display_path(folder)} is not a run directory: it has no {MARKER}"
    if (folder.parent.parent / MARKER).is_file():
        return f"{message}; it is part of the run {display_path(folder.parent.parent)}"
    if inside := run_names(folder):
        return f"{message}; the newest run in it is {display_path(folder / inside[0])}"
    return message


def _not_found(given: Path, runs: list[str], folder: Path) -> str:
    message = f"no run '{given}'"
    if not runs:
        return f"{message}, and no run in {display_path(folder)}"
    containing = [name for name in runs if given.name in name]
    nearest = closest(given.name, runs)
    near = containing or ([nearest] if nearest else [])
    if near:
        return f"{message}; did you mean:{_listed(near)}"
    return f"{message}; the newest in {display_path(folder)} is {runs[0]}"


def _listed(names: list[str]) -> str:
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return "".join(f"\n    {name}" for name in names[:SHOWN] + more)
