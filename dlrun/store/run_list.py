"""The runs of a folder, read so quickly that ten thousand are listed in less than a second.

Whatever a list of runs shows is in `run.json`, so one small file is read for each run, and only for
those that are shown if their names tell their order.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from dlrun.errors import RunError
from dlrun.store.environment import process_is_gone, was_left
from dlrun.store.files import os_errors_named, refuse_links_out
from dlrun.store.ledger import KeptEvaluation, LedgerEntry
from dlrun.store.manifest import NAME as MANIFEST
from dlrun.store.manifest import TRIALS, changed_size, parse_manifest
from dlrun.store.names import DATA, EVALUATIONS, MARKER, RUN_NAME
from dlrun.store.reading import MOST_BYTES
from dlrun.text import figure

ListedStatus = Literal[
    "running", "finished", "failed", "interrupted", "died", "changed", "damaged", "unreadable"
]

_READ = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC")
)
"""How small files are opened: a link is not followed, and a pipe is not waited for."""

LOOKS = 3
"""How often a run is read before it is called changed."""

ENDED = ("finished", "failed", "interrupted")


@dataclass(frozen=True, repr=False)
class RunEntry:
    """One run of a list.

    Args:
        path: Its directory.
        status: `died` if it says `running` but its process is gone, `changed` if a file is not as
            the run wrote it, `damaged` if `run.json` is missing or cannot be understood,
            `unreadable` without the permission to read it.
        facts: What `run.json` holds; empty if that cannot be trusted.
        problem: What is wrong with a changed, damaged or unreadable run, else None.
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


def can_go_on(status: str, facts: Mapping[str, Any]) -> bool:
    """Whether a run was broken off, so that `dlrun resume` goes on with it.

    Args:
        status: Of the run.
        facts: What its `run.json` holds.
    """
    broken_off = status in ("died", "interrupted") or bool(facts.get("resumable"))
    return broken_off and not facts.get("ensemble") and not is_of_other_task(facts)


def is_of_other_task(facts: Mapping[str, Any]) -> bool:
    """Whether a run has a task in which no model learns from data: it has no engine.

    Args:
        facts: What its `run.json` holds.
    """
    return bool(_mapping(facts.get("config")).get("task")) and "engine" not in facts


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
    """Return what `run.json` says of a run, however damaged, or None if there is no run.

    Of the manifest it is checked only that it knows this very `run.json`.
    """
    # A run that is written or removed between two reads only seems to be changed.
    for _ in range(LOOKS):
        entry = _look(path)
        if entry is None or entry.status != "changed":
            break
    return entry


def _look(path: Path) -> RunEntry | None:
    try:
        data = _content(f"{path}/{MARKER}")
        facts = json.loads(data)
    except (FileNotFoundError, NotADirectoryError):
        if RUN_NAME.fullmatch(path.name) and path.is_dir():
            return _damaged(path, f"it has no {MARKER}")
        return None
    except PermissionError:
        return RunEntry(path, "unreadable", {}, f"no permission to read its {MARKER}")
    except OSError as error:
        return _damaged(path, f"{MARKER} cannot be read: {error.strerror or error}")
    except (ValueError, RecursionError):
        # What was JSON when it was written was changed since.
        return _unlike_manifest(path, b"", {}) or _damaged(path, f"{MARKER} is not JSON")
    if not isinstance(facts, dict):
        return _damaged(path, f"{MARKER} is not a JSON object")
    if (changed := _unlike_manifest(path, data, facts)) is not None:
        return changed
    status = facts.get("status")
    if status == "running":
        process = _mapping(facts.get("process"))
        gone = process_is_gone(process) or was_left(path, process)
        return RunEntry(path, "died" if gone else "running", facts)
    if status not in ENDED:
        return _damaged(path, f"{MARKER} has the unknown status {status!r}")
    return RunEntry(path, status, facts)


