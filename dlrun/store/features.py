"""The features that frozen bases gave for rows, kept beside the runs and computed once.

`.cache/features/` in the folder of the runs holds for each key a `.npy` with the numbers and a
`.json` that says when they are whole. All of it can be deleted at any time, also by another run
that needs the room: a run that has found features keeps their file open, and can read all of it.
"""

from __future__ import annotations

import hashlib
import math
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dlrun.errors import RunError
from dlrun.store.files import atomic_path, os_errors_named, remove_leftovers, write_json
from dlrun.store.reading import read_object

if TYPE_CHECKING:
    import numpy as np

FOLDER = (".cache", "features")

MOST_BYTES = 8 * 2**30
"""Size of all that is kept; the least recently used goes first."""

READ_BYTES = 2**24


class StoredFeatures:
    """Features in a file that stays open while they are used: POSIX systems keep the contents of an
    open file that is removed, others do not let it be removed.

    Args:
        file: A `.npy` file of float32; it is closed with this object.
        shape: Their shape, rows first.
    """

    def __init__(self, file: BinaryIO, shape: tuple[int, ...]) -> None:
        import numpy as np

        file.seek(0)
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        self._offset = file.tell()
        self._file = file
        self.shape = shape
        weakref.finalize(self, file.close)

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32."""
        import numpy as np

        return np.dtype(np.float32)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return the features of rows, (b, ...), by their numbers, (b,) in any order. Threads may
        call it at once."""
        import numpy as np

        # Mapped for this reading alone: what stays mapped counts as memory of the process.
        mapped = np.memmap(self._file, self.dtype, "r", self._offset, self.shape)
        return np.asarray(mapped[rows])


class FeatureStore:
    """The features that are kept beside the runs of one folder.

    Args:
        runs_dir: Where runs are kept.
    """

    def __init__(self, runs_dir: Path) -> None:
        self.path = runs_dir.joinpath(*FOLDER)

    def find(self, key: str, shape: tuple[int, ...]) -> StoredFeatures | None:
        """Return the features of a key, or None if none are complete.

        Args:
            key: What the features are of.
            shape: The shape that they must have, rows first.
        """
        numbers, facts = self._files(key)
        try:
            known = read_object(facts)
            if known.get("shape") != list(shape):
                return None
            file = numbers.open("rb", buffering=0)
        except (RunError, OSError):
            return None
        try:
            if known.get("sha256") == _hash(file):
                kept = StoredFeatures(file, shape)
                with suppress(OSError):
                    os.utime(facts)
                return kept
        except (OSError, ValueError):
            pass
        file.close()
        return None

    def write(
        self, key: str, shape: tuple[int, ...], fill: Callable[[np.ndarray], None]
    ) -> StoredFeatures:
        """Keep features, in place of damaged ones, and return them.

        Args:
            key: What the features are of.
            shape: Their shape, rows first.
            fill: Writes them, float32, into the array that it is given.

        Raises:
            RunError: The disk refused.
        """
        import numpy as np

        numbers, facts = self._files(key)
        with os_errors_named("make", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.path)
        with atomic_path(numbers, replace=True) as temporary:
            mapped = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
            _reserve(temporary)
            fill(mapped)
            mapped.flush()
            del mapped
        with os_errors_named("read", numbers):
            file = numbers.open("rb", buffering=0)
        kept = StoredFeatures(file, shape)
        write_json(facts, {"shape": list(shape), "sha256": _hash(file)}, replace=True)
        self._bound(facts)
        return kept

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether features of a shape are small enough to be kept."""
        return 4 * math.prod(shape) <= MOST_BYTES

    def _files(self, key: str) -> tuple[Path, Path]:
        return self.path / f"{key}.npy", self.path / f"{key}.json"

    def _bound(self, newest: Path) -> None:
        """Remove the least recently used until the rest is small enough."""
        others = {path: _facts_of(path) for path in self.path.glob("*.json") if path != newest}
        size = sum(_facts_of(path)[1] for path in self.path.glob("*.npy"))
        for facts in sorted(others, key=others.__getitem__):
            if size <= MOST_BYTES:
                return
            numbers = facts.with_suffix(".npy")
            size -= _facts_of(numbers)[1]
            for path in (facts, numbers):
                # Systems other than POSIX refuse while a run has it open.
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def _facts_of(path: Path) -> tuple[float, int]:
    """When a file was changed, and its size; zeros if another run has removed it."""
    try:
        facts = path.stat()
    except OSError:
        return 0.0, 0
    return facts.st_mtime, facts.st_size


def _reserve(path: Path) -> None:
    """Reserve a file's space on the disk: on a full disk, writing to a mapped file would end the
    process."""
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("rb+") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _hash(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(READ_BYTES):
        digest.update(block)
    return digest.hexdigest()
