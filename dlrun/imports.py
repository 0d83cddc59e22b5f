"""Importing large libraries in less time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def without_packages(*names: str) -> Iterator[None]:
    """Import something as if these packages were not installed, which it imports for what is never
    called. Those that are imported already stay."""
    hidden = [name for name in names if name not in sys.modules]
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
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before or _paused:
            gc.freeze()
            gc.enable()


@contextmanager
def collection_paused() -> Iterator[None]:
    """Search for no garbage until `without_collection` ends, or this does."""
    global _paused
    before = gc.isenabled()
    gc.disable()
    _paused = before
    try:
        yield
    finally:
        _paused = False
        if before:
            gc.enable()


_paused = False
