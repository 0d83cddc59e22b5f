"""The last step: a fresh model on all non-test rows, or the mean of the models of the folds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.config.schema import Config
from dlrun.data.samples import Dataset
from dlrun.errors import RunError, UsageError
from dlrun.protocols.observer import Observer
from dlrun.protocols.phases import callbacks_of, phase_name
from dlrun.protocols.protocol import Protocol, Validation
from dlrun.protocols.schemes.holdout import Holdout
from dlrun.registry.keras_component import KerasComponent
from dlrun.reports.summary import part_of_folds
from dlrun.store.run_directory import RunDirectory
from dlrun.text import counted
from dlrun.training.callbacks import monitors_validation
from dlrun.training.interrupt import TimeLimit, time_limit_of
from dlrun.workflows.ensemble import make_ensemble
from dlrun.workflows.evaluate import refuse_changed_data
from dlrun.workflows.execute import execute
from dlrun.workflows.loading import validation_files
from dlrun.workflows.next_step import is_final, what_helps
from dlrun.workflows.plugins import load_run_config
from dlrun.workflows.run import Run

LONGEST_NAME = 100


@dataclass(frozen=True)
class PhasePlan:
    """One phase of the final training.

    Args:
        name: What it is called.
        epochs: For how many epochs.
        chosen: The epochs that validation chose; None where `--epochs` sets them.
    """

    name: str
    epochs: int
    chosen: int | None


@dataclass(frozen=True)
class FinalPlan:
    """How the final model is trained.

    Args:
        epochs: For how many epochs.
        chosen: The epochs that validation chose; None where `--epochs` sets them.
        folds: The best epoch of each fold, where there are several.
        rows: Rows that the final model is trained on.
        rows_before: Rows that a model was trained on when validation chose, mean over folds.
        left_out: Callbacks that watch validation data, which there is none of.
        phases: Where training has phases, each one's name, its epochs here, and those that
            validation chose.
    """

    epochs: int
    chosen: int | None
    folds: tuple[int, ...]
    rows: int
    rows_before: int
    left_out: tuple[str, ...]
    phases: tuple[PhasePlan, ...] = ()

    def sentences(self) -> list[str]:
        """What to tell the user before training."""
        sentences = [f"{counted(self.epochs, 'epoch')}: {self._reason()}"]
        if self.left_out:
            names = " and ".join(self.left_out)
            sentences.append(f"without {names}: no validation rows are left to monitor")
        return sentences

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data, for `run.json`."""
        facts = {**vars(self), "folds": list(self.folds), "left_out": list(self.left_out)}
        return {**facts, "phases": [vars(phase) for phase in self.phases]}

    def _reason(self) -> str:
        if self.phases:
            parts = []
            for phase in self.phases:
                by = "set by --epochs"
                if phase.chosen is not None:
                    by = f"validation chose {phase.chosen}"
                parts.append(f"{counted(phase.epochs, 'epoch')} of '{phase.name}' ({by})")
            rows = f"{self.rows} non-test rows instead of {self.rows_before}"
            return f"{', '.join(parts)}; all {rows}"
        if self.chosen is None:
            return f"set by --epochs, on all {self.rows} non-test rows"
        chosen = f"validation chose {self.chosen}"
        if self.folds:
            epochs = ", ".join(map(str, self.folds))
            chosen += f" (median of the folds' best epochs {epochs})"
        if self.epochs == self.chosen:
            return f"{chosen}; all {self.rows} non-test rows instead of {self.rows_before}"
        return (
            f"{chosen}, and {self.rows} non-test rows instead of {self.rows_before} can be "
            f"learnt from {self.rows / self.rows_before:.3g} times as long; --epochs sets "
            "another number"
        )


