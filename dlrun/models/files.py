"""Trained models on disk, in Keras' own `.keras` format."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from dlrun.errors import RunError
from dlrun.models.objects import reason

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
"""What every `.keras` file holds."""


def save_model(model: Any, path: Path) -> None:
    """Write a model with its weights, its loss, its optimizer's state and its metrics.

    Args:
        model: A Keras model.
        path: The file to write; its name ends in `.keras`.

    Raises:
        RunError: The model has a part that Keras cannot write down.
        OSError: The disk refused.
    """
    try:
        model.save(path)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise RunError(f"Keras cannot save the model: {reason(error)}") from error


def load_model(path: Path, is_whole: bool = False) -> Any:
    """Return the model of a `.keras` file, compiled as it was when it was saved.

    No code from the file is run (Keras' safe mode), and nothing in it is a pickle.

    Args:
        path: The file.
        is_whole: Whether it is known to be complete, so that it need not be read to see that.

    Raises:
        RunError: There is no such file, it is damaged, or it would run code.
    """
    if not path.is_file():
        raise RunError(f"there is no model at {path}")
    if not is_whole and not _is_whole(path):
        raise RunError(f"{path} is damaged: it is not a complete Keras model; train again")
    import keras

    try:
        return keras.saving.load_model(path, safe_mode=True)
    # A damaged file raises whatever its parser raises.
    except Exception as error:
        raise RunError(f"Keras cannot load the model {path}: {reason(error)}") from error


def _is_whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist()) >= MEMBERS and archive.testzip() is None
    except PermissionError as error:
        raise RunError(f"cannot read {path}: no permission") from error
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError):
        return False
