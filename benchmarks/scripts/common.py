"""What every script ends with: its epochs' seconds and its last metric, for `run.py` to read."""

from __future__ import annotations

import json
import os
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras


class Clock(keras.callbacks.Callback):
    """Notes the seconds of every epoch, validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)


def report(clocks: list[Clock], metric: float) -> None:
    """Print one line of JSON."""
    epochs = [clock.seconds for clock in clocks]
    print(json.dumps({"epochs": epochs, "metric": metric}))
