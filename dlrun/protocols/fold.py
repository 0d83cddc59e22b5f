"""One fold from raw rows to a scored model: nothing in it has seen the held-out rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from dlrun.config.schema import Config
from dlrun.config.walk import every_layer
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Dataset
from dlrun.data.streamed import Inputs, parts_of
from dlrun.metrics.folds import best_epoch
from dlrun.models.augment import Augmentation
from dlrun.models.build import InputSpec, build_model, compile_outputs
from dlrun.models.initial_weights import weights_as_on_tensorflow
from dlrun.models.objects import build_object
from dlrun.models.precision import mixed_precision
from dlrun.protocols.observer import Observer, Recorder
from dlrun.protocols.outputs import (
    check_outputs,
    findings_of_outputs,
    output_shapes,
    targets_of,
)
from dlrun.protocols.phases import callbacks_of, fit_phases, optimizer_of, set_phase
from dlrun.protocols.preparation import (
    Prepared,
    class_weights,
    pipeline_of,
    prepare,
    weighted_by_class,
)
from dlrun.protocols.protocol import Fold, shifted
from dlrun.protocols.result import FoldResult, PhaseOutcome
from dlrun.protocols.word_vectors import set_word_vectors, words_of_numbers
from dlrun.scoring.measures import Measure
from dlrun.scoring.scored_rows import (
    ModelScores,
    score_rows,
    simple_beside,
    true_values,
)
from dlrun.stages import stage
from dlrun.training.backend import reset
from dlrun.training.callbacks import build_callbacks
from dlrun.training.engine import FitRequest, FitResult, History, PhaseResult
from dlrun.training.phases import PHASE, FitPhase
from dlrun.training.rows import FitRows

Array = np.ndarray


@dataclass(frozen=True)
class ReadyFold:
    """One fold whose model can be trained.

    Args:
        fold: Its rows.
        pipeline: The preprocessing, fitted on its training rows.
        train: The training rows.
        scored: The rows that give the score, or None.
        units: What brings each metric of a history back to the target's own unit.
        request: The fit, without its callbacks.
        epoch_seconds: How long each epoch took, as they are told.
        seconds: Time the preparation took.
    """

    fold: Fold
    pipeline: Pipeline
    train: Prepared
    scored: Prepared | None
    units: Mapping[str, float]
    request: FitRequest
    epoch_seconds: list[float]
    seconds: float


def prepare_fold(
    config: Config,
    dataset: Dataset,
    fold: Fold,
    measures: Sequence[Measure],
    observer: Observer,
    recorder: Recorder,
) -> ReadyFold:
    """Fit the preprocessing on the fold's training rows, and build a fresh model.

    Raises:
        DataError: The rows cannot be prepared as the config says.
        ComponentError: Keras refused a layer, loss, optimizer, metric or callback.
    """
    started = time.perf_counter()
    samples = dataset.samples
    train_samples = samples.take(fold.train)
    with stage("data"):
        pipeline = pipeline_of(config, dataset, train_samples)
    train = prepare(config, pipeline, train_samples)
    del train_samples
    scored = monitored = None
    if fold.scored is not None:
        scored = monitored = prepare(config, pipeline, samples.take(fold.scored))
    if fold.monitored is not None and not fold.monitors_scored_rows:
        monitored = prepare(config, pipeline, samples.take(fold.monitored))
    held_out = [rows.arrays for rows in (scored, monitored) if rows is not None]
    model = fresh_model(config, train.arrays, held_out, shifted(config.seed, fold.index))
    coverage = set_word_vectors(config, model, pipeline, lambda: samples.take(fold.train))
    train = replace(train, findings=(*train.findings, *coverage))
    units = _units(measures, pipeline)
    told: list[float] = []
    request = _request(
        config, dataset, fold, model, pipeline, (train, monitored), units, observer, recorder, told
    )
    # Keras' refusals come before there is a run directory.
    for number in range(len(config.training.phases) or 1):
        build_callbacks(callbacks_of(config, number), model=model)
        build_object(optimizer_of(config, number))
    seconds = time.perf_counter() - started
    return ReadyFold(fold, pipeline, train, scored, units, request, told, seconds)


def phases_of_fold(
    config: Config, ready: ReadyFold, observer: Observer, recorder: Recorder
) -> list[FitPhase]:
    """Return the phases that a fold's model is trained in, one where the config has none."""
    index, monitored = ready.fold.index, ready.request.validation
    held_out = [rows for rows in (monitored,) if rows is not None]

    def model(number: int) -> Any:
        seed = ready.request.seed
        return fresh_model(config, ready.request.train, held_out, seed, number)

    def compiled(number: int, part: Any) -> None:
        compile_phase(config, part, number)

    def begins(name: str, done: int, epochs: int) -> None:
        observer.phase_started(index, name, done, epochs)

    return fit_phases(config, model, compiled, lambda: recorder.callback_folder(index), begins)


