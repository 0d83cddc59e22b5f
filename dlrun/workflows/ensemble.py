"""A run that keeps the models of another run's folds, to average what they say."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from dlrun.config.dump import dump_config
from dlrun.config.schema import Config
from dlrun.config.yaml_writer import dump_yaml
from dlrun.errors import RunError
from dlrun.metrics.names import Direction
from dlrun.store.environment import environment_facts
from dlrun.store.members import member_hashes
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import brief
from dlrun.store.training_folder import TrainingFolder
from dlrun.workflows.next_step import after_final, what_helps
from dlrun.workflows.plugins import keep_plugins, plugin_facts, with_kept_plugins
from dlrun.workflows.run import Run


def make_ensemble(parent: RunDirectory, config: Config, runs_dir: Path) -> Run:
    """Make a run of the folds' models, each with its own preprocessing.

    Copies are made, so that the parent may be removed. The new run has no score of its own until
    it is evaluated: every non-test row has trained all of the models but one.

    Args:
        parent: A run of several folds.
        config: Its config, under the ensemble's name.
        runs_dir: Where the new run is made.

    Raises:
        RunError: A fold has no model, or the copies cannot be written.
    """
    before = parent.read_result()
    # A fold that was interrupted has a model, but one that was not trained to its end.
    whole = {fold["fold"] for fold in before["folds"] if not fold.get("interrupted")}
    folds = [fold for fold in parent.folds() if fold.index in whole]
    if not whole:
        raise RunError(f"{parent.name} has no complete fold: {what_helps(parent)}")
    missing = sorted(whole - {fold.index for fold in folds if fold.has_model})
    if missing:
        raise RunError(f"{parent.name} has no model in its fold {missing[0]}; train it again")
    given, before_facts = dump_config(with_kept_plugins(config)), parent.read_run()
    facts: dict[str, Any] = {"name": config.name, "seed": config.seed, **plugin_facts(config)}
    facts |= {key: before_facts.get(key) for key in ("backend", "keras", "devices", "engine")}
    facts |= {**environment_facts(), "config": given}
    data = parent.read_data()

    def write(directory: RunDirectory) -> None:
        directory.start({**facts, "parent": parent.name, "ensemble": len(folds)})
        directory.write_config(config.given)
        keep_plugins(directory, config)
        directory.write_resolved(dump_yaml(given))
        directory.write_splits(parent.read_splits())
        directory.write_data(data)
        for fold in folds:
            to = directory.fold(fold.index)
            fold.load_model(partial(_copy_model, to))
            to.write_preprocess(*fold.read_preprocess())
            to.copy_vocabularies(fold)

    directory = RunDirectory.create(runs_dir, config.name, write=write)
    result = _result(before, len(folds))
    result["next"] = after_final(directory, data["test"]["exists"])
    directory.write_result(result)
    directory.finish("finished", result=brief(result), members=member_hashes(directory))
    return Run(directory.path, result, "finished")


def _copy_model(to: TrainingFolder, model: Path, _: bool) -> None:
    to.save_model(partial(shutil.copyfile, model))


def _result(before: dict[str, Any], models: int) -> dict[str, Any]:
    """What is known of an ensemble before it is evaluated, with the keys of any result."""
    score: dict[str, Any] = before["score"]
    direction: Direction = score["direction"]
    nothing: dict[str, Any] = {"value": None, "std": None, "folds": []}
    return {
        "protocol": before["protocol"],
        "task": before["task"],
        "score": {"name": score["name"], "direction": direction, **nothing},
        "baseline": None,
        "best_epoch": None,
        "best_value": None,
        "epochs": before["epochs"],
        "measures": {},
        "folds": [],
        "mean_history": None,
        "watched_scored_rows": False,
        "parameters": before["parameters"],
        "seconds": None,
        "interrupted": False,
        "ensemble": models,
        "findings": [],
    }