def checked(entry: RunEntry) -> RunEntry:
    """Return the entry with the status `changed` if a file of the run is missing or has another
    size than its manifest lists, or if the manifest itself was changed. No other file is read."""
    if entry.problem is not None:
        return entry
    try:
        manifest = parse_manifest(_content(f"{entry.path}/{MANIFEST}"), quickly=True)
    except OSError:
        return entry
    if manifest is None:
        return replace(entry, status="changed", problem=f"its {MANIFEST} was changed")
    if (found := changed_size(entry.path, manifest)) is None:
        return entry
    return replace(entry, status="changed", problem=" ".join(found))


def _unlike_manifest(path: Path, data: bytes, facts: Mapping[str, Any]) -> RunEntry | None:
    """The entry of a run whose `run.json` is another one than its manifest lists; else None."""
    try:
        manifest = _content(f"{path}/{MANIFEST}")
    except OSError:
        if "manifest" not in facts:
            return None
        return RunEntry(path, "changed", {}, f"its {MANIFEST} is missing")
    # Looked for, not parsed: a list may be of thousands of runs.
    if hashlib.sha256(data).hexdigest().encode() in manifest:
        return None
    return RunEntry(path, "changed", {}, f"its {MARKER} is not the one that its {MANIFEST} lists")


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


def kept_evaluations(runs_dir: Path) -> list[KeptEvaluation]:
    """Return every test evaluation that a run of the folder keeps a file of, for the ledger."""
    return [
        KeptEvaluation(line, _ledger_entry(folder, facts))
        for folder in _folders(runs_dir)
        for file in _entries(os.path.join(folder, EVALUATIONS))
        if file.name.endswith(".json") and _is(file.is_file)
        for facts in [_object(file.path, within=folder)]
        if isinstance(line := facts.get("ledger"), str)
    ]


def _ledger_entry(folder: str, evaluation: Mapping[str, Any]) -> LedgerEntry | None:
    """The facts of a run's evaluation as the ledger holds them; None where one is missing."""
    score = _mapping(evaluation.get("score"))
    texts = [evaluation.get("fingerprint"), evaluation.get("time"), score.get("name")]
    value, before = score.get("value"), evaluation.get("runs_before")
    if not all(isinstance(text, str) for text in texts) or not isinstance(before, int):
        return None
    fingerprint, time, metric = map(str, texts)
    data = str(_object(os.path.join(folder, DATA), within=folder).get("fingerprint") or "")
    run, number = os.path.basename(folder), value if _is_number(value) else None
    return LedgerEntry(fingerprint, data, run, time, metric, number, before)


def _was_validated(folder: str, fingerprint: str) -> bool:
    data = _object(os.path.join(folder, DATA), within=folder, holding=fingerprint)
    splits = data.get("splits")
    if data.get("fingerprint") != fingerprint or not isinstance(splits, dict):
        return False
    if not any(name.endswith("_validation") for name in splits):
        return False
    run = _object(os.path.join(folder, MARKER), within=folder)
    return run.get("status") == "finished" and run.get("parent") is None


def _object(file: str, *, within: str, holding: str = "") -> dict[str, Any]:
    """The JSON object in a file; empty if there is none, if a link leads out of the run that it is
    within, or if its text does not hold `holding`, which is quicker to see than to read it."""
    try:
        refuse_links_out(Path(within), Path(file))
        content = _content(file)
        value = json.loads(content) if holding.encode() in content else {}
    except (OSError, RunError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _content(file: str) -> bytes:
    """What a small file of a run holds.

    Raises:
        OSError: It cannot be read, is a link, no regular file, or too large.
    """
    try:
        descriptor = os.open(file, _READ)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError("it is a link") from error
        raise
    with open(descriptor, "rb") as opened:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError("it is not a regular file")
        if facts.st_size > MOST_BYTES:
            raise OSError(f"it holds {facts.st_size:,} bytes")
        return opened.read()


def _folders(runs_dir: Path) -> list[str]:
    """The folders of runs, and of the trials of searches, each of which is a run."""
    folders = _visible_folders(runs_dir)
    trials = (_visible_folders(os.path.join(folder, TRIALS)) for folder in folders)
    return [*folders, *chain.from_iterable(trials)]


def _visible_folders(folder: str | Path) -> list[str]:
    visible = (entry for entry in _entries(folder) if not entry.name.startswith("."))
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
