"""The runs of a folder, read so quickly that ten thousand are listed in less than a second.

Whatever a list of runs shows is in `run.json`, so one small file is read for each run, and only for
those that are shown if their names tell their order.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dlrun.store.environment import process_is_gone
from dlrun.store.files import os_errors_named
from dlrun.store.names import DATA, EVALUATIONS, MARKER, RUN_NAME
from dlrun.text import figure

ListedStatus = Literal["running", "finished", "failed", "interrupted", "died", "damaged"]

ENDED = ("finished", "failed", "interrupted")


@dataclass(frozen=True, repr=False)
class RunEntry:
    """One run of a list.

    Args:
        path: Its directory.
        status: `died` if it says `running` but its process is gone, `damaged` if `run.json` is
            missing or cannot be understood.
        facts: What `run.json` holds; empty if it is damaged.
        problem: What is wrong with a damaged run, else None.
    """

    path: Path
    status: ListedStatus
    facts: Mapping[str, Any]
    problem: str | None = None

    def __repr__(self) -> str:
        score = self.score
        shown = f", {score.get('name')} {figure(score['value'])}" if score else ""
        return f"RunEntry({self.path.name}, {self.status}{shown})"

    def __fspath__(self) -> str:
        """The run directory: an entry can be given wherever a path is expected."""
        return str(self.path)

    @property
    def _parts(self) -> tuple[str, ...]:
        """The directory's name in its parts; another name is all time."""
        match = RUN_NAME.fullmatch(self.path.name)
        return match.groups() if match else (self.path.name, "", "")

    @property
    def stamp(self) -> str:
        """The beginning of the directory's name that tells the time, or all of the name."""
        return self._parts[0]

    @property
    def ending(self) -> str:
        """The end of the directory's name, which tells it from others of the same second."""
        return self._parts[2]

    @property
    def name(self) -> str:
        """The experiment's name; for a damaged run, taken from the directory's name."""
        name = self.facts.get("name")
        return name if isinstance(name, str) else self._parts[1]

    @property
    def config(self) -> Mapping[str, Any]:
        """The config with everything filled in; empty if it is unknown."""
        return _mapping(self.facts.get("config"))

    @property
    def result(self) -> Mapping[str, Any]:
        """What `brief` keeps of the result; empty if there is none."""
        return _mapping(self.facts.get("result"))

    @property
    def score(self) -> Mapping[str, Any]:
        """`name`, `direction`, `value`, `std` and `interval`; empty if nothing was scored."""
        score = _mapping(self.result.get("score"))
        return score if _is_number(score.get("value")) else {}

    @property
    def seconds(self) -> float | None:
        """How long training and scoring took, as the result says; without one, how long the run
        lasted; or None."""
        seconds = self.result.get("seconds") or self.facts.get("seconds")
        return seconds if _is_number(seconds) else None


