"""All fits of one experiment: in phases, by one engine and on one compiled model for each phase.

Each phase has its own model object, optimizer and callbacks; the weights are copied from one to
the next. A fit without phases is one phase.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from dlrun.errors import ComponentError, TrainingError
from dlrun.models.cutting import Cut
from dlrun.registry.keras_component import KerasComponent
from dlrun.stages import stage
from dlrun.store.metrics_csv import PHASE
from dlrun.training.choice import Choice, EngineChoice, choose, work_of
from dlrun.training.engine import (
    Divergence,
    Engine,
    FitRequest,
    FitResult,
    History,
    KeptWeights,
    PhaseResult,
)
from dlrun.training.features import FeatureRows, Features, shape_size
from dlrun.training.fused.engine import FusedEngine
from dlrun.training.fused.program import CannotFuse
from dlrun.training.interrupt import end_if_asked
from dlrun.training.keras_engine import KerasEngine, refused_batch
from dlrun.training.naive_engine import NaiveEngine, obstacle_to_naive_steps
from dlrun.training.reporting import DivergedError
from dlrun.training.state import (
    are_interchangeable,
    copy_layer_state,
    copy_optimizer_state,
    copy_state,
)

SEES_NO_MODEL = frozenset(
    {"CSVLogger", "EarlyStopping", "LearningRateScheduler", "ReduceLROnPlateau", "TerminateOnNaN"}
)
"""Callbacks that work with a model's head as with the whole model."""


class Trainer:
    """Chooses an engine at the first fit and keeps it, and the model it has compiled, for all.

    Args:
        engine: What the config asks for: `auto`, `fused`, `keras` or `naive`.
        xla: Whether the config asks for XLA; None leaves it to the rule.
        fits: How many fits of the same numbers of rows there will be, on average.
        alike: How many of them come one after another, at most.
    """

    def __init__(
        self,
        engine: EngineChoice = "auto",
        xla: bool | None = None,
        fits: float = 1,
        alike: int = 1,
    ) -> None:
        self._wanted = engine
        self._xla = xla
        self._fits = fits
        self._alike = alike
        self._decided: tuple[Choice, Engine] | None = None
        self._model: Any = None

    def choose(
        self, request: FitRequest, callbacks: Sequence[KerasComponent], *, alone: bool = False
    ) -> Choice:
        """Return what trains; the first call decides, and compiles.

        Args:
            request: The fit to come; its callbacks may be missing.
            callbacks: The callbacks as the config names them.
            alone: Whether no other fit may be trained in the same calls.

        Raises:
            ComponentError: `fused` is asked for but cannot be used; says why.
        """
        return self._decide(request, callbacks, 1 if alone else self._alike)[0]

    @stage("training")
    def fit(self, request: FitRequest) -> FitResult:
        """Train a model of `request.model`'s config from its state.

        Returns:
            The result; its model may be that of an earlier fit, trained anew. What an earlier
            result holds as its model must not be used any more.

        Raises:
            TrainingError: A step cannot be computed.
        """
        _, engine = self._decide(request, (), self._alike)
        if self._model is None or not are_interchangeable(self._model, request.model):
            self._model = request.model
        elif self._model is not request.model:
            copy_state(request.model, self._model)
        return engine.fit(replace(request, model=self._model))

    def fit_all(self, requests: Sequence[FitRequest]) -> Iterator[FitResult]:
        """Train models of one config in order, each from its state, in the same calls if chosen so.

        If that was not chosen, or the models are not alike, one is trained after another.

        Args:
            requests: Fits of the same numbers of rows.

        Yields:
            What `fit` returns for each; the same holds for its model. An interrupted result is the
            last.

        Raises:
            TrainingError: A step cannot be computed.
        """
        first = requests[0]
        choice, engine = self._decide(first, (), self._alike)
        kept = first.model if self._model is None else self._model
        if (
            choice.folds_together > 1
            and len(requests) > 1
            and isinstance(engine, FusedEngine)
            and all(are_interchangeable(kept, request.model) for request in requests)
        ):
            self._model = kept
            together = engine.fit_together(requests, kept)
            while (result := _next_trained(together)) is not None:
                yield result
            return
        for request in requests:
            result = self.fit(request)
            yield result
            if result.interrupted:
                return

    def _decide(
        self, request: FitRequest, callbacks: Sequence[KerasComponent], alike: int
    ) -> tuple[Choice, Engine]:
        if self._decided is None:
            with stage("compiling"):
                work = work_of(request, callbacks, self._fits, alike)
                self._decided = self._prepared(request, choose(work, self._wanted, self._xla))
        return self._decided

    def _prepared(self, request: FitRequest, choice: Choice) -> tuple[Choice, Engine]:
        """The engine that was chosen, or the next one if the program cannot be made.

        Raises:
            ComponentError: `fused` is asked for but cannot be used; says why.
            TrainingError: Keras cannot train the model either.
        """
        if choice.name == "naive":
            if (obstacle := obstacle_to_naive_steps(request.model)) is not None:
                raise ComponentError(obstacle, ("training", "engine"))
            return choice, NaiveEngine()
        if choice.name == "keras":
            if self._wanted == "fused":
                message = f"training cannot be fused: {choice.reason}; use `engine: auto`"
                raise ComponentError(message, ("training", "engine"))
            return choice, KerasEngine()
        engine = FusedEngine(choice.xla)
        try:
            engine.prepare(request, choice.folds_together)
        except CannotFuse as obstacle:
            if choice.folds_together > 1:
                return self._prepared(request, replace(choice, folds_together=1))
            if choice.xla and self._xla is None:
                return self._prepared(request, Choice("fused", False, f"XLA off: {obstacle}"))
            if (refused := refused_batch(request)) is not None:
                raise TrainingError(f"Keras cannot train the model: {refused}") from obstacle
            return self._prepared(request, Choice("keras", False, str(obstacle)))
        return choice, engine


@stage("training")
def _next_trained(together: Iterator[FitResult]) -> FitResult | None:
    return next(together, None)


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
            requests.append(replace(_in_phase(fit.request, phase), callbacks=callbacks))
        yield from self._trainers[0].fit_all(requests)

    def fit(self, fit: PhasedFit) -> FitResult:
        """Train all phases in order.

        Ctrl-C, or a loss that becomes NaN, ends the fit in whatever phase it is; what it had
        reached is the result.

        Raises:
            TrainingError: A step cannot be computed, or the loss became NaN in the first epoch.
        """
        progress = _Progress(fit.request)
        self.choose(fit)
        for number, (phase, trainer) in enumerate(zip(fit.phases, self._trainers, strict=True)):
            try:
                end_if_asked()
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
                    )
                )
            except KeyboardInterrupt:
                if not number:
                    raise
                return progress.result(interrupted=True)
            except DivergedError as error:
                if not number:
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
    """The phases of a fit that are done."""

    def __init__(self, request: FitRequest) -> None:
        self._request = request
        self._model: Any = None
        self._kept: KeptWeights | None = None
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
