"""Keras callbacks from the config, kept inside the run directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from dlrun.errors import ComponentError
from dlrun.models.objects import build_object
from dlrun.registry.keras_component import KerasComponent

FILE_ARGUMENTS = {"filepath", "filename", "log_dir", "backup_dir"}
"""Arguments of Keras' callbacks that name a file or folder they write."""

DEFAULT_MONITOR = "val_loss"
"""What Keras' monitoring callbacks watch where nothing is said."""

MONITORING = {"EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"}


def build_callbacks(
    components: Sequence[KerasComponent], folder: Callable[[], Path]
) -> list[Any]:
    """Build the callbacks of one fit.

    Args:
        components: The callbacks as the config names them, in order.
        folder: Makes and returns the folder that relative files of callbacks go to; called
            only where a callback writes files.

    Raises:
        ComponentError: A callback would write outside the run directory, or Keras refused it.
    """
    callbacks = []
    for component in components:
        files = {
            name: str(_inside(folder(), component, name))
            for name in FILE_ARGUMENTS & component.arguments.keys()
        }
        callbacks.append(
            build_object(replace(component, arguments={**component.arguments, **files}))
        )
    return callbacks


def watches_validation(components: Sequence[KerasComponent]) -> bool:
    """Whether a callback steers training by validation data."""
    return any(
        component.name in MONITORING
        and str(component.arguments.get("monitor", DEFAULT_MONITOR)).startswith("val_")
        for component in components
    )


def _inside(folder: Path, component: KerasComponent, argument: str) -> Path:
    given = PurePath(str(component.arguments[argument]))
    if given.is_absolute() or ".." in given.parts:
        raise ComponentError(
            f"{component.name} writes '{given}' outside the run directory; "
            f"give '{argument}' as a plain relative path",
            (*component.path,),
        )
    path = folder / given
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
