"""Which layers of a model keep their weights while it is trained.

A layer is addressed by its name; one of a nested model by the nested model's name, a dot, and its
own (`vgg16.block5_conv1`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dlrun.errors import ComponentError, KeyPath
from dlrun.models.objects import leaf_layers
from dlrun.registry.names import closest

Flags = Mapping[str, bool]
"""Whether each layer is trained, by its address; nested models themselves are not in it."""

WILD = frozenset("*?[")
MOST_NAMES = 8
"""Names of layers in a message, at most."""


@dataclass(frozen=True)
class Freezing:
    """What a phase of training changes.

    Args:
        freeze: Names and patterns of layers that keep their weights from then on.
        unfreeze: Names and patterns of layers that are trained from then on.
        path: The phase's place in the config.
    """

    freeze: Sequence[str]
    unfreeze: Sequence[str]
    path: KeyPath = ()


def flags_of_phases(model: Any, phases: Sequence[Freezing]) -> list[Flags]:
    """Return the flags in each phase; each begins with those of the phase before.

    Args:
        model: A built Keras model, with the flags before the first phase.
        phases: What each changes.

    Raises:
        ComponentError: A pattern matches no layer, or a phase leaves nothing to be trained.
    """
    import keras

    leaves = dict(leaf_layers(model))
    norm = keras.layers.BatchNormalization
    kept = {name for name, layer in leaves.items() if "." in name and isinstance(layer, norm)}
    flags = {address: bool(layer.trainable) for address, layer in leaves.items()}
    found: list[Flags] = []
    for phase in phases:
        for key, patterns, flag in (
            ("freeze", phase.freeze, False),
            ("unfreeze", phase.unfreeze, True),
        ):
            for number, pattern in enumerate(patterns):
                names = _fitting(pattern, flags, (*phase.path, key, number), key)
                # Statistics that a base was trained with must not be replaced by those of a few
                # batches: https://keras.io/guides/transfer_learning/
                stays = kept - {pattern} if flag else frozenset[str]()
                flags.update((name, flag) for name in names if flags[name] or name not in stays)
        if not any(flags[name] and layer.weights for name, layer in leaves.items()):
            key = "freeze" if phase.freeze else "epochs"
            message = "every layer with weights is frozen, so that nothing is left to be trained"
            raise ComponentError(message, (*phase.path, key))
        found.append(dict(flags))
    return found


def set_flags(model: Any, flags: Flags) -> None:
    """Freeze and unfreeze a model's layers; it has to be compiled afterwards."""
    _set(model, flags, "")


def _set(model: Any, flags: Flags, prefix: str) -> None:
    """Set the flags below a model."""
    for layer in model.layers:
        address = prefix + layer.name
        if hasattr(layer, "layers"):
            inner = {name: flag for name, flag in flags.items() if name.startswith(f"{address}.")}
            # Setting a model's flag sets those of all its layers.
            layer.trainable = any(inner.values())
            _set(layer, flags, f"{address}.")
        else:
            layer.trainable = flags[address]


def _fitting(pattern: str, flags: Flags, path: KeyPath, key: str) -> list[str]:
    names = [
        name
        for name in flags
        if fnmatchcase(name, pattern) or name == pattern or name.startswith(f"{pattern}.")
    ]
    if not names:
        raise ComponentError(_misses(pattern, list(flags), key), path)
    return names


def _near_pattern(pattern: str, names: Sequence[str]) -> str | None:
    """A pattern that fits names which begin nearly as this one does, such as `block_16_*`."""
    beginning = pattern.rstrip("*?")
    if set(beginning) & WILD:
        return None
    # Where the last part is short, any name is near to it.
    last = beginning.rpartition(".")[2]
    prefix = beginning[: len(beginning) - len(last)]
    cut = r"[^_]*_" * last.count("_") + ("" if last.endswith("_") else r"[^_]*")
    found = (re.match(cut, name[len(prefix) :]) for name in names)
    known = dict.fromkeys(match[0] for match in found if match)
    alike = [name for name in known if len(name) == len(last)]
    near = closest(last, alike) or closest(last, known)
    return near and f"{prefix}{near}*"


def _misses(pattern: str, names: Sequence[str], key: str) -> str:
    nested = [name for name in names if fnmatchcase(name.rpartition(".")[2], pattern)]
    models = dict.fromkeys(name.rpartition(".")[0] for name in names if "." in name)
    top = dict.fromkeys(name.partition(".")[0] for name in names)
    message = f"'{pattern}' under '{key}' matches no layer of the model"
    if nested:
        return f"{message}; did you mean '{nested[0].rpartition('.')[0]}.{pattern}'?"
    model = pattern.rpartition(".")[0]
    beside = [name for name in names if model and name.rpartition(".")[0] == model]
    wild = bool(set(pattern) & WILD)
    if wild and beside:
        near = _near_pattern(pattern, beside) if len(beside) > MOST_NAMES else None
    else:
        near = closest(pattern.rstrip("*?_"), [*top, *models, *names])
    if near:
        return f"{message}; did you mean '{near}'?"
    shown = beside or list(top)
    more = f" and {len(shown) - MOST_NAMES} more" if len(shown) > MOST_NAMES else ""
    return f"{message}, which has {', '.join(shown[:MOST_NAMES])}{more}"