def finalize(
    run: str | Path,
    *,
    epochs: int | None = None,
    ensemble: bool = False,
    runs_dir: str | Path = "runs",
    overrides: Sequence[str] = (),
    observer: Observer | None = None,
    created: Callable[[RunDirectory], None] | None = None,
    scored: Callable[[Run], None] | None = None,
    trust_plugins: bool = False,
    time_limit: TimeLimit | str | float | None = None,
) -> Run:
    """Train a fresh model on all non-test rows with a run's settings.

    It is trained for as many epochs as validation chose (hold-out: the best epoch; folds: the
    median of their best epochs), times the share by which the rows grow: more rows can be
    learnt from for longer before the model overfits. (Deep Learning with Python, 2nd edition,
    section 13.1.1, does so with 1.2 for 60,000 rows instead of 50,000.)

    Args:
        run: The run directory, or the unique beginning of its name.
        epochs: Used instead; with phases, for the last one.
        ensemble: Keep the models of the folds instead, and average their predictions.
        runs_dir: Where runs are kept, and the new one is made.
        overrides: `KEY=VALUE` changes to the run's config, such as a data path that moved.
        observer: Called for every epoch; default: none.
        created: Called with the new run directory when it is made.
        scored: Called with the run when its result is complete, before its curves are drawn.
        trust_plugins: Whether the Python files that `plugins` names may run.
        time_limit: As in `dlrun.train`.

    Returns:
        The new run; its `run.json` names the `parent`.

    Raises:
        UsageError: The options make no sense together.
        RunError: There is no such run, it is final already or did not end, or its data changed.
        DlrunError: As `dlrun.train`.
    """
    limit = time_limit_of(time_limit)
    if epochs is not None and epochs < 1:
        raise UsageError(f"epochs must be at least 1, found {epochs}")
    if ensemble and epochs is not None:
        raise UsageError("--ensemble trains nothing, so it takes no --epochs")
    directory = RunDirectory.open(run, Path(runs_dir))
    config = load_run_config(directory, overrides, trust_plugins=trust_plugins)
    _refuse(directory, config, ensemble)
    if ensemble:
        averaged = make_ensemble(directory, _renamed(config, "ensemble"), Path(runs_dir))
        if scored is not None:
            scored(averaged)
        return averaged
    plan = make_plan(directory, config, epochs)
    observer = observer or Observer()

    def inspect(dataset: Dataset) -> None:
        refuse_changed_data(directory, dataset, "so what validation chose does not hold for it")
        for sentence in (*plan.sentences(), *_interrupted(directory)):
            observer.note(sentence)

    parent = directory.path.relative_to(directory.runs_dir).as_posix()
    facts = {"parent": parent, "finalized": plan.as_dict()}
    final = final_config(config, plan)
    return execute(
        final,
        Path(runs_dir),
        observer,
        facts=facts,
        inspect=inspect,
        created=created,
        scored=scored,
        time_limit=limit,
        # The run has been trained with these settings already.
        force=True,
    )


def _interrupted(directory: RunDirectory) -> list[str]:
    """What to tell of a run that was interrupted."""
    result = directory.read_result()
    if part := part_of_folds(result):
        return [f"{directory.name} was interrupted: its score is that of {part}"]
    if result.get("interrupted"):
        return [f"{directory.name} was interrupted: later epochs might have been better"]
    return []


def make_plan(directory: RunDirectory, config: Config, epochs: int | None) -> FinalPlan:
    """Read from a run how its final model is to be trained."""
    result, splits = directory.read_result(), directory.read_splits()
    trained = [len(rows) for name, rows in splits.items() if name.endswith("_train")]
    every = config.training.every_callback
    left_out = tuple(dict.fromkeys(c.alias for c in every if monitors_validation([c])))
    chosen, folds = (None, ()) if epochs is not None else _chosen(result, config)
    rows, before = int(directory.read_data()["rows"]), round(float(np.mean(trained)))
    if config.training.phases:
        phases = _phase_plans(result, config, epochs, rows / before)
        total = sum(phase.epochs for phase in phases)
        return FinalPlan(total, None, (), rows, before, left_out, tuple(phases))
    return FinalPlan(
        epochs=epochs or max(1, round((chosen or 1) * rows / before)),
        chosen=chosen,
        folds=folds,
        rows=rows,
        rows_before=before,
        left_out=left_out,
    )


