"""One experiment under its protocol: deal the rows, train and score every fold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlrun.config.schema import Config
from dlrun.data.samples import Dataset
from dlrun.data.splits import Deal
from dlrun.data.task import class_labels
from dlrun.protocols.fold import run_fold
from dlrun.protocols.measures import measures_of, select_measure
from dlrun.protocols.observer import Observer, Recorder
from dlrun.protocols.protocol import Fold, Protocol
from dlrun.protocols.result import FoldResult, Outcome
from dlrun.training.callbacks import watches_validation
from dlrun.training.trainer import Trainer

Array = np.ndarray


def run_experiment(
    config: Config, dataset: Dataset, observer: Observer, recorder: Recorder
) -> Outcome:
    """Train and score every fold of the config's protocol.

    Fold i is seeded with `seed + i`, so that the first fold equals a plain fit with `seed`.

    Raises:
        DataError: The rows cannot be dealt or prepared as the config says.
        ComponentError: Keras refused a layer, loss, optimizer, metric or callback.
    """
    started = time.perf_counter()
    folds = folds_of(config, dataset)
    steered = watches_validation(config.training.callbacks)
    measures = measures_of(config.loss, config.metrics)
    chosen = select_measure(measures, config.evaluation.score)
    recorder.splits(row_numbers(dataset, folds))
    observer.experiment_started(
        config.name, len(folds), config.training.epochs, chosen.name, chosen.direction
    )
    training = config.training
    trainer = Trainer(training.engine, training.xla, fits=len(folds) / len(_sizes(folds)))
    results: list[FoldResult] = []
    parameters = 0
    try:
        for fold in folds:
            observer.fold_started(fold.index)
            result = run_fold(config, dataset, fold, measures, chosen, trainer, observer, recorder)
            parameters = result.model.count_params()
            recorder.fold(result)
            observer.fold_ended(fold.index, result.score, result.seconds)
            results.append(replace(result, model=None))
            if result.interrupted:
                break
    except KeyboardInterrupt:
        if not results:
            raise
    finally:
        observer.experiment_ended()
    return Outcome(
        folds=tuple(results),
        score_name=chosen.name,
        direction=chosen.direction,
        interrupted=len(results) < len(folds) or results[-1].interrupted,
        watched_scored_rows=steered and any(fold.watches_scored_rows for fold in folds),
        parameters=parameters,
        seconds=time.perf_counter() - started,
    )


def _sizes(folds: Sequence[Fold]) -> set[tuple[int, int]]:
    """The different numbers of training and watched rows."""
    return {(len(f.train), 0 if f.watched is None else len(f.watched)) for f in folds}


def folds_of(config: Config, dataset: Dataset) -> list[Fold]:
    """Deal the rows as the config's protocol says.

    Raises:
        DataError: The rows cannot be dealt so.
    """
    protocol = config.evaluation.protocol
    assert isinstance(protocol, Protocol)
    steered = watches_validation(config.training.callbacks)
    return protocol.split(deal_of(dataset, protocol, config.seed), steered)


def deal_of(dataset: Dataset, protocol: Protocol, seed: int) -> Deal:
    """What a protocol may know of the rows: labels, groups and times, never features."""
    samples = dataset.samples
    return Deal(
        n=len(samples),
        labels=class_labels(dataset.task, samples.targets),
        groups=None if protocol.groups is None else samples.extras[protocol.groups],
        time=None if protocol.time is None else samples.extras[protocol.time],
        seed=seed,
        validation=dataset.validation,
    )


def row_numbers(dataset: Dataset, folds: Sequence[Fold]) -> dict[str, Array]:
    """Row numbers of every split, in the source's numbering: `test`, `fold00_train`, ..."""
    rows = dataset.samples.rows
    numbers = {} if dataset.test_rows is None else {"test": dataset.test_rows}
    for fold in folds:
        parts = {"train": fold.train, "validation": fold.scored}
        if not fold.watches_scored_rows:
            parts["inner_validation"] = fold.watched
        numbers |= {
            f"fold{fold.index:02d}_{name}": rows[positions]
            for name, positions in parts.items()
            if positions is not None
        }
    return numbers
