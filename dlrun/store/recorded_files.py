"""The files of one run: read only as the run's manifest records them, and never through a link
that leaves the run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from dlrun.errors import RunError
from dlrun.store.files import locked, refuse_links_out, write_bytes
from dlrun.store.manifest import (
    NAME,
    ChangedFileError,
    FileRecord,
    Manifest,
    advice,
    hash_file,
    read_manifest,
    sealed_now,
    write_manifest,
    written_files,
)
from dlrun.store.names import MARKER
from dlrun.store.reading import (
    open_regular,
    parse_json,
    parse_npz,
    parse_object,
    parse_text,
    read_small,
)
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np


class Fault(NamedTuple):
    """What is wrong with a file of a run: its `name`, and `text`, such as `is missing`."""

    name: str
    text: str

    @classmethod
    def of(cls, name: str, error: RunError) -> Fault:
        """What an error says of a file."""
        return cls(name, error.problem if isinstance(error, ChangedFileError) else str(error))


class RecordedFiles:
    """The files below one folder, which may have a manifest.

    Args:
        root: The run directory. It may be a link itself.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: tuple[object, Manifest | None] = (None, None)

    def manifest(self) -> Manifest | None:
        """Return the manifest, or None where the run has none.

        Raises:
            ChangedFileError: It was changed, or is missing though the run has ended.
        """
        state = _state(self.root / NAME), _state(self.root / MARKER)
        if self._known[0] != state:
            manifest = None
            if state[0] is not None:
                refuse_links_out(self.root, self.root / NAME)
                manifest = read_manifest(self.root)
            elif self._had_manifest():
                why = "is missing, so that no file of the run can be checked"
                raise ChangedFileError(self.root / NAME, why, advice(self.root))
            self._known = state, manifest
        return self._known[1]

    def exists(self, path: Path) -> bool:
        """Whether a file is there.

        Raises:
            ChangedFileError: It is not, though the manifest lists it.
        """
        if os.path.lexists(path):
            return True
        if self._record(path) is not None:
            raise self._missing(path)
        return False

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file for reading that holds what the manifest says.

        Raises:
            ChangedFileError: It does not, or it is missing.
            RunError: It cannot be read, or it is reached by a link that leaves the run.
        """
        refuse_links_out(self.root, path)
        manifest = self.manifest()
        try:
            file = self._opened(path, manifest)
        except RunError:
            # Another process may have replaced both since the manifest was read.
            if (anew := self.manifest()) is manifest:
                raise
            file = self._opened(path, anew)
        with file:
            file.seek(0)
            yield file
            # What a library opened by its name must be what was read here.
            if _state(file.fileno()) != _state(path):
                raise ChangedFileError(path, "was changed while it was read", "try again")

    def _opened(self, path: Path, manifest: Manifest | None) -> BinaryIO:
        """Open a file that holds what a manifest says."""
        name = self._name(path)
        record = None if manifest is None else manifest.files.get(name)
        try:
            file = open_regular(path)
        except FileNotFoundError:
            if record is not None:
                raise self._missing(path) from None
            raise RunError(f"{display_path(path)} is missing") from None
        with contextlib.ExitStack() as closing:
            closing.enter_context(file)
            if manifest is not None:
                if record is None and not manifest.may_be_new(name):
                    why = f"is not a file of the run: {NAME} does not list it"
                    raise ChangedFileError(path, why, advice(self.root, "remove it"))
                if record is not None and not _holds(file, record, manifest.may_grow(name)):
                    why = "is not the file that the run wrote: its SHA-256 differs from the one in "
                    raise ChangedFileError(path, f"{why}{NAME}", advice(self.root))
            closing.pop_all()
        return file

    def hashes(self, *paths: Path) -> dict[str, str]:
        """Return the SHA-256 of files, as the manifest lists them, by their own names."""
        return {path.name: one.sha256 for path in paths if (one := self._record(path)) is not None}

    def read_bytes(self, path: Path) -> bytes:
        """Return a file's bytes. Raises as `open`."""
        with self.open(path) as file:
            return read_small(file, path)

    def read_text(self, path: Path) -> str:
        """Return the text of a UTF-8 file. Raises as `open`."""
        return parse_text(self.read_bytes(path), path)

    def read_json(self, path: Path) -> Any:
        """Return what a JSON file holds. Raises as `open`."""
        return parse_json(self.read_bytes(path), path)

    def read_object(self, path: Path) -> dict[str, Any]:
        """Return the JSON object that a file holds. Raises as `open`."""
        return parse_object(self.read_bytes(path), path)

    def read_npz(self, path: Path) -> dict[str, np.ndarray]:
        """Return the arrays of an npz file by name. Raises as `open`."""
        with self.open(path) as file:
            return parse_npz(file, path)

    @contextlib.contextmanager
    def writing(self, *paths: Path) -> Iterator[None]:
        """Write files in the body. The manifest of a run that has ended takes them in.

        Raises:
            RunError: A link that leaves the run is on the way to one of them.
        """
        for path in paths:
            refuse_links_out(self.root, path)
        yield
        self.take_in(*paths)

    def take_in(self, *paths: Path) -> None:
        """Record files that were written after the run has ended."""
        manifest = self.manifest()
        if manifest is None or not manifest.ended:
            return
        records = {self._name(path): self._hash(path) for path in paths if path.is_file()}
        with locked(self.root):
            # Read again: another process may have added a file meanwhile.
            manifest = self.manifest() or manifest
            write_manifest(self.root, manifest.with_files(records))

    def replace(self, path: Path, data: bytes, *, ended: bool | None = None) -> None:
        """Write a file in place of the one before. If the process ends in between, the manifest
        fits either.

        Args:
            path: The file.
            data: What it shall hold.
            ended: Whether the run has ended; None if that stays as it is.
        """
        refuse_links_out(self.root, path)
        name = self._name(path)
        with locked(self.root):
            before = self.manifest()
            if ended or before is not None:
                manifest = self._updated(before, ended=ended, without=name)
                old = None if before is None else before.files.get(name)
                if old is None and path.is_file():
                    old = self._hash(path)
                new = FileRecord.of_bytes(data)
                record = FileRecord(new.size, new.sha256, old and FileRecord(old.size, old.sha256))
                write_manifest(self.root, manifest.with_files({name: record}))
            write_bytes(path, data, replace=True)

    def remove(self, *paths: Path) -> None:
        """Remove files, from the manifest first. One that is not there is left out."""
        for path in paths:
            refuse_links_out(self.root, path)
        with locked(self.root):
            if (manifest := self.manifest()) is not None:
                gone = {self._name(path): None for path in paths}
                write_manifest(self.root, manifest.with_files(gone))
            for path in paths:
                path.unlink(missing_ok=True)

    def forget(self, *folders: Path) -> None:
        """Leave what is in some folders out of the manifest from now on."""
        with locked(self.root):
            if (manifest := self.manifest()) is not None:
                places = tuple(f"{self._name(folder)}/" for folder in folders)
                gone = {name: None for name in manifest.files if name.startswith(places)}
                write_manifest(self.root, manifest.with_files(gone))

    def update(self) -> None:
        """Record every file that was written since the last time. What is recorded already stays
        as it is, except that files that grow are recorded as they are now."""
        with locked(self.root):
            write_manifest(self.root, self._updated(self.manifest()))

    def seal(self) -> list[Fault]:
        """Record every file as it is now, whatever the manifest says of it, and return what did
        not fit the manifest before."""
        with locked(self.root):
            faults = self.faults() if _state(self.root / NAME) is not None else []
            files = {
                name: self._hash(self.root / name) for name in written_files(self.root, ended=True)
            }
            write_manifest(self.root, sealed_now(Manifest(True, files)))
        return faults

    def faults(self) -> list[Fault]:
        """Read every file, and return what is wrong with each; empty if nothing is, or if the run
        has no manifest."""
        try:
            manifest = self.manifest()
        except RunError as error:
            return [Fault.of(NAME, error)]
        if manifest is None:
            return []
        found = []
        for name in manifest.files:
            try:
                with self.open(self.root / name):
                    pass
            except RunError as error:
                found.append(Fault.of(name, error))
        there = set(written_files(self.root, ended=manifest.ended)) - manifest.files.keys()
        unknown = sorted(name for name in there if not manifest.may_be_new(name))
        return [*found, *(Fault(name, "is not a file of the run") for name in unknown)]

    def _updated(
        self, manifest: Manifest | None, *, ended: bool | None = None, without: str = ""
    ) -> Manifest:
        """The manifest with what was written since."""
        known = manifest or Manifest()
        ended = known.ended if ended is None else ended
        files: dict[str, FileRecord] = dict(known.files)
        for name in written_files(self.root, ended=ended):
            if name != without and (name not in files or known.may_grow(name)):
                path = self.root / name
                if name in files and not self._grown(path, files[name]):
                    # It was changed, so that its record stays, to tell.
                    continue
                files[name] = self._hash(path)
        return Manifest(ended, files, known.sealed)

    def _grown(self, path: Path, record: FileRecord) -> bool:
        with open_regular(path) as file:
            return _holds(file, record, may_grow=True)

    def _hash(self, path: Path) -> FileRecord:
        with open_regular(path) as file:
            return hash_file(file)

    def _record(self, path: Path) -> FileRecord | None:
        manifest = self.manifest()
        return None if manifest is None else manifest.files.get(self._name(path))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _missing(self, path: Path) -> ChangedFileError:
        return ChangedFileError(path, f"is missing, though {NAME} lists it", advice(self.root))

    def _had_manifest(self) -> bool:
        """Whether `run.json` says that there is a manifest."""
        try:
            with open_regular(self.root / MARKER) as file:
                facts = parse_object(read_small(file, self.root / MARKER), self.root / MARKER)
        except (RunError, OSError):
            return False
        return "manifest" in facts


def _holds(file: BinaryIO, record: FileRecord, may_grow: bool) -> bool:
    """Whether an open file is what was recorded, or grew from it."""
    size = os.fstat(file.fileno()).st_size
    fitting = [one for one in (record, record.before) if one is not None]
    if may_grow:
        fitting = [one for one in fitting if one.size <= size]
        return any(hash_file(file, one.size).sha256 == one.sha256 for one in fitting)
    fitting = [one for one in fitting if one.size == size]
    # What has another size need not be read.
    return bool(fitting) and hash_file(file).sha256 in [one.sha256 for one in fitting]


def _state(file: Path | int) -> tuple[int, ...] | None:
    """What tells a file, given by name or open, from another one; None if there is none."""
    try:
        facts = os.stat(file)
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
