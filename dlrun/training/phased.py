"""Fits in phases: each has its own model object, optimizer and callbacks, and goes on with the
weights of the one before. A fit without phases is one phase."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from dlrun.models.cutting import Cut
from dlrun.registry.keras_component import KerasComponent
from dlrun.store.metrics_csv import PHASE
from dlrun.training.checkpoint import Checkpoints, FitState, by_path, packed, unpacked
from dlrun.training.choice import Choice
from dlrun.training.engine import (
    Divergence,
    FitRequest,
    FitResult,
    History,
    KeptWeights,
    PhaseResult,
)
from dlrun.training.features import FeatureRows, Features, shape_size
from dlrun.training.interrupt import end_if_signalled
from dlrun.training.reporting import DivergedError
from dlrun.training.saving import put_values, value_of
from dlrun.training.state import (
    copy_layer_state,
    copy_optimizer_state,
    copy_state,
    layer_variables,
)
from dlrun.training.trainer import Trainer

SEES_NO_MODEL = frozenset(
    {"CSVLogger", "EarlyStopping", "LearningRateScheduler", "ReduceLROnPlateau", "TerminateOnNaN"}
)
"""Callbacks that work with a model's head as with the whole model."""


@dataclass(frozen=True)
class FitPhase:
    """One phase of a fit.

    Args:
        name: Its name; None if the fit has no other phase.
        epochs: Passes over the training rows at most.
        batch_size: Rows in a gradient step.
        components: Its callbacks as the config names them.
        model: Makes the model as the phase trains it, compiled.
        compile: Compiles a part of that model alike.
        callbacks: Makes its callbacks for the fit of the whole model.
        begins: Called with the number of epochs done when the phase begins.
    """

    name: str | None
    epochs: int
    batch_size: int
    components: Sequence[KerasComponent]
    model: Callable[[], Any]
    compile: Callable[[Any], None]
    callbacks: Callable[[FitRequest], list[Any]]
    begins: Callable[[int], None] = lambda done: None


class PhasedFit(NamedTuple):
    """A fit and its phases.

    Args:
        request: The fit, with the model of the first phase and no callbacks.
        phases: What is trained one after the other.
        rows: The rows that features are computed of.
    """

    request: FitRequest
    phases: Sequence[FitPhase]
    rows: FeatureRows


class PhasedTrainer:
    """Trains fits of the same phases; each phase keeps its engine and what it has compiled.

    Args:
        trainers: One for each phase.
        features: Runs frozen bases once; None trains every model whole.
    """

    def __init__(self, trainers: Sequence[Trainer], features: Features | None) -> None:
        self._trainers = trainers
        self._features = features
        self._prepared: _FitOfPhase | None = None

    def choose(self, fit: PhasedFit) -> Choice:
        """Return what trains the first phase; the first call decides, and compiles.

        Raises:
            ComponentError: `fused` is asked for but cannot be used; says why.
        """
        first = self._fit_of(fit.request, fit.phases[0], fit.rows)
        alone = len(fit.phases) > 1 or first.cut is not None
        return self._trainers[0].choose(first.request, fit.phases[0].components, alone=alone)

    def fit_all(self, fits: Sequence[PhasedFit]) -> Iterator[FitResult]:
        """Train fits of the same numbers of rows in order.

        Args:
            fits: Several only if `choose` says that they can be trained together.

        Yields:
            What `fit` returns for each. An interrupted result is the last.

        Raises:
            TrainingError: As `fit`.
        """
        if len(fits) == 1:
            yield self.fit(fits[0])
            return
        self._prepared = None
        requests = []
        for fit in fits:
            [phase] = fit.phases
            callbacks = phase.callbacks(fit.request)
            # They end within a minute, or begin again.
            alone = replace(fit.request, checkpoints=None)
            requests.append(replace(_in_phase(alone, phase), callbacks=callbacks))
        yield from self._trainers[0].fit_all(requests)

    def fit(self, fit: PhasedFit) -> FitResult:
        """Train all phases in order, from where the fit was saved if it was.

        Ctrl-C, or a loss that becomes NaN, ends the fit in whatever phase it is; what it had
        reached is the result.

        Raises:
            TrainingError: A step cannot be computed, or the loss became NaN in the first epoch.
        """
        progress = _Progress(fit.request)
        self.choose(fit)
        for number, (phase, trainer) in enumerate(zip(fit.phases, self._trainers, strict=True)):
            if number < progress.first:
                continue
            try:
                end_if_signalled()
                phase.begins(progress.done)
                whole = progress.next_request(phase, number)
                part = self._fit_of(whole, phase, fit.rows)
                self._prepared = None
                choice = trainer.choose(part.request, phase.components)
                result = trainer.fit(
                    replace(
                        part.request,
                        callbacks=phase.callbacks(whole),
                        epochs_before=whole.epochs_before,
                        on_epoch=whole.on_epoch,
                        checkpoints=progress.checkpoints(number, part),
                    )
                )
            except KeyboardInterrupt:
                if number == progress.first:
                    raise
                return progress.result(interrupted=True)
            except DivergedError as error:
                if number == progress.first:
                    raise
                kept = Divergence(error.epoch, error.loss, progress.done)
                return progress.result(diverged=kept)
            progress.add(phase, number, part, result, choice)
            if result.interrupted or result.diverged is not None:
                return progress.result(result.interrupted, result.diverged)
        return progress.result()

    def _fit_of(self, request: FitRequest, phase: FitPhase, rows: FeatureRows) -> _FitOfPhase:
        """Return the fit of a phase; that of `choose` again for the same model."""
        if self._prepared is None or self._prepared.model is not request.model:
            self._prepared = _FitOfPhase(request, phase, self._features, rows)
        return self._prepared


