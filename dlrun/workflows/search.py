"""Find the best values of a config by many trainings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.config.load import load_config
from dlrun.workflows.plugins import runner

if TYPE_CHECKING:
    from dlrun.workflows.search_run import SearchObserver, SearchRun


def search(
    config: str | Path,
    *,
    trials: int | None = None,
    time: str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    runs_dir: str | Path = "runs",
    observer: SearchObserver | None = None,
    trust_plugins: bool = False,
    allow_outside: bool = False,
    force: bool = False,
) -> SearchRun:
    """Train a config at many points of its `search: {space: ...}` and find the best.

    Args:
        config: The YAML file.
        trials: How many trainings, instead of the config's number.
        time: How long it goes on starting trainings, such as `"30m"`, instead of the config's.
        overrides: `KEY=VALUE` changes to the config.
        seed: Used instead of the config's.
        runs_dir: Where the run directory is made.
        observer: Called for every trial; default: none.
        trust_plugins: Whether the Python files that `plugins` names may run.
        allow_outside: Whether the config may extend files outside its folder.
        force: Train although `dlrun check` finds errors.

    Returns:
        The search, with `score` (of the best trial), `corrected`, `trials`, `best` and `path`.

    Raises:
        ConfigError: The config or its space is wrong; nothing was trained.
        DataError: The data is missing or broken.
        TrainingError: No trial could be trained.
    """
    from dlrun.workflows.searching import run_search

    loaded = load_config(
        Path(config),
        [*overrides, *limits(trials, time)],
        seed,
        run_plugins=runner(trust_plugins),
        allow_outside=allow_outside,
    )
    return run_search(loaded, Path(runs_dir), observer, trust_plugins=trust_plugins, force=force)


def limits(trials: int | None, time: str | None) -> list[str]:
    """Return the overrides that say how many trials there are, and how long they may take."""
    given = {"trials": trials, "time": time}
    return [f"search.{key}={value}" for key, value in given.items() if value is not None]
