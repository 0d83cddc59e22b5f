"""The engine that compiles whole epochs.

The epoch loop is that of Keras' `fit`. Between two callbacks there is one call of a compiled
program, or several if an epoch is long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.data.encoded import as_encoded
from dlrun.data.inputs import parts_of
from dlrun.errors import TrainingError
from dlrun.models.objects import reason
from dlrun.training.engine import FitRequest, FitResult
from dlrun.training.fused.epochs import EpochSource, SingleFit, needs_every_epoch
from dlrun.training.fused.program import CannotFuse, Chunk, Program, Sizes
from dlrun.training.fused.together import JointFit, JointTraining
from dlrun.training.keras_engine import batches_of
from dlrun.training.reporting import (
    DivergedError,
    EpochReport,
    FitControl,
    as_training_errors,
    callbacks_of,
    end_training,
    run_fit,
    step_errors,
)
from dlrun.training.rows import FitRows, every_target, with_class_weights
from dlrun.training.state import state_of

if TYPE_CHECKING:
    from dlrun.training.fused.jax_program import JaxFolds

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
        self._program: Program | None = None
        self._folds_key: object = None
        self._folds: JaxFolds | None = None

    def prepare(self, request: FitRequest, together: int = 1) -> None:
        """Make the program that `fit` will run, or `fit_together` with this many fits.

        Raises:
            CannotFuse: The model cannot be trained this way; says why.
        """
        try:
            train = with_class_weights(request.train, request.class_weight)
        except ValueError as error:
            raise CannotFuse(str(error)) from error
        if together > 1:
            self._program_for_folds(request, train).prepare(train, request.validation, together)
            return
        program = self._program_for(request, train)
        if self._xla:
            # XLA compiles at the first call, and only then finds what it cannot compile.
            program.load(train, request.validation)
            orders = np.zeros((program.capacity, len(train)), np.int32)
            try:
                program.run(program.put_orders(orders), Chunk(0, range(0), range(0)))
            except step_errors() as error:
                raise CannotFuse(f"XLA cannot compile it: {reason(error)}") from error
            finally:
                program.release()

    def fit(self, request: FitRequest) -> FitResult:
        """Train `request.model` in place.

        Ctrl-C ends it within a fraction of a second; the epochs completed by then are kept.
        """
        with as_training_errors(EpochReport(request)):
            train = with_class_weights(request.train, request.class_weight)
            program = self._program_for(request, train)
        try:
            return _run(request, partial(_alone, request, train, program))
        except DivergedError as error:
            if self._xla and (found := _hidden_error(request)) is not None:
                raise TrainingError(f"training failed in epoch {error.epoch}: {found}") from error
            raise
        finally:
            program.release()

    def fit_together(self, requests: Sequence[FitRequest], model: Any) -> Iterator[FitResult]:
        """Train several fits of one shape in the same calls; JAX alone can.

        The first result is reported epoch by epoch as it comes, each later one when the one before
        has been used. Ctrl-C ends all of them.

        Args:
            requests: The fits, with a model of one config each and no callback that sees it.
            model: A compiled model of that config, which every result is put into.

        Yields:
            The results in order. The model of one is that of the next, trained anew.
        """
        with as_training_errors(EpochReport(requests[0])):
            rows = [with_class_weights(fit.train, fit.class_weight) for fit in requests]
            folds = self._program_for_folds(replace(requests[0], model=model), rows[0])
            folds.load([fit.model for fit in requests], rows, [fit.validation for fit in requests])
        training = JointTraining(requests, folds)

        def joint(index: int, fit: FitRequest, control: FitControl) -> EpochSource:
            def alone() -> EpochSource:
                return _alone(fit, rows[index], self._program_for(fit, rows[index]), control)

            return JointFit(training, index, model, alone, control)

        try:
            for index, fit in enumerate(replace(request, model=model) for request in requests):
                result = _run(fit, partial(joint, index, fit))
                yield result
                if result.interrupted:
                    return
        finally:
            folds.release()
            if self._program is not None:
                self._program.release()

    def _program_for_folds(self, request: FitRequest, train: FitRows) -> JaxFolds:
        """Return the program for several fits like this one."""
        from dlrun.training.fused.jax_program import JaxFolds

        key = _key(request, train)
        if self._folds is None or key != self._folds_key:
            self._folds = None
            self._folds = JaxFolds(request.model, train, _sizes(request, train))
            self._folds_key = key
        return self._folds

    def _program_for(self, request: FitRequest, train: FitRows) -> Program:
        """Return the program for such rows: the current one if it was made for their kind."""
        key = _key(request, train)
        if self._program is None or key != self._key:
            self._program = None
            self._program = _make_program(request, train, self._xla)
            self._key = key
        return self._program


def _hidden_error(request: FitRequest) -> str | None:
    """The error that Keras raises for the training rows where XLA computes NaN instead, such as a
    label that the loss has no output for."""
    try:
        request.model.evaluate(batches_of(request.train, request.batch_size), verbose=0)
    except step_errors() as error:
        return reason(error)
    return None


def _key(request: FitRequest, train: FitRows) -> object:
    """What a program is made for."""
    return (
        id(request.model),
        _kind(train),
        None if request.validation is None else _kind(request.validation),
        request.batch_size,
        request.validation_batch_size,
    )


def _sizes(request: FitRequest, train: FitRows) -> Sizes:
    capacity = max(1, min(MOST_EPOCHS, ORDERED_ROWS // len(train)))
    return Sizes(request.batch_size, request.validation_batch_size, capacity)


def _make_program(request: FitRequest, train: FitRows, xla: bool) -> Program:
    """Compile with what Keras computes with; the other backends are not imported."""
    import keras

    model, validation, sizes = request.model, request.validation, _sizes(request, train)
    if keras.backend.backend() == "jax":
        from dlrun.training.fused.jax_program import JaxProgram

        return JaxProgram(model, train, validation, sizes)
    from dlrun.training.fused.tensorflow_program import TensorFlowProgram

    return TensorFlowProgram(model, train, validation, sizes, xla=xla)


def _kind(rows: FitRows) -> tuple[object, ...]:
    """What a program depends on: everything but the number of rows and their values."""
    inputs = parts_of(rows.inputs)
    parts = [*inputs.values(), *every_target(rows.targets), rows.weights]
    expanded = (e and e.signature for e in map(as_encoded, inputs.values()))
    shapes = (None if part is None else (part.shape[1:], part.dtype.str) for part in parts)
    return (*inputs, *shapes, *expanded)


def _alone(
    request: FitRequest, train: FitRows, program: Program, control: FitControl
) -> EpochSource:
    program.load(train, request.validation)
    return SingleFit(request, program, control)


def _run(request: FitRequest, source: Callable[[FitControl], EpochSource]) -> FitResult:
    """Train to the end, or to where Ctrl-C or a loss that is not finite ends it.

    What is kept for a training that diverges: the weights at the end of each call, or where a call
    trains several epochs, all that is needed to train some of them again.
    """
    model = request.model
    kept = (lambda: model.weights) if needs_every_epoch(request) else lambda: state_of(model)
    return run_fit(request, kept, lambda control: _train(request, source(control), control))


def _train(request: FitRequest, source: EpochSource, control: FitControl) -> None:
    """Train all epochs: what `keras.Model.fit` does around its steps."""
    model, report, saving = request.model, control.report, control.saving
    callbacks = callbacks_of(request, saving.callbacks)
    model.stop_training = False
    callbacks.on_train_begin()
    if saving.within_epoch:
        # Callbacks may note here what they need at its end; what they change is put back.
        callbacks.on_epoch_begin(saving.done)
    saving.restore()
    logs, done = saving.logs, saving.done
    while done < request.epochs and not model.stop_training:
        report.epoch = done + 1
        if not saving.within_epoch:
            callbacks.on_epoch_begin(done)
        for number, epoch in enumerate(source.train_next(done)):
            if number:
                callbacks.on_epoch_begin(done)
            report.epoch = done + 1
            logs = epoch.logs
            callbacks.on_epoch_end(done, logs)
            report.epoch_ended(dict(sorted(logs.items())), epoch.learning_rate, epoch.seconds)
            done += 1
        assert logs is not None
        saving.epoch_ended(done, logs)
    end_training(model, callbacks, logs)
