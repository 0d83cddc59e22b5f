"""Runs that are killed at a write: what is on the disk then, and whether a resumed run is the one
that was left alone."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

CHANGES = ("fsync", "link", "mkdir", "rename", "replace", "rmdir", "unlink", "write")
"""Functions of `os` that change what is on the disk."""

TIMES = {"seconds", "stages"}
"""Keys of a result that two runs have never in common."""


@contextmanager
def as_a_process_that_is_killed() -> Iterator[None]:
    """What the body writes, and begins to write, is that of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: child.pid)
        yield


@contextmanager
def states_at_every_change(runs: Path, folder: Path) -> Iterator[list[Path]]:
    """Copy a folder of runs before every change of it that the body makes, each state once: a
    process that is killed there leaves it so. A line that grows a file is also cut in half.

    Args:
        runs: The folder of runs.
        folder: Where the copies go.
    """
    states: list[Path] = []
    seen: set[str] = set()
    copying = False

    def keep(torn: tuple[Path, bytes] | None = None) -> None:
        nonlocal copying
        if copying or not runs.is_dir():
            return
        copying = True
        state = folder / f"{len(states):04d}"
        shutil.copytree(runs, state, symlinks=True)
        if torn is not None:
            with (state / torn[0].relative_to(runs)).open("ab") as file:
                file.write(torn[1])
        digest = digest_of(state)
        if digest in seen:
            shutil.rmtree(state)
        else:
            seen.add(digest)
            states.append(state)
        copying = False

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any, **options: Any) -> Any:
            keep()
            if name == "write" and not copying:
                path = Path(os.readlink(f"/proc/self/fd/{arguments[0]}"))
                if path.is_relative_to(runs):
                    keep((path, arguments[1][: len(arguments[1]) // 2]))
            return real(*arguments, **options)

        return change

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, watched(name, getattr(os, name)))
        yield states
    keep()


def digest_of(folder: Path) -> str:
    """What tells two states apart; a line of the log does not."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.name != "log.txt":
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def the_run(runs: Path) -> Path | None:
    """The one run of a folder; None if there is none yet."""
    found = [path for path in runs.iterdir() if not path.name.startswith(".")]
    assert len(found) < 2
    return found[0] if found else None


def assert_same_run(one: Path, other: Path) -> None:
    """Compare all files of two runs, but for times, logs and the bytes of archives."""
    assert not set(_names(one)) ^ set(_names(other))
    for name in _names(one):
        kind = Path(name).suffix
        left, right = one / name, other / name
        if kind == ".npz":
            _assert_same_arrays(dict(np.load(left)), dict(np.load(right)))
        elif kind == ".keras":
            weights = [keras.saving.load_model(path).get_weights() for path in (left, right)]
            _assert_same_arrays(*(dict(enumerate(map(np.asarray, each))) for each in weights))
        elif kind == ".csv":
            assert _rows(left) == _rows(right), name
        elif name.endswith(("result.json", "data.json", "preprocess.json", "examples.json")):
            pairs = ((left, one.name), (right, other.name))
            facts = [_timeless(json.loads(path.read_text()), run) for path, run in pairs]
            assert facts[0] == facts[1], name
    status = [json.loads((run / "run.json").read_text())["status"] for run in (one, other)]
    assert status[0] == status[1]


def _names(run: Path) -> list[str]:
    return sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())


def _rows(path: Path) -> list[list[str]]:
    header, *rows = csv.reader(path.read_text().splitlines())
    timed = header.index("seconds") if "seconds" in header else len(header)
    return [[*row[:timed], *row[timed + 1 :]] for row in (header, *rows)]


def _timeless(value: Any, run: str) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(one, run) for key, one in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [_timeless(one, run) for one in value]
    # Commands name the run, wherever it was then.
    return re.sub(rf"\S*{run}", "RUN", value) if isinstance(value, str) else value


def _assert_same_arrays(left: dict[Any, np.ndarray], right: dict[Any, np.ndarray]) -> None:
    assert left.keys() == right.keys()
    for name, array in left.items():
        np.testing.assert_array_equal(array, right[name], err_msg=str(name), strict=True)