def with_callbacks(config: Config, ready: ReadyFold, recorder: Recorder) -> FitRequest:
    """Return the fit with its callbacks, whose files go where the recorder says."""
    request = ready.request
    callbacks = build_callbacks(
        config.training.callbacks,
        lambda: recorder.callback_folder(ready.fold.index),
        model=request.model,
        rows=(request.validation or request.train).inputs,
        vocabulary=partial(words_of_numbers, config, ready.pipeline),
    )
    return replace(request, callbacks=callbacks)


def complete_fold(
    config: Config,
    dataset: Dataset,
    ready: ReadyFold,
    fitted: FitResult,
    measures: Sequence[Measure],
    chosen: Measure,
    recorder: Recorder,
) -> FoldResult:
    """Keep the trained model of a fold, and score it.

    The result's model is to be used before the next fold is trained.
    """
    started = time.perf_counter()
    fold, pipeline, train, scored = ready.fold, ready.pipeline, ready.train, ready.scored
    # What is trained is kept before anything else can fail.
    recorder.trained(fold.index, fitted.model, pipeline)
    history = _in_units(fitted.history, ready.units)
    shapes = output_shapes(fitted.model)
    findings = findings_of_outputs(config, pipeline, shapes)
    findings += [*train.findings, *(scored.findings if scored else ())]
    best = _best_epoch(history, chosen, in_unit=_has_unit(chosen, pipeline))
    scores = ModelScores(np.empty((0, 0), np.float32), {}, None)
    if scored is not None:
        scores = score_rows(
            fitted.model,
            pipeline,
            scored.arrays,
            scored.truths,
            train.truths,
            measures,
            chosen,
            simple_beside(
                every_layer(config.architecture, config.blocks),
                dataset.of_output(chosen.output).task,
                chosen,
                (train.arrays.inputs, train.truths),
                (scored.arrays.inputs, scored.truths),
                next(iter(shapes.values())) if chosen.is_sum else shapes[chosen.output],
            ),
        )
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
        predictions=scores.predictions,
        targets=_targets(pipeline, chosen, scored),
        seconds=ready.seconds + sum(ready.epoch_seconds) + time.perf_counter() - started,
        interrupted=fitted.interrupted,
        findings=tuple(dict.fromkeys(findings)),
        model=fitted.model,
        pipeline=pipeline,
        rivals=scores.rivals,
        diverged=fitted.diverged,
        outputs=scores.outputs,
        phases=tuple(
            PhaseOutcome(phase, *(_best_of_phase(phase, history, chosen, best) or (None, None)))
            for phase in fitted.phases
        ),
    )


def _targets(pipeline: Pipeline, chosen: Measure, scored: Prepared | None) -> Array:
    """What is true of the scored rows, of the output that gives the score."""
    if scored is None:
        return np.empty(0, np.int64)
    name = next(iter(scored.truths)) if chosen.is_sum else chosen.output
    return true_values(pipeline.target_pipelines[name].task, scored.truths[name])


@stage("building")
def fresh_model(
    config: Config, train: FitRows, held_out: Sequence[FitRows], seed: int, phase: int = 0
) -> Any:
    """Build and compile the config's model with weights that depend on the seed alone, and not
    on the backend.

    Args:
        config: The experiment.
        train: Rows that say which shape and dtype the inputs have.
        held_out: Other rows whose targets the output must fit as well: a class may stand there
            alone.
        seed: Seed of the initial weights and of whatever training draws.
        phase: Which phase's optimizer and frozen layers it has, from 0.

    Raises:
        ComponentError: Keras refused a part of it, its output does not fit the targets, or a
            phase freezes a layer that is not there.
    """
    reset(seed)
    inputs = input_specs(train.inputs)
    with weights_as_on_tensorflow(), mixed_precision(config.training.mixed_precision):
        augmentation = Augmentation(config.augment, seed)
        model = build_model(config.architecture, config.blocks, inputs, augmentation)
    check_outputs(config, output_shapes(model), train, held_out)
    set_phase(config, model, phase)
    compile_phase(config, model, phase)
    return model


def input_specs(inputs: Inputs) -> dict[str, InputSpec]:
    """Return what each input of a model gets, by its name; one alone goes by any name."""
    return {
        name: InputSpec(part.shape[1:], _taken_as(part.dtype))
        for name, part in parts_of(inputs).items()
    }


