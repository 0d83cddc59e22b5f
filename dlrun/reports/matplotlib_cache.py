"""Matplotlib without a trace in the user's home."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from dlrun.imports import is_command

FOLDER = "MPLCONFIGDIR"
"""The variable that names where matplotlib keeps its cache of fonts."""


def use_temporary_cache() -> None:
    """Let matplotlib keep its cache of fonts until this process ends; call it before matplotlib is
    imported. A folder that the user has chosen stays, and so do the settings of a program that
    imports dlrun: matplotlib reads them from the same folder."""
    if is_command() and not os.environ.get(FOLDER):
        folder = tempfile.mkdtemp(prefix="dlrun-matplotlib-")
        os.environ[FOLDER] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
