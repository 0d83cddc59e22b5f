"""All fits of one experiment, by one engine and on one compiled model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from dlrun.errors import ComponentError
from dlrun.registry.keras_component import KerasComponent
from dlrun.stages import stage
from dlrun.training.choice import Choice, choose, work_of
from dlrun.training.engine import Engine, FitRequest, FitResult
from dlrun.training.fused.engine import FusedEngine
from dlrun.training.fused.program import CannotFuse
from dlrun.training.keras_engine import KerasEngine
from dlrun.training.state import are_interchangeable, copy_state


class Trainer:
    """Chooses an engine at the first fit and keeps it, and the model it has compiled, for all.

    Args:
        engine: What the config asks for: `auto`, `fused` or `keras`.
        xla: Whether the config asks for XLA; None leaves it to the rule.
        fits: How many fits of the same numbers of rows there will be, on average.
        alike: How many fits of the same numbers of rows there will be one after another, at most.
    """

    def __init__(
        self,
        engine: str = "auto",
        xla: bool | None = None,
        fits: float = 1,
        alike: int = 1,
    ) -> None:
        self._wanted = engine
        self._xla = xla
        self._fits = fits
        self._alike = alike
        self._engine: Engine | None = None
        self._choice: Choice | None = None
        self._model: Any = None

    def choose(self, request: FitRequest, callbacks: Sequence[KerasComponent]) -> Choice:
        """Return what trains; the first call decides, and compiles.

        Args:
            request: The fit to come; its callbacks need not be there yet.
            callbacks: The callbacks as the config names them.

        Raises:
            ComponentError: `fused` is asked for and cannot be; says why.
        """
        if self._choice is None:
            self._choice = self._decide(request, callbacks)
        return self._choice

    @stage("training")
    def fit(self, request: FitRequest) -> FitResult:
        """Train a model of `request.model`'s config from its state.

        Returns:
            The result; its model may be that of an earlier fit, trained anew. What an earlier
            result holds as its model must not be used any more.

        Raises:
            TrainingError: A step cannot be computed.
        """
        self.choose(request, ())
        assert self._engine is not None
        if self._model is None or not are_interchangeable(self._model, request.model):
            self._model = request.model
        elif self._model is not request.model:
            copy_state(request.model, self._model)
        return self._engine.fit(replace(request, model=self._model))

    def fit_all(self, requests: Sequence[FitRequest]) -> Iterator[FitResult]:
        """Train models of one config in order, each from its state, in the same calls if chosen so.

        Where that was not chosen, or the models are not alike, one is trained after another.

        Args:
            requests: Fits of the same numbers of rows.

        Yields:
            What `fit` returns for each, with what it says of the model. After a result that was
            interrupted there are no more.

        Raises:
            TrainingError: A step cannot be computed.
        """
        first = requests[0]
        choice = self.choose(first, ())
        kept = first.model if self._model is None else self._model
        if (
            choice.folds_together > 1
            and len(requests) > 1
            and isinstance(self._engine, FusedEngine)
            and all(are_interchangeable(kept, request.model) for request in requests)
        ):
            self._model = kept
            together = self._engine.fit_together(requests, kept)
            while (result := _next_trained(together)) is not None:
                yield result
            return
        for request in requests:
            result = self.fit(request)
            yield result
            if result.interrupted:
                return

    @stage("compiling")
    def _decide(self, request: FitRequest, callbacks: Sequence[KerasComponent]) -> Choice:
        choice = choose(
            work_of(request, callbacks, self._fits, self._alike), self._wanted, self._xla
        )
        if choice.name == "fused":
            choice = self._fused(request, choice)
        if choice.name == "keras":
            if self._wanted == "fused":
                message = f"training cannot be fused: {choice.reason}; use `engine: auto`"
                raise ComponentError(message, ("training", "engine"))
            self._engine = KerasEngine()
        return choice

    def _fused(self, request: FitRequest, choice: Choice) -> Choice:
        """Prepare the fused engine; return what could be prepared, and why no more."""
        engine = FusedEngine(choice.xla)
        try:
            engine.prepare(request, choice.folds_together)
        except CannotFuse as obstacle:
            if choice.folds_together > 1:
                return self._fused(request, replace(choice, folds_together=1))
            if choice.xla and self._xla is None:
                return self._fused(request, Choice("fused", False, f"XLA off: {obstacle}"))
            return Choice("keras", False, str(obstacle))
        self._engine = engine
        return choice


@stage("training")
def _next_trained(together: Iterator[FitResult]) -> FitResult | None:
    return next(together, None)
