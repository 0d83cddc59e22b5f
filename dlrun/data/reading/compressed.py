"""Opening files that may be compressed, as far as they fit into memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from dlrun.config.limits import how_to_raise, unpacked_limit
from dlrun.errors import DataError

_OPENERS: dict[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
COMPRESSED = tuple(_OPENERS)
"""File endings that are unpacked while reading."""

_CHECKED_EVERY = 2**24
"""Unpacked bytes after which the free memory is looked up again."""


def unpacked(file: Path) -> IO[bytes]:
    """Open a file for its bytes, unpacked where it ends in one of `COMPRESSED`; reading raises a
    DataError where that is more than fits into memory."""
    opener = _OPENERS.get(file.suffix)
    return file.open("rb") if opener is None else io.BufferedReader(_Unpacked(file, opener), 2**16)


class _Unpacked(io.RawIOBase):
    """A compressed file, as far as it fits into memory: a small one may hold any number of bytes.

    Args:
        file: The file.
        opener: Opens it.
    """

    def __init__(self, file: Path, opener: Callable[..., Any]) -> None:
        self._file, self._stream = file, opener(file, "rb")
        self._count = self._checked = 0
        self._most = unpacked_limit()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._count = self._checked = self._stream.seek(offset, whence)
        return self._count

    def readinto(self, buffer: Any) -> int:
        count: int = self._stream.readinto(buffer)
        self._count += count
        if self._count > self._checked + _CHECKED_EVERY:
            # What has been read takes memory itself.
            self._checked, self._most = self._count, unpacked_limit()
        if self._count > self._most:
            raise DataError(
                f"{self._file}: more than {self._most:,} bytes once unpacked, too many for "
                "the memory that is free",
                advice=how_to_raise("unpacked_bytes", 2 * self._count),
            )
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
