"""From the columns of a source to rows whose targets have the form that their task needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Required, TypedDict

import numpy as np

from dlrun.config.layer_calls import INPUT
from dlrun.data.lazy import in_memory
from dlrun.data.reading.series import previous_targets
from dlrun.data.samples import Array, Columns, Samples, as_vector
from dlrun.data.source import Loaded, Part, Source
from dlrun.data.step import rows_numbered
from dlrun.data.task import Asked, InferredTask, infer_task, infer_tasks, with_labels
from dlrun.data.timestamps import TimeColumns, TimeOption, refuse_missing_extra
from dlrun.errors import DataError
from dlrun.metrics.names import TargetType


class ReadOptions(TypedDict, total=False):
    """How rows are read; the same options give the same rows."""

    regression: Required[bool]
    """Whether the loss is one for quantities, so that whole numbers are not labels."""

    labels: Literal["indices", "flags"] | None
    """What the loss takes targets with further axes for; see `Asked`."""

    outputs: Mapping[str, Asked] | None
    """The same for each output by its name, where the model has several; rows are split by the
    first."""

    extra: Sequence[str]
    """Further columns that are not features, such as row weights."""

    groups: str | None
    """Column of the groups; not a feature."""

    time: TimeOption
    """Column of the times, or several; not a feature. Dates become datetime64."""

    in_time_order: bool
    """Whether the rows are in time order, also without `time`."""


@dataclass(frozen=True)
class Rows:
    """The rows of one part.

    Args:
        loaded: What the source gave.
        samples: The rows, their targets in the form that the task needs.
        task: What the first output predicts.
        classes: Class names by target.
        tasks: What each of several outputs predicts; of one, none.
        flags: Targets made of labels of which a row may have any number.
    """

    loaded: Loaded
    samples: Samples
    task: TargetType
    classes: dict[str, tuple[str, ...]]
    tasks: dict[str, TargetType] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()

    def without_unknown_labels(self, samples: Samples, kept: Samples) -> Samples:
        """Some rows, without the labels that none of the rows that are `kept` has."""
        unknown = {name for name in self.flags if not kept.targets[name].any()}
        targets = {n: column for n, column in samples.targets.items() if n not in unknown}
        return replace(samples, targets=targets)


def read_rows(
    source: Source, part: Part, base: Path, options: ReadOptions, read: Loaded | None = None
) -> Rows:
    """Read one part of the data, unless it was `read` before, and infer what is predicted.

    Raises:
        DataError: There are no rows, or they are broken.
    """
    loaded, time = _loaded(source, part, base, options, read), TimeColumns.of(options.get("time"))
    n = len(next(iter(loaded.features.values())))
    if n == 0:
        raise DataError(f"the source has no {'test ' if part == 'test' else ''}rows")
    extras = dict(loaded.extras)
    samples = Samples(
        features=loaded.features,
        targets={},
        extras=extras,
        rows=np.arange(n, dtype=np.int64) if loaded.rows is None else loaded.rows,
        places=loaded.places,
    )
    with rows_numbered(samples):
        if (groups := options.get("groups")) in extras:
            refuse_missing_extra(groups, extras[groups])
        if time is not None and all(name in extras for name in time.columns):
            extras[time.name] = time.read(extras)
        questions, flags = _questions(loaded, options)
    targets: Columns = {}
    foreseen: Columns = {}
    classes: dict[str, tuple[str, ...]] = {}
    for inferred in questions.values():
        targets |= inferred.targets
        classes |= inferred.classes
        if inferred.task == "regression" or _is_one_class(inferred, questions):
            foreseen |= inferred.targets
    samples = replace(samples, targets=targets)
    if foreseen:
        forecasts = _naive_forecasts(loaded, samples, options, foreseen)
        samples = replace(samples, naive_forecasts=forecasts)
    tasks = {name: inferred.task for name, inferred in questions.items()}
    first = next(iter(tasks.values()))
    return Rows(loaded, samples, first, classes, tasks if options.get("outputs") else {}, flags)


def _is_one_class(inferred: InferredTask, questions: Mapping[str, InferredTask]) -> bool:
    """Whether all that is predicted is one class a row."""
    several = len(questions) > 1 or len(inferred.targets) > 1
    one = all(column.ndim == 1 for column in inferred.targets.values())
    return inferred.task in ("binary", "multiclass") and one and not several


def _loaded(
    source: Source, part: Part, base: Path, options: ReadOptions, read: Loaded | None
) -> Loaded:
    """What the source gives; where its targets are its inputs, numbers stand in for them."""
    time, groups = TimeColumns.of(options.get("time")), options.get("groups")
    wanted = [*options.get("extra", ()), *(() if groups is None else (groups,))]
    wanted += () if time is None else time.columns
    loaded = source.load(part, base, list(dict.fromkeys(wanted))) if read is None else read
    if not source.reconstructs:
        return loaded
    return replace(
        loaded,
        targets={INPUT: _unprepared(loaded.features)},
        classes={},
        regression=True,
        naive_forecasts={},
    )


def _questions(
    loaded: Loaded, options: ReadOptions
) -> tuple[dict[str, InferredTask], frozenset[str]]:
    """What each output predicts, by its name, and the targets that are made of labels."""
    outputs, regression = options.get("outputs") or {}, loaded.regression
    asked = Asked(
        options["regression"] if regression is None else regression, options.get("labels")
    )
    sequences = {n: outputs.get(n, asked).labels == "indices" for n in loaded.targets}
    given, flags = with_labels(loaded.targets, loaded.labels, sequences, named=bool(outputs))
    if outputs:
        return infer_tasks(given, loaded.classes, outputs), flags
    return {"": infer_task(given, loaded.classes, asked)}, flags


def _unprepared(features: Columns) -> Array:
    """Numbers in place of the target that is the model's input, which only the preprocessing
    makes: the features where they are numbers in memory, else the numbers of the rows."""
    columns = list(features.values())
    if not all(in_memory(column) and column.dtype.kind in "biuf" for column in columns):
        return np.arange(len(columns[0]), dtype=np.float64)
    if len(columns) == 1:
        return as_vector(columns[0])
    parts = [column.reshape(len(column), -1) for column in columns]
    return np.nan_to_num(np.concatenate(parts, axis=1))


def _naive_forecasts(
    loaded: Loaded, samples: Samples, options: ReadOptions, foreseen: Columns
) -> Columns:
    """The naive forecasts of quantities, or of one class a row, if the rows are in time order; else
    none."""
    of, given = loaded.targets, loaded.naive_forecasts
    if not given and samples.windows is None:
        time = TimeColumns.of(options.get("time"))
        times = None if time is None else samples.extras.get(time.name)
        in_order = options.get("in_time_order") or times is not None
        of, given = foreseen, previous_targets(foreseen, times) if in_order else {}
    naive_forecasts: Columns = {}
    for rule, columns in given.items():
        known = replace(samples, targets=of).by_target(columns)
        unknown = {
            name: np.full((len(target), math.prod(target.shape[1:])), np.nan)
            for name, target in samples.targets.items()
        }
        parts = [known.get(name, nothing) for name, nothing in unknown.items()]
        naive_forecasts[rule] = np.concatenate(parts, axis=1)
    return naive_forecasts
