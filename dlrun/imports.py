"""Importing large libraries in less time, above all where a process is one command."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

_is_command = False


def is_command() -> bool:
    """Whether this process runs a dlrun command, rather than a program that imports dlrun."""
    return _is_command


@contextmanager
def one_command() -> Iterator[None]:
    """Run a command: nothing else in this process uses what it imports.

    Python's search for garbage waits until `without_collection` ends, or the command does.
    """
    global _is_command
    collects = gc.isenabled()
    gc.disable()
    _is_command = True
    try:
        yield
    finally:
        _is_command = False
        if collects:
            gc.enable()


@contextmanager
def without_packages(*names: str) -> Iterator[None]:
    """Import something in a command as if these packages were not installed, which it imports for
    what no command calls. Those that are imported already stay."""
    hidden = [name for name in names if _is_command and name not in sys.modules]
    # Python takes None for a package that is not installed.
    sys.modules.update(dict.fromkeys(hidden, cast(ModuleType, None)))
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


@contextmanager
def without_collection() -> Iterator[None]:
    """Import without Python's search for garbage, which goes through a million objects of modules
    again and again: about a second of five. What is imported stays out of later searches."""
    collects = gc.isenabled() or _is_command
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.freeze()
            gc.enable()
