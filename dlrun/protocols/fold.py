"""One fold from raw rows to a scored model: nothing in it has seen the held-out rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlrun.config.schema import Config
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.samples import Dataset, Samples
from dlrun.metrics.baselines import Baseline, baseline
from dlrun.metrics.folds import best_epoch
from dlrun.models.build import build_model, compile_model
from dlrun.protocols.compatibility import check_output
from dlrun.protocols.measures import Measure
from dlrun.protocols.observer import Observer, Recorder
from dlrun.protocols.protocol import Fold, shifted
from dlrun.protocols.result import FoldResult
from dlrun.protocols.weights import class_weights, sample_weights, weighted_by_class
from dlrun.training.backend import reset
from dlrun.training.callbacks import build_callbacks
from dlrun.training.engine import Arrays, FitRequest, History
from dlrun.training.prediction import predict
from dlrun.training.trainer import Trainer

Array = np.ndarray


@dataclass(frozen=True)
class Prepared:
    """Rows of one fold, before and after preprocessing.

    Args:
        samples: The rows as the source gave them.
        arrays: What the model sees.
        truth: (n,) or (n, k) targets that errors are measured against: in their own unit for
            regression, as the loss sees them for classification.
    """

    samples: Samples
    arrays: Arrays
    truth: Array


def run_fold(
    config: Config,
    dataset: Dataset,
    fold: Fold,
    measures: Sequence[Measure],
    chosen: Measure,
    trainer: Trainer,
    observer: Observer,
    recorder: Recorder,
) -> FoldResult:
    """Fit the preprocessing and a fresh model on the fold's training rows, and score it.

    The result's model is to be used before the trainer's next fit.
    """
    started = time.perf_counter()
    pipeline = fit_pipeline(
        config.preprocess, config.target_steps, dataset, dataset.samples.take(fold.train)
    )
    train = prepare(config, dataset, pipeline, fold.train)
    scored = None if fold.scored is None else prepare(config, dataset, pipeline, fold.scored)
    watched = scored
    if fold.watched is not None and not fold.watches_scored_rows:
        watched = prepare(config, dataset, pipeline, fold.watched)
    held_out = [rows.arrays for rows in (scored, watched) if rows is not None]
    model = fresh_model(config, train.arrays, held_out, shifted(config.seed, fold.index))
    units = _units(measures, pipeline.target_scale)
    request = _request(
        config, dataset, fold, model, pipeline, (train, watched), units, observer, recorder
    )
    # Keras' refusals come before there is a run directory.
    build_callbacks(config.training.callbacks)
    choice = trainer.choose(request, config.training.callbacks)
    recorder.training_begins(fold.index, choice)
    callbacks = build_callbacks(
        config.training.callbacks, lambda: recorder.callback_folder(fold.index)
    )
    fitted = trainer.fit(replace(request, callbacks=callbacks))
    history = _in_units(fitted.history, units)
    best = _best_epoch(history, chosen)
    judged = judge(fitted.model, pipeline, dataset, train.truth, scored, measures, chosen)
    return FoldResult(
        index=fold.index,
        iteration=fold.iteration,
        history=history,
        measures=judged.measures,
        score=judged.measures.get(chosen.name),
        baseline=judged.baseline,
        best_epoch=best[0] if best else None,
        best_value=best[1] if best else None,
        rows=np.empty(0, np.int64) if scored is None else scored.samples.rows,
        predictions=judged.predictions,
        seconds=time.perf_counter() - started,
        interrupted=fitted.interrupted,
        findings=tuple(pipeline.findings((scored or train).samples)),
        model=fitted.model,
        pipeline=pipeline,
    )


def prepare(config: Config, dataset: Dataset, pipeline: Pipeline, positions: Array) -> Prepared:
    """Bring rows into the form that the model sees."""
    return prepare_samples(config, dataset.task, pipeline, dataset.samples.take(positions))


def prepare_samples(config: Config, task: str, pipeline: Pipeline, samples: Samples) -> Prepared:
    """Bring rows into the form that the model sees, whatever part they come from."""
    targets = pipeline.targets(samples)
    weights = sample_weights(config.training.sample_weight, samples)
    arrays = Arrays(inputs=pipeline.inputs(samples), targets=targets, weights=weights)
    return Prepared(samples, arrays, truth=truth_of(task, samples, targets))


def truth_of(task: str, samples: Samples, targets: Array) -> Array:
    """Return what predictions are measured against, (n,) or (n, k): quantities in their own
    unit, classes as the loss sees them."""
    if task != "regression":
        return targets
    columns = [np.asarray(column, np.float64) for column in samples.targets.values()]
    return columns[0] if len(columns) == 1 else np.column_stack(columns)


def fresh_model(config: Config, train: Arrays, held_out: Sequence[Arrays], seed: int) -> Any:
    """Build and compile the config's model with weights that depend on the seed alone.

    Args:
        config: The experiment.
        train: Rows that say which shape and dtype the inputs have.
        held_out: Other rows whose targets the output must fit as well: a class may stand there
            alone.
        seed: Seed of the initial weights and of whatever training draws.

    Raises:
        ComponentError: Keras refused a part of it, or its output does not fit the targets.
    """
    reset(seed)
    layers = config.architecture.layers
    model = build_model(layers, train.inputs.shape[1:], str(train.inputs.dtype))
    for arrays in (train, *held_out):
        check_output(model.output_shape, arrays.targets, config.loss, layers[-1].path)
    compile_model(model, config.loss, config.optimizer, config.metrics)
    return model


def _request(
    config: Config,
    dataset: Dataset,
    fold: Fold,
    model: Any,
    pipeline: Pipeline,
    rows: tuple[Prepared, Prepared | None],
    units: Mapping[str, float],
    observer: Observer,
    recorder: Recorder,
) -> FitRequest:
    """What one fit needs, all but its callbacks."""
    train, watched = rows
    training = config.training

    def on_epoch(epoch: int, logs: dict[str, float], seconds: float) -> None:
        logs = {name: value * units.get(name, 1.0) for name, value in logs.items()}
        recorder.epoch(fold.index, epoch, logs, seconds)
        observer.epoch_ended(fold.index, epoch, logs, seconds)

    def on_step(epoch: int, step: int, steps: int) -> None:
        observer.step_ended(fold.index, epoch, step, steps)

    names = next(iter(pipeline.classes.values()), ())
    weights, class_weight = weighted_by_class(
        train.arrays.weights,
        class_weights(training.class_weight, train.arrays.targets, dataset.task, names),
        train.arrays.targets,
    )
    return FitRequest(
        model=model,
        train=_aligned(model, replace(train.arrays, weights=weights)),
        validation=None if watched is None else _aligned(model, watched.arrays),
        epochs=training.epochs,
        batch_size=training.batch_size,
        seed=shifted(config.seed, fold.index),
        shuffle=training.shuffle,
        class_weight=class_weight,
        on_epoch=on_epoch,
        on_step=on_step,
    )


def _aligned(model: Any, arrays: Arrays) -> Arrays:
    """Rows with targets (n,) as (n, 1) where the output is: F1Score takes no others, and the
    metric hinge broadcasts them against each other."""
    if arrays.targets.ndim > 1 or tuple(model.output_shape[1:]) != (1,):
        return arrays
    return replace(arrays, targets=arrays.targets[:, None])


def _in_units(history: History, units: Mapping[str, float]) -> History:
    return {
        name: [value * units.get(name, 1.0) for value in values] for name, values in history.items()
    }


def _units(measures: Sequence[Measure], target_scale: float) -> Mapping[str, float]:
    """What brings each metric of a history back to the target's own unit.

    The loss stays as it is optimised: regularisation penalties in it have no unit.
    """
    return {
        prefix + measure.name: target_scale**measure.unit_power
        for measure in measures
        if measure.component.kind == "metric"
        for prefix in ("", "val_")
    }


def _best_epoch(
    history: Mapping[str, Sequence[float]], chosen: Measure
) -> tuple[int, float] | None:
    watched = history.get(f"val_{chosen.name}")
    return best_epoch(watched, chosen.direction) if watched else None


@dataclass(frozen=True)
class Judgement:
    """A trained model on rows it has not seen.

    Args:
        predictions: (m, k) model output, in the target's own unit.
        measures: Loss and metrics by name; metrics in the target's own unit, the loss as it
            is optimised.
        baseline: The common-sense baseline in the measure of success, or None.
    """

    predictions: Array
    measures: dict[str, float]
    baseline: Baseline | None


def judge(
    model: Any,
    pipeline: Pipeline,
    dataset: Dataset,
    train_truth: Array,
    rows: Prepared | None,
    measures: Sequence[Measure],
    chosen: Measure,
) -> Judgement:
    """Score a trained model, and common sense, on the same rows."""
    if rows is None:
        return Judgement(np.empty((0, 0), np.float32), {}, None)
    output = predict(model, rows.arrays.inputs)
    predictions = pipeline.invert(output)
    values = {
        measure.name: measure(rows.arrays.targets, output, rows.arrays.weights)
        if measure.component.kind == "loss"
        else measure(rows.truth, predictions)
        for measure in measures
    }
    reference = None
    if chosen.score is not None and chosen.component.kind == "metric":
        reference = baseline(
            dataset.task,
            chosen.score,
            train_truth,
            rows.truth,
            outputs=output.shape[-1],
            classes=next(iter(pipeline.classes.values()), None),
        )
    return Judgement(predictions, values, reference)
