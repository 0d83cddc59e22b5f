"""Keras callbacks from the config, kept inside the run directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlrun.config.measures import written_files
from dlrun.errors import ComponentError
from dlrun.models.objects import REFUSALS, build_object, refused
from dlrun.registry.keras_component import KerasComponent
from dlrun.registry.own_callbacks import own_callback
from dlrun.training.own_callback import FitFacts, OwnCallback
from dlrun.training.tensorboard import tensorboard

DEFAULT_MONITOR = "val_loss"
"""What Keras' monitoring callbacks monitor by default."""

MONITORING = {"EarlyStopping", "ReduceLROnPlateau"}
CHECKPOINTS = {"ModelCheckpoint", "OrbaxCheckpoint"}
"""Callbacks that monitor a metric only if they keep the best model."""


def build_callbacks(
    components: Sequence[KerasComponent],
    folder: Callable[[], Path] | None = None,
    *,
    model: Any = None,
    rows: Any = None,
    vocabulary: Callable[[], Sequence[str] | None] = lambda: None,
) -> list[Any]:
    """Build the callbacks of one fit.

    Args:
        components: The callbacks as the config names them, in order.
        folder: Makes and returns the folder that the files of callbacks go to; called only
            where a callback writes files. None makes no folder: to see whether Keras accepts
            the callbacks, without using them.
        model: The compiled model; None if there is none yet.
        rows: Inputs that a callback may read; see `FitFacts.rows`.
        vocabulary: Returns the words that numbers in the inputs stand for; see `FitFacts`.

    Raises:
        ComponentError: Keras refused a callback, or it cannot be used with the model.
    """
    fit = FitFacts(folder, model, rows, vocabulary)
    return [_build(_inside(component, folder), fit) for component in components]


def monitors_validation(components: Sequence[KerasComponent]) -> bool:
    """Whether a callback acts on what is measured on validation data."""

    def monitored(component: KerasComponent) -> str:
        keeps_best = component.name in CHECKPOINTS and component.arguments.get("save_best_only")
        if component.name in MONITORING or keeps_best:
            return str(component.arguments.get("monitor", DEFAULT_MONITOR))
        return ""

    return any(monitored(component).startswith("val_") for component in components)


def _build(component: KerasComponent, fit: FitFacts) -> Any:
    try:
        if component.name == "TensorBoard":
            return tensorboard(component.arguments, fit.vocabulary)
        member = own_callback(component.name)
        if member is None:
            return build_object(component)
        own = member(**component.arguments)
        assert isinstance(own, OwnCallback)
        return own.build(fit)
    except ComponentError as error:
        raise ComponentError(str(error), error.path or component.path) from error
    except REFUSALS as error:
        raise refused(component, error) from error


def _inside(component: KerasComponent, folder: Callable[[], Path] | None) -> KerasComponent:
    """The callback with its files in `folder`."""
    files = written_files(component)
    if not files or folder is None:
        return component
    paths = {name: folder() / given for name, given in files.items()}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    arguments = {name: str(path) for name, path in paths.items()}
    return replace(component, arguments={**component.arguments, **arguments})
