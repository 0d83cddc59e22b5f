"""One fit in several phases: each with its own model object, optimizer and callbacks, the weights
handed on from one to the next."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dlrun.registry.keras_component import KerasComponent
from dlrun.training.choice import Choice
from dlrun.training.engine import Divergence, FitRequest, FitResult, History, PhaseResult
from dlrun.training.features import FeatureRows, Features, HeadFit, shape_size
from dlrun.training.reporting import DivergedError
from dlrun.training.state import copy_layer_state, copy_optimizer_state, copy_state
from dlrun.training.trainer import Trainer

SEES_NO_MODEL = frozenset(
    {"CSVLogger", "EarlyStopping", "LearningRateScheduler", "ReduceLROnPlateau", "TerminateOnNaN"}
)
"""Callbacks to which a model's head does as well as all of it."""

PHASE = "phase"
"""Name under which the number of the phase, from 1, is told with the metrics of an epoch."""


@dataclass(frozen=True)
class FitPhase:
    """One phase of a fit.

    Args:
        name: What it is called; None where the fit has no other phase.
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

    def choose(self, request: FitRequest, phase: FitPhase, rows: FeatureRows) -> Choice:
        """Return what trains the first phase; the first call decides, and compiles.

        Args:
            request: The fit, with the model of the first phase.
            phase: The first phase.
            rows: The rows that features are computed of.

        Raises:
            ComponentError: `fused` is asked for and cannot be; says why.
        """
        fit = self._fit_of(request, phase, rows)
        return self._trainers[0].choose(fit.request, phase.components)

    def fit(self, request: FitRequest, phases: Sequence[FitPhase], rows: FeatureRows) -> FitResult:
        """Train all phases in order.

        Ctrl-C, or a loss that becomes NaN, ends the fit in whatever phase it is; what it had
        reached is the result.

        Args:
            request: The fit, with the model of the first phase and no callbacks.
            phases: What is trained one after the other.
            rows: The rows that features are computed of.

        Raises:
            TrainingError: A step cannot be computed, or the loss became NaN in the first epoch.
        """
        course = _Course(request)
        for number, (phase, trainer) in enumerate(zip(phases, self._trainers, strict=True)):
            try:
                phase.begins(course.done)
                told = course.next_request(phase, number)
                fit = self._fit_of(told, phase, rows)
                trainer.choose(fit.request, phase.components)
                result = trainer.fit(
                    replace(
                        fit.request,
                        callbacks=phase.callbacks(told),
                        epochs_before=told.epochs_before,
                        on_epoch=told.on_epoch,
                    )
                )
            except KeyboardInterrupt:
                if not number:
                    raise
                return course.result(interrupted=True)
            except DivergedError as error:
                if not number:
                    raise
                kept = Divergence(error.epoch, error.loss, course.done)
                return course.result(diverged=kept)
            course.add(phase, number, fit, result, trainer.choose(fit.request, ()))
            if result.interrupted or result.diverged is not None:
                return course.result(result.interrupted, result.diverged)
        return course.result()

    def _fit_of(self, request: FitRequest, phase: FitPhase, rows: FeatureRows) -> _FitOfPhase:
        """Return the fit of a phase; that of `choose` again for the same model."""
        if self._prepared is None or self._prepared.model is not request.model:
            self._prepared = _FitOfPhase(request, phase, self._features, rows)
        return self._prepared


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
        self.head: HeadFit | None = None
        self.request = replace(request, epochs=phase.epochs, batch_size=phase.batch_size)
        names = {component.name for component in phase.components}
        if features is not None and names <= SEES_NO_MODEL:
            self.head = features.head_fit(self.request, rows)
        if self.head is not None:
            phase.compile(self.head.cut.head)
            self.request = self.head.request

    @property
    def features(self) -> int | None:
        """How many numbers of a row the head is trained on."""
        return None if self.head is None else shape_size(self.head.cut.shape)

    def whole(self, trained: Any) -> Any:
        """Return the whole model with what was learnt.

        Args:
            trained: The model that the engine trained: it may be that of an earlier fit.
        """
        if self.head is None:
            return trained
        head = self.head.cut.head
        if trained is not head:
            copy_state(trained, head)
        copy_optimizer_state(head, self.model)
        return self.model


class _Course:
    """How far a fit has come."""

    def __init__(self, request: FitRequest) -> None:
        self._request = request
        self._model: Any = None
        self._history: History = {}
        self._phases: list[PhaseResult] = []
        self.done = 0

    def next_request(self, phase: FitPhase, number: int) -> FitRequest:
        """Return the fit of the next phase, with its model and the weights so far."""
        model = self._request.model
        if number:
            model = phase.model()
            copy_layer_state(self._model, model)

        def on_epoch(epoch: int, logs: dict[str, float], seconds: float) -> None:
            for name, value in logs.items():
                self._history.setdefault(name, []).append(value)
            numbered = logs if phase.name is None else {PHASE: number + 1.0, **logs}
            self._request.on_epoch(epoch, numbered, seconds)

        return replace(self._request, model=model, epochs_before=self.done, on_epoch=on_epoch)

    def add(
        self, phase: FitPhase, number: int, fit: _FitOfPhase, result: FitResult, choice: Choice
    ) -> None:
        """Keep what a phase came to."""
        self._model = fit.whole(result.model)
        epochs = len(result.history.get("loss", ()))
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
        """Return what all phases came to so far."""
        return FitResult(self._model, self._history, interrupted, diverged, tuple(self._phases))
