"""Standard output and error that may break: a full disk, a pipe that nobody reads any more."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UnbreakableFile(io.FileIO):
    """An open file that takes everything: what follows a failed write is thrown away.

    Args:
        descriptor: Of the file, which stays open.

    Attributes:
        problem: Why the first write failed that did.
    """

    problem: OSError | None = None

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)

    def write(self, data: object, /) -> int:
        """Write bytes, or throw them away."""
        if self.problem is None:
            try:
                return super().write(data)  # type: ignore[arg-type]  # a buffer, as there
            except OSError as error:
                self.problem = error
        return len(memoryview(data))  # type: ignore[arg-type]  # a buffer too


class Output:
    """How writing to standard output went."""

    def __init__(self, file: UnbreakableFile | None) -> None:
        self._file = file

    @property
    def problem(self) -> str | None:
        """Why not all could be written; None where all was, or where the reader stopped reading."""
        problem = None if self._file is None else self._file.problem
        if problem is None or problem.errno == errno.EPIPE:
            return None
        return problem.strerror or str(problem)


@contextmanager
def unbroken_output() -> Iterator[Output]:
    """Let a command go on when standard output or error cannot be written: a run has its files.

    What a terminal cannot show, such as `±` in some, becomes a question mark.
    """
    before = sys.stdout, sys.stderr
    files = [_unbroken("stdout", 1), _unbroken("stderr", 2)]
    try:
        yield Output(files[0])
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _unbroken(name: str, descriptor: int) -> UnbreakableFile | None:
    stream = getattr(sys, name)
    if stream is None:
        # Closed by whoever started the command.
        setattr(sys, name, io.TextIOWrapper(io.BytesIO(), errors="replace"))
        return None
    if not isinstance(stream, io.TextIOWrapper):
        return None
    stream.reconfigure(errors="replace")
    # Tests and notebooks have put something else there.
    unbuffered = isinstance(stream.buffer, io.FileIO)
    if not (unbuffered or isinstance(stream.buffer, io.BufferedWriter)):
        return None
    if stream.fileno() != descriptor:
        return None
    stream.flush()
    file = UnbreakableFile(descriptor)
    replacement = io.TextIOWrapper(
        file if unbuffered else io.BufferedWriter(file),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    setattr(sys, name, replacement)
    return file
