"""All preprocessing steps on targets, fitted, and the way back from predictions.

Legend: n rows, k columns of the targets together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from dlrun.data.fitting.scaled_target import ScaledTarget
from dlrun.data.samples import Array, Dataset, Samples, is_of_tokens
from dlrun.data.step import (
    MOST_COLUMNS,
    FittedStep,
    TargetStep,
    first_row_where,
    refuse_infinite,
    rows_numbered,
    to_float,
)
from dlrun.data.targets.label_index import LabelIndex
from dlrun.data.targets.pad_sequences import PadSequencesTarget
from dlrun.data.task import are_indices
from dlrun.errors import DataError, RowError
from dlrun.metrics.names import TargetType
from dlrun.registry.component import Component
from dlrun.registry.names import did_you_mean
from dlrun.text import first_few

_LARGEST_LABEL = 2**31 - 1
_TARGET = ("dataset", "target")
"""Where a config names what is predicted."""


@dataclass(frozen=True)
class FittedTarget:
    """The steps of one target.

    Args:
        steps: In order.
        width: How many columns they make of it.
        classes: Class names in order of their indices; None for quantities and for integer
            labels without names.
        indices: Whether they make class indices of it: one a row, or one for each step or pixel.
    """

    steps: tuple[FittedStep[TargetStep], ...]
    width: int
    classes: tuple[str, ...] | None
    indices: bool = False


@dataclass(frozen=True)
class TargetPipeline:
    """Steps on targets, fitted on training rows.

    Args:
        task: Decides the dtype.
        targets: By name, in the order of their columns.
    """

    task: TargetType
    targets: Mapping[str, FittedTarget]

    def apply(self, samples: Samples) -> Array:
        """Return what the loss compares with; see `Pipeline.targets`."""
        made = []
        for name, fitted in self.targets.items():
            if name not in samples.targets:
                raise DataError(f"these rows have no target '{name}'")
            column = samples.targets[name]
            with _errors_name(name, samples, steps=len(fitted.steps) > 1):
                for part in fitted.steps:
                    column = part.step.apply(column, part.state)
                made.append(_as_numbers(column, fitted.indices))
        if len(made) == 1:
            return made[0]
        return np.concatenate(
            [column.reshape(len(column), -1).astype(np.float32) for column in made], axis=1
        )

    @property
    def changes_unit(self) -> bool:
        """Whether the model is trained on targets that are not in their own unit."""
        return any(part.step.changes_unit for part in self._parts)

    @property
    def learns_scale(self) -> bool:
        """Whether a step learns from the training rows what it subtracts and divides by."""
        return any(isinstance(part.step, ScaledTarget) for part in self._parts)

    @property
    def is_linear(self) -> bool:
        """Whether the model is trained on targets that are at most shifted and scaled."""
        changing = (part.step for part in self._parts if part.step.changes_unit)
        return all(isinstance(step, ScaledTarget) for step in changing)

    @property
    def numbers(self) -> list[list[Array]]:
        """What `restore` needs of what was learnt: for each step, target after target."""
        return [part.step.numbers(part.state) for part in self._parts]

    def restore(self, values: Any, numbers: Sequence[Sequence[Any]], xp: Any) -> Any:
        """Bring targets as the loss sees them, or model outputs, back to the targets' own units.

        Args:
            values: (n, ...) floats; of several targets (n, k).
            numbers: Those of `numbers`.
            xp: `numpy`, or `keras.ops` where they are tensors of a training step.
        """
        parts, given, start = [], iter(numbers), 0
        for fitted in self.targets.values():
            own = values
            if len(self.targets) > 1:
                own, start = values[:, start : start + fitted.width], start + fitted.width
            of_steps = [(part.step, next(given)) for part in fitted.steps]
            for step, learnt in reversed(of_steps):
                own = step.restore(own, learnt, xp)
            parts.append(own)
        return parts[0] if len(parts) == 1 else xp.concatenate(parts, axis=1)

    def invert(self, predictions: Array) -> Array:
        """Bring model outputs back to the targets' own units; see `Pipeline.invert`."""
        widths = [fitted.width for fitted in self.targets.values()]
        fits = predictions.ndim == 2 and predictions.shape[1] == sum(widths)
        if len(widths) > 1 and not fits:
            raise DataError(
                f"the model gives predictions of shape {predictions.shape}, where the targets "
                f"{first_few(self.targets, MOST_COLUMNS)} need {sum(widths)} columns"
            )
        if not self.changes_unit:
            return predictions
        return np.asarray(self.restore(predictions.astype(np.float64), self.numbers, np))

    @property
    def _parts(self) -> Iterator[FittedStep[TargetStep]]:
        return (part for fitted in self.targets.values() for part in fitted.steps)


