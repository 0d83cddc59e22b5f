"""What a config can tell of callbacks: the files they write, which belong into the run directory,
and whether the optimizer suits them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath

from dlrun.config.report import Reporter
from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasComponent

_FILE_ARGUMENTS = {"filepath", "filename", "log_dir", "backup_dir", "directory"}

SETS_RATE = {"LearningRateScheduler", "ReduceLROnPlateau"}
"""Callbacks that set the optimizer's learning rate."""


def written_files(callback: KerasComponent) -> dict[str, str]:
    """Return the files and folders that a callback writes, by argument, defaults included."""
    entry = catalogue.entry("callback", callback.name)
    known = () if entry is None else entry.arguments
    files = {a.name: callback.arguments.get(a.name, a.default) for a in known}
    return {name: str(files[name]) for name in files.keys() & _FILE_ARGUMENTS}


def check_files(callback: KerasComponent, report: Reporter) -> None:
    """Report a callback that would write outside the run directory."""
    for argument, given in written_files(callback).items():
        absolute = PurePosixPath(given).is_absolute() or PureWindowsPath(given).drive
        if absolute or ".." in PureWindowsPath(given).parts:
            report(
                (*callback.path, argument),
                f"{callback.alias} would write '{given}', outside the run directory",
                hint="give a relative path: it starts at the run's own folder for callbacks",
            )


def check_optimizer(
    callbacks: Sequence[KerasComponent], optimizer: KerasComponent, report: Reporter
) -> None:
    """Report callbacks that cannot do their work with the optimizer of the config."""
    rate = optimizer.arguments.get("learning_rate")
    for callback in callbacks:
        if callback.name in SETS_RATE and isinstance(rate, KerasComponent):
            report(
                callback.path,
                f"{callback.alias} sets the learning rate, but the optimizer's follows a schedule "
                f"already, {rate.alias}",
                hint=f"give {optimizer.alias} a number, or leave out {callback.alias}",
                on_key=True,
            )
        if callback.name == "SwapEMAWeights" and not optimizer.arguments.get("use_ema"):
            given = dict.fromkeys(optimizer.arguments, "...") | {"use_ema": "true"}
            inside = ", ".join(f"{name}: {value}" for name, value in given.items())
            report(
                callback.path,
                f"{callback.alias} needs an optimizer that keeps moving averages of the weights",
                hint=f"write optimizer: {{{optimizer.alias}: {{{inside}}}}}",
                on_key=True,
            )
