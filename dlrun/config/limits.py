"""How much dlrun takes of a file that somebody else may have written, and how to raise that."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from dlrun.errors import UsageError
from dlrun.registry.names import did_you_mean
from dlrun.text import listed

ENVIRONMENT = "DLRUN_LIMITS"
"""The variable that raises limits, such as `picture_pixels=200000000,config_depth=200`. No file can
set it."""

LIMITS = {
    "config_bytes": 1_000_000,
    "config_depth": 100,
    "config_values": 10_000,
    "layers": 10_000,
    "picture_pixels": 90_000_000,
    "table_columns": 10_000,
    "unpacked_bytes": 10_000_000_000,
}
"""Bytes of a config file, levels of its nesting, values once its aliases are written out; layers
once blocks and `repeat` are; pixels of one picture; columns of a table whose features nobody
chose; bytes of a compressed text file once it is unpacked, where the free memory is not known."""

_SYSTEM = ("/proc/", "/sys/", "/dev/")
_SHARED_MEMORY = "/dev/shm/"
"""Where files live in memory; clusters keep data and projects there."""


def limit(name: str) -> int:
    """Return a limit, by its name in `LIMITS`.

    Raises:
        UsageError: The environment variable cannot be read.
    """
    given = os.environ.get(ENVIRONMENT)
    return LIMITS[name] if not given else _raised(given).get(name, LIMITS[name])


def unpacked_limit() -> int:
    """Return how many bytes of a compressed text file are unpacked at most: as the environment
    variable says, else as many as memory is free now."""
    name, given = "unpacked_bytes", os.environ.get(ENVIRONMENT)
    raised = _raised(given).get(name) if given else None
    return raised or free_memory() or LIMITS[name]


def how_to_raise(name: str, needed: int) -> str:
    """Say how a limit is raised, to what is needed or, as far as that is not known, to twice it."""
    return f"to allow more, set {ENVIRONMENT}={name}={max(needed, limit(name) + 1)}"


def free_memory() -> int | None:
    """Return the bytes of memory that this process can still get; None where that is unknown."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable:"))
        found.append(1024 * int(available.split()[1]))
    with contextlib.suppress(OSError, ValueError):
        # Of what the group uses, files that were read count too, and give way.
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found, default=None)


def _raised(given: str) -> dict[str, int]:
    raised = {}
    for entry in given.split(","):
        name, _, number = entry.strip().partition("=")
        if name not in LIMITS:
            near = did_you_mean(name, LIMITS) or f"; there are {listed(LIMITS)}"
            raise UsageError(f"{ENVIRONMENT}: unknown limit '{name}'{near}")
        if not (number.isascii() and number.isdigit() and len(number) < 20):
            raise UsageError(
                f"{ENVIRONMENT}: '{name}' needs a whole number, such as {name}={2 * LIMITS[name]}"
            )
        raised[name] = int(number)
    return raised


def real_path(path: Path) -> Path:
    """Return a path without symbolic links; `Path.resolve` fails where they lead in a circle.

    Raises:
        ValueError: No file can have such a name, as it holds a null character.
    """
    return Path(os.path.realpath(path))


def special_file(path: Path) -> str | None:
    """Return what a path is that is neither a regular file nor a folder, such as a device, or
    belongs to the system, or no file can have; None for what may be read, and where nothing is
    there."""
    try:
        resolved = real_path(path).as_posix()
        if resolved.startswith(_SYSTEM) and not resolved.startswith(_SHARED_MEMORY):
            return "a system file"
        mode = path.stat().st_mode
    except ValueError:
        return "not a possible file name"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a symbolic link that leads in a circle"
        return "too long for a file name" if error.errno == errno.ENAMETOOLONG else None
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