def _in_phase(request: FitRequest, phase: FitPhase) -> FitRequest:
    return replace(request, epochs=phase.epochs, batch_size=phase.batch_size)


class _FitOfPhase:
    """The fit of one phase: of the whole model, or of its head on features."""

    def __init__(
        self,
        request: FitRequest,
        phase: FitPhase,
        features: Features | None,
        rows: FeatureRows,
    ) -> None:
        self.model = request.model
        self.request = _in_phase(request, phase)
        self.cut: Cut | None = None
        names = {component.name for component in phase.components}
        if features is not None and names <= SEES_NO_MODEL:
            self.request, self.cut = features.head_fit(self.request, rows) or (self.request, None)
        if self.cut is not None:
            phase.compile(self.cut.head)

    def base_variables(self) -> dict[str, Any]:
        """Return by path what the whole model has besides the head that is trained."""
        if self.cut is None:
            return {}
        trained = {id(variable) for variable in layer_variables(self.cut.head)}
        named = by_path(layer_variables(self.model))
        return {name: variable for name, variable in named.items() if id(variable) not in trained}

    @property
    def features(self) -> int | None:
        """How many numbers of a row the head is trained on."""
        return None if self.cut is None else shape_size(self.cut.shape)

    def whole(self, trained: Any) -> Any:
        """Return the whole model with what was learnt.

        Args:
            trained: The model that the engine trained: it may be that of an earlier fit.
        """
        if self.cut is None:
            return trained
        head = self.cut.head
        if trained is not head:
            copy_state(trained, head)
        copy_optimizer_state(head, self.model)
        return self.model


