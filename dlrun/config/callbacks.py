"""The files that Keras' callbacks write: they belong into the run directory."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

from dlrun.config.report import Report
from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasComponent

_FILE_ARGUMENTS = {"filepath", "filename", "log_dir", "backup_dir", "directory"}


def written_files(callback: KerasComponent) -> dict[str, str]:
    """Return the files and folders that a callback writes, by argument, defaults included."""
    entry = catalogue.entry("callback", callback.name)
    known = () if entry is None else entry.arguments
    files = {a.name: callback.arguments.get(a.name, a.default) for a in known}
    return {name: str(files[name]) for name in files.keys() & _FILE_ARGUMENTS}


def check_files(callback: KerasComponent, report: Report) -> None:
    """Report a callback that would write outside the run directory."""
    for argument, given in written_files(callback).items():
        absolute = PurePosixPath(given).is_absolute() or PureWindowsPath(given).drive
        if absolute or ".." in PureWindowsPath(given).parts:
            report(
                (*callback.path, argument),
                f"{callback.alias} would write '{given}', outside the run directory",
                hint="give a relative path: it starts at the run's own folder for callbacks",
            )