def _taken_as(dtype: np.dtype[Any]) -> str:
    """The type of a model's input: bytes become float32 in the model, as those of arrays that are
    given to Keras' `fit`; all else stays as it is."""
    return "float32" if dtype == np.uint8 else str(dtype)


def compile_phase(config: Config, model: Any, phase: int) -> None:
    """Compile a model, or a part of it, with the optimizer of a phase, from 0."""
    compile_outputs(model, config.outputs, optimizer_of(config, phase))


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
    told: list[float],
) -> FitRequest:
    """What one fit needs, all but its callbacks; `told` gets the seconds of each epoch."""
    train, monitored = rows
    training = config.training

    def on_epoch(epoch: int, logs: dict[str, float], seconds: float) -> None:
        told.append(seconds)
        logs = {name: value * units.get(name, 1.0) for name, value in logs.items()}
        recorder.epoch(fold.index, epoch, logs, seconds)
        logs.pop(PHASE, None)
        observer.epoch_ended(fold.index, epoch, logs, seconds)

    def on_step(epoch: int, step: int, steps: int) -> None:
        observer.step_ended(fold.index, epoch, step, steps)

    names, targets = pipeline.class_names, targets_of(train.arrays, None)
    weights, class_weight = weighted_by_class(
        train.arrays.weights,
        class_weights(training.class_weight, targets, dataset.task, names),
        targets,
    )
    return FitRequest(
        model=model,
        train=_aligned(model, replace(train.arrays, weights=weights)),
        validation=None if monitored is None else _aligned(model, monitored.arrays),
        epochs=training.epochs,
        batch_size=training.batch_size,
        seed=shifted(config.seed, fold.index),
        shuffle=training.shuffle,
        class_weight=class_weight,
        on_epoch=on_epoch,
        on_step=on_step,
    )


def _aligned(model: Any, arrays: FitRows) -> FitRows:
    """Rows with targets (n,) as (n, 1) where the output is: F1Score takes no others, and the
    metric hinge broadcasts them against each other."""

    def aligned(targets: Array, shape: tuple[int | None, ...]) -> Array:
        return targets[:, None] if targets.ndim == 1 and shape[1:] == (1,) else targets

    targets, shapes = arrays.targets, output_shapes(model)
    if isinstance(targets, dict):
        return replace(
            arrays, targets={name: aligned(t, shapes[name]) for name, t in targets.items()}
        )
    return replace(arrays, targets=aligned(targets, shapes[None]))


def _in_units(history: History, units: Mapping[str, float]) -> History:
    return {
        name: [value * units.get(name, 1.0) for value in values] for name, values in history.items()
    }


def _units(measures: Sequence[Measure], pipeline: Pipeline) -> Mapping[str, float]:
    """What brings each metric of a history back to the target's own unit.

    The loss stays as it is optimised: regularisation penalties in it have no unit.
    """
    return {
        prefix + measure.name: pipeline.of_output(measure.output).target_scale ** measure.unit_power
        for measure in measures
        if measure.component.kind == "metric"
        for prefix in ("", "val_")
    }


def _has_unit(chosen: Measure, pipeline: Pipeline) -> bool:
    """Whether the measure's history is in the unit that its score is in.

    Where the target was divided, only powers of its unit can be brought back epoch by epoch.
    """
    if chosen.is_sum:
        return True
    pipeline = pipeline.of_output(chosen.output)
    divided = pipeline.target_pipeline.task == "regression" and not pipeline.keeps_target_unit
    unit_free = chosen.component.name == "R2Score" or chosen.component.kind == "loss"
    known = pipeline.has_one_target_scale and chosen.unit_power > 0
    return not divided or unit_free or known


def _best_of_phase(
    phase: PhaseResult,
    history: Mapping[str, Sequence[float]],
    chosen: Measure,
    best: tuple[int, float | None] | None,
) -> tuple[int, float | None] | None:
    """The best monitored epoch of a phase, counted over all, and its value where that is known of
    the best epoch of all."""
    start = phase.first - 1
    own = {name: values[start : start + phase.epochs] for name, values in history.items()}
    found = _best_epoch(own, chosen, in_unit=best is not None and best[1] is not None)
    return None if found is None else (start + found[0], found[1])


def _best_epoch(
    history: Mapping[str, Sequence[float]], chosen: Measure, *, in_unit: bool
) -> tuple[int, float | None] | None:
    """The best monitored epoch, and its value where that is in the score's unit."""
    monitored = history.get(f"val_{chosen.name}")
    best = best_epoch(monitored, chosen.direction) if monitored else None
    return best if best is None or in_unit else (best[0], None)
