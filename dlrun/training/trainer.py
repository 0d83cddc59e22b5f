"""All fits of one experiment, by one engine and on one compiled model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dlrun.errors import ComponentError
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.choice import Choice, choose
from dlrun.training.engine import Engine, FitRequest, FitResult
from dlrun.training.engines.fused.engine import FusedEngine
from dlrun.training.engines.fused.program import CannotFuse
from dlrun.training.engines.keras import KerasEngine
from dlrun.training.reuse import can_stand_in, copy_state
from dlrun.training.traits import work_of


class Trainer:
    """Chooses an engine at the first fit and keeps it, and the model it has compiled, for all.

    Args:
        engine: What the config asks for: `auto`, `fused` or `keras`.
        xla: Whether the config asks for XLA; None leaves it to the rule.
        fits: How many fits of the same numbers of rows there will be, on average.
    """

    def __init__(self, engine: str = "auto", xla: bool | None = None, fits: float = 1) -> None:
        self._wanted = engine
        self._xla = xla
        self._fits = fits
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
        if self._model is None or not can_stand_in(self._model, request.model):
            self._model = request.model
        elif self._model is not request.model:
            copy_state(request.model, self._model)
        return self._engine.fit(replace(request, model=self._model))

    def _decide(self, request: FitRequest, callbacks: Sequence[KerasComponent]) -> Choice:
        choice = choose(work_of(request, callbacks, self._fits), self._wanted, self._xla)
        if choice.name == "fused":
            engine = FusedEngine(choice.xla)
            try:
                engine.prepare(request)
            except CannotFuse as obstacle:
                choice = Choice("keras", False, str(obstacle))
            else:
                self._engine = engine
        if choice.name == "keras":
            if self._wanted == "fused":
                message = f"training cannot be fused: {choice.reason}; use `engine: auto`"
                raise ComponentError(message, ("training", "engine"))
            self._engine = KerasEngine()
        return choice
