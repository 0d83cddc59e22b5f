"""Collecting everything that is wrong, to say it at once and in the order of the file."""

from __future__ import annotations

from dlrun.config.document import Node, Place
from dlrun.errors import ConfigError, KeyPath, Problem

NOWHERE = Place("", (0, 0, 0))
"""The place of what was not read from a file."""


class Reporter:
    """The problems found so far."""

    def __init__(self) -> None:
        self.root = Node({}, NOWHERE)
        """What paths refer to; set once the files and overrides are put together."""
        self.names_known = True
        """Whether every name that may stand in the config is known: not where plugins were not
        run."""
        self._found: dict[Problem, tuple[int, int, int]] = {}
        self._calls = 0

    def __call__(
        self,
        path: KeyPath,
        message: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
        on_key: bool = False,
    ) -> None:
        """Record a problem with the value at a path, or with its key."""
        place = self.root.locate(path, on_key=on_key)
        self.at(place, message, expected=expected, found=found, hint=hint)

    def given_at(self, path: KeyPath) -> KeyPath:
        """Where the value at a path is given: elsewhere for what a block gets as a parameter."""
        return path

    def unknown_name(
        self,
        path: KeyPath,
        message: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
        on_key: bool = False,
    ) -> None:
        """Record a problem with a name that nothing has; it is only counted where a plugin that
        was not run may define it."""
        if self.names_known:
            self(path, message, expected=expected, found=found, hint=hint, on_key=on_key)
        else:
            self._calls += 1

    def at(
        self,
        place: Place,
        message: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Record a problem at a place. One that an alias repeats is recorded once."""
        problem = place.problem(message, expected=expected, found=found, hint=hint)
        self._found.setdefault(problem, place.order)
        self._calls += 1

    def __len__(self) -> int:
        """How often something was reported, repetitions included."""
        return self._calls

    def raise_if_any(self) -> None:
        """Raise everything recorded, if anything was.

        Raises:
            ConfigError: All problems, sorted by file, line and column; overrides last.
        """
        if self._found:
            raise ConfigError(sorted(self._found, key=lambda problem: self._found[problem]))
