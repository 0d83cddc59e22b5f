"""Epochs, trained by one program in calls that last a fraction of a second each.

How epochs are cut into calls decides when progress is reported and Ctrl-C is answered; it changes
no result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from dlrun.training.engine import FitRequest
from dlrun.training.fused.program import Chunk, EpochMetrics, Program
from dlrun.training.reporting import FitControl
from dlrun.training.rows import row_order

READS_LOGS_ONLY = {"History", "CSVLogger"}
"""Callbacks that may see an epoch after later ones have been trained."""

SECONDS_A_CALL = 0.3
"""What a call should last: short enough to answer the user, long enough to make the time
between two calls negligible."""

FIRST_STEPS = 1
GROWTH = 8
"""How many times more steps a call takes on than the one before, at most."""


@dataclass(frozen=True)
class Epoch:
    """One trained epoch: its metrics, the learning rate it began with, the seconds it took."""

    logs: dict[str, float]
    learning_rate: float
    seconds: float


class EpochSource(Protocol):
    """Where the epochs of a fit come from."""

    def train_next(self, done: int) -> Sequence[Epoch]:
        """Return the next epoch, and those after it that no callback has to see first.

        Args:
            done: Epochs that were returned already.
        """
        ...


class RowsPerCall:
    """Learns from the calls so far how many rows the next one takes on.

    Args:
        batch_size: Rows in a gradient step.
    """

    def __init__(self, batch_size: int) -> None:
        self.rows = FIRST_STEPS * batch_size
        """Training and validation rows that the next call takes on, roughly."""
        self._compiled = False

    def record(self, rows: int, seconds: float) -> None:
        """Learn from a call; the first one compiles, so its time is ignored."""
        if not self._compiled:
            self._compiled = True
            return
        fitting = rows * SECONDS_A_CALL / max(seconds, 1e-6)
        self.rows = int(min(max(fitting, 1), self.rows * GROWTH))


@dataclass(frozen=True)
class EpochLength:
    """What one epoch consists of.

    Args:
        steps: Gradient steps, a last partial batch included.
        batch_size: Training rows in a step.
        validation_batches: Batches of validation rows, a last partial one included.
        validation_batch_size: Validation rows in a batch.
    """

    steps: int
    batch_size: int
    validation_batches: int
    validation_batch_size: int

    @classmethod
    def of(cls, request: FitRequest) -> EpochLength:
        """Return the length of a fit's epochs."""
        size = request.validation_batch_size
        rows = 0 if request.validation is None else len(request.validation)
        return cls(request.steps, request.batch_size, -(-rows // size), size)

    def rows_of(self, chunk: Chunk) -> int:
        """Rows that a chunk trains on or measures, partial batches counted as full."""
        trained = len(chunk.steps) * self.batch_size
        return chunk.epochs * (trained + len(chunk.validation) * self.validation_batch_size)

    def whole(self, epochs: int = 1) -> Chunk:
        """Return whole epochs as one chunk."""
        return Chunk(epochs, range(self.steps), range(self.validation_batches))

    def next_chunk(self, step: int, batch: int, rows: int) -> Chunk | None:
        """Return the next chunk of an epoch, or None at its end.

        Args:
            step: Gradient steps that are done.
            batch: Batches of validation rows that are done.
            rows: About how many rows to take on; always at least one batch.
        """
        if step == self.steps and batch == self.validation_batches:
            return None
        stop = min(self.steps, step + max(rows // self.batch_size, 1))
        steps = range(step, stop)
        if stop < self.steps:
            return Chunk(1, steps, range(batch, batch))
        rows -= len(steps) * self.batch_size
        fitting = max(rows // self.validation_batch_size, int(not steps))
        return Chunk(1, steps, range(batch, min(self.validation_batches, batch + fitting)))

    def fitting_epochs(self, rows: int, most: int) -> int:
        """Return how many whole epochs one call of this many rows trains, at least 1."""
        return max(1, min(rows // self.rows_of(self.whole()), most))


@dataclass
class _Position:
    """Where in an epoch a fit is, and what was measured by then; see `EpochMetrics`."""

    step: int = 0
    batch: int = 0
    seconds: float = 0.0
    train: Mapping[str, np.ndarray] = field(default_factory=dict)
    validation: Mapping[str, np.ndarray] = field(default_factory=dict)
    learning_rate: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    def add(self, chunk: Chunk, metrics: EpochMetrics, seconds: float) -> None:
        """Go on by a call."""
        if chunk.steps:
            self.train = metrics.train
        if not self.learning_rate.size:
            self.learning_rate = metrics.learning_rate
        self.validation = metrics.validation
        self.step, self.batch = chunk.steps.stop, chunk.validation.stop
        self.seconds += seconds


class SingleFit:
    """Trains by a program, and cuts epochs into calls, or puts several into one, by how long
    calls take.

    Args:
        request: The fit.
        program: The program, its rows loaded.
        control: Reports the fit, and stops it on request.
    """

    def __init__(self, request: FitRequest, program: Program, control: FitControl) -> None:
        self._request = request
        self._program = program
        self._control = control
        self._length = EpochLength.of(request)
        self._per_call = RowsPerCall(request.batch_size)
        self._needs_every_epoch = needs_every_epoch(request)

    def train_next(self, done: int) -> Sequence[Epoch]:
        """Train the next epoch, and those after it that no callback has to see first."""
        finite, capacity, count = self._control.finite, self._program.capacity, 1
        if not (self._needs_every_epoch or self._control.saving.within_epoch):
            most = min(capacity, self._request.epochs - done)
            count = self._length.fitting_epochs(self._per_call.rows, most)
        orders = self._program.put_orders(orders_of(self._request, done, count, capacity))
        if count > 1:
            metrics, seconds = self._timed_run(orders, self._length.whole(count))
            epochs = epochs_of(metrics, count, seconds / count)
        else:
            epochs = [self._train_one(orders, done)]
        losses = [math.isfinite(epoch.logs["loss"]) for epoch in epochs]
        good = losses.index(False) if False in losses else count
        if 0 < good < count and finite.epoch == done:
            # Back to the end of the last epoch whose loss was finite.
            finite.put_back()
            self._program.run(orders, self._length.whole(good))
        if good:
            finite.keep(done + good)
        return epochs[: good + 1]

    def _train_one(self, orders: Any, done: int) -> Epoch:
        at = _Position(**self._control.saving.take_position())
        # Where the fit goes on from, it was saved already, and has to get on a step at least.
        trained = False
        while chunk := self._length.next_chunk(at.step, at.batch, self._per_call.rows):
            if trained:
                self._control.saving.call_ended(done, vars(at))
            metrics, seconds = self._timed_run(orders, chunk)
            at.add(chunk, metrics, seconds)
            trained = True
            if chunk.steps:
                self._control.report.step(at.step)
        whole = EpochMetrics(at.train, at.validation, at.learning_rate)
        return epochs_of(whole, 1, at.seconds)[0]

    def _timed_run(self, orders: Any, chunk: Chunk) -> tuple[EpochMetrics, float]:
        started = time.perf_counter()
        metrics = self._program.run(orders, chunk)
        seconds = time.perf_counter() - started
        self._per_call.record(self._length.rows_of(chunk), seconds)
        return metrics, seconds


def needs_every_epoch(request: FitRequest) -> bool:
    """Return whether a callback has to see every epoch before the next one is trained."""
    return not {type(callback).__name__ for callback in request.callbacks} <= READS_LOGS_ONLY


def orders_of(request: FitRequest, done: int, count: int, capacity: int) -> np.ndarray:
    """Return the row orders of the next epochs, (capacity, n) int32; those after them are 0."""
    rows, before = len(request.train), request.epochs_before + done
    orders = np.zeros((capacity, rows), np.int32)
    for i in range(count):
        orders[i] = row_order(rows, seed=request.seed, epoch=before + i, shuffle=request.shuffle)
    return orders


def epochs_of(metrics: EpochMetrics, count: int, seconds: float) -> list[Epoch]:
    """Return the whole epochs of a call, each of the same seconds, with metrics named as `fit`
    names them."""
    named = {**metrics.train, **{f"val_{name}": v for name, v in metrics.validation.items()}}
    return [
        Epoch(
            {name: float(values[i]) for name, values in named.items()},
            float(metrics.learning_rate[i]),
            seconds,
        )
        for i in range(count)
    ]
