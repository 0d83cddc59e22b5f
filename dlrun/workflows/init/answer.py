"""What kind of answer a target asks for: classes, labels or a quantity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlrun.data.reading.table_columns import ColumnType, labels_of, to_array, to_tokens
from dlrun.data.reading.tables import TableFiles
from dlrun.data.samples import Array
from dlrun.data.task import refuse_constant
from dlrun.errors import UsageError
from dlrun.workflows.init.columns import Column

InitTask = Literal["binary", "multiclass", "multilabel", "regression"]

MOST_CLASSES = 10
"""Whole numbers of more different values are quantities rather than labels."""

ROWS_A_CLASS = 3
"""Whole numbers of which each is in fewer rows on average are quantities."""

YEARS = (1800, 2100)
"""Whole numbers that all lie here are years, and so quantities."""


@dataclass(frozen=True)
class Answer:
    """What is predicted.

    Args:
        task: What kind of answer it is.
        classes: Number of different targets, or of labels; 1 of quantities.
        numbered: Whether the targets are numbers from 0, or text, which is numbered unasked.
    """

    task: InitTask
    classes: int
    numbered: bool


def answer_in(
    table: TableFiles,
    target: str,
    column: Column,
    task: InitTask | None,
    labels: Sequence[str] = (),
) -> Answer:
    """Return what is predicted, from a column of a table; see `answer_of`. Several columns may be
    `labels` instead."""
    if labels:
        return Answer("multilabel", len(labels), numbered=True)
    present = table.series(target).dropna()
    refuse_constant(target, present.to_numpy())
    if column.mark is not None and task in (None, "multilabel"):
        labels = labels_of(to_tokens(table, target, column.mark))
        return Answer("multilabel", len(labels), numbered=True)
    if column.kind != "numeric":
        return answer_of(target, column.kind, present.to_numpy(), task)
    values = to_array(table, target, "numeric")
    return answer_of(target, column.kind, values[~np.isnan(values)], task)


def answer_of(target: str, kind: ColumnType | None, values: Array, task: InitTask | None) -> Answer:
    """Return what is predicted.

    Args:
        target: Its name.
        kind: What it holds.
        values: (n,) those that are known.
        task: What it is said to be; None: as the values suggest.

    Raises:
        UsageError: The values do not suit the task.
    """
    import pandas as pd

    different = int(pd.Series(values).nunique())
    numbers = values if kind == "numeric" else np.arange(different)
    if task is not None:
        _refuse_misfit(task, target, kind, different, bool((numbers % 1 == 0).all()))
    found = task or _task_of(kind, numbers, different)
    classes = 1 if found == "regression" else different
    return Answer(found, classes, set(numbers.tolist()) == set(range(different)))


def _task_of(kind: ColumnType | None, numbers: Array, different: int) -> InitTask:
    if kind == "numeric":
        is_whole = bool((numbers % 1 == 0).all())
        is_year = bool(((numbers >= YEARS[0]) & (numbers <= YEARS[1])).all())
        rare = different > 2 and ROWS_A_CLASS * different > len(numbers)
        if not is_whole or is_year or rare or different > MOST_CLASSES:
            return "regression"
    return "binary" if different == 2 else "multiclass"


def _refuse_misfit(
    task: InitTask, target: str, kind: ColumnType | None, different: int, whole: bool
) -> None:
    """Raise an error where a target does not suit the given task."""
    if task == "binary" and different != 2:
        raise UsageError(f"--task binary needs a target of 2 values; '{target}' has {different}")
    if task == "multiclass" and not whole:
        raise UsageError(f"--task multiclass needs classes; '{target}' holds fractions")
    if task == "multilabel":
        raise UsageError(f"a multilabel task needs several labels in a row; '{target}' has one")
    if task == "regression" and kind != "numeric":
        found = "text" if kind == "categorical" else "true and false"
        raise UsageError(f"--task regression needs a target of numbers; '{target}' holds {found}")
