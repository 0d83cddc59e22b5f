"""Files of a run, read back; what is missing or damaged is named."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        RunError: It is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{display_path(path)} is missing") from None
    except OSError as error:
        raise RunError(f"cannot read {display_path(path)}: {error.strerror or error}") from error


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text, line ends as they are.

    Raises:
        RunError: It is missing or no text.
    """
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{display_path(path)} is damaged: it is no UTF-8 text") from error


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        RunError: It is missing or no JSON.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise RunError(
            f"{display_path(path)} is damaged: no JSON at line {error.lineno}: {error.msg}"
        ) from error


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        RunError: It is missing, no JSON, or another kind of value.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise RunError(f"{display_path(path)} is damaged: expected a JSON object")
    return value


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file by name. Nothing in it is ever unpickled.

    Raises:
        RunError: It is missing, no npz file, or holds Python objects.
    """
    import numpy as np

    try:
        # NumPy leaves a file open that it opened itself and found to be no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise RunError(f"{display_path(path)} is missing") from None
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{display_path(path)} is damaged: no readable npz file") from error
