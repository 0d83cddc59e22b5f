"""`plugins`: Python files of the user's own, which run only where the user says so.

Nothing here runs code: whoever trusts the files hands in what runs them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlrun.config.document import Node, Reporter
from dlrun.config.limits import special_file
from dlrun.config.messages import found
from dlrun.errors import DlrunError
from dlrun.registry.additions import Additions
from dlrun.registry.names import did_you_mean


@dataclass(frozen=True)
class PluginFile:
    """One file, as it was when it was read.

    Args:
        path: Where it is, absolute.
        content: Its bytes: what is run, and what a run directory keeps.
    """

    path: Path
    content: bytes

    @property
    def sha256(self) -> str:
        """The hash of its content, as hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


RunPlugins = Callable[[Sequence[PluginFile], str | None], Additions]
"""Runs files in order and returns what they define; the second argument is the backend that the
config names."""


class PluginError(DlrunError):
    """A plugin cannot be used.

    Args:
        file: Which.
        message: Why, with the line where there is one.
    """

    exit_status = 2

    def __init__(self, file: PluginFile, message: str) -> None:
        super().__init__(message)
        self.file = file


@dataclass(frozen=True)
class Plugins:
    """The plugins of a config.

    Args:
        files: In order.
        additions: What they define; nothing where they were not run.
    """

    files: tuple[PluginFile, ...] = ()
    additions: Additions = field(default_factory=Additions)


def read_plugins(
    root: Node, backend: str | None, run: RunPlugins | None, report: Reporter
) -> Plugins:
    """Read the files that `plugins` names, and run them where that is allowed.

    Where it is not, that is reported, and no name counts as unknown from then on.

    Args:
        root: The config.
        backend: What Keras is to compute with, where the config says so.
        run: Runs them; None where the user has not said that they may.
        report: Takes the problems.
    """
    places = _places(root, report)
    before, files = len(report), list[PluginFile]()
    for node in places:
        if (file := _read(node, report)) is not None:
            if file.path.name in (other.path.name for other in files):
                report.at(
                    node.place,
                    f"two plugins are named {file.path.name}",
                    hint="a run keeps its plugins in one folder: give each file its own name",
                )
            files.append(file)
    if run is None:
        for node, file in zip(places, files, strict=False):
            _report_untrusted(node, file, report)
    if len(report) > before or run is None:
        report.names_known = report.names_known and not places
        return Plugins(tuple(files))
    try:
        return Plugins(tuple(files), run(files, backend) if files else Additions())
    except PluginError as error:
        place = next(n.place for n, f in zip(places, files, strict=True) if f is error.file)
        report.at(place, str(error))
        report.names_known = False
        return Plugins(tuple(files))


def _report_untrusted(node: Node, file: PluginFile, report: Reporter) -> None:
    report.at(
        node.place,
        f"the plugin {file.path.name} is Python code and was not run, so the names that it defines "
        "cannot be checked",
        hint=f"read {_named(node)}; if you trust it, add --trust-plugins "
        "(in Python: trust_plugins=True)",
        file=str(node.value),
    )


def _named(node: Node) -> Path:
    """The file as it is named from the working directory."""
    folder = node.place.folder or Path()
    return Path(os.path.normpath(folder / os.path.expanduser(str(node.value))))


def _places(root: Node, report: Reporter) -> list[Node]:
    """The entries of `plugins`."""
    node = (root.mapping or {}).get("plugins")
    if node is None or node.value is None:
        return []
    if isinstance(node.value, list):
        return node.value
    report.at(
        node.place,
        "wrong value for 'plugins'",
        expected="a list of Python files",
        found=found(node.plain()),
        hint=f"write plugins: [{node.value}]" if isinstance(node.value, str) else None,
    )
    report.names_known = False
    return []


def _read(node: Node, report: Reporter) -> PluginFile | None:
    if not isinstance(node.value, str) or not node.value.endswith(".py"):
        expected = "the name of a Python file, such as my_layers.py"
        message = "wrong value in 'plugins'"
        report.at(node.place, message, expected=expected, found=found(node.plain()))
        return None
    path = Path(os.path.normpath(_named(node).absolute()))
    if (special := special_file(path)) is not None:
        message = f"the plugin '{node.value}' is {special}"
        report.at(node.place, message, expected="a Python file", file=node.value)
        return None
    try:
        return PluginFile(path, path.read_bytes())
    except FileNotFoundError:
        files = path.parent.glob("*.py") if path.parent.is_dir() else ()
        near = did_you_mean(path.name, (file.name for file in files))
        message = f"the plugin '{node.value}' does not exist{near}"
        report.at(node.place, message, hint=f"it was looked for at {_named(node)}", file=node.value)
    except OSError as error:
        message = f"the plugin '{node.value}' cannot be read: {error.strerror}"
        report.at(node.place, message, file=node.value)
    return None
