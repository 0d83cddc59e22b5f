"""Callbacks that decide by what an epoch measured."""

from __future__ import annotations

from dlrun.config.schema import Config
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.callbacks import CHECKPOINTS, DEFAULT_MONITOR, MONITORING


def steering(config: Config) -> list[KerasComponent]:
    """Return the callbacks that stop, change the learning rate, or keep the best model."""
    return [
        callback
        for callback in config.training.every_callback
        if callback.name in MONITORING
        or (callback.name in CHECKPOINTS and callback.arguments.get("save_best_only"))
    ]


def monitor_of(callback: KerasComponent) -> str:
    """Return what a callback watches."""
    return str(callback.arguments.get("monitor", DEFAULT_MONITOR))


def holds_nothing_out(config: Config) -> bool:
    """Whether every row before the test is trained on."""
    return bool(getattr(config.evaluation.protocol, "holds_nothing_out", False))
