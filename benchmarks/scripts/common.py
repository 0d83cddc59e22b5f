"""What every script begins and ends with: its rows, and its epochs' seconds and last metric."""

from __future__ import annotations

import json
import os
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np


class Clock(keras.callbacks.Callback):
    """Notes the seconds of every epoch, validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)


def load(name: str, **options: Any) -> Any:
    """Return the training rows of a data set of Keras, or synthetic ones that `run.py` wrote."""
    if file := os.environ.get("BENCHMARK_ARRAYS"):
        with np.load(file) as arrays:
            return arrays["x"], arrays["y"]
    train, _ = getattr(keras.datasets, name).load_data(**options)
    return train


def report(clocks: list[Clock], metric: float) -> None:
    """Print one line of JSON."""
    epochs = [clock.seconds for clock in clocks]
    print(json.dumps({"epochs": epochs, "metric": metric}))
