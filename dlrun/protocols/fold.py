"""Folds from raw rows to scored models: nothing is learnt from a fold's held-out rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from dlrun.config.layers import every_layer
from dlrun.config.schema import Config
from dlrun.data.fingerprint import fingerprint
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Dataset
from dlrun.metrics.arrays import with_unit_axis
from dlrun.metrics.folds import best_epoch
from dlrun.models.objects import build_object
from dlrun.protocols.counted import pipeline_on_counted
from dlrun.protocols.observer import Observer, Recorder
from dlrun.protocols.outputs import findings_of_outputs, output_shapes, targets_of
from dlrun.protocols.phases import (
    callbacks_of,
    feature_rows,
    fit_phases,
    fresh_model,
    optimizer_of,
    scoring_batch_size,
)
from dlrun.protocols.preparation import (
    Prepared,
    class_weights,
    prepare,
    weighted_by_class,
)
from dlrun.protocols.protocol import Fold, shifted
from dlrun.protocols.result import FoldResult, PhaseOutcome
from dlrun.protocols.word_vectors import set_word_vectors, words_of_numbers
from dlrun.scoring.measures import Measure, measures_of, select_measure
from dlrun.scoring.model_scores import (
    NOT_SCORED,
    ModelScores,
    ScoredModel,
    simple_beside,
)
from dlrun.stages import stage
from dlrun.store.metrics_csv import PHASE
from dlrun.training.callbacks import build_callbacks
from dlrun.training.engine import FitRequest, FitResult, PhaseResult
from dlrun.training.features import Features
from dlrun.training.interrupt import end_if_asked
from dlrun.training.phased import PhasedFit, PhasedTrainer
from dlrun.training.prediction import masks_of, predict
from dlrun.training.reporting import DivergedError
from dlrun.training.rows import FitRows
from dlrun.training.trainer import Trainer

Array = np.ndarray


@dataclass(frozen=True)
class ReadyFold:
    """One fold whose model can be trained.

    Args:
        fold: Its rows.
        pipeline: The preprocessing, fitted on its training rows.
        train: The training rows.
        scored: The rows that give the score, or None.
        request: The fit, without its callbacks.
        epoch_seconds: How long each epoch took, as they end; those before a run was resumed
            come first.
        seconds: Time the preparation took.
    """

    fold: Fold
    pipeline: Pipeline
    train: Prepared
    scored: Prepared | None
    request: FitRequest
    epoch_seconds: list[float]
    seconds: float


@dataclass(frozen=True)
class TrainedFolds:
    """The outcome of training some folds.

    Args:
        results: The folds that were trained and scored, in order.
        stopped: What ended the training before the next fold could be: Ctrl-C, or a loss that was
            NaN in the first epoch; None where nothing did.
    """

    results: tuple[FoldResult, ...]
    stopped: KeyboardInterrupt | DivergedError | None = None


@dataclass(frozen=True)
class FoldTraining:
    """Trains and scores folds of one experiment: the work that an executor runs.

    A fold's result depends on the arguments alone. What is kept from call to call, such as the
    compiled model, only saves time.

    Args:
        config: The experiment.
        dataset: Its rows.
        observer: Notified of every fold and epoch.
        recorder: Keeps the results as they come.
        fits: How many folds of the same numbers of rows there are, on average.
        alike: How many of them come one after another, at most.
    """

    config: Config
    dataset: Dataset
    observer: Observer
    recorder: Recorder
    fits: float = 1
    alike: int = 1

    def __call__(self, folds: Sequence[Fold]) -> TrainedFolds:
        """Train and score folds of the same numbers of rows, in order.

        Raises:
            DataError: The rows cannot be prepared as the config says.
            ComponentError: Keras refused a layer, loss, optimizer, metric or callback.
        """
        results: list[FoldResult] = []
        try:
            for result in self._results(folds):
                self.recorder.fold(result)
                self.observer.fold_ended(result.index, result.score, result.seconds)
                results.append(result)
                if result.interrupted or result.diverged is not None:
                    break
        except (KeyboardInterrupt, DivergedError) as error:
            return TrainedFolds(tuple(results), error)
        return TrainedFolds(tuple(results))

    def _results(self, folds: Sequence[Fold]) -> Iterator[FoldResult]:
        """Train and score as many folds at once as the trainer chose, or one after the other."""
        start = 0
        while start < len(folds):
            end_if_asked()
            self.observer.fold_started(folds[start].index)
            ready = [self._prepared(folds[start])]
            if (finished := self.recorder.finished(folds[start].index)) is not None:
                yield self._completed(ready[0], finished, kept=True)
                start += 1
                continue
            fits = [self._phased_fit(ready[0])]
            choice = self._trainer.choose(fits[0])
            self.recorder.training_begins(folds[start].index, choice)
            end = min(start + choice.folds_together, len(folds))
            if end - start > 1:
                self.observer.fold_started(folds[start].index, end - start)
                ready += map(self._prepared, folds[start + 1 : end])
                fits += map(self._phased_fit, ready[1:])
            yield from self._together(ready, fits)
            # The next fold's rows are prepared with these gone.
            del ready, fits
            start = end

    def _together(
        self, ready: Sequence[ReadyFold], fits: Sequence[PhasedFit]
    ) -> Iterator[FoldResult]:
        fitted = self._trainer.fit_all(fits)
        for number, fold in enumerate(ready):
            if number:
                self.observer.fold_started(fold.fold.index)
            began, before = time.perf_counter(), sum(fold.epoch_seconds)
            result = self._completed(fold, next(fitted))
            if len(ready) == 1:
                # Features, and the models of later phases, take time too.
                lasted = fold.seconds + before + time.perf_counter() - began
                result = replace(result, seconds=lasted)
            yield result

    def _phased_fit(self, ready: ReadyFold) -> PhasedFit:
        request, index = ready.request, ready.fold.index
        held_out = [] if request.validation is None else [request.validation]
        phases = fit_phases(
            self.config,
            ready.pipeline,
            partial(
                fresh_model, self.config, ready.pipeline, request.train, held_out, request.seed
            ),
            partial(self.recorder.callback_folder, index),
            partial(self.observer.phase_started, index),
            partial(words_of_numbers, self.config, ready.pipeline),
        )
        rows = feature_rows(
            self.dataset.samples, lambda: self._fingerprint, ready.fold, ready.pipeline
        )
        return PhasedFit(request, phases, rows)

    @cached_property
    def _trainer(self) -> PhasedTrainer:
        training = self.config.training
        store = self.recorder.feature_store() if training.cache_features else None
        return PhasedTrainer(
            [
                Trainer(training.engine, training.xla, fits=self.fits, alike=self.alike)
                for _ in training.all_phases
            ],
            None if store is None else Features(store, self.observer.note),
        )

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self.dataset.samples)

    @cached_property
    def _measures(self) -> list[Measure]:
        return measures_of(self.config.outputs)

    @property
    def _chosen(self) -> Measure:
        """The measure of success."""
        return select_measure(self._measures, self.config.evaluation.score)

    def _prepared(self, fold: Fold) -> ReadyFold:
        """Fit the preprocessing on the fold's training rows, and build a fresh model.

        Raises:
            DataError: The rows cannot be prepared as the config says.
            ComponentError: Keras refused a layer, loss, optimizer, metric or callback.
        """
        started = time.perf_counter()
        config, samples = self.config, self.dataset.samples
        train_samples = samples.take(fold.train)
        with stage("data"):
            pipeline = pipeline_on_counted(config, self.dataset, train_samples)
        train = prepare(config, pipeline, train_samples)
        del train_samples
        scored = monitored = None
        if fold.scored is not None:
            part = samples.take(fold.scored)
            scored = monitored = prepare(config, pipeline, part, "validation rows")
        if fold.monitored is not None and not fold.monitors_scored_rows:
            part = samples.take(fold.monitored)
            monitored = prepare(config, pipeline, part, "monitored rows")
        held_out = [rows.arrays for rows in (scored, monitored) if rows is not None]
        seed = shifted(config.seed, fold.index)
        model = fresh_model(config, pipeline, train.arrays, held_out, seed)
        coverage = set_word_vectors(config, model, pipeline, lambda: samples.take(fold.train))
        train = replace(train, findings=(*train.findings, *coverage))
        epoch_seconds = self.recorder.epoch_seconds(fold.index)
        request = self._request(fold, model, pipeline, train, monitored, epoch_seconds)
        # Keras' refusals come before there is a run directory.
        for number in range(len(config.training.all_phases)):
            build_callbacks(callbacks_of(config, number), model=model)
            build_object(optimizer_of(config, number))
        seconds = time.perf_counter() - started
        return ReadyFold(fold, pipeline, train, scored, request, epoch_seconds, seconds)

    def _request(
        self,
        fold: Fold,
        model: Any,
        pipeline: Pipeline,
        train: Prepared,
        monitored: Prepared | None,
        epoch_seconds: list[float],
    ) -> FitRequest:
        """What the fit needs, all but its callbacks; `epoch_seconds` gets those of each epoch."""
        training = self.config.training

        def on_epoch(epoch: int, logs: dict[str, float], seconds: float) -> None:
            epoch_seconds.append(seconds)
            self.recorder.epoch(fold.index, epoch, logs, seconds)
            logs = {name: value for name, value in logs.items() if name != PHASE}
            self.observer.epoch_ended(fold.index, epoch, logs, seconds)

        weights, class_weight = self._weights(model, pipeline, train)
        return FitRequest(
            model=model,
            train=_aligned(model, replace(train.arrays, weights=weights)),
            validation=None if monitored is None else _aligned(model, monitored.arrays),
            epochs=training.epochs,
            batch_size=training.batch_size,
            seed=shifted(self.config.seed, fold.index),
            shuffle=training.shuffle,
            class_weight=class_weight,
            on_epoch=on_epoch,
            on_step=partial(self.observer.step_ended, fold.index),
            on_losses=partial(self.recorder.losses, fold.index),
            checkpoints=self.recorder.checkpoints(fold.index),
            on_note=self.observer.note,
        )

    def _weights(
        self, model: Any, pipeline: Pipeline, train: Prepared
    ) -> tuple[Array | None, dict[int, float] | None]:
        """Weights of the training rows, or of their steps or pixels, and those of classes."""
        targets, given = targets_of(train.arrays, None), self.config.training.class_weight
        indices, mask = next(iter(train.truths.values())).indices, None
        if given == "balanced" and len(output_shapes(model).get(None, ())) > 2:
            mask = predict(model, train.arrays.inputs).masks.get(None)
        by_class = class_weights(
            given, targets, self.dataset.task, pipeline.class_names, indices=indices, mask=mask
        )
        return weighted_by_class(train.arrays.weights, by_class, targets, indices=indices)

    def _completed(self, ready: ReadyFold, fitted: FitResult, *, kept: bool = False) -> FoldResult:
        """Keep the trained model of a fold, unless it is kept already, and score it, before the
        next fold is trained."""
        started = time.perf_counter()
        fold, pipeline, scored, chosen = ready.fold, ready.pipeline, ready.scored, self._chosen
        if not kept:
            # The trained model is saved before anything else can fail.
            self.recorder.trained(fold.index, fitted, pipeline)
        history = fitted.history
        findings = findings_of_outputs(self.config, pipeline, output_shapes(fitted.model))
        findings += [*ready.train.findings, *(scored.findings if scored else ())]
        best = _best_epoch(history, chosen)
        scores = NOT_SCORED if scored is None else self._scores(fitted.model, ready, scored)
        return FoldResult(
            index=fold.index,
            iteration=fold.iteration,
            history=history,
            measures=scores.measures,
            score=scores.measures.get(chosen.name),
            baseline=scores.baseline,
            best_epoch=best[0] if best else None,
            best_value=best[1] if best else None,
            rows=np.empty(0, np.int64) if scored is None else scored.rows,
            main=scores.main,
            seconds=ready.seconds + sum(ready.epoch_seconds) + time.perf_counter() - started,
            interrupted=fitted.interrupted,
            findings=tuple(dict.fromkeys(findings)),
            parameters=fitted.model.count_params(),
            pipeline=pipeline,
            rivals=scores.rivals,
            diverged=fitted.diverged,
            kept=fitted.kept,
            outputs=scores.outputs,
            phases=tuple(
                PhaseOutcome(phase, *_best_of_phase(phase, history, chosen))
                for phase in fitted.phases
            ),
        )

    @stage("scoring")
    def _scores(self, model: Any, ready: ReadyFold, scored: Prepared) -> ModelScores:
        """The model, the baselines and the simple model on the rows that give the score."""
        config, train, chosen = self.config, ready.train, self._chosen
        output = predict(model, scored.arrays.inputs, scoring_batch_size(config))
        simple = simple_beside(
            every_layer(config.architecture, config.blocks),
            self.dataset.of_output(chosen.output).task,
            chosen,
            (train.arrays.inputs, train.truths),
            (scored.arrays.inputs, scored.truths),
            output,
            ready.pipeline,
        )
        scored_model = ScoredModel(
            output,
            ready.pipeline,
            scored.arrays.weights,
            scored.truths,
            train.truths,
            masks_of(model, train.arrays.inputs, output),
            self._measures,
        )
        return scored_model.scores(chosen, simple)


def _aligned(model: Any, arrays: FitRows) -> FitRows:
    """Rows with targets (n, ...) as (n, ..., 1) where the output is: F1Score takes no others, the
    metric hinge broadcasts them against each other, and a mean over units would be one over the
    steps, whatever is masked."""
    targets, shapes = arrays.targets, output_shapes(model)
    if isinstance(targets, dict):
        by_name = {name: with_unit_axis(each, shapes[name]) for name, each in targets.items()}
        return replace(arrays, targets=by_name)
    return replace(arrays, targets=with_unit_axis(targets, shapes[None]))


def _best_of_phase(
    phase: PhaseResult, history: Mapping[str, Sequence[float]], chosen: Measure
) -> tuple[int | None, float | None]:
    """The best monitored epoch of a phase, counted over all, and its value."""
    start = phase.first - 1
    own = {name: values[start : start + phase.epochs] for name, values in history.items()}
    found = _best_epoch(own, chosen)
    return (None, None) if found is None else (start + found[0], found[1])


def _best_epoch(
    history: Mapping[str, Sequence[float]], chosen: Measure
) -> tuple[int, float] | None:
    """The best monitored epoch and its value."""
    monitored = history.get(f"val_{chosen.name}")
    return best_epoch(monitored, chosen.direction) if monitored else None
