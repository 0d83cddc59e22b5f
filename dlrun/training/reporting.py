"""How the epochs of a fit are told, the same from every engine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from dlrun.errors import TrainingError
from dlrun.models.objects import REFUSALS, reason
from dlrun.training.engine import FitRequest, History


class EpochReport:
    """Keeps the history of a fit and tells each epoch as it ends.

    Args:
        request: Says who is told.
    """

    def __init__(self, request: FitRequest) -> None:
        self._request = request
        self.history: History = {}
        self.epoch = 0
        """The epoch that is being trained, from 1."""

    def step(self, step: int) -> None:
        """Tell that so many steps of the epoch are done."""
        self._request.on_step(self.epoch, step, self._request.steps)

    def epoch_ended(self, logs: Mapping[str, Any], learning_rate: float, seconds: float) -> None:
        """Keep and tell the epoch's metrics and the learning rate it began with.

        Raises:
            TrainingError: The loss became NaN.
        """
        # F1 over several classes is a number for each of them.
        values = {name: float(np.mean(value)) for name, value in logs.items()}
        values["learning_rate"] = learning_rate
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        self._request.on_epoch(self.epoch, values, seconds)
        if math.isnan(values["loss"]):
            raise TrainingError(
                f"the loss became NaN in epoch {self.epoch}, and no later epoch can mend that; "
                "lower the learning rate, scale the inputs (`standardize`), or clip gradients "
                "(the optimizer's `clipnorm`)"
            )


def end_callbacks(request: FitRequest) -> None:
    """Tell callbacks that training was stopped, as `fit` tells them that it ended: EarlyStopping
    then restores the best weights where the config asks for it."""
    for callback in request.callbacks:
        callback.on_train_end()


@contextmanager
def failures_named(report: EpochReport) -> Iterator[None]:
    """Turn what Keras and the backend raise in a step into a TrainingError with the epoch."""
    try:
        yield
    except _failures() as error:
        raise TrainingError(f"training failed in epoch {report.epoch}: {reason(error)}") from error


def _failures() -> tuple[type[Exception], ...]:
    """What Keras and the backend raise where a step cannot be computed."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return (*REFUSALS, RuntimeError)
    import tensorflow as tf

    return (*REFUSALS, RuntimeError, tf.errors.OpError)
