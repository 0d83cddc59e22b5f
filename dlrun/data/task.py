"""What is predicted, inferred from the targets: classes, several labels at once, or quantities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlrun.data.samples import Array, Columns, is_of_tokens
from dlrun.errors import DataError, RowError
from dlrun.metrics.names import TargetType
from dlrun.registry.names import did_you_mean
from dlrun.text import first_few

Classes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Asked:
    """What the loss of an output takes its target for.

    Args:
        regression: Whether numbers are quantities rather than labels.
        labels: What a target with further axes holds, such as a tag for each step or a class for
            each pixel: the `indices` of classes, or `flags`, which are true or false. None: its
            values tell.
    """

    regression: bool
    labels: Literal["indices", "flags"] | None = None


@dataclass(frozen=True)
class InferredTask:
    """What is predicted.

    Args:
        task: The kind of answer.
        targets: The targets in the form that the task needs: whole numbers that are labels are
            integers, text stays text, true/false is 0/1.
        classes: Class names by target, where there are names.
    """

    task: TargetType
    targets: Columns
    classes: Classes


def infer_task(targets: Columns, named: Classes, asked: Asked) -> InferredTask:
    """Infer what is predicted from all rows of the targets.

    Text, true/false, and what the source has class names for are classes. Other numbers are
    quantities if `asked.regression`, or if one of them is not whole, and else labels. An array
    of 0 and 1 of shape (n, ..., k) is one-hot where every place holds a single 1, else it is k
    labels. Class indices may have any shape where the loss takes indices.

    Args:
        targets: As the source gives them.
        named: Class names that the source itself knows, by target.
        asked: What the loss takes them for.

    Raises:
        DataError: A target is missing in a row, or several targets do not go together.
    """
    for name, values in targets.items():
        refuse_missing(name, values)
    flags = {n: ("false", "true") for n, v in targets.items() if v.dtype == bool and v.ndim == 1}
    classes = {**flags, **text_classes(targets), **named}
    settled = {
        name: values.astype(np.int64) if values.dtype == bool else values
        for name, values in targets.items()
    }
    tasks = {name: _task_of(v, classes.get(name), asked) for name, v in settled.items()}
    task = next(iter(tasks.values())) if len(tasks) == 1 else _common_task(settled, tasks)
    if task != "regression":
        settled = {
            name: values.astype(np.int64 if values.ndim == 1 else np.int32)
            if values.dtype.kind == "f" and are_indices(task, values)
            else values
            for name, values in settled.items()
        }
    return InferredTask(task, settled, {} if task == "multilabel" else classes)


def infer_tasks(
    targets: Columns, named: Classes, outputs: Mapping[str, Asked]
) -> dict[str, InferredTask]:
    """Infer what each output of a model predicts: the target of its name.

    Args:
        targets: As the source gives them.
        named: Class names that the source itself knows, by target.
        outputs: What the loss of each takes its target for.

    Raises:
        DataError: An output has no target, or a target no output; or as `infer_task`.
    """
    for name in outputs:
        if name not in targets:
            raise DataError(
                f"there is no target for the output '{name}'"
                f"{did_you_mean(name, targets) or '.'} The targets are: {', '.join(targets)}"
            )
    if unused := [name for name in targets if name not in outputs]:
        raise DataError(
            f"no output predicts the target '{unused[0]}'"
            f"{did_you_mean(unused[0], outputs) or '.'} The outputs are: {', '.join(outputs)}"
        )
    return {
        name: infer_task(
            {name: targets[name]}, {n: c for n, c in named.items() if n == name}, asked
        )
        for name, asked in outputs.items()
    }


def with_labels(
    targets: Columns, labels: Classes, sequences: Mapping[str, bool], *, named: bool
) -> tuple[Columns, frozenset[str]]:
    """Return the targets, those that are several labels a row as flags, a target each; and the
    names of these.

    Args:
        targets: As the source gives them: tuples of str are labels.
        labels: The labels of each such target.
        sequences: Whether the loss takes class indices, so that a target stays a sequence of them.
        named: Whether a target is that of an output, and stays one: (n, k).

    Raises:
        DataError: A row has a label that is not among them.
    """
    made: Columns = {}
    flags: list[str] = []
    for name, values in targets.items():
        if not is_of_tokens(values) or sequences[name]:
            made[name] = values
            continue
        places = {label: place for place, label in enumerate(labels[name])}
        found = np.zeros((len(values), len(places)), bool)
        for row, entry in enumerate(values):
            for label in entry:
                if label not in places:
                    raise RowError(
                        f"the target '{name}' holds the label '{label}'",
                        row,
                        f"the labels are: {first_few(labels[name], 10)}",
                        detail=", which no training row has",
                    )
                found[row, places[label]] = True
        if named:
            made[name] = found.astype(np.int64)
            continue
        for label, place in places.items():
            target = f"{name}={label}" if label in made or label in targets else label
            made[target] = found[:, place]
            flags.append(target)
    return made, frozenset(flags)


def text_classes(targets: Columns) -> dict[str, tuple[str, ...]]:
    """The different texts of every text target, sorted."""
    return {
        name: tuple(sorted(set(values.reshape(-1))))
        for name, values in targets.items()
        if values.dtype == object and not is_of_tokens(values)
    }


def unnamed_labels(task: TargetType, targets: Columns, classes: Classes) -> dict[str, Array]:
    """The different labels, ascending, of every target of integer labels without names."""
    if task not in ("binary", "multiclass"):
        return {}
    return {
        name: np.unique(values)
        for name, values in targets.items()
        if are_indices(task, values) and name not in classes and not is_of_tokens(values)
    }


def class_labels(task: TargetType, targets: Columns) -> Array | None:
    """(n,) the class of each row, to stratify by; None where rows do not have one class each."""
    if task not in ("binary", "multiclass"):
        return None
    values = next(iter(targets.values()))
    if values.ndim == 1:
        return None if is_of_tokens(values) else values
    return None if values.ndim > 2 or are_indices(task, values) else values.argmax(axis=1)


def are_indices(task: TargetType, values: Array) -> bool:
    """Whether the target holds classes by their indices or names, and not as one-hot rows."""
    if task not in ("binary", "multiclass"):
        return False
    return values.ndim == 1 or task == "binary" or not _is_one_hot(values)


def refuse_missing(name: str, values: Array) -> None:
    """Raise an error where a target is missing or infinite.

    Raises:
        RowError: It is; names the first row.
    """
    if values.dtype == object:
        absent = [value is None for value in values.reshape(-1)]
        bad = np.asarray(absent, bool).reshape(len(values), -1).any(axis=1)
    elif values.dtype.kind == "f":
        bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    else:
        return
    if bad.any():
        raise RowError(
            f"the target '{name}' is missing or infinite",
            int(bad.argmax()),
            "fix or remove these rows" if bad.sum() > 1 else "fix or remove this row",
            others=int(bad.sum()) - 1,
        )


def refuse_constant(name: str, values: Array, advice: str = "there is nothing to learn") -> None:
    """Raise an error where a target is the same in all rows.

    Args:
        name: Name of the target.
        values: Its values.
        advice: What the message ends with.

    Raises:
        DataError: It is.
    """
    first = values[0]
    of_tokens = is_of_tokens(values)
    if all(each == first for each in values) if of_tokens else bool(np.all(values == first)):
        shown = f" ({first})" if np.ndim(first) == 0 else ""
        raise DataError(
            f"the target '{name}' has the same value{shown} in all {len(values)} rows; {advice}"
        )


def _task_of(values: Array, names: tuple[str, ...] | None, asked: Asked) -> TargetType:
    if is_of_tokens(values):
        return "multiclass"
    if names is not None and (values.ndim == 1 or values.dtype == object):
        return "binary" if len(names) <= 2 else "multiclass"
    if asked.regression or not _is_whole(values):
        return "regression"
    if values.ndim == 1 or asked.labels == "indices":
        return "binary" if len(np.unique(values)) <= 2 else "multiclass"
    if asked.labels == "flags" and len(np.unique(values)) <= 2:
        return "binary"
    if not np.isin(values, (0, 1)).all():
        return "regression"
    return "multiclass" if _is_one_hot(values) else "multilabel"


def _is_one_hot(values: Array) -> bool:
    return values.shape[-1] > 1 and bool(
        np.isin(values, (0, 1)).all() and (values.sum(axis=-1) == 1).all()
    )


def _common_task(targets: Columns, tasks: Mapping[str, TargetType]) -> TargetType:
    if set(tasks.values()) == {"regression"}:
        return "regression"
    flags = (v.ndim == 1 and v.dtype != object and np.isin(v, (0, 1)) for v in targets.values())
    if all(np.all(flag) for flag in flags):
        return "multilabel"
    found = ", ".join(f"'{name}' ({task})" for name, task in tasks.items())
    raise DataError(
        f"several targets must all be quantities, or all true/false; found {found}: predict "
        f"one of them at a time"
    )


def _is_whole(values: Array) -> bool:
    return values.dtype.kind != "f" or bool((values == np.floor(values)).all())
