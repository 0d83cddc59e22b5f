"""What a callback of dlrun's own is. A new one is one file in `dlrun/training/own_callbacks/`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.registry.component import Component


@dataclass(frozen=True)
class FitFacts:
    """What a callback may know of the fit that it is made for.

    Args:
        folder: Makes and returns the folder that its files go to; None to check that the callback
            can be built, without writing anything.
        model: The compiled `keras.Model`, or None if there is none yet.
        rows: Inputs of the rows that are measured after every epoch, or else of the training
            rows: indexed by a slice they give what the model takes. None if there are none yet.
        vocabulary: Returns the words that numbers in the inputs stand for, in order, or None if
            they stand for no words.
    """

    folder: Callable[[], Path] | None = None
    model: Any = None
    rows: Any = None
    vocabulary: Callable[[], Sequence[str] | None] = lambda: None


class OwnCallback(Component):
    """Base of dlrun's own callbacks. The fields are its arguments; `activation_logger.py` is
    called `ActivationLogger` in a config.

    A field whose type does not say what it takes has `json_schema_extra={"accepts": ...}`, in the
    words of `dlrun.registry.keras_component.Argument`.
    """

    @abstractmethod
    def build(self, fit: FitFacts) -> Any:
        """Return the Keras callback.

        Raises:
            ComponentError: It cannot do what its arguments ask with this model.
        """