class _Progress:
    """The phases of a fit that are done, in this process or before it was saved.

    Attributes:
        first: The phase that the fit goes on with, from 0.
        done: Epochs of the phases that are done.
    """

    def __init__(self, request: FitRequest) -> None:
        self._request = request
        self._model: Any = None
        self._kept: KeptWeights | None = None
        self._history: History = {}
        self._phases: list[PhaseResult] = []
        self.first = self.done = 0
        self._base: dict[str, Any] = {}
        self._saved = None if request.checkpoints is None else request.checkpoints.saved()
        if self._saved is not None:
            self._restore(self._saved)

    def next_request(self, phase: FitPhase, number: int) -> FitRequest:
        """Return the fit of the next phase, with its model and the weights so far."""
        model = phase.model() if number else self._request.model
        if self._model is not None:
            copy_layer_state(self._model, model)
        if self._base:
            named = by_path(layer_variables(model))
            put_values(self._base, {name: v for name, v in named.items() if name in self._base})
            self._base = {}

        def on_epoch(epoch: int, logs: dict[str, float], seconds: float) -> None:
            for name, value in logs.items():
                self._history.setdefault(name, []).append(value)
            numbered = logs if phase.name is None else {PHASE: number + 1.0, **logs}
            self._request.on_epoch(epoch, numbered, seconds)

        return replace(self._request, model=model, epochs_before=self.done, on_epoch=on_epoch)

    def checkpoints(self, number: int, fit: _FitOfPhase) -> Checkpoints | None:
        """Return where the fit of a phase is saved."""
        if self._request.checkpoints is None:
            return None
        saved, self._saved = self._saved, None
        return _PhaseCheckpoints(
            self._request.checkpoints,
            saved,
            partial(self._can_be_saved, number),
            partial(self._state, number, fit),
        )

    def _can_be_saved(self, number: int) -> bool:
        """Whether the fit of a phase can be saved: should the first epoch of a later one diverge,
        the model is that of the phase before."""
        return not number or len(self._history.get("loss", ())) > self.done

    def _state(self, number: int, fit: _FitOfPhase) -> dict[str, Any]:
        """What is needed besides the fit of a phase."""
        base = fit.base_variables() if number else {}
        return {
            "number": number,
            "done": self.done,
            "history": {name: values[: self.done] for name, values in self._history.items()},
            "results": [asdict(result) for result in self._phases],
            "base": {name: value_of(variable) for name, variable in base.items()},
        }

    def _restore(self, saved: FitState) -> None:
        before = unpacked(FitState(saved.facts["phases"], saved.arrays))
        self.first, self.done, self._base = before["number"], before["done"], before["base"]
        self._phases = [PhaseResult(**each) for each in before["results"]]
        for history in (before["history"], saved.facts["fit"]["history"]):
            for name, values in history.items():
                self._history.setdefault(name, []).extend(values)

    def add(
        self, phase: FitPhase, number: int, fit: _FitOfPhase, result: FitResult, choice: Choice
    ) -> None:
        """Keep the outcome of a phase."""
        self._model, self._kept = fit.whole(result.model), result.kept
        epochs = len(result.history.get("loss", ()))
        if phase.name is not None or fit.features is not None:
            self._phases.append(
                PhaseResult(
                    name=phase.name or f"phase {number + 1}",
                    first=self.done + 1,
                    epochs=epochs,
                    engine=choice.name,
                    trained_weights=sum(math.prod(w.shape) for w in self._model.trainable_weights),
                    features=fit.features,
                )
            )
        self.done += epochs

    def result(self, interrupted: bool = False, diverged: Divergence | None = None) -> FitResult:
        """Return the outcome of all phases so far."""
        phases = tuple(self._phases)
        return FitResult(self._model, self._history, interrupted, diverged, phases, self._kept)


class _PhaseCheckpoints:
    """Where the fit of a phase is saved: beside what the phases before it have left.

    Args:
        whole: Where the fit of all phases is saved.
        saved: What it was saved as in this phase, if it was.
        ready: Returns whether the fit of the phase can be saved now.
        before: Returns what is needed besides it.
    """

    def __init__(
        self,
        whole: Checkpoints,
        saved: FitState | None,
        ready: Callable[[], bool],
        before: Callable[[], dict[str, Any]],
    ) -> None:
        self._whole, self._saved = whole, saved
        self._ready, self._before = ready, before

    def ready(self) -> bool:
        """Whether the fit can be saved now."""
        return self._ready() and self._whole.ready()

    def due(self) -> bool:
        """Whether the fit is to be saved now."""
        return self._whole.due()

    def write(self, state: FitState) -> None:
        """Keep a state of the phase's fit."""
        rest = packed({"epochs": state.facts["epochs"], "phases": self._before()})
        facts = {**rest.facts, "fit": state.facts}
        self._whole.write(FitState(facts, {**rest.arrays, **state.arrays}))

    def saved(self) -> FitState | None:
        """Return the state of the phase's fit to go on from."""
        return (
            None if self._saved is None else FitState(self._saved.facts["fit"], self._saved.arrays)
        )
