"""The model and the fit of each phase of a config's training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.config.layers import every_layer
from dlrun.config.schema import Config, Phase
from dlrun.data.inputs import OneInput, parts_of
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Samples
from dlrun.data.source import Source
from dlrun.errors import ComponentError, KeyPath
from dlrun.models.augment import Augmentation, InputSpec
from dlrun.models.build import build_model
from dlrun.models.compiling import compile_outputs
from dlrun.models.freezing import Freezing, flags_of_phases, set_flags
from dlrun.models.initial_weights import weights_as_on_tensorflow
from dlrun.models.moving import TargetOfOutput, let_targets_move
from dlrun.models.precision import mixed_precision
from dlrun.protocols.outputs import check_outputs, output_shapes, targets_of
from dlrun.protocols.protocol import Fold
from dlrun.registry.keras_component import KerasComponent
from dlrun.stages import stage
from dlrun.store.training_folder import make_phase_folder
from dlrun.training.backend import reset
from dlrun.training.callbacks import build_callbacks
from dlrun.training.engine import validation_batch_size
from dlrun.training.features import FeatureRows, rows_key
from dlrun.training.own_unit import measure_in_own_unit
from dlrun.training.phased import FitPhase
from dlrun.training.rows import FitRows


def phase_name(phase: Phase, number: int) -> str:
    """Return what a phase is called; `number` counts from 0."""
    return phase.name or f"phase {number + 1}"


def optimizer_of(config: Config, number: int) -> KerasComponent:
    """Return the optimizer of a phase, counted from 0."""
    phase = config.training.all_phases[number]
    optimizer = phase.optimizer or config.optimizer
    if phase.learning_rate is None:
        return optimizer
    arguments = {**optimizer.arguments, "learning_rate": phase.learning_rate}
    return replace(optimizer, arguments=arguments)


def scoring_batch_size(config: Config) -> int:
    """Return how many rows the score is computed of at once: as many as the validation of the last
    phase measures, so that both are the same number."""
    return validation_batch_size(
        config.training.all_phases[-1].batch_size or config.training.batch_size
    )


def callbacks_of(config: Config, number: int) -> list[KerasComponent]:
    """Return the callbacks of a phase, counted from 0."""
    own = config.training.all_phases[number].callbacks
    return config.training.callbacks if own is None else own


@stage("building")
def fresh_model(
    config: Config,
    pipeline: Pipeline,
    train: FitRows,
    held_out: Sequence[FitRows],
    seed: int,
    phase: int = 0,
) -> Any:
    """Build and compile the config's model with weights that depend on the seed alone, and not
    on the backend.

    Args:
        config: The experiment.
        pipeline: The preprocessing, which knows the targets' own unit.
        train: Rows that say which shape and dtype the inputs have.
        held_out: Other rows whose targets the output must fit as well: a class may occur there
            alone.
        seed: Seed of the initial weights and of whatever training draws.
        phase: Which phase's optimizer and frozen layers it has, from 0.

    Raises:
        ComponentError: Keras refused a part of it, its output does not fit the targets, or a
            phase names a layer that does not exist or leaves nothing to train.
    """
    reset(seed)
    inputs = {
        name: InputSpec(part.shape[1:], _dtype_in_model(part))
        for name, part in parts_of(train.inputs).items()
    }
    augmentation = Augmentation(config.augment, seed)
    with weights_as_on_tensorflow(), mixed_precision(config.training.mixed_precision):
        model = build_model(config.architecture, config.blocks, inputs, augmentation)
    check_outputs(config, output_shapes(model), train, held_out)
    for rows in (train, *held_out):
        _check_indices(config, model, parts_of(rows.inputs))
    if phases := config.training.phases:
        changes = [Freezing(one.freeze, one.unfreeze, one.path) for one in phases]
        set_flags(model, flags_of_phases(model, changes)[phase])
    _compile(config, pipeline, phase, model)
    let_targets_move(model, augmentation, Source.of(config).places, _targets(pipeline, train))
    return model


def _targets(pipeline: Pipeline, train: FitRows) -> dict[str | None, TargetOfOutput]:
    """What is known of the targets of each output."""
    return {
        name: TargetOfOutput(
            name=", ".join(fitted.targets),
            quantities=fitted.task == "regression",
            shape=targets_of(train, name).shape[1:],
            prepared=any(target.steps for target in fitted.targets.values()),
        )
        for name, fitted in pipeline.target_pipelines.items()
    }


def _dtype_in_model(part: OneInput) -> str:
    """The dtype of an input: bytes and pixels become float32, as those of arrays that are given to
    Keras' `fit`; other integers stay, as an `Embedding` takes them."""
    are_pixels = part.dtype.kind in "iu" and len(part.shape) == 4
    return "float32" if part.dtype == np.uint8 or are_pixels else str(part.dtype)


