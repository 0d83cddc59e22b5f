"""Removing runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from dlrun.errors import RunError
from dlrun.store.files import os_errors_named, remove_leftovers, temporary_path
from dlrun.store.names import MARKER
from dlrun.text import display_path


def remove_run(path: Path) -> None:
    """Remove a run with everything in it. What a link in it points to stays.

    Args:
        path: The run directory.

    Raises:
        RunError: It is not a run directory, or the disk refused.
    """
    marker = path / MARKER
    if path.is_symlink() or not marker.is_file():
        raise RunError(f"{display_path(path)} is not a run directory; nothing was removed")
    with os_errors_named("remove", path):
        remove_leftovers(path.parent)
        # Gone at once; what is left where this process is killed is removed next time.
        hidden = temporary_path(path)
        path.rename(hidden)
        try:
            _remove_whole(hidden)
        except OSError:
            # What the disk does not let go is shown, so that it can be removed again.
            hidden.rename(path)
            raise


def _remove_whole(path: Path) -> None:
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARKER:
            entry.unlink()
    # Last, so that a run that is removed in part can be removed again.
    (path / MARKER).unlink()
    path.rmdir()
