"""Train under K-fold or iterated K-fold, whatever protocol a config names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlrun.config.load import load_config
from dlrun.config.schema import Config
from dlrun.errors import UsageError
from dlrun.protocols.observer import Observer
from dlrun.protocols.protocol import Protocol
from dlrun.protocols.schemes.iterated_kfold import IteratedKFold
from dlrun.protocols.schemes.kfold import KFold
from dlrun.training.interrupt import time_limit_of
from dlrun.workflows.plugins import runner
from dlrun.workflows.run import Run


def kfold(
    config: str | Path,
    *,
    folds: int | None = None,
    iterations: int | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    runs_dir: str | Path = "runs",
    observer: Observer | None = None,
    trust_plugins: bool = False,
    allow_outside: bool = False,
    force: bool = False,
    time_limit: str | float | None = None,
) -> Run:
    """Run the experiment of a config file under K-fold cross-validation.

    Args:
        config: The YAML file.
        folds: Number of parts; default: the config's, else 5.
        iterations: How often the rows are shuffled and cut anew; default: the config's,
            else 1.
        overrides: `KEY=VALUE` changes to the config.
        seed: Used instead of the config's.
        runs_dir: Where the run directory is made.
        observer: Called for every fold and epoch; default: none.
        trust_plugins: Whether the Python files that `plugins` names may run.
        allow_outside: Whether the config may extend files outside its folder.
        force: Train although `dlrun check` finds errors.
        time_limit: As in `dlrun.train`.

    Raises:
        UsageError: `folds` is below 2 or `iterations` below 1.
        DlrunError: As `dlrun.train`.
    """
    from dlrun.workflows.execute import execute

    limit = time_limit_of(time_limit)
    loaded = load_config(
        Path(config),
        overrides,
        seed,
        run_plugins=runner(trust_plugins),
        allow_outside=allow_outside,
    )
    changed = cross_validated(loaded, folds, iterations)
    return execute(changed, Path(runs_dir), observer, force=force, time_limit=limit)


def cross_validated(config: Config, folds: int | None, iterations: int | None) -> Config:
    """The same experiment under K-fold, or under iterated K-fold where iterations are asked for.

    Options that the config's own protocol shares with K-fold are kept.

    Raises:
        UsageError: `folds` is below 2 or `iterations` below 1.
    """
    if folds is not None and folds < 2:
        raise UsageError(f"folds must be at least 2, found {folds}")
    if iterations is not None and iterations < 1:
        raise UsageError(f"iterations must be at least 1, found {iterations}")
    given = Protocol.of(config)
    iterated = iterations is not None or isinstance(given, IteratedKFold)
    member: type[KFold] | type[IteratedKFold] = IteratedKFold if iterated else KFold
    options: dict[str, Any] = {
        "stratify": given.stratify,
        "groups": given.groups,
        "time": given.time,
    }
    if isinstance(given, KFold | IteratedKFold):
        options |= {"folds": given.folds, "validation": given.validation}
        if not iterated:
            options["shuffle"] = given.shuffle
    if isinstance(given, IteratedKFold):
        options["iterations"] = given.iterations
    options |= {"folds": folds} if folds is not None else {}
    options |= {"iterations": iterations} if iterations is not None else {}
    evaluation = config.evaluation.model_copy(update={"protocol": member(**options)})
    return config.model_copy(update={"evaluation": evaluation})