def brief(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a list of runs says of a result, to be kept in `run.json`.

    Args:
        result: What `result.json` holds, which is long if there are many folds and epochs.
    """
    kept = {key: result.get(key) for key in ("protocol", "best_epoch", "epochs", "seconds")}
    if result.get("interrupted"):
        kept |= {key: result.get(key) for key in ("complete_folds", "planned_folds")}
    for key in ("score", "baseline"):
        facts = result.get(key)
        kept[key] = facts and {name: value for name, value in facts.items() if name != "folds"}
    return kept


def run_entries(runs_dir: Path) -> Iterator[RunEntry]:
    """Yield the runs of a folder, newest first, each read when it is asked for.

    Other files are left out, and folders that neither hold a `run.json` nor are named like a run.

    Raises:
        RunError: The folder cannot be read. A missing folder holds no runs.
    """
    with os_errors_named("read", runs_dir):
        try:
            # Hidden ones are being made or removed.
            names = [name for name in os.listdir(runs_dir) if not name.startswith(".")]
        except FileNotFoundError:
            return
    for _, name in sorted(((_time_of(runs_dir, name), name) for name in names), reverse=True):
        if (entry := read_entry(runs_dir / name)) is not None:
            yield entry


def read_entry(path: Path) -> RunEntry | None:
    """Return what `run.json` says of a run, however damaged, or None if there is no run."""
    try:
        with open(f"{path}/{MARKER}", "rb") as file:
            facts = json.loads(file.read())
    except (FileNotFoundError, NotADirectoryError):
        if RUN_NAME.fullmatch(path.name) and path.is_dir():
            return _damaged(path, f"it has no {MARKER}")
        return None
    except OSError as error:
        return _damaged(path, f"{MARKER} cannot be read: {error.strerror or error}")
    except (ValueError, RecursionError):
        return _damaged(path, f"{MARKER} is not JSON")
    if not isinstance(facts, dict):
        return _damaged(path, f"{MARKER} is not a JSON object")
    status = facts.get("status")
    if status == "running":
        gone = process_is_gone(_mapping(facts.get("process")))
        return RunEntry(path, "died" if gone else "running", facts)
    if status not in ENDED:
        return _damaged(path, f"{MARKER} has the unknown status {status!r}")
    return RunEntry(path, status, facts)


def _damaged(path: Path, problem: str) -> RunEntry:
    return RunEntry(path, "damaged", {}, problem)


def _time_of(runs_dir: Path, name: str) -> str:
    """What a run sorts by: `20261121-101530`, from its name where that tells it."""
    if match := RUN_NAME.fullmatch(name):
        return match[1]
    entry = read_entry(runs_dir / name)
    started = "" if entry is None else str(entry.facts.get("started") or "")
    return started[:19].replace("-", "").replace(":", "").replace("T", "-")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def count_validated_runs(runs_dir: Path, fingerprint: str) -> int:
    """Count the finished runs on the same data that were scored on validation rows: those that
    a user could choose among. Final models and ensembles do not count: nothing chooses among them.

    Args:
        runs_dir: Where runs are kept.
        fingerprint: That of the rows that are not test rows, as `data.json` holds it.
    """
    return sum(_was_validated(folder, fingerprint) for folder in _folders(runs_dir))


def evaluation_hashes(runs_dir: Path) -> list[str]:
    """Return the hash of the ledger's line that each evaluation of each run holds."""
    files = (
        file.path
        for folder in _folders(runs_dir)
        for file in _entries(os.path.join(folder, EVALUATIONS))
        if file.name.endswith(".json") and _is(file.is_file)
    )
    lines = (_object(file).get("ledger") for file in files)
    return [line for line in lines if isinstance(line, str)]


def _was_validated(folder: str, fingerprint: str) -> bool:
    data = _object(os.path.join(folder, DATA), holding=fingerprint)
    splits = data.get("splits")
    if data.get("fingerprint") != fingerprint or not isinstance(splits, dict):
        return False
    if not any(name.endswith("_validation") for name in splits):
        return False
    run = _object(os.path.join(folder, MARKER))
    return run.get("status") == "finished" and run.get("parent") is None


def _object(file: str, holding: str = "") -> dict[str, Any]:
    """The JSON object in a file; empty if there is none, or if its text does not hold
    `holding`, which is quicker to see than to read it."""
    try:
        with open(file, "rb") as opened:
            content = opened.read()
        value = json.loads(content) if holding.encode() in content else {}
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _folders(runs_dir: Path) -> list[str]:
    visible = (entry for entry in _entries(runs_dir) if not entry.name.startswith("."))
    return [entry.path for entry in visible if _is(entry.is_dir)]


def _is(kind: Callable[[], bool]) -> bool:
    """Whether an entry of a folder is of a kind; False if it cannot be read, such as a link that
    leads to itself."""
    try:
        return kind()
    except OSError:
        return False


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What a folder holds; nothing if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
