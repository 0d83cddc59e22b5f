"""Several fits of one shape, trained in the same calls and told one after another.

Nothing looks at their models while they train, so that each fit's epochs can wait to be told
until the fit before it has been scored and kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.training.engine import FitRequest
from dlrun.training.fused.epochs import (
    Epoch,
    EpochLength,
    EpochSource,
    FitControl,
    RowsPerCall,
    epochs_of,
    orders_of,
)

if TYPE_CHECKING:
    from dlrun.training.fused.jax_program import JaxFolds


class JointTraining:
    """Trains all fits at once, as far as the one that is told needs it.

    Args:
        requests: The fits, of the same numbers of rows, epochs and rows in a batch.
        folds: The program, states and rows loaded.
    """

    def __init__(self, requests: Sequence[FitRequest], folds: JaxFolds) -> None:
        self._requests = requests
        self._length = EpochLength.of(requests[0])
        self._per_call = RowsPerCall(requests[0].batch_size)
        self._trained: list[list[Epoch]] = [[] for _ in requests]
        self.folds = folds

    def epochs(self, fit: int, done: int) -> Sequence[Epoch]:
        """Return a fit's epochs after so many, at least one of them."""
        while len(self._trained[fit]) <= done:
            self._train()
        return self._trained[fit][done:]

    def _train(self) -> None:
        """Train the next epochs of all fits in one call."""
        first, done, fits = self._requests[0], len(self._trained[0]), len(self._requests)
        fitting = min(self._per_call.rows // (fits * self._length.rows), self.folds.capacity)
        count = max(1, min(fitting, first.epochs - done))
        orders = [orders_of(fit, done, count, self.folds.capacity) for fit in self._requests]
        stretch = self._length.whole(count)
        started = time.perf_counter()
        measured = self.folds.run(np.stack(orders), stretch)
        seconds = time.perf_counter() - started
        self._per_call.record(fits * self._length.rows_of(stretch), seconds)
        for epochs, of_fit in zip(self._trained, measured, strict=True):
            epochs += epochs_of(of_fit, count, seconds / count / fits)


class JointFit:
    """The epochs of one of the fits; its state is in the model whenever they are told.

    Args:
        together: All of them.
        index: Which one this is.
        model: Gets the fit's state.
        alone: Makes what trains the fit by itself, from the state that the model then has.
        control: Who is told.
    """

    def __init__(
        self,
        together: JointTraining,
        index: int,
        model: Any,
        alone: Callable[[FitControl], EpochSource],
        control: FitControl,
    ) -> None:
        self._together = together
        self._index = index
        self._model = model
        self._make_alone = alone
        self._control = control
        self._alone: EpochSource | None = None

    def train_next(self, done: int) -> Sequence[Epoch]:
        """Return the next epochs; see `EpochSource`."""
        if self._alone is not None:
            return self._alone.train_next(done)
        epochs = self._together.epochs(self._index, done)
        if all(math.isfinite(epoch.logs["loss"]) for epoch in epochs):
            self._together.folds.put_state(self._index, self._model)
            return epochs
        return self._diverging(done)

    def _diverging(self, done: int) -> Sequence[Epoch]:
        """Train the fit again by itself: only so its last good state can be had."""
        self._together.folds.put_initial_state(self._index, self._model)
        self._alone = self._make_alone(self._control)
        epochs: list[Epoch] = []
        while len(epochs) <= done:
            self._control.interrupt.check()
            epochs += self._alone.train_next(len(epochs))
        return epochs[done:]