def _check_indices(config: Config, model: Any, inputs: Mapping[str, Any]) -> None:
    """Refuse indices that an Embedding has no row for: XLA would take those of another index, and
    JAX NaN.

    Raises:
        ComponentError: An input that goes straight into an Embedding holds one.
    """
    import keras

    for layer in model.layers:
        if not isinstance(layer, keras.layers.Embedding):
            continue
        sources = [node.input_tensors[0]._keras_history.operation for node in layer._inbound_nodes]
        for source in sources:
            if not isinstance(source, keras.layers.InputLayer):
                continue
            part = inputs[source.name] if source.name in inputs else next(iter(inputs.values()))
            if not isinstance(part, np.ndarray) or not part.size:
                continue
            least, most = int(part.min()), int(part.max())
            if least < 0 or most >= layer.input_dim:
                raise ComponentError(
                    f"the layer '{layer.name}' has rows for the indices 0 to "
                    f"{layer.input_dim - 1}, but its input holds {least if least < 0 else most}"
                    + (f"; set `input_dim: {most + 1}`" if least >= 0 else ""),
                    _embedding_path(config, layer.input_dim),
                )


def _embedding_path(config: Config, input_dim: int) -> KeyPath:
    """Where the first Embedding of so many indices is in the config."""
    return next(
        (
            one.layer.path
            for one in every_layer(config.architecture, config.blocks)
            if one.layer.name == "Embedding" and one.layer.arguments.get("input_dim") == input_dim
        ),
        ("architecture",),
    )


def _compile(config: Config, pipeline: Pipeline, phase: int, model: Any) -> None:
    """Compile a model, or a part of it, with the optimizer of a phase, from 0."""
    compile_outputs(model, config.outputs, optimizer_of(config, phase))
    measure_in_own_unit(model, pipeline.target_pipelines)


def fit_phases(
    config: Config,
    pipeline: Pipeline,
    model: Callable[[int], Any],
    folder: Callable[[], Path],
    begins: Callable[[str, int, int], None],
    vocabulary: Callable[[], Sequence[str] | None],
) -> list[FitPhase]:
    """Return the phases of one fold's fit.

    Args:
        config: The experiment.
        pipeline: The preprocessing of the fold.
        model: Makes the compiled model of a phase by its number, from 0.
        folder: Makes and returns the folder for the files of callbacks.
        begins: Called with a phase's name, the epochs done, and how many there will be in all;
            not where there is one phase.
        vocabulary: Returns the words that numbers in the inputs stand for.
    """
    phases, several = config.training.all_phases, bool(config.training.phases)

    def fit_phase(number: int, phase: Phase) -> FitPhase:
        components, name = callbacks_of(config, number), phase_name(phase, number)
        left = sum(later.epochs for later in phases[number:])

        def phase_folder() -> Path:
            return make_phase_folder(folder(), number) if several else folder()

        return FitPhase(
            name=name if several else None,
            epochs=phase.epochs,
            batch_size=phase.batch_size or config.training.batch_size,
            components=components,
            model=partial(model, number),
            compile=partial(_compile, config, pipeline, number),
            callbacks=lambda request: build_callbacks(
                components,
                phase_folder,
                model=request.model,
                rows=(request.validation or request.train).inputs,
                vocabulary=vocabulary,
            ),
            begins=lambda done: begins(name, done, done + left) if several else None,
        )

    return [fit_phase(number, phase) for number, phase in enumerate(phases)]


def feature_rows(
    samples: Samples, data: Callable[[], str], fold: Fold, pipeline: Pipeline
) -> FeatureRows:
    """Return the rows that features are computed of: all that may be used before the test.

    Args:
        samples: The rows.
        data: Returns their fingerprint.
        fold: Which of them are trained on, and monitored.
        pipeline: The preprocessing of the fold.
    """

    def key() -> str:
        (head, *steps), arrays = pipeline.to_state()
        of_features = {name: head.get(name) for name in ("format", "inputs", "columns", "made")}
        state = [of_features, *(step for step in steps if "target" not in step)]
        return rows_key(data(), state, arrays)

    def inputs(start: int, stop: int) -> Any:
        return pipeline.inputs(samples.take(slice(start, stop)))[:]

    return FeatureRows(key, len(samples), inputs, fold.train, fold.monitored)
