"""All fits of one experiment, or of one phase of them, by one engine and on one compiled model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from dlrun.errors import ComponentError, TrainingError
from dlrun.registry.keras_component import KerasComponent
from dlrun.stages import stage
from dlrun.training.choice import Choice, EngineChoice, choose, work_of
from dlrun.training.engine import Engine, FitRequest, FitResult
from dlrun.training.fused.engine import FusedEngine
from dlrun.training.fused.program import CannotFuse
from dlrun.training.keras_engine import KerasEngine, refused_batch
from dlrun.training.naive_engine import NaiveEngine, obstacle_to_naive_steps
from dlrun.training.state import are_interchangeable, copy_state


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
