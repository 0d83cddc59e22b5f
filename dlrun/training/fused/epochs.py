"""Epochs, trained by one program in calls that last a fraction of a second each."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dlrun.training.engine import FitRequest
from dlrun.training.fused.program import EpochMetrics, Program, Stretch
from dlrun.training.interrupt import Interrupt
from dlrun.training.reporting import EpochReport
from dlrun.training.rows import row_order
from dlrun.training.state import LastFiniteState

READS_LOGS_ONLY = {"History", "CSVLogger"}
"""Callbacks that may be told of an epoch when later ones are trained already."""


@dataclass(frozen=True)
class Epoch:
    """One trained epoch: its metrics, the learning rate it began with, the seconds it took."""

    logs: dict[str, float]
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class FitControl:
    """Who is told of a fit, who may stop it, and what is kept in case it diverges."""

    report: EpochReport
    interrupt: Interrupt
    finite: LastFiniteState


class EpochSource(Protocol):
    """What the epochs of a fit come from."""

    def train_next(self, done: int) -> Sequence[Epoch]:
        """Return the next epoch, and those after it that nobody has to look at before.

        Args:
            done: Epochs that were returned already.
        """
        ...


class SingleFit:
    """Trains by a program, and cuts epochs into calls, or puts several into one, by how long
    calls take.

    Args:
        request: The fit.
        program: The program, its rows loaded.
        control: Who is told, and may stop it.
    """

    def __init__(self, request: FitRequest, program: Program, control: FitControl) -> None:
        self._request = request
        self._program = program
        self._report = control.report
        self._interrupt = control.interrupt
        self._finite = control.finite
        self._length = EpochLength.of(request)
        self._per_call = RowsPerCall(request.batch_size)
        self._needs_every_epoch = needs_every_epoch(request)

    def train_next(self, done: int) -> Sequence[Epoch]:
        """Train the next epoch, and those after it that nobody has to look at before."""
        count = 1
        if not self._needs_every_epoch:
            fitting = min(self._per_call.rows // self._length.rows, self._program.capacity)
            count = max(1, min(fitting, self._request.epochs - done))
        orders = self._program.put_orders(
            orders_of(self._request, done, count, self._program.capacity)
        )
        epochs = self._train_whole(orders, count) if count > 1 else [self._train_one(orders)]
        finite = [math.isfinite(epoch.logs["loss"]) for epoch in epochs]
        numbers = finite.index(False) if False in finite else count
        if 0 < numbers < count and self._finite.epoch == done:
            # Back to the end of the last epoch whose loss was a number.
            self._finite.restore()
            self._program.run(orders, self._length.whole(numbers))
        if numbers:
            self._finite.keep(done + numbers)
        return epochs[: numbers + 1]

    def _train_whole(self, orders: Any, count: int) -> list[Epoch]:
        started = time.perf_counter()
        stretch = self._length.whole(count)
        measured = self._program.run(orders, stretch)
        seconds = time.perf_counter() - started
        self._per_call.record(self._length.rows_of(stretch), seconds)
        return epochs_of(measured, count, seconds / count)

    def _train_one(self, orders: Any) -> Epoch:
        began = time.perf_counter()
        pieces: list[EpochMetrics] = []
        trained: Mapping[str, np.ndarray] = {}
        step = check = 0
        while stretch := self._length.next_stretch(step, check, self._per_call.rows):
            if pieces:
                self._interrupt.check()
            started = time.perf_counter()
            pieces.append(self._program.run(orders, stretch))
            self._per_call.record(self._length.rows_of(stretch), time.perf_counter() - started)
            if stretch.last > step:
                trained = pieces[-1].train
                self._report.step(stretch.last)
            step, check = stretch.last, stretch.last_check
        return Epoch(
            logs_of(trained, pieces[-1].validation, 0),
            float(pieces[0].learning_rate[0]),
            time.perf_counter() - began,
        )


def needs_every_epoch(request: FitRequest) -> bool:
    """Return whether a callback has to see every epoch before the next one is trained."""
    return not {type(callback).__name__ for callback in request.callbacks} <= READS_LOGS_ONLY


def orders_of(request: FitRequest, done: int, count: int, capacity: int) -> np.ndarray:
    """Return the row orders of the next epochs, (capacity, n) int32; those after them are 0."""
    orders = np.zeros((capacity, len(request.train)), np.int32)
    for i in range(count):
        orders[i] = row_order(
            len(request.train),
            seed=request.seed,
            epoch=request.epochs_before + done + i,
            shuffle=request.shuffle,
        )
    return orders


def epochs_of(measured: EpochMetrics, count: int, seconds: float) -> list[Epoch]:
    """Return the whole epochs of a call, of so many seconds each."""
    return [
        Epoch(
            logs_of(measured.train, measured.validation, i),
            float(measured.learning_rate[i]),
            seconds,
        )
        for i in range(count)
    ]


def logs_of(
    train: Mapping[str, np.ndarray], validation: Mapping[str, np.ndarray], epoch: int
) -> dict[str, float]:
    """Return the metrics of one epoch of a call, as `fit` names them."""
    logs = {name: float(values[epoch]) for name, values in train.items()}
    return logs | {f"val_{name}": float(values[epoch]) for name, values in validation.items()}


@dataclass(frozen=True)
class EpochLength:
    """What one epoch consists of.

    Args:
        steps: Gradient steps, a last partial batch included.
        batch_size: Training rows in a step.
        checks: Batches of validation rows, a last partial one included.
        check_size: Validation rows in a batch.
    """

    steps: int
    batch_size: int
    checks: int
    check_size: int

    @classmethod
    def of(cls, request: FitRequest) -> EpochLength:
        """Return the length of a fit's epochs."""
        size = request.validation_batch_size
        rows = 0 if request.validation is None else len(request.validation)
        return cls(request.steps, request.batch_size, -(-rows // size), size)

    @property
    def rows(self) -> int:
        """Rows of a whole epoch, partial batches counted as full."""
        return self.steps * self.batch_size + self.checks * self.check_size

    def rows_of(self, stretch: Stretch) -> int:
        """Rows that a stretch trains on or measures."""
        trained = (stretch.last - stretch.first) * self.batch_size
        checked = (stretch.last_check - stretch.first_check) * self.check_size
        return stretch.epochs * (trained + checked)

    def whole(self, epochs: int) -> Stretch:
        """Return whole epochs as one stretch."""
        return Stretch(epochs, 0, self.steps, 0, self.checks)

    def next_stretch(self, step: int, check: int, rows: int) -> Stretch | None:
        """Return the next piece of an epoch, or None at its end.

        Args:
            step: Gradient steps that are done.
            check: Batches of validation rows that are done.
            rows: About how many rows to take on; always at least one batch.
        """
        if step == self.steps and check == self.checks:
            return None
        last = min(self.steps, step + max(rows // self.batch_size, 1))
        if last < self.steps:
            return Stretch(1, step, last, check, check)
        rows -= (last - step) * self.batch_size
        batches = max(rows // self.check_size, int(step == last))
        return Stretch(1, step, last, check, min(self.checks, check + batches))


SECONDS_A_CALL = 0.3
"""What a call should last: short enough to answer the user, long enough to make the time
between two calls count for nothing."""

FIRST_STEPS = 1
GROWTH = 8
"""How many times more steps a call takes on than the one before, at most."""


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
        """Learn from a call; the first one compiles and tells nothing of speed."""
        if not self._compiled:
            self._compiled = True
            return
        fitting = rows * SECONDS_A_CALL / max(seconds, 1e-6)
        self.rows = int(min(max(fitting, 1), self.rows * GROWTH))
