"""A Keras class or function as a config names it: checked, but not yet imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from dlrun.errors import KeyPath

KerasKind = Literal[
    "layer",
    "optimizer",
    "loss",
    "metric",
    "callback",
    "regularizer",
    "initializer",
    "constraint",
    "schedule",
    "application",
]


@dataclass(frozen=True)
class KerasComponent:
    """One named thing of Keras with its arguments.

    Args:
        kind: Which of Keras' name spaces it belongs to.
        name: Keras' own name of the class (`Dense`), or of the function or alias where Keras
            has no class of that meaning (`accuracy`).
        alias: The name as the config gives it (`rmsprop`, `mae`); Keras names metrics in its
            history after it.
        arguments: What the config gives, by argument name: plain data or further components.
        path: Where it stands in the config, for messages.
        implementation: The class itself, where a plugin brought it.
    """

    kind: KerasKind
    name: str
    alias: str
    arguments: dict[str, Any] = field(default_factory=dict)
    path: KeyPath = ()
    implementation: Any = field(default=None, compare=False, repr=False)
