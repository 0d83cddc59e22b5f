"""Which command comes after a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from dlrun.config.schema import Config
from dlrun.store.paths import display_path
from dlrun.store.run_directory import RunDirectory
from dlrun.training.callbacks import watches_validation


def next_command(
    config: Config, directory: RunDirectory, result: Mapping[str, Any], has_test: bool
) -> str:
    """Return the command that the workflow continues with.

    One model is evaluated on the test data, or predicts where there is none; several models of
    folds are followed by one that is trained on all non-test rows.
    """
    where = shlex.quote(display_path(directory.path))
    if not directory.model.exists():
        return final_training(config, directory, result)
    return f"dlrun evaluate {where}" if has_test else f"dlrun predict {where} --input FILE"


def final_training(config: Config, directory: RunDirectory, result: Mapping[str, Any]) -> str:
    """Return the command that trains one model on all non-test rows, for as many epochs as
    were best over the folds."""
    changes = ["evaluation.protocol=holdout", "evaluation.validation=null"]
    if (epochs := result.get("best_epoch")) is not None:
        changes.append(f"training.epochs={epochs}")
    if watches_validation(config.training.callbacks):
        changes.append("training.callbacks=[]")
    words = ["dlrun", "train", display_path(directory.resolved)]
    return shlex.join(words + [word for change in changes for word in ("--set", change)])
