"""What the terminal said, kept until there is a run directory to keep it in."""

from __future__ import annotations

from dlrun.store.run_directory import RunDirectory


class Transcript:
    """Lines for `log.txt`: collected first, written through once the run has a directory."""

    def __init__(self) -> None:
        self._early: list[str] = []
        self._directory: RunDirectory | None = None

    def add(self, line: str) -> None:
        """Take one line."""
        if self._directory is None:
            self._early.append(line)
        else:
            self._directory.log(line)

    def attach(self, directory: RunDirectory) -> None:
        """Write what was collected, and everything from now on, to the run's log."""
        self._directory = directory
        early, self._early = self._early, []
        for line in early:
            directory.log(line)
