"""What a fit needs to go on where it was broken off, and where that is kept.

A state is a tree of plain values and arrays. Whatever has one has two methods: `state()` returns
it, and `restore(state)` brings a fresh object to where the old one was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

ARRAY, BYTES, TUPLE = "$array", "$bytes", "$tuple"
"""Keys that mark, among plain facts, what JSON has no word for."""


@dataclass(frozen=True)
class FitState:
    """What a fit needs to go on.

    Args:
        facts: Plain values as JSON knows them, NaN and infinity besides. `epochs` are the epochs
            that are done, those of all phases; a fit may also be in the middle of the next one.
        arrays: Arrays of numbers by name. They may be views of memory that training writes to
            again: whoever keeps them for longer than a call copies them.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


class Checkpoints(Protocol):
    """Where a fit is saved while it goes on, and what one that was broken off has left."""

    def ready(self) -> bool:
        """Whether the fit can be saved now; if not, a time limit waits until it can."""
        ...

    def due(self) -> bool:
        """Whether the fit is to be saved now; asked between two calls, so it has to be quick."""
        ...

    def write(self, state: FitState) -> None:
        """Keep a state in place of the one before."""
        ...

    def saved(self) -> FitState | None:
        """Return the state to go on from; None if the fit begins."""
        ...


def packed(tree: Mapping[str, Any]) -> FitState:
    """Return a tree of plain values, lists, tuples, mappings and arrays as facts and arrays.

    Raises:
        TypeError: A value is none of these; says where.
    """
    arrays: dict[str, np.ndarray] = {}
    return FitState(_packed(tree, "", arrays), arrays)


def unpacked(state: FitState) -> dict[str, Any]:
    """Return the tree that `packed` made a state of."""
    tree: dict[str, Any] = _unpacked(state.facts, state.arrays)
    return tree


def _packed(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    def inside(key: object, part: Any) -> Any:
        return _packed(part, f"{place}/{key}" if place else str(key), arrays)

    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: inside(key, part) for key, part in value.items()}
    if isinstance(value, list):
        return [inside(index, part) for index, part in enumerate(value)]
    if isinstance(value, tuple):
        return {TUPLE: [inside(index, part) for index, part in enumerate(value)]}
    if not hasattr(value, "__array__") or np.asarray(value).dtype.kind not in "biufcV":
        raise TypeError(f"{place} is {value!r}, which a checkpoint cannot keep")
    array = np.asarray(value)
    if array.dtype.kind != "V":
        arrays[place] = array
        return {ARRAY: place}
    # NumPy itself has no bfloat16.
    arrays[place] = np.frombuffer(array.tobytes(), np.uint8)
    return {BYTES: place, "dtype": array.dtype.name, "shape": list(array.shape)}


def _unpacked(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_unpacked(part, arrays) for part in value]
    if not isinstance(value, Mapping):
        return value
    if TUPLE in value:
        return tuple(_unpacked(part, arrays) for part in value[TUPLE])
    if ARRAY in value:
        return arrays[value[ARRAY]][()]
    if BYTES in value:
        return arrays[value[BYTES]].view(np.dtype(value["dtype"])).reshape(value["shape"])
    return {key: _unpacked(part, arrays) for key, part in value.items()}


def by_path(variables: Iterable[Any]) -> dict[str, Any]:
    """Return `keras.Variable`s by their paths; where several have the same, their number follows
    it."""
    named: dict[str, Any] = {}
    for variable in variables:
        path, number = str(variable.path), 1
        name = path
        while name in named:
            number += 1
            name = f"{path}#{number}"
        named[name] = variable
    return named
