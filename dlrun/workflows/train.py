"""Train under the protocol that a config names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlrun.config.load import load_experiment
from dlrun.config.schema import Config
from dlrun.protocols.observer import Observer
from dlrun.training.interrupt import time_limit_of
from dlrun.workflows.plugins import runner
from dlrun.workflows.run import Run


def train(
    config: str | Path,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    runs_dir: str | Path = "runs",
    observer: Observer | None = None,
    trust_plugins: bool = False,
    allow_outside: bool = False,
    force: bool = False,
    time_limit: str | float | None = None,
) -> Run:
    """Run the experiment of a config file.

    Args:
        config: The YAML file.
        overrides: `KEY=VALUE` changes to it, such as `training.epochs=5`.
        seed: Used instead of the config's.
        runs_dir: Where the run directory is made.
        observer: Called for every fold and epoch; default: none.
        trust_plugins: Whether the Python files that `plugins` names may run.
        allow_outside: Whether the config may extend files outside its folder.
        force: Train although `dlrun check` finds errors.
        time_limit: How long it may take, such as `"2h"` or a number of seconds; the run ends as
            `interrupted` before, with what it has reached.

    Returns:
        The run, with `score`, `history`, `model` and `path`.

    Raises:
        ConfigError: The config is wrong, or the checks found errors; nothing was trained.
        DataError: The data is missing or broken.
        TrainingError: Training began and failed.
    """
    limit = time_limit_of(time_limit)
    loaded = load_experiment(
        Path(config),
        overrides,
        seed,
        run_plugins=runner(trust_plugins),
        allow_outside=allow_outside,
    )
    if not isinstance(loaded, Config):
        from dlrun.workflows.other_task import run_task

        return run_task(loaded, Path(runs_dir), force=force, time_limit=limit)
    from dlrun.workflows.execute import execute

    return execute(loaded, Path(runs_dir), observer, force=force, time_limit=limit)
