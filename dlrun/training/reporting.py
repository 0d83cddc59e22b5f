"""What every engine does around its steps: report epochs, answer Ctrl-C, survive a divergence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.errors import TrainingError
from dlrun.models.objects import REFUSALS, reason
from dlrun.training.engine import Divergence, FitRequest, FitResult, History, KeptWeights
from dlrun.training.interrupt import Interrupt, deferred_interrupt
from dlrun.training.saving import FitSaving
from dlrun.training.state import LastFiniteState


class DivergedError(TrainingError):
    """The loss became NaN or infinite.

    Args:
        epoch: In which epoch, from 1.
        loss: What it became.
    """

    def __init__(self, epoch: int, loss: float) -> None:
        super().__init__(divergence_message(epoch, loss))
        self.epoch = epoch
        self.loss = loss


def divergence_message(epoch: int, loss: float) -> str:
    """Return the message about a loss that became NaN or infinite in an epoch."""
    value = "NaN" if math.isnan(loss) else "infinite"
    return (
        f"the loss became {value} in epoch {epoch}, and training cannot recover; lower the "
        "learning rate, scale the inputs (`standardize`), or clip gradients (the optimizer's "
        "`clipnorm`)"
    )


class EpochReport:
    """Keeps the history of a fit and reports each epoch as it ends.

    Args:
        request: Has the functions that are called.
    """

    def __init__(self, request: FitRequest) -> None:
        self._request = request
        self.history: History = {}
        self.epoch = 0
        """The epoch of this fit that is being trained, from 1."""

    def step(self, step: int) -> None:
        """Report how many steps of the epoch are done."""
        self._request.on_step(self.number, step, self._request.steps)

    @property
    def number(self) -> int:
        """The same epoch, those of earlier phases counted too."""
        return self._request.epochs_before + self.epoch

    def epoch_ended(self, logs: Mapping[str, Any], learning_rate: float, seconds: float) -> None:
        """Keep and report the epoch's metrics and the learning rate it began with.

        Raises:
            DivergedError: The loss became NaN or infinite.
        """
        # F1 over several classes is a number for each of them.
        values = {name: float(np.mean(value)) for name, value in logs.items()}
        values["learning_rate"] = learning_rate
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        self._request.on_epoch(self.number, values, seconds)
        if not math.isfinite(values["loss"]):
            raise DivergedError(self.number, values["loss"])


@dataclass(frozen=True)
class FitControl:
    """What reports a fit, what may stop it, the state to go back to if it diverges, and what saves
    it."""

    report: EpochReport
    interrupt: Interrupt
    finite: LastFiniteState
    saving: FitSaving


def run_fit(
    request: FitRequest,
    variables: Callable[[], Sequence[Any]],
    train: Callable[[FitControl], None],
) -> FitResult:
    """Train to the end, or to where Ctrl-C or a loss that is not finite ends it.

    Args:
        request: The fit.
        variables: Returns the variables that are kept for a training that diverges.
        train: Trains all epochs.

    Raises:
        TrainingError: A step failed, or the loss became NaN in the first epoch.
    """
    report, finite = EpochReport(request), LastFiniteState(variables)
    with deferred_interrupt() as interrupt:
        interrupt.begin()
        try:
            with as_training_errors(report):
                saving = FitSaving(request, report, finite, interrupt)
                train(FitControl(report, interrupt, finite, saving))
        except DivergedError as error:
            return _diverged_result(request, report, finite, error)
        except KeyboardInterrupt:
            _end_callbacks(request)
            return FitResult(request.model, report.history, interrupted=True)
        except Exception:
            _close_callbacks(request)
            raise
    return FitResult(
        request.model,
        report.history,
        # Whatever is asked for by now: all epochs are trained.
        interrupted=False,
        kept=_kept_weights(request, report.number),
    )


def callbacks_of(request: FitRequest, callbacks: Sequence[Any]) -> Any:
    """Return the `keras.callbacks.CallbackList` of a fit, as `fit` makes it."""
    import keras

    return keras.callbacks.CallbackList(
        list(callbacks),
        verbose=0,
        epochs=request.epochs,
        steps=request.steps,
        model=request.model,
    )


def end_training(model: Any, callbacks: Any, logs: Mapping[str, Any] | None) -> None:
    """Do what `fit` does after the last epoch."""
    import keras

    if isinstance(model.optimizer, keras.optimizers.Optimizer):
        model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


def _end_callbacks(request: FitRequest) -> None:
    """Tell callbacks that training was stopped, as `fit` tells them that it ended: EarlyStopping
    then restores the best weights where the config asks for it."""
    for callback in request.callbacks:
        callback.on_train_end()


def _close_callbacks(request: FitRequest) -> None:
    """Let callbacks close their files when a training fails: what fails then too is not the
    cause."""
    for callback in request.callbacks:
        with suppress(Exception):
            callback.on_train_end()


def _diverged_result(
    request: FitRequest, report: EpochReport, finite: LastFiniteState, error: DivergedError
) -> FitResult:
    """The result of a training whose loss became NaN or infinite: the model as the last epoch left
    it whose loss and weights were finite, or as callbacks leave it at the end."""
    if not finite.put_back():
        _close_callbacks(request)
        raise error
    _end_callbacks(request)
    restored = _restored_weights(request)
    kept = request.epochs_before + finite.epoch if restored is None else restored.epoch
    diverged = Divergence(error.epoch, error.loss, kept)
    return FitResult(request.model, report.history, interrupted=False, diverged=diverged)


LEAVE_WEIGHTS = frozenset(
    {
        "BackupAndRestore",
        "CSVLogger",
        "LearningRateScheduler",
        "ModelCheckpoint",
        "ReduceLROnPlateau",
        "TensorBoard",
        "TerminateOnNaN",
    }
)
"""Callbacks, besides EarlyStopping, that leave a model as its last epoch left it."""


def _kept_weights(request: FitRequest, epoch: int) -> KeptWeights | None:
    """The epoch whose weights the model has after a training that ended with this one."""
    import keras

    early_stopping = keras.callbacks.EarlyStopping
    if not all(
        type(one) is early_stopping or type(one).__name__ in LEAVE_WEIGHTS
        for one in request.callbacks
    ):
        return None
    if (restored := _restored_weights(request)) is not None:
        return restored
    optimizer = request.model.optimizer
    if getattr(getattr(optimizer, "inner_optimizer", optimizer), "use_ema", False):
        return None
    return KeptWeights(epoch, None)


def _restored_weights(request: FitRequest) -> KeptWeights | None:
    """The epoch whose weights EarlyStopping has put back at the end, or None."""
    import keras

    restored = [
        KeptWeights(request.epochs_before + int(callback.best_epoch) + 1, callback.monitor)
        for callback in request.callbacks
        if isinstance(callback, keras.callbacks.EarlyStopping)
        and callback.restore_best_weights
        and callback.best_weights is not None
    ]
    return restored[-1] if restored else None


@contextmanager
def as_training_errors(report: EpochReport) -> Iterator[None]:
    """Turn what Keras and the backend raise in a step into a TrainingError with the epoch."""
    try:
        yield
    except step_errors() as error:
        raise TrainingError(f"training failed in epoch {report.number}: {reason(error)}") from error


def step_errors() -> tuple[type[Exception], ...]:
    """Return what Keras and the backend raise where a step cannot be computed."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return (*REFUSALS, RuntimeError)
    import tensorflow as tf

    return (*REFUSALS, RuntimeError, tf.errors.OpError)
