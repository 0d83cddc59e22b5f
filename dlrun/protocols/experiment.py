"""One experiment under its protocol: deal the rows, train and score every fold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from dlrun.config.schema import Config
from dlrun.data.samples import Dataset
from dlrun.data.splits import RowInfo
from dlrun.data.task import class_labels
from dlrun.data.windows import windows_of
from dlrun.protocols.fold import (
    ReadyFold,
    complete_fold,
    phases_of_fold,
    prepare_fold,
    with_callbacks,
)
from dlrun.protocols.observer import Observer, Recorder
from dlrun.protocols.phases import feature_rows, fingerprint_once, is_phased, phased_trainer
from dlrun.protocols.protocol import Fold, Protocol
from dlrun.protocols.result import FoldResult, Outcome
from dlrun.scoring.measures import Measure, measures_of, select_measure
from dlrun.scoring.rivals import with_strongest_baseline
from dlrun.training.callbacks import monitors_validation
from dlrun.training.engine import Divergence
from dlrun.training.phases import PhasedTrainer
from dlrun.training.reporting import DivergedError
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
    monitors = monitors_validation(config.training.every_callback)
    measures = measures_of(config.outputs)
    chosen = select_measure(measures, config.evaluation.score)
    recorder.splits(row_numbers(dataset, folds))
    observer.experiment_started(
        config.name, len(folds), config.training.epochs, chosen.name, chosen.direction
    )
    training = config.training
    groups = _groups_alike(folds)
    fits = len(folds) / len({_size(fold) for fold in folds})
    alike = max(len(group) for group in groups)
    trainer = Trainer(training.engine, training.xla, fits=fits, alike=alike)

    def phased() -> PhasedTrainer:
        return phased_trainer(config, recorder.feature_store(), observer.note, fits, alike)

    results: list[FoldResult] = []
    parameters, lost = 0, None
    try:
        for result in _results(
            config, dataset, groups, measures, chosen, trainer, phased, observer, recorder
        ):
            parameters = result.model.count_params()
            recorder.fold(result)
            observer.fold_ended(result.index, result.score, result.seconds)
            results.append(replace(result, model=None))
            if result.interrupted or result.diverged is not None:
                break
    except KeyboardInterrupt:
        if not results:
            raise
    except DivergedError as error:
        if not results:
            raise
        lost = Divergence(error.epoch, error.loss, kept=0)
    finally:
        observer.experiment_ended()
    return Outcome(
        folds=_with_strongest_baseline(results),
        score_name=chosen.name,
        direction=chosen.direction,
        interrupted=results[-1].interrupted
        or (len(results) < len(folds) and results[-1].diverged is None and lost is None),
        watched_scored_rows=monitors and any(fold.monitors_scored_rows for fold in folds),
        parameters=parameters,
        seconds=time.perf_counter() - started,
        lost=lost,
    )


def _results(
    config: Config,
    dataset: Dataset,
    groups: Sequence[Sequence[Fold]],
    measures: Sequence[Measure],
    chosen: Measure,
    trainer: Trainer,
    phased: Callable[[], PhasedTrainer],
    observer: Observer,
    recorder: Recorder,
) -> Iterator[FoldResult]:
    """Train and score every fold in order, as many at once as the trainer chose, or where there
    are phases or a frozen base, one after the other."""

    def ready(fold: Fold) -> ReadyFold:
        return prepare_fold(config, dataset, fold, measures, observer, recorder)

    def results(first: ReadyFold, others: Sequence[Fold]) -> Iterator[FoldResult]:
        folds = [first, *map(ready, others)]
        fits = trainer.fit_all([with_callbacks(config, fold, recorder) for fold in folds])
        for fold in folds:
            if fold is not first:
                observer.fold_started(fold.fold.index)
            fitted = next(fits)
            yield complete_fold(config, dataset, fold, fitted, measures, chosen, recorder)

    def in_phases(trainer: PhasedTrainer, fold: ReadyFold) -> FoldResult:
        began = time.perf_counter()
        rows = feature_rows(dataset, data, fold.fold, fold.pipeline)
        phases = phases_of_fold(config, fold, observer, recorder)
        recorder.training_begins(fold.fold.index, trainer.choose(fold.request, phases[0], rows))
        fitted = trainer.fit(fold.request, phases, rows)
        result = complete_fold(config, dataset, fold, fitted, measures, chosen, recorder)
        # Features, and the models of later phases, take time too.
        return replace(result, seconds=fold.seconds + time.perf_counter() - began)

    data, in_turn = fingerprint_once(dataset), None
    for group in groups:
        start = 0
        while start < len(group):
            observer.fold_started(group[start].index)
            first = ready(group[start])
            if start == 0 and group is groups[0] and is_phased(config, first.request.model):
                in_turn = phased()
            if in_turn is not None:
                yield in_phases(in_turn, first)
                del first
                start += 1
                continue
            choice = trainer.choose(first.request, config.training.callbacks)
            recorder.training_begins(first.fold.index, choice)
            end = min(start + choice.folds_together, len(group))
            if end - start > 1:
                observer.fold_started(group[start].index, end - start)
            yield from results(first, group[start + 1 : end])
            # The next fold's rows are prepared with these gone.
            del first
            start = end


def _with_strongest_baseline(results: Sequence[FoldResult]) -> tuple[FoldResult, ...]:
    """The folds, all with the same baseline: the one that is strongest over them."""
    if any(fold.rivals is None for fold in results):
        return tuple(results)
    rivals = with_strongest_baseline([fold.rivals for fold in results if fold.rivals is not None])
    pairs = zip(results, rivals, strict=True)
    return tuple(replace(fold, rivals=one, baseline=one.baseline) for fold, one in pairs)


def _size(fold: Fold) -> tuple[int, int]:
    """The numbers of training and watched rows."""
    return len(fold.train), 0 if fold.monitored is None else len(fold.monitored)


def _groups_alike(folds: Sequence[Fold]) -> list[list[Fold]]:
    """Folds of the same numbers of rows that come one after another."""
    return [list(group) for _, group in groupby(folds, _size)]


def folds_of(config: Config, dataset: Dataset) -> list[Fold]:
    """RowInfo the rows as the config's protocol says.

    Raises:
        DataError: The rows cannot be dealt so.
    """
    protocol = config.evaluation.protocol
    assert isinstance(protocol, Protocol)
    monitors = monitors_validation(config.training.every_callback)
    return protocol.split(deal_of(dataset, protocol, config.seed), monitors)


def deal_of(dataset: Dataset, protocol: Protocol, seed: int) -> RowInfo:
    """What a protocol may know of the rows: labels, groups and times, never features."""
    samples = dataset.samples
    windows = windows_of(samples.features)
    return RowInfo(
        n=len(samples),
        labels=class_labels(dataset.task, samples.targets),
        groups=None if protocol.groups is None else samples.extras[protocol.groups],
        time=None if protocol.time is None else samples.extras[protocol.time],
        seed=seed,
        validation=dataset.validation,
        places=None if windows is None else windows.places,
        overlap=0 if windows is None else windows.overlap,
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