def final_config(config: Config, plan: FinalPlan) -> Config:
    """The same experiment on all non-test rows: nothing held out, the epochs of the plan, and no
    callback that monitors validation data."""
    given = Protocol.of(config)
    files = validation_files(config)
    protocol = Holdout(
        validation=None if files is None else Validation(path=files, hold_out=False),
        shuffle=given.shuffle,
        stratify=None,
        groups=given.groups,
        time=given.time,
    )
    phases = [
        phase.model_copy(
            update={
                "epochs": planned.epochs,
                "callbacks": phase.callbacks and _without_monitors(phase.callbacks),
            }
        )
        for phase, planned in zip(config.training.phases, plan.phases, strict=True)
    ]
    training = {
        "epochs": plan.epochs,
        "callbacks": _without_monitors(config.training.callbacks),
        "phases": phases,
    }
    return _renamed(config, "final").model_copy(
        update={
            "training": config.training.model_copy(update=training),
            "evaluation": config.evaluation.model_copy(update={"protocol": protocol}),
        }
    )


def _without_monitors(callbacks: Sequence[KerasComponent]) -> list[KerasComponent]:
    return [callback for callback in callbacks if not monitors_validation([callback])]


def _phase_plans(
    result: Mapping[str, Any], config: Config, epochs: int | None, growth: float
) -> list[PhasePlan]:
    """How long each phase is trained: as long as its weights were handed on after, the last one as
    long as validation chose; the median where there are folds, times `growth`."""
    plans, last = [], len(config.training.phases) - 1
    folds = [
        (fold.get("phases") or [], _restored(fold))
        for fold in result["folds"]
        if not fold.get("interrupted")
    ]
    for number, phase in enumerate(config.training.phases):
        restores = any(
            callback.name == "EarlyStopping" and callback.arguments.get("restore_best_weights")
            for callback in callbacks_of(config, number)
        )
        found = [
            best - facts[number]["first"] + 1
            if (number == last or restores) and best
            else facts[number]["epochs"]
            for facts, kept in folds
            if len(facts) > number
            for best in [(number == last and kept) or facts[number].get("best_epoch")]
        ]
        chosen = round(statistics.median(found)) if found else phase.epochs
        name = phase_name(phase, number)
        if number == last and epochs is not None:
            plans.append(PhasePlan(name, epochs, None))
        else:
            plans.append(PhasePlan(name, max(1, round(chosen * growth)), chosen))
    return plans


def _chosen(result: Mapping[str, Any], config: Config) -> tuple[int, tuple[int, ...]]:
    """The epochs that validation chose, and the best epoch of each fold where there are several."""
    best = [
        epoch
        for fold in result["folds"]
        if (epoch := _restored(fold) or fold.get("best_epoch")) and not fold.get("interrupted")
    ]
    if len(best) > 1:
        return round(statistics.median(best)), tuple(best)
    known = best[0] if best else result.get("best_epoch")
    return known or config.training.epochs, ()


def _restored(fold: Mapping[str, Any]) -> int | None:
    """The epoch whose weights a callback has put back: the one that was scored."""
    kept = fold.get("kept_weights") or {}
    return kept["epoch"] if kept.get("monitor") else None


def _refuse(directory: RunDirectory, config: Config, ensemble: bool) -> None:
    facts = directory.read_run()
    parent = facts.get("parent")
    if parent is not None or is_final(config):
        of = f", made from {parent}" if parent is not None else ""
        kind = "an ensemble" if facts.get("ensemble") else "a final model"
        raise RunError(
            f"{directory.name} is {kind} already{of}: no validation rows chose its epochs; "
            f"score it with `dlrun evaluate {directory.name}`, or finalize a run that held rows "
            "out"
        )
    status = directory.status
    is_search = directory.trials.is_dir()
    if status not in ("finished", "interrupted") or not directory.has_result or is_search:
        lacks = "model" if is_search else "result"
        raise RunError(f"{directory.name} has no {lacks}: {what_helps(directory)}")
    if ensemble and not directory.folds():
        raise RunError(
            f"{directory.name} has one model and no folds to average; leave out --ensemble, or "
            "make folds with `dlrun kfold`"
        )


def _renamed(config: Config, word: str) -> Config:
    name = f"{config.name[: LONGEST_NAME - len(word) - 1]}-{word}"
    return config.model_copy(update={"name": name})
