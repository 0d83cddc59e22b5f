"""The phases of a config's training, for one fold after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from dlrun.config.schema import Config, Phase
from dlrun.data.fingerprint import fingerprint
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Dataset
from dlrun.models.cutting import cut_of
from dlrun.models.freezing import Freezing, flags_of_phases, set_flags
from dlrun.protocols.protocol import Fold
from dlrun.registry.keras_component import KerasComponent
from dlrun.store.features import FeatureStore
from dlrun.training.callbacks import build_callbacks
from dlrun.training.features import FeatureRows, Features, rows_key
from dlrun.training.phases import FitPhase, PhasedTrainer
from dlrun.training.trainer import Trainer


def phase_name(phase: Phase, number: int) -> str:
    """Return what a phase is called; `number` counts from 0."""
    return phase.name or f"phase {number + 1}"


def set_phase(config: Config, model: Any, number: int) -> None:
    """Freeze and unfreeze the layers of a fresh model as one phase trains them.

    Raises:
        ComponentError: A name in any phase fits no layer, or a phase leaves nothing to train.
    """
    phases = config.training.phases
    if phases:
        changes = [Freezing(phase.freeze, phase.unfreeze, phase.path) for phase in phases]
        set_flags(model, flags_of_phases(model, changes)[number])


def optimizer_of(config: Config, number: int) -> KerasComponent:
    """Return the optimizer of a phase, counted from 0."""
    if not config.training.phases:
        return config.optimizer
    phase = config.training.phases[number]
    optimizer = phase.optimizer or config.optimizer
    if phase.learning_rate is None:
        return optimizer
    arguments = {**optimizer.arguments, "learning_rate": phase.learning_rate}
    return replace(optimizer, arguments=arguments)


def callbacks_of(config: Config, number: int) -> list[KerasComponent]:
    """Return the callbacks of a phase, counted from 0."""
    training = config.training
    own = training.phases[number].callbacks if training.phases else None
    return training.callbacks if own is None else own


def is_phased(config: Config, model: Any) -> bool:
    """Whether training has phases, or a frozen base that can be run once."""
    training = config.training
    return bool(training.phases) or (training.cache_features and cut_of(model) is not None)


def phased_trainer(
    config: Config, store: FeatureStore | None, tell: Callable[[str], None], fits: float, alike: int
) -> PhasedTrainer:
    """Return what trains every fold in the phases of the config.

    Args:
        config: The experiment.
        store: Where features are kept; None computes none.
        tell: Takes a sentence for the user.
        fits: How many fits of the same numbers of rows there will be, on average.
        alike: How many of them one after another, at most.
    """
    training = config.training
    trainers = [
        Trainer(training.engine, training.xla, fits=fits, alike=alike)
        for _ in range(max(len(training.phases), 1))
    ]
    keeps = training.cache_features and store is not None
    return PhasedTrainer(trainers, Features(store, tell) if keeps and store else None)


def fit_phases(
    config: Config,
    model: Callable[[int], Any],
    compiled: Callable[[int, Any], None],
    folder: Callable[[], Path],
    begins: Callable[[str, int, int], None],
) -> list[FitPhase]:
    """Return the phases of one fold's fit.

    Args:
        config: The experiment.
        model: Makes the compiled model of a phase by its number, from 0.
        compiled: Compiles a part of it alike.
        folder: Makes and returns the folder for the files of callbacks.
        begins: Called with a phase's name, the epochs done, and how many there will be in all.
    """
    training = config.training
    if not training.phases:
        whole = Phase(epochs=training.epochs)
        return [_fit_phase(config, whole, 0, None, model, compiled, folder, lambda done: None)]

    def announced(number: int) -> Callable[[int], None]:
        left = sum(phase.epochs for phase in training.phases[number:])
        name = phase_name(training.phases[number], number)
        return lambda done: begins(name, done, done + left)

    return [
        _fit_phase(
            config,
            phase,
            number,
            phase_name(phase, number),
            model,
            compiled,
            partial(_subfolder, folder, number),
            announced(number),
        )
        for number, phase in enumerate(training.phases)
    ]


def feature_rows(
    dataset: Dataset, data: Callable[[], str], fold: Fold, pipeline: Pipeline
) -> FeatureRows:
    """Return the rows that features are computed of: all that may be used before the test.

    Args:
        dataset: The rows.
        data: Returns their fingerprint.
        fold: Which of them are trained on, and monitored.
        pipeline: The preprocessing of the fold.
    """
    samples = dataset.samples

    def key() -> str:
        (head, *steps), arrays = pipeline.to_state()
        of_features = {name: head.get(name) for name in ("format", "inputs", "columns", "made")}
        state = [of_features, *(step for step in steps if "target" not in step)]
        return rows_key(data(), state, arrays)

    def inputs(start: int, stop: int) -> Any:
        return pipeline.inputs(samples.take(slice(start, stop)))[:]

    return FeatureRows(key, len(samples), inputs, fold.train, fold.monitored)


def fingerprint_once(dataset: Dataset) -> Callable[[], str]:
    """Return what gives the fingerprint of the rows, computed when it is first asked for."""
    return cache(lambda: fingerprint(dataset.samples))


def _fit_phase(
    config: Config,
    phase: Phase,
    number: int,
    name: str | None,
    model: Callable[[int], Any],
    compiled: Callable[[int, Any], None],
    folder: Callable[[], Path],
    begins: Callable[[int], None],
) -> FitPhase:
    components: Sequence[KerasComponent] = callbacks_of(config, number)
    return FitPhase(
        name=name,
        epochs=phase.epochs,
        batch_size=phase.batch_size or config.training.batch_size,
        components=components,
        model=lambda: model(number),
        compile=lambda part: compiled(number, part),
        callbacks=lambda request: build_callbacks(
            components,
            folder,
            model=request.model,
            rows=(request.validation or request.train).inputs,
        ),
        begins=begins,
    )


def _subfolder(folder: Callable[[], Path], number: int) -> Path:
    """The files of a phase's callbacks, apart from those of the same callback in another one."""
    path = folder() / f"phase-{number + 1}"
    path.mkdir(exist_ok=True)
    return path
