"""The user's own Python files on their way from a config into a run, and back."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dlrun.config.load import load_config
from dlrun.config.plugins import PluginFile, RunPlugins
from dlrun.config.schema import Config
from dlrun.errors import ComponentError, ConfigError, DlrunError, RunError
from dlrun.registry.additions import Additions
from dlrun.store.run_directory import RunDirectory
from dlrun.text import display_path
from dlrun.training.backend import start_backend


def runner(trust_plugins: bool) -> RunPlugins | None:
    """Return what runs plugins, or None where the user has not allowed them."""
    return _run if trust_plugins else None


def load_run_config(
    directory: RunDirectory, overrides: Sequence[str] = (), *, trust_plugins: bool = False
) -> Config:
    """Read the config of a run, with the copies of the plugins that it keeps.

    Args:
        directory: The run.
        overrides: `KEY=VALUE` changes to it.
        trust_plugins: Whether its plugins may run.

    Raises:
        ConfigError: Its plugins may not run, or the config cannot be read.
        RunError: A plugin has changed since the run was trained.
    """
    for plugin in directory.read_run().get("plugins") or []:
        name = str(plugin.get("file"))
        if hashlib.sha256(directory.read_plugin(name)).hexdigest() != plugin.get("sha256"):
            raise RunError(
                f"{name} has changed since {directory.name} was trained (its sha256 "
                "differs from the one in run.json); restore it, or train again"
            )
    # Raises if it is not the config that the run was trained with.
    directory.read_resolved()
    return load_config(directory.resolved, overrides, run_plugins=runner(trust_plugins))


def plugin_facts(config: Config) -> dict[str, Any]:
    """Return what `run.json` says of the config's plugins; nothing where there are none."""
    if not config.plugins:
        return {}
    files = config.own_code.files
    return {"plugins": [{"file": _kept_as(file), "sha256": file.sha256} for file in files]}


def keep_plugins(directory: RunDirectory, config: Config) -> None:
    """Copy the config's plugins into a run, as they were run."""
    for file in config.own_code.files:
        directory.write_plugin(file.path.name, file.content)


def with_kept_plugins(config: Config) -> Config:
    """Return the config with the copies of its plugins, relative to the run that keeps them."""
    kept = [_kept_as(file) for file in config.own_code.files]
    return config.model_copy(update={"plugins": kept}) if config.plugins else config


@contextmanager
def mistakes_located(config: Config) -> Iterator[None]:
    """Say in which line of a plugin an error arose that is not dlrun's own.

    Raises:
        ConfigError: Names the plugin's place in the config, the line in its file, and the error.
    """
    try:
        yield
    # A plugin's code can raise anything; what did not arise in it goes on as it came.
    except Exception as error:
        cause = _own_error(error)
        found = None if cause is None else _line_of(config, cause)
        if cause is None or found is None:
            raise
        from dlrun.models.objects import reason

        number, line = found
        file = display_path(config.own_code.files[number].path)
        message = f"{file}:{line}: {type(cause).__name__}: {reason(cause)}"
        raise ConfigError([config.problem_at(("plugins", number), message)]) from error


def _own_error(error: Exception) -> Exception | None:
    """The error that may be a plugin's own; None where dlrun raised it on purpose."""
    if isinstance(error, ComponentError):
        # A plugin may refuse its arguments or its input by a ValueError; these are slips.
        slips = (AttributeError, ImportError)
        return error.__cause__ if isinstance(error.__cause__, slips) else None
    return None if isinstance(error, DlrunError) else error


def _line_of(config: Config, error: Exception) -> tuple[int, int] | None:
    """The number of the plugin that an error passed through, and the line that it came from."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for number, file in enumerate(config.own_code.files):
            if frame.filename == str(file.path) and frame.lineno is not None:
                return number, frame.lineno
    return None


def _kept_as(file: PluginFile) -> str:
    return f"{RunDirectory.PLUGINS}/{file.path.name}"


def _run(files: Sequence[PluginFile], backend: str | None) -> Additions:
    # Plugins import Keras, so that its backend has to be chosen before.
    start_backend(backend, whole=True)
    from dlrun.models.plugins import run_plugins

    return run_plugins(files)
