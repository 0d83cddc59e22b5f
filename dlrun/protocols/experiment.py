"""One experiment under its protocol: split the rows, train and score every fold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import groupby

import numpy as np

from dlrun.config.schema import Config
from dlrun.data.row_info import RowInfo
from dlrun.data.samples import Dataset
from dlrun.protocols.executor import InThisProcess
from dlrun.protocols.fold import FoldTraining
from dlrun.protocols.observer import Observer, Recorder
from dlrun.protocols.protocol import Fold, Protocol
from dlrun.protocols.result import FoldResult, Outcome
from dlrun.scoring.measures import measures_of, select_measure
from dlrun.scoring.rivals import with_strongest_baseline
from dlrun.training.callbacks import monitors_validation
from dlrun.training.engine import Divergence
from dlrun.training.reporting import DivergedError

Array = np.ndarray


def run_experiment(
    config: Config,
    dataset: Dataset,
    observer: Observer,
    recorder: Recorder,
    executor: Executor | None = None,
) -> Outcome:
    """Train and score every fold of the config's protocol.

    Fold i is seeded with `seed + i`, so that the first fold equals a plain fit with `seed`.

    Args:
        config: The experiment.
        dataset: Its rows.
        observer: Notified of every fold and epoch.
        recorder: Keeps the results as they come.
        executor: Runs the folds, those of the same numbers of rows as one piece of work; default:
            in this process.

    Raises:
        DataError: The rows cannot be split or prepared as the config says.
        ComponentError: Keras refused a layer, loss, optimizer, metric or callback.
    """
    started = time.perf_counter()
    folds = folds_of(config, dataset)
    chosen = select_measure(measures_of(config.outputs), config.evaluation.score)
    recorder.splits(row_numbers(dataset, folds))
    observer.experiment_started(
        config.name, len(folds), config.training.epochs, chosen.name, chosen.direction
    )
    groups = [list(group) for _, group in groupby(folds, _size)]
    training = FoldTraining(
        config,
        dataset,
        observer,
        recorder,
        fits=len(folds) / len({_size(fold) for fold in folds}),
        alike=max(len(group) for group in groups),
    )
    results: list[FoldResult] = []
    stopped: KeyboardInterrupt | DivergedError | None = None
    try:
        for trained in (executor or InThisProcess()).map(training, groups):
            results += trained.results
            stopped = trained.stopped
            if stopped or results[-1].interrupted or results[-1].diverged:
                break
    finally:
        observer.experiment_ended()
    if stopped is not None and not results:
        raise stopped
    lost = None
    if isinstance(stopped, DivergedError):
        lost = Divergence(stopped.epoch, stopped.loss, kept=0)
    unfinished = len(results) < len(folds) and results[-1].diverged is None and lost is None
    return Outcome(
        folds=_with_strongest_baseline(results),
        score_name=chosen.name,
        direction=chosen.direction,
        interrupted=results[-1].interrupted or unfinished,
        watched_scored_rows=_monitors(config) and any(fold.monitors_scored_rows for fold in folds),
        parameters=results[-1].parameters,
        seconds=time.perf_counter() - started,
        lost=lost,
    )


def _with_strongest_baseline(results: Sequence[FoldResult]) -> tuple[FoldResult, ...]:
    """The folds, all with the same baseline: the one that is strongest over them."""
    if any(fold.rivals is None for fold in results):
        return tuple(results)
    rivals = with_strongest_baseline([fold.rivals for fold in results if fold.rivals is not None])
    pairs = zip(results, rivals, strict=True)
    return tuple(replace(fold, rivals=one, baseline=one.baseline) for fold, one in pairs)


def _size(fold: Fold) -> tuple[int, int]:
    """The numbers of training and monitored rows."""
    return len(fold.train), 0 if fold.monitored is None else len(fold.monitored)


def folds_of(config: Config, dataset: Dataset) -> list[Fold]:
    """Split the rows as the config's protocol says.

    Raises:
        DataError: The rows cannot be split so.
    """
    protocol = Protocol.of(config)
    return protocol.split(row_info_of(dataset, protocol, config.seed), _monitors(config))


def _monitors(config: Config) -> bool:
    """Whether a callback acts on what is measured on validation data."""
    return monitors_validation(config.training.every_callback)


def row_info_of(dataset: Dataset, protocol: Protocol, seed: int) -> RowInfo:
    """What a protocol may know of the rows: labels, groups and times, never features."""
    time = protocol.time_columns
    return RowInfo.of(
        dataset.samples,
        dataset.task,
        seed,
        groups=protocol.groups,
        time=None if time is None else time.name,
        validation=dataset.validation,
    )


def row_numbers(dataset: Dataset, folds: Sequence[Fold]) -> dict[str, Array]:
    """Row numbers of every split, in the source's numbering: `test`, `fold00_train`, ..."""
    rows = dataset.samples.rows
    numbers = {} if dataset.test_rows is None else {"test": dataset.test_rows}
    for fold in folds:
        parts = {"train": fold.train, "validation": fold.scored}
        if not fold.monitors_scored_rows:
            parts["inner_validation"] = fold.monitored
        numbers |= {
            f"fold{fold.index:02d}_{name}": rows[positions]
            for name, positions in parts.items()
            if positions is not None
        }
    return numbers