def _as_numbers(column: Array, indices: bool) -> Array:
    """A target as the loss compares with it.

    Raises:
        RowError: A value is too large for float32.
    """
    if indices:
        return column.astype(np.int32, copy=False)
    numbers = to_float(column)
    position = first_row_where(np.isinf, numbers)
    if position is not None:
        raise RowError("a value is infinite or too large for float32", position, "fix the data")
    return numbers


def fit_targets(
    steps: Sequence[TargetStep], dataset: Dataset, train: Samples, counted: Array | None = None
) -> TargetPipeline:
    """Fit the steps on each target separately; text becomes class indices without a step. See
    `fit_outputs` for `counted`.

    Raises:
        DataError: A target does not suit a step, or holds labels that no loss can use.
    """
    texts = [name for name, column in train.targets.items() if column.dtype == object]
    if texts and len(train.targets) > 1:
        raise DataError(
            f"target '{texts[0]}' holds classes and is one of several targets "
            f"({first_few(train.targets, MOST_COLUMNS)}), which one output cannot learn together; "
            "name one target",
            path=_TARGET,
        )
    refuse_unknown_targets(steps, train)
    targets = {
        name: _fit_target(_steps_for(name, steps), name, dataset, train, counted)
        for name in train.targets
    }
    return TargetPipeline(dataset.task, targets)


def fit_outputs(
    steps: Sequence[TargetStep],
    dataset: Dataset,
    train: Samples,
    counted: Mapping[str | None, Array] | None = None,
) -> dict[str | None, TargetPipeline]:
    """Fit the steps on the targets of the only output, or on the target of each of several by its
    name: a step that names no targets then works on those that it suits.

    Args:
        steps: In their order.
        dataset: Gives the task and the class names.
        train: The training rows.
        counted: (n, ...) which of their values count in the loss, by output; where none is given,
            all do. Shift and scale are of these.

    Raises:
        DataError: As `fit_targets`, or a step suits none of the targets.
    """
    counted = counted or {}
    if not dataset.tasks:
        return {None: fit_targets(steps, dataset, train, counted.get(None))}
    refuse_unknown_targets(steps, train)
    for step in steps:
        if step.columns is None and not any(t in step.suits for t in dataset.tasks.values()):
            found = ", ".join(f"'{name}' ({task})" for name, task in dataset.tasks.items())
            raise DataError(
                f"{step.member_name()} suits none of the targets {found}; leave it out",
                path=("preprocess",),
            )
    fitted: dict[str | None, TargetPipeline] = {}
    for name, task in dataset.tasks.items():
        own = [step for step in steps if step.columns is not None or task in step.suits]
        rows = replace(train, targets={name: train.targets[name]})
        fit = _fit_target(
            _steps_for(name, own), name, dataset.of_output(name), rows, counted.get(name)
        )
        targets = {name: fit}
        fitted[name] = TargetPipeline(task, targets)
    return fitted


def refuse_unknown_targets(steps: Sequence[TargetStep], train: Samples) -> None:
    """Raise an error where a step names an unknown target.

    Raises:
        DataError: It does.
    """
    for step in steps:
        for name in step.columns or ():
            if name not in train.targets:
                raise DataError(
                    f"{step.member_name()}: unknown target '{name}'"
                    f"{did_you_mean(name, train.targets) or '.'} The targets are: "
                    f"{first_few(train.targets, MOST_COLUMNS)}",
                    path=("preprocess",),
                )


