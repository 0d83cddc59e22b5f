"""Small files of runs, read back with every damage named."""

from __future__ import annotations

import json
import math
import os
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dlrun.errors import RunError
from dlrun.store.files import no_access, os_errors_named
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np

MOST_BYTES = 2**28
"""Size from which on a file that is read whole is taken for damaged; dlrun writes none as large."""

MOST_PACKED = 1100
"""How many times smaller compression makes a file at most, a little above zlib's limit."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. A pipe or a device is refused, and not waited for.

    Raises:
        FileNotFoundError: It is missing.
        RunError: It cannot be read, or is something else than a file.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(f"cannot read {display_path(path)}: {no_access(error)}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RunError(f"cannot read {display_path(path)}: it is not a regular file")
    return os.fdopen(descriptor, "rb")


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        RunError: It is missing, too large to be one of dlrun's, or cannot be read.
    """
    try:
        with open_regular(path) as file:
            return read_small(file, path)
    except FileNotFoundError:
        raise RunError(f"{display_path(path)} is missing") from None


def read_small(file: BinaryIO, path: Path) -> bytes:
    """Return the rest of an open file that is read whole; `path` names it in errors.

    Raises:
        RunError: It is larger than any that dlrun writes, or cannot be read.
    """
    if (size := os.fstat(file.fileno()).st_size) > MOST_BYTES:
        raise RunError(
            f"{display_path(path)} is damaged: it holds {size:,} bytes, more than any such file "
            f"that dlrun writes ({MOST_BYTES:,})"
        )
    with os_errors_named("read", path):
        return file.read()


def parse_text(data: bytes, path: Path) -> str:
    """Return UTF-8 text, line ends as they are; `path` names it in errors.

    Raises:
        RunError: It is not text.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{display_path(path)} is damaged: not valid UTF-8") from error


def parse_json(data: bytes, path: Path) -> Any:
    """Return what JSON holds; `path` names it in errors.

    Raises:
        RunError: It is not JSON, or nested too deeply.
    """
    try:
        return json.loads(parse_text(data, path))
    except json.JSONDecodeError as error:
        raise RunError(
            f"{display_path(path)} is damaged: not JSON at line {error.lineno}: {error.msg}"
        ) from error
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else "a number too long"
        raise RunError(f"{display_path(path)} is damaged: {why}") from error


def parse_object(data: bytes, path: Path) -> dict[str, Any]:
    """Return a JSON object; `path` names it in errors.

    Raises:
        RunError: It is not JSON, or another kind of value.
    """
    value = parse_json(data, path)
    if not isinstance(value, dict):
        raise RunError(f"{display_path(path)} is damaged: expected a JSON object")
    return value


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        RunError: It is missing, not JSON, or another kind of value.
    """
    return parse_object(read_bytes(path), path)


def parse_npz(file: BinaryIO, path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an open npz file by name; `path` names it in errors. Nothing in it is
    ever unpickled, and no memory is taken that it could not fill.

    Raises:
        RunError: It is no npz file, holds Python objects, or does not fit into memory.
    """
    import numpy as np

    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if _claimed_bytes(archive, member) > member.file_size:
                    raise ValueError(f"{member.filename} claims more than it holds")
                if member.file_size > MOST_PACKED * member.compress_size + MOST_PACKED:
                    raise ValueError(f"{member.filename} claims more than is compressed in it")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except MemoryError as error:
        raise RunError(f"{display_path(path)} does not fit into memory") from error
    except PermissionError as error:
        raise RunError(f"cannot read {display_path(path)}: {no_access(error)}") from error
    # A damaged archive raises whatever its parsers raise.
    except Exception as error:
        raise RunError(f"{display_path(path)} is damaged: not a readable npz file") from error


def _claimed_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """How many bytes a member's own header says that it holds."""
    import numpy as np

    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        return file.tell() + math.prod(shape) * dtype.itemsize
