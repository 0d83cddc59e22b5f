"""Every test evaluation, in one file that only grows: `test-looks.jsonl` in the runs directory.

Each line is a JSON object whose `hash` covers its own facts and the hash of the line before, so
that a line that was changed or removed is noticed by those after it. Lines removed from the end
are noticed by the evaluations that runs keep, which hold their line's hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from dlrun.store.files import os_errors_named
from dlrun.text import counted, display_path

NAME = "test-looks.jsonl"

BEGINNING = "0" * 64
"""The hash before the first line."""

_OUT_OF_THE_WAY = 2**31 - 2
"""The byte that is locked where a lock also keeps others from reading it (Windows)."""


@dataclass(frozen=True)
class LedgerEntry:
    """One test evaluation, as it is written down.

    Args:
        fingerprint: That of the test rows.
        data: That of the rows that were not test rows; empty if unknown.
        run: Name of the run directory whose model was scored.
        time: ISO 8601 with time zone.
        metric: The measure of success.
        score: Its value on the test rows; None if it is not finite.
        runs_before: Finished runs on the same data that validation chose among before.
    """

    fingerprint: str
    data: str
    run: str
    time: str
    metric: str
    score: float | None
    runs_before: int


@dataclass(frozen=True)
class RecordedEvaluation(LedgerEntry):
    """One test evaluation, as the ledger holds it.

    Args:
        number: Which evaluation on these test rows it is, by any run, from 1.
        hash: What the next line, and the run's evaluation, know it by.
    """

    number: int
    hash: str


@dataclass(frozen=True)
class KeptEvaluation:
    """One test evaluation, as its run keeps it.

    Args:
        hash: That of the ledger's line.
        entry: What the line holds, as far as the run knows it; None if it does not.
    """

    hash: str
    entry: LedgerEntry | None = None


@dataclass(frozen=True)
class Ledger:
    """All of a ledger.

    Args:
        evaluations: In the order in which they were written; those whose line is gone by time.
        notices: What is wrong with the file, one sentence each; empty if nothing is.
    """

    evaluations: tuple[RecordedEvaluation, ...]
    notices: tuple[str, ...]


def record_evaluation(
    runs_dir: Path, entry: LedgerEntry, kept: Sequence[KeptEvaluation] = ()
) -> RecordedEvaluation:
    """Add one test evaluation; safe with several writers.

    Args:
        runs_dir: Where runs are kept.
        entry: The evaluation.
        kept: Those that runs keep; one whose line is gone counts all the same.

    Returns:
        The evaluation with its number.

    Raises:
        RunError: The disk refused.
    """
    path = runs_dir / NAME
    with os_errors_named("write", path), _locked(path) as descriptor:
        before = _read_all(descriptor)
        ledger, last = _parse(before, display_path(path))
        facts: dict[str, Any] = {**asdict(entry), "previous": last}
        facts["hash"] = _hash(facts)
        line = json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n"
        # A line that was cut off in the middle stays alone.
        torn = b"\n" if before and not before.endswith(b"\n") else b""
        rest = torn + line.encode()
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            # On a full disk a part of the line would be left, and taken for damage.
            with suppress(OSError):
                os.ftruncate(descriptor, len(before))
            raise
    every = _with_kept(ledger, kept, path).evaluations
    number = 1 + sum(one.fingerprint == entry.fingerprint for one in every)
    return RecordedEvaluation(**asdict(entry), number=number, hash=facts["hash"])


def read_ledger(runs_dir: Path, kept: Sequence[KeptEvaluation] = ()) -> Ledger:
    """Return every evaluation on any test data, and what is wrong with the ledger.

    Args:
        runs_dir: Where runs are kept.
        kept: Those that runs keep: they reveal, and make up for, a line that is gone.

    Raises:
        RunError: The file cannot be read.
    """
    path = runs_dir / NAME
    with os_errors_named("read", path):
        data = path.read_bytes() if path.exists() else b""
    ledger, _ = _parse(data, display_path(path))
    return _with_kept(ledger, kept, path)


def _with_kept(ledger: Ledger, kept: Sequence[KeptEvaluation], path: Path) -> Ledger:
    """The ledger with the evaluations that it has lost, and a notice that it has."""
    known = {one.hash for one in ledger.evaluations}
    gone = {one.hash: one.entry for one in kept if one.hash not in known}
    if not gone:
        return ledger
    text = (
        f"{display_path(path)} has no line for {counted(len(gone), 'evaluation')} that runs keep: "
        "lines were removed or changed; they are counted all the same"
    )
    lost = [RecordedEvaluation(**asdict(e), number=0, hash=h) for h, e in gone.items() if e]
    counts: dict[str, int] = {}
    numbered = []
    for one in sorted((*ledger.evaluations, *lost), key=_moment):
        counts[one.fingerprint] = counts.get(one.fingerprint, 0) + 1
        numbered.append(replace(one, number=counts[one.fingerprint]))
    return Ledger(tuple(numbered), (*ledger.notices, text))


def _moment(entry: LedgerEntry) -> float:
    try:
        return datetime.fromisoformat(entry.time).timestamp()
    except ValueError:
        return 0.0


def _parse(data: bytes, name: str) -> tuple[Ledger, str]:
    """Return the evaluations of the lines, and the hash that the next line continues."""
    found: list[RecordedEvaluation] = []
    notices: list[str] = []
    counts: dict[str, int] = {}
    last = BEGINNING
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line:
            continue
        facts = _facts(line)
        if facts is None:
            notices.append(
                f"line {number} of {name} cannot be read: it was cut off while it "
                "was written, or changed"
            )
            continue
        if facts["previous"] != last:
            where = f"before line {number}" if number > 1 else "at its beginning"
            notices.append(f"lines of {name} were removed or changed {where}")
        if facts["hash"] != _hash(facts):
            notices.append(f"line {number} of {name} was changed")
        last = facts["hash"]
        entry = LedgerEntry(**{key: facts[key] for key in LedgerEntry.__dataclass_fields__})
        counts[entry.fingerprint] = counts.get(entry.fingerprint, 0) + 1
        found.append(
            RecordedEvaluation(**asdict(entry), number=counts[entry.fingerprint], hash=last)
        )
    return Ledger(tuple(found), tuple(notices)), last


def _facts(line: bytes) -> dict[str, Any] | None:
    """The facts of one line; None if it holds no evaluation."""
    try:
        # NaN is not JSON, and has no hash.
        facts = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    needed = {*LedgerEntry.__dataclass_fields__, "previous", "hash"}
    if not isinstance(facts, dict) or not needed <= facts.keys():
        return None
    score, runs_before = facts["score"], facts["runs_before"]
    texts = all(isinstance(facts[key], str) for key in needed - {"score", "runs_before"})
    numbers = isinstance(score, int | float | None) and isinstance(runs_before, int)
    return facts if texts and numbers else None


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _hash(facts: dict[str, Any]) -> str:
    """SHA-256, in hex, of all facts but the hash itself; the hash before is among them."""
    covered = {key: value for key, value in facts.items() if key != "hash"}
    text = json.dumps(covered, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open the file for appending; only one process at a time does."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        _lock(descriptor)
        yield descriptor
    finally:
        # Closing it also unlocks it.
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Wait for the lock. Without one, on a file system that has none, a line is still written at
    once."""
    if os.name == "posix":
        import fcntl

        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    import msvcrt  # pragma: no cover - Windows

    while True:
        os.lseek(descriptor, _OUT_OF_THE_WAY, os.SEEK_SET)
        with suppress(OSError):
            # mypy knows the functions of the system alone that it runs on.
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            return
        time.sleep(0.05)


def _read_all(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    parts = []
    while part := os.read(descriptor, 2**20):
        parts.append(part)
    return b"".join(parts)
