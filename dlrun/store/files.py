"""The files of runs: written whole or not at all, and never through a link that leaves the run."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.store.environment import process_is_gone
from dlrun.store.json_text import to_json
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np


@contextlib.contextmanager
def atomic_path(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary name to write to; what was written becomes `path` at the end, at once.

    The name is in the same folder and has the same suffix. If the body fails, nothing is left of
    it and `path` is as it was.

    Args:
        path: The file to make.
        replace: Whether a file that is already there is replaced.

    Raises:
        RunError: `path` exists and may not be replaced, the disk refused, or nothing was
            written.
    """
    temporary = temporary_path(path)
    with os_errors_named("write", path):
        if not replace and os.path.lexists(path):
            raise FileExistsError(path)
        try:
            yield temporary
            if not temporary.is_file():
                raise RunError(f"nothing was written for {display_path(path)}")
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            _put(temporary, path, replace)
        finally:
            temporary.unlink(missing_ok=True)


LEFTOVER = re.compile(r"\..+\.(?:(\d+)-([0-9a-f]{6})-)?[0-9a-f]{4,8}(?:\.\w+)?")
"""The name of a file that is being written, or was when its writer was killed: its own name hidden,
and the process, the host and a random number."""


def temporary_path(path: Path) -> Path:
    """Return a hidden name beside a file or folder that tells who is writing it."""
    writer = f"{os.getpid()}-{_host()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.stem}.{writer}{path.suffix}")


def remove_leftovers(folder: Path, *, unsigned: bool = False) -> None:
    """Remove from a folder what a killed process has not finished writing; not what another one may
    be writing at this moment, here or on another host.

    What cannot be removed stays; nothing is raised.

    Args:
        folder: Where to look.
        unsigned: Also remove what does not tell its writer, as those of earlier versions do not.
    """
    for path in _hidden(folder):
        match = LEFTOVER.fullmatch(path.name)
        if match is None or not (_is_gone(match[1], match[2]) if match[1] else unsigned):
            continue
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _hidden(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if entry.name.startswith(".")]
    return []


def _is_gone(process: str, host: str) -> bool:
    """Whether a writer is known to have ended."""
    return host == _host() and process_is_gone({"host": platform.node(), "pid": int(process)})


def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def write_bytes(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write a file atomically.

    Raises:
        RunError: As `atomic_path`.
    """
    with atomic_path(path, replace=replace) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str, *, replace: bool = False) -> None:
    """Write UTF-8 text atomically, line ends as they are.

    Raises:
        RunError: As `atomic_path`.
    """
    write_bytes(path, as_bytes(text), replace=replace)


def as_bytes(text: str) -> bytes:
    """Return UTF-8 text as `write_text` writes it."""
    return text.encode("utf-8", errors="backslashreplace")


def write_once(folder: Path, stem: str, suffix: str, data: bytes) -> tuple[Path, bool]:
    """Write a file under a name that is free, unless one of those names holds these bytes.

    Returns:
        The file: `stem.png`, `stem-2.png`, ...; and whether it was written now.

    Raises:
        RunError: The disk refused.
    """
    number = 1
    while True:
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}"
        try:
            write_bytes(path, data)
            return path, True
        except RunError:
            if not os.path.lexists(path):
                raise
        if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
            return path, False
        number += 1


def write_json(path: Path, value: Any, *, replace: bool = False, exact: bool = False) -> None:
    """Write facts as JSON, atomically; see `to_json` for what becomes of them.

    Raises:
        RunError: As `atomic_path`.
        TypeError: A value has no form in JSON.
    """
    write_text(path, to_json(value, exact=exact), replace=replace)


def write_npz(path: Path, arrays: Mapping[str, np.ndarray], *, compress: bool = False) -> None:
    """Write arrays of any shape and of plain dtypes by name, atomically.

    Raises:
        RunError: As `atomic_path`.
        TypeError: An array holds Python objects, which only a pickle could keep.
    """
    import numpy as np

    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"cannot write array '{name}': it holds Python objects")
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    # Not `np.savez`: it takes the names as arguments, so that none may be called `file`.
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "x", method, compresslevel=1) as archive,
    ):
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def append_line(path: Path, line: str) -> None:
    """Add one line to a file that grows, in one write, so that a reader never sees half of it.

    Raises:
        RunError: The disk refused.
    """
    data = as_bytes(line + "\n")
    with os_errors_named("write", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            before = os.fstat(descriptor).st_size
            if os.write(descriptor, data) < len(data):
                # What is left of a full disk takes a part of it.
                os.ftruncate(descriptor, before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder if it does not exist; its parent must exist.

    Raises:
        RunError: The disk refused.
    """
    # Not `parents=True`: a run that is deleted while it trains must not come back in part.
    with os_errors_named("write", path):
        path.mkdir(exist_ok=True)


@contextlib.contextmanager
def os_errors_named(verb: str, path: Path, hint: str = "") -> Iterator[None]:
    """Turn what the system raises into a RunError that names the file or folder.

    Args:
        verb: What is done to it: `cannot VERB PATH: REASON`.
        path: The file or folder.
        hint: What the message adds.
    """
    try:
        yield
    except OSError as error:
        if verb == "write" and isinstance(error, FileExistsError):
            raise RunError(f"{display_path(path)} exists and is never overwritten") from error
        raise RunError(f"cannot {verb} {display_path(path)}: {no_access(error)}{hint}") from error


def is_disk_error(error: BaseException) -> bool:
    """Whether a file could not be read or written, as on a full disk."""
    return isinstance(error, RunError) and isinstance(error.__cause__, OSError)


def _put(temporary: Path, path: Path, replace: bool) -> None:
    if replace:
        temporary.replace(path)
    else:
        try:
            # Unlike a rename, a link fails if the name has been taken meanwhile.
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links.
            if os.path.lexists(path):
                raise FileExistsError(path) from None
            temporary.rename(path)
    _flush_folder(path.parent)


def move_folder(folder: Path, path: Path) -> bool:
    """Give a folder another name in the same folder, for good; return False if it is taken.

    Raises:
        OSError: The disk refused.
    """
    _flush_folder(folder)
    # An empty folder that another process has made meanwhile would be replaced.
    with locked(path.parent):
        if os.path.lexists(path):
            return False
        try:
            folder.rename(path)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                return False
            raise
    _flush_folder(path.parent)
    return True


def _flush_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        # Some network file systems cannot flush a folder; the file itself is safe.
        pass
    finally:
        os.close(descriptor)


def no_access(error: OSError) -> str:
    """Return why the system refused a file: `no permission`, or its own words."""
    return "no permission" if isinstance(error, PermissionError) else error.strerror or str(error)


def refuse_links_out(root: Path, path: Path) -> None:
    """Refuse a file that a symbolic link below `root` leads out of it. `root` may be a link itself.

    Raises:
        RunError: Names the link's target.
    """
    real, inside = os.path.realpath(path), os.path.realpath(root)
    if os.path.commonpath([real, inside]) != inside:
        raise RunError(
            f"{display_path(path)} is a symbolic link, or below one, to {real}, outside the run; "
            "replace the link by a copy"
        )


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Let one process at a time into the body, where the system can lock a file or folder.

    Args:
        path: The file or folder.
        wait: Whether to wait for another process; if not, the body learns whether it is alone.
    """
    if os.name != "posix":
        yield True
        return
    import fcntl

    with os_errors_named("read", path):
        descriptor = os.open(path, os.O_RDONLY)
    alone = True
    try:
        with contextlib.suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                alone = False
        yield alone
    finally:
        # Closing it also unlocks it.
        os.close(descriptor)
