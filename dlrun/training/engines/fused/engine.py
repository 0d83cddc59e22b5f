"""The engine that compiles whole epochs.

The epoch loop is that of Keras' `fit`; what lies between two looks of a callback is one call of
a compiled program, or several where an epoch is long.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.training.class_weighting import with_class_weights
from dlrun.training.engine import Arrays, FitRequest, FitResult
from dlrun.training.engines.fused.cuts import EpochLength
from dlrun.training.engines.fused.pace import Pace
from dlrun.training.engines.fused.program import CannotFuse, Measured, Program
from dlrun.training.interrupt import Interrupt, waiting_interrupt
from dlrun.training.reporting import EpochReport, end_callbacks, failures_named
from dlrun.training.row_order import row_order

READS_LOGS_ONLY = {"History", "CSVLogger"}
"""Callbacks that may be told of an epoch when later ones are trained already."""

ORDERED_ROWS = 2**16
"""Rows whose order one call takes, at least those of one epoch."""

MOST_EPOCHS = 64
"""Epochs that one call trains, at most."""


class FusedEngine:
    """Trains by a program that is compiled once for each model object.

    Args:
        xla: Whether XLA compiles it.
    """

    def __init__(self, xla: bool) -> None:
        self._xla = xla
        self._key: object = None
        self._kept: Program | None = None

    def prepare(self, request: FitRequest) -> None:
        """Make the program that `fit` will run.

        Raises:
            CannotFuse: The model cannot be trained so; says why.
        """
        try:
            self._program(request, with_class_weights(request.train, request.class_weight))
        except ValueError as error:
            raise CannotFuse(str(error)) from error

    def fit(self, request: FitRequest) -> FitResult:
        """Train `request.model` in place.

        Ctrl-C ends it within a fraction of a second; the epochs completed by then are kept.
        """
        report = EpochReport(request)
        with failures_named(report):
            train = with_class_weights(request.train, request.class_weight)
            program = self._program(request, train)
        with waiting_interrupt() as interrupt:
            try:
                with failures_named(report):
                    program.load(train, request.validation)
                    _train(request, program, report, interrupt)
            except KeyboardInterrupt:
                end_callbacks(request)
                return FitResult(request.model, report.history, interrupted=True)
            finally:
                program.release()
        return FitResult(request.model, report.history, interrupted=interrupt.asked)

    def _program(self, request: FitRequest, train: Arrays) -> Program:
        """Return the program for these rows: the one at hand where it was made for their like."""
        from dlrun.training.engines.fused.tensorflow_program import TensorFlowProgram

        validation = request.validation
        key = (
            id(request.model),
            _kind(train),
            None if validation is None else _kind(validation),
            request.batch_size,
            request.validation_batch_size,
        )
        if self._kept is None or key != self._key:
            self._kept = None
            self._kept = TensorFlowProgram(
                request.model,
                train,
                validation,
                batch_size=request.batch_size,
                validation_batch_size=request.validation_batch_size,
                capacity=max(1, min(MOST_EPOCHS, ORDERED_ROWS // len(train))),
                xla=self._xla,
            )
            self._key = key
        return self._kept


def _kind(rows: Arrays) -> tuple[object, ...]:
    """What a program depends on: everything but the number of rows and their values."""
    parts = (rows.inputs, rows.targets, rows.weights)
    return tuple(None if part is None else (part.shape[1:], part.dtype.str) for part in parts)


@dataclass(frozen=True)
class _Epoch:
    """One trained epoch: its metrics, the learning rate it began with, the seconds it took."""

    logs: dict[str, float]
    learning_rate: float
    seconds: float


def _train(
    request: FitRequest,
    program: Program,
    report: EpochReport,
    interrupt: Interrupt,
) -> None:
    """Train all epochs: what `keras.Model.fit` does around its steps."""
    import keras

    model = request.model
    callbacks = keras.callbacks.CallbackList(
        request.callbacks,
        add_history=True,
        verbose=0,
        epochs=request.epochs,
        steps=request.steps,
        model=model,
    )
    trainer = _Trainer(request, program, report, interrupt)
    model.stop_training = False
    callbacks.on_train_begin()
    logs: dict[str, float] | None = None
    done = 0
    while done < request.epochs and not model.stop_training:
        report.epoch = done + 1
        callbacks.on_epoch_begin(done)
        for number, epoch in enumerate(trainer.train_next(done)):
            if number:
                callbacks.on_epoch_begin(done)
            report.epoch = done + 1
            logs = epoch.logs
            callbacks.on_epoch_end(done, logs)
            report.epoch_ended(dict(sorted(logs.items())), epoch.learning_rate, epoch.seconds)
            done += 1
        interrupt.heed()
    if isinstance(model.optimizer, keras.optimizers.Optimizer):
        model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


class _Trainer:
    """Cuts epochs into calls, or puts several into one, by how long calls take."""

    def __init__(
        self,
        request: FitRequest,
        program: Program,
        report: EpochReport,
        interrupt: Interrupt,
    ) -> None:
        self._request = request
        self._program = program
        self._report = report
        self._interrupt = interrupt
        self._length = EpochLength.of(request)
        self._pace = Pace(request.batch_size)
        names = {type(callback).__name__ for callback in request.callbacks}
        self._looked_at = not names <= READS_LOGS_ONLY

    def train_next(self, done: int) -> Sequence[_Epoch]:
        """Train the next epoch, and those after it that nobody has to look at before."""
        count = 1
        if not self._looked_at:
            fitting = min(self._pace.rows // self._length.rows, self._program.capacity)
            count = max(1, min(fitting, self._request.epochs - done))
        orders = self._program.deal(self._orders(done, count))
        return self._train_whole(orders, count) if count > 1 else [self._train_one(orders)]

    def _orders(self, done: int, count: int) -> np.ndarray:
        request = self._request
        orders = np.zeros((self._program.capacity, len(request.train)), np.int32)
        for i in range(count):
            orders[i] = row_order(
                len(request.train), seed=request.seed, epoch=done + i, shuffle=request.shuffle
            )
        return orders

    def _train_whole(self, orders: Any, count: int) -> list[_Epoch]:
        started = time.perf_counter()
        stretch = self._length.whole(count)
        measured = self._program.run(orders, stretch)
        seconds = time.perf_counter() - started
        self._pace.took(self._length.rows_of(stretch), seconds)
        return [
            _Epoch(
                _logs(measured.train, measured.validation, i),
                float(measured.learning_rate[i]),
                seconds / count,
            )
            for i in range(count)
        ]

    def _train_one(self, orders: Any) -> _Epoch:
        began = time.perf_counter()
        pieces: list[Measured] = []
        trained: Mapping[str, np.ndarray] = {}
        step = check = 0
        while stretch := self._length.next_stretch(step, check, self._pace.rows):
            if pieces:
                self._interrupt.heed()
            started = time.perf_counter()
            pieces.append(self._program.run(orders, stretch))
            self._pace.took(self._length.rows_of(stretch), time.perf_counter() - started)
            if stretch.last > step:
                trained = pieces[-1].train
                self._report.step(stretch.last)
            step, check = stretch.last, stretch.last_check
        return _Epoch(
            _logs(trained, pieces[-1].validation, 0),
            float(pieces[0].learning_rate[0]),
            time.perf_counter() - began,
        )


def _logs(
    train: Mapping[str, np.ndarray], validation: Mapping[str, np.ndarray], epoch: int
) -> dict[str, float]:
    """The metrics of one epoch of a call, as `fit` names them."""
    logs = {name: float(values[epoch]) for name, values in train.items()}
    return logs | {f"val_{name}": float(values[epoch]) for name, values in validation.items()}