def classes_made(steps: Sequence[Component], name: str, labels: Array) -> int | None:
    """Return how many classes the model tells apart: one more than the largest class index, or the
    width of one-hot rows; None where a step refuses the labels.

    Args:
        steps: Members of the family of target preprocessing steps, in order.
        name: A target of integer labels without names.
        labels: (k,) its different labels.
    """
    made = labels
    try:
        for step in _steps_for(name, cast("Sequence[TargetStep]", steps)):
            made = step.apply(made, step.fit(made, None))
    except DataError:
        return None
    return made.shape[1] if made.ndim == 2 else int(made.max()) + 1


def _steps_for(name: str, steps: Sequence[TargetStep]) -> list[TargetStep]:
    return [step for step in steps if step.columns is None or name in step.columns]


def _fit_target(
    steps: Sequence[TargetStep],
    name: str,
    dataset: Dataset,
    train: Samples,
    counted: Array | None,
) -> FittedTarget:
    column, classes = train.targets[name], dataset.classes.get(name)
    # The number of classes is part of the task: a fold need not have rows of each.
    known = dataset.labels.get(name, column)
    named = [step.member_name() for step in steps]
    # All steps ahead are one quantity with one unit.
    of_series = train.windows is not None
    if is_of_tokens(column) and "pad_sequences" not in named:
        steps = [PadSequencesTarget(), *steps]
    elif column.dtype == object and not {"label_index", "pad_sequences"} & {*named}:
        steps = [LabelIndex(), *steps]
    fitted = []
    with _errors_name(name, train, steps=bool(named)):
        for step in steps:
            if isinstance(step, ScaledTarget) and column.dtype.kind == "f":
                refuse_infinite(step, "the target", column, "fix the data")
            if isinstance(step, ScaledTarget) and counted is not None:
                counts = counted.reshape(counted.shape + (1,) * (column.ndim - counted.ndim))
                known = np.where(counts, known, np.nan)
            state = step.fit(known.reshape(-1) if of_series else known, classes)
            column = known = step.apply(column, state)
            fitted.append(FittedStep(step, state))
            classes = step.class_names(state) or classes
    # One-hot rows of two classes are floats.
    whole = column.dtype.kind in "iu" or column.ndim == 1
    indices = are_indices(dataset.task, column) and whole
    if indices:
        _require_labels(name, column, dataset.task, steps)
    return FittedTarget(tuple(fitted), math.prod(column.shape[1:]), classes, indices)


@contextmanager
def _errors_name(target: str, samples: Samples, *, steps: bool) -> Iterator[None]:
    """Errors of a step say which target it worked on, and the row's number in the source; `steps`
    says whether the config names steps."""
    try:
        with rows_numbered(samples):
            yield
    except DataError as error:
        place = error.path or (("preprocess",) if steps else _TARGET)
        if isinstance(error, RowError):
            found = f"target '{target}': {error.found}"
            raise error.with_facts(found=found, path=place) from None
        raise DataError(f"target '{target}': {error}", path=place) from None


def _require_labels(
    name: str, column: Array, task: TargetType, steps: Sequence[TargetStep]
) -> None:
    """Refuse labels that Keras would take for something else than classes, silently."""
    if not len(column):
        return
    least, largest = column.min(), column.max()
    limit = 1 if task == "binary" else _LARGEST_LABEL
    if least < 0 or largest > limit or (np.floor(column) != column).any():
        labels = first_few(np.unique(column).tolist(), 5)
        expected = "0 and 1" if task == "binary" else "whole numbers from 0"
        wrong = [step.member_name() for step in steps if step.changes_unit]
        advice = "add `targets: [label_index]` to `preprocess`"
        if wrong:
            advice = f"`{wrong[0]}` is for quantities: leave it out of `targets`"
        raise DataError(
            f"target '{name}' holds the labels {labels}, where {expected} are expected; {advice}",
            path=_TARGET,
        )
