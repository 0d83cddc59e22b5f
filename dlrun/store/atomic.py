"""Files that are either whole or not there: written beside their place, flushed, renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.store.json_text import to_json
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np


@contextlib.contextmanager
def atomic_path(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary name to write to; what was written becomes `path` at the end, at once.

    The name stands in the same folder and has the same suffix. If the body fails, nothing is
    left of it and `path` is as it was.

    Args:
        path: The file to make.
        replace: Whether a file that is already there gives way.

    Raises:
        RunError: `path` exists and may not be replaced, the disk refused, or nothing was
            written.
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    with _as_run_error(path):
        if not replace and os.path.lexists(path):
            raise FileExistsError(path)
        try:
            yield temporary
            if not temporary.is_file():
                raise RunError(f"nothing was written for {display_path(path)}")
            _flush(temporary)
            _put(temporary, path, replace)
        finally:
            temporary.unlink(missing_ok=True)


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
        if path.is_file() and path.read_bytes() == data:
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
    data = (line + "\n").encode("utf-8", errors="backslashreplace")
    with _as_run_error(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder where it is not there yet; the one above it must be.

    Raises:
        RunError: The disk refused.
    """
    # Not `parents=True`: a run that is deleted while it trains must not come back in part.
    with _as_run_error(path):
        path.mkdir(exist_ok=True)


@contextlib.contextmanager
def _as_run_error(path: Path) -> Iterator[None]:
    """Turn the system's refusal into a message that names the file."""
    try:
        yield
    except FileExistsError as error:
        raise RunError(f"{display_path(path)} exists and is never overwritten") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"cannot write {display_path(path)}: {reason}") from error


def _put(temporary: Path, path: Path, replace: bool) -> None:
    if replace:
        temporary.replace(path)
    else:
        try:
            # Unlike a rename, a link fails where the name is taken, whoever took it meanwhile.
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links.
            if os.path.lexists(path):
                raise FileExistsError(path) from None
            temporary.rename(path)
    _flush_folder(path.parent)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


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
