"""Class labels of any type as indices from 0."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
from pydantic import field_validator

from dlrun.data.samples import Array, as_vector
from dlrun.data.step import State, TargetStep
from dlrun.errors import RowError
from dlrun.text import first_few

Label = str | bool | int | float


class LabelIndex(TargetStep):
    """Makes labels (text, booleans, numbers) their classes' indices, int32: one a row, or one for
    each step or pixel.

    The order of the classes is that of the option, else that of the data's class names, else
    the sorted labels. Integer labels whose classes the data names are indices already and stay
    as they are, unless the option orders them.
    """

    suits = ("binary", "multiclass")

    classes: list[Label] | None = None
    """The labels, or the data's names for them, in the order of their indices. Default: the
    data's own order."""

    @field_validator("classes")
    @classmethod
    def _all_different(cls, classes: list[Label] | None) -> list[Label] | None:
        if classes is not None and (not classes or len(set(classes)) < len(classes)):
            raise ValueError("expected labels that are all different")
        return classes

    def fit(self, target: Array, classes: tuple[str, ...] | None) -> State:
        """Return `labels`, as they are in the data, and `names`, both in order of index."""
        named: dict[Any, str] = {}
        if classes is not None:
            named = dict(zip(classes if target.dtype == object else count(), classes, strict=False))
        if self.classes is not None:
            label_of = {name: label for label, name in named.items()}
            labels = [label_of.get(_name(label), label) for label in self.classes]
        else:
            known = [value for value in _labels(target)[0] if value is not None and value == value]
            labels = list(named) or sorted(set(known))
        return {"labels": labels, "names": [named.get(label, _name(label)) for label in labels]}

    def apply(self, target: Array, state: State) -> Array:
        index = {label: position for position, label in enumerate(state["labels"])}
        labels, places = _labels(target)
        known = np.fromiter((index.get(label, -1) for label in labels), np.int32, len(labels))
        indices = known[places]
        if (indices < 0).any():
            first = int(indices.argmin())
            label, position = labels[int(places.flat[first])], first * len(target) // places.size
            missing = label is None or label != label
            raise RowError(
                f"label_index found {'no label' if missing else f'the label {label!r}'}",
                position,
                f"the classes are: {first_few(map(_name, state['labels']), 10)}",
            )
        return indices

    def class_names(self, state: State) -> tuple[str, ...]:
        return tuple(state["names"])


def _labels(target: Array) -> tuple[list[Any], Array]:
    """Labels, and for each place of the target, (n, ...), which of them it holds."""
    column = as_vector(target)
    if column.dtype == object:
        return column.reshape(-1).tolist(), np.arange(column.size).reshape(column.shape)
    found, places = np.unique(column, return_inverse=True)
    return found.tolist(), places.reshape(column.shape)


def _name(label: Label) -> str:
    if isinstance(label, bool):
        return str(label).lower()
    return f"{label:g}" if isinstance(label, float) else str(label)
