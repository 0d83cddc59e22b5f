"""`manifest.json`: size and SHA-256 of every file of a run, by which a change is noticed.

The manifest holds a checksum of its own, and is written in one way alone, so that no byte of it can
be changed unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from dlrun.errors import RunError
from dlrun.store.files import write_bytes
from dlrun.store.json_text import to_json
from dlrun.store.reading import read_bytes
from dlrun.text import display_path

NAME = "manifest.json"
FORMAT = 1

LOG = "log.txt"
TABLES = ("metrics.csv", "steps.csv")
"""Files that grow: a manifest knows their first bytes until the run has ended, the log's always."""

LATER = ("curves", "examples", "report", "evaluations/", "look/", LOG)
"""How the names of files begin that are also written after a run has ended."""

AT_FIRST = "callbacks"
"""Folder of files that are written over and over while a run trains, left out until it has ended.
"""

CHECKPOINT = "checkpoint"
"""Folder of files with checksums of their own, which are gone when the run is finished."""

TRIALS = "trials"
"""Folder of the trials of a search, which are runs with manifests of their own."""

READ_BYTES = 2**20


class ChangedFileError(RunError):
    """A file of a run is not as the run wrote it.

    Args:
        path: The file.
        problem: What is wrong with it, such as `is missing`.
        advice: What to do.
    """

    def __init__(self, path: Path, problem: str, advice: str) -> None:
        super().__init__(f"{display_path(path)} {problem}; {advice}")
        self.problem = problem


@dataclass(frozen=True)
class FileRecord:
    """What a file holds.

    Args:
        size: In bytes.
        sha256: In hex.
        before: What it holds until it is replaced; None unless it is about to be.
    """

    size: int
    sha256: str
    before: FileRecord | None = None

    def as_dict(self) -> dict[str, Any]:
        """The record as plain data."""
        facts: dict[str, Any] = {"size": self.size, "sha256": self.sha256}
        return facts if self.before is None else {**facts, "before": self.before.as_dict()}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> FileRecord:
        """The record that plain data holds."""
        before = facts.get("before")
        return cls(facts["size"], facts["sha256"], None if before is None else cls.of(before))

    @classmethod
    def of_bytes(cls, data: bytes) -> FileRecord:
        """The record of a file that holds some bytes."""
        return cls(len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class Manifest:
    """The files of a run.

    Args:
        ended: Whether the run has ended: nothing but the log grows, and what is not listed was not
            written by the run.
        files: By name relative to the run, with `/`.
        sealed: When a user accepted the files as they were, ISO 8601; None if nobody did.
    """

    ended: bool = False
    files: Mapping[str, FileRecord] = field(default_factory=dict)
    sealed: str | None = None

    def as_bytes(self) -> bytes:
        """The file, with its checksum."""
        files = {name: self.files[name].as_dict() for name in sorted(self.files)}
        facts = {"format": FORMAT, "ended": self.ended, "sealed": self.sealed, "files": files}
        return to_json({**facts, "sha256": _checksum(facts)}).encode()

    def with_files(self, changes: Mapping[str, FileRecord | None]) -> Manifest:
        """The manifest with other records; None takes one out."""
        files = {**self.files, **changes}
        return replace(self, files={name: one for name, one in files.items() if one is not None})

    def may_grow(self, name: str) -> bool:
        """Whether a file may hold more than was recorded."""
        last = name.rpartition("/")[2]
        return last == LOG or (last in TABLES and not self.ended)

    def may_be_new(self, name: str) -> bool:
        """Whether a file that is not listed may be there all the same."""
        return not self.ended or _within_fold(name).startswith(LATER)


def _within_fold(name: str) -> str:
    return name.split("/", 2)[2] if name.startswith("folds/") and name.count("/") > 1 else name


def _checksum(facts: Mapping[str, Any]) -> str:
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def parse_manifest(data: bytes, *, quickly: bool = False) -> Manifest | None:
    """Return the manifest that a file's bytes hold; None if one of them was changed.

    Args:
        data: The file.
        quickly: Look at what it says alone, and not at how it is written.
    """
    try:
        facts = json.loads(data)
        files = {name: FileRecord.of(one) for name, one in facts["files"].items()}
        manifest = Manifest(facts["ended"], files, facts["sealed"])
        checksum = facts.pop("sha256")
        unchanged = _checksum(facts) == checksum if quickly else manifest.as_bytes() == data
        return manifest if unchanged else None
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None


def read_manifest(run: Path) -> Manifest:
    """Read the manifest of a run.

    Raises:
        RunError: It is missing or cannot be read.
        ChangedFileError: It was changed.
    """
    path = run / NAME
    if (manifest := parse_manifest(read_bytes(path))) is None:
        raise ChangedFileError(
            path, "was changed or cut off: it does not fit its own checksum", advice(run)
        )
    return manifest


def write_manifest(run: Path, manifest: Manifest) -> None:
    """Write the manifest of a run, in place of the one before.

    Raises:
        RunError: The disk refused.
    """
    write_bytes(run / NAME, manifest.as_bytes(), replace=True)


def sealed_now(manifest: Manifest) -> Manifest:
    """The manifest as a user accepted it now."""
    return replace(manifest, sealed=datetime.now().astimezone().isoformat(timespec="seconds"))


def advice(run: Path, what: str = "restore it from a copy, or train again") -> str:
    """What to do about a changed file."""
    return f"{what}; if you changed it on purpose: dlrun runs seal {display_path(run)}"


def hash_file(file: BinaryIO, size: int | None = None) -> FileRecord:
    """Return the record of an open file, read from its beginning.

    Args:
        file: Is read to the end, or as far as `size`.
        size: How many of its bytes to take; None for all.
    """
    digest, count = hashlib.sha256(), 0
    file.seek(0)
    while size is None or count < size:
        block = file.read(READ_BYTES if size is None else min(READ_BYTES, size - count))
        if not block:
            break
        digest.update(block)
        count += len(block)
    return FileRecord(count, digest.hexdigest())


def written_files(run: Path, *, ended: bool) -> Iterator[str]:
    """Yield the names of a run's files that a manifest lists, relative to the run.

    Links are left out, and so is what is not yet under its own name. Of a run that trains, files
    that are written over and over are left out, too.
    """
    for folder, folders, names in os.walk(run):
        place = Path(folder).relative_to(run)
        if not place.parts:
            folders[:] = [name for name in folders if name not in (CHECKPOINT, TRIALS)]
        folders[:] = [name for name in folders if ended or name != AT_FIRST]
        for name in names:
            path = place / name
            if name.startswith(".") or path.as_posix() == NAME or (run / path).is_symlink():
                continue
            if (run / path).is_file():
                yield path.as_posix()


def changed_size(run: Path, manifest: Manifest) -> tuple[str, str] | None:
    """Return the name of the first file whose size is another than the recorded one, and what is
    wrong with it; None where there is none. Nothing is read."""
    for name, record in manifest.files.items():
        try:
            size = os.stat(f"{run}/{name}").st_size
        except FileNotFoundError:
            return name, "is missing"
        except OSError:
            continue
        sizes = [record.size, *([record.before.size] if record.before else [])]
        if size not in sizes and not (manifest.may_grow(name) and size > record.size):
            return name, "was changed"
    return None
