"""What a first config needs to know of arrays in an npz file: which are inputs and targets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlrun.data.reading.arrays import ArrayFiles
from dlrun.data.reading.files import refuse_missing
from dlrun.data.reading.table_columns import ColumnType
from dlrun.data.samples import Array
from dlrun.data.task import refuse_constant
from dlrun.errors import DataError, UsageError
from dlrun.workflows.init.answer import Answer, InitTask, answer_of
from dlrun.workflows.init.folders import filters_of

INPUTS = ("x", "inputs", "input", "features", "data", "images", "image", "arr_0")
TARGETS = ("y", "targets", "target", "labels", "label", "classes", "class", "outputs", "arr_1")
"""Names of arrays, in lower case and without `train`, in the order in which they are taken."""

OF_KERAS = ("imdb", "reuters")
"""Files of Keras that hold sequences of different lengths."""

_OF_ROWS = re.compile(r"(.*_)?(ids?|index|weights?|groups?|times?|names?)", re.IGNORECASE)
"""Arrays that say which row it is, or how much it counts."""

MOST_FILTERED = 4
"""A last axis of at most so many numbers is that of the colours of a picture."""

SMALLEST_PICTURE = 8


@dataclass(frozen=True)
class ArrayInput:
    """An array that the model reads.

    Args:
        name: Its name.
        shape: Of one row.
        bytes: Whether it holds bytes, such as pixels from 0 to 255.
        missing: Whether numbers are missing.
    """

    name: str
    shape: tuple[int, ...]
    bytes: bool
    missing: bool

    @property
    def kind(self) -> str:
        """What a row is: `numbers`, `picture` or `steps` of time."""
        height, width, *channels = (*self.shape, 0, 0)
        picture = min(height, width) >= SMALLEST_PICTURE
        if len(self.shape) == 3 and picture and channels[0] <= MOST_FILTERED:
            return "picture"
        if len(self.shape) == 2:
            return "picture" if self.bytes and picture else "steps"
        return "numbers"

    @property
    def filters(self) -> list[int]:
        """Filters of each convolution."""
        return filters_of(self.shape[:2])


@dataclass(frozen=True)
class ArrayFacts:
    """The arrays of an npz file.

    Args:
        inputs: The arrays that the model reads.
        target: Name of the array to predict.
        task: What kind of answer it is.
        classes: Number of different targets.
        numbered: Whether the targets are numbers from 0, or text, which is numbered unasked.
        one_hot: Whether the targets are rows with a single 1.
        values: Numbers in a row of targets.
        rows: Number of rows.
        test: Whether the file holds test arrays of the same names, with `test` for `train`.
        others: Arrays that are neither.
    """

    inputs: tuple[ArrayInput, ...]
    target: str
    task: InitTask
    classes: int
    numbered: bool
    one_hot: bool
    values: int
    rows: int
    test: bool
    others: tuple[str, ...]


def array_facts(file: Path, task: InitTask | None = None, target: str | None = None) -> ArrayFacts:
    """Read an npz file and find its inputs, its target and its task.

    Raises:
        UsageError: The target's values do not suit the task.
        DataError: The file is missing or broken, or it is not clear what is to be predicted.
    """
    refuse_missing(file)
    arrays = ArrayFiles([file])
    target = target or _named(arrays.names, TARGETS)
    named = _named(arrays.names, INPUTS)
    if target is None or named == target:
        raise DataError(
            f"{file}: which arrays are inputs and targets? There are {', '.join(arrays.names)}; "
            "name the target by --target, and save the input as `x`, or write `dataset: {source: "
            "npz, path: ..., inputs: ..., targets: ...}` yourself"
        )
    y = arrays.read(target)
    try:
        inputs = _beside(arrays, target, len(y)) if named is None else {named: arrays.read(named)}
    except DataError as error:
        if file.stem not in OF_KERAS:
            raise
        advice = f"or read Keras' own data: `dataset: {{source: keras, name: {file.stem}}}`"
        raise DataError(str(error), advice=advice) from error
    for name, x in inputs.items():
        if len(x) != len(y):
            raise DataError(
                f"{file}: array '{target}' has {len(y)} rows, but '{name}' has {len(x)}"
            )
        if x.dtype == object:
            raise DataError(f"{file}: array '{name}' holds text; init reads texts from a table")
    if not inputs:
        raise DataError(f"{file}: no array has as many rows as '{target}', {len(y):,}")
    values = y.reshape(len(y), -1)
    answer = _answer(target, values, task) if values.shape[1] == 1 else _of_vectors(file, target, y)
    if task is not None and answer.task != task:
        raise UsageError(f"--task {task} does not suit the target '{target}' ({answer.task})")
    own = [*inputs, target]
    tests = [name.replace("train", "test") for name in own]
    test = all(name in arrays.names and name not in own for name in tests)
    used = {*own, *(tests if test else ())}
    return ArrayFacts(
        inputs=tuple(
            ArrayInput(
                name=name,
                shape=x.shape[1:],
                bytes=x.dtype == np.uint8,
                missing=x.dtype.kind == "f" and bool(np.isnan(x).any()),
            )
            for name, x in inputs.items()
        ),
        target=target,
        task=answer.task,
        classes=answer.classes,
        numbered=answer.numbered,
        one_hot=answer.task == "multiclass" and values.shape[1] > 1,
        values=values.shape[1],
        rows=len(y),
        test=test,
        others=tuple(name for name in arrays.names if name not in used),
    )


def _beside(arrays: ArrayFiles, target: str, rows: int) -> dict[str, Array]:
    """The other arrays of numbers with as many rows, but for those of test rows.

    Raises:
        DataError: There is none, and one cannot be read.
    """
    tests = {name.replace("train", "test") for name in arrays.names if "train" in name}
    found: dict[str, Array] = {}
    unreadable: list[DataError] = []
    for name in arrays.names:
        if name in {target, *tests} or _OF_ROWS.fullmatch(name):
            continue
        try:
            x = arrays.read(name)
        except DataError as error:
            # Such as a single value, or Python objects, beside the rows.
            unreadable.append(error)
            continue
        if x.dtype.kind in "biuf" and len(x) == rows:
            found[name] = x
    if unreadable and not found:
        raise unreadable[0]
    return found


def _named(names: list[str], likely: tuple[str, ...]) -> str | None:
    plain = {name.lower().replace("_train", "").replace("train_", ""): name for name in names}
    return next((plain[name] for name in likely if name in plain), None)


def _answer(target: str, values: Array, task: InitTask | None) -> Answer:
    """What is predicted, from one value a row."""
    present = values[:, 0]
    refuse_constant(target, present)
    kinds: dict[str, ColumnType] = {"O": "categorical", "b": "boolean"}
    return answer_of(target, kinds.get(present.dtype.kind, "numeric"), present, task)


def _of_vectors(file: Path, target: str, y: Array) -> Answer:
    """What is predicted, from several numbers a row: quantities, labels, or one-hot classes."""
    if y.ndim > 2 or y.dtype == object:
        raise DataError(
            f"{file}: array '{target}' is of shape {y.shape}; init writes configs for one target "
            "a row, or several numbers"
        )
    if set(np.unique(y).tolist()) != {0, 1}:
        return Answer("regression", y.shape[1], numbered=True)
    one_hot = bool((y.sum(axis=1) == 1).all())
    return Answer("multiclass" if one_hot else "multilabel", y.shape[1], numbered=True)
