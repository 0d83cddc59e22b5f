"""From a source to the rows that may be used, with the test rows sealed away."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from dlrun.config.layer_calls import INPUT
from dlrun.data.label_findings import label_findings
from dlrun.data.lazy import in_memory
from dlrun.data.reading.files import Paths, refuse_shared
from dlrun.data.reading.series import previous_targets
from dlrun.data.row_info import RowInfo
from dlrun.data.samples import Array, Columns, Dataset, Places, Samples, as_vector
from dlrun.data.source import Limit, Loaded, Part, Source
from dlrun.data.splits import errors_at, holdout_split
from dlrun.data.step import rows_numbered
from dlrun.data.stored import concatenated
from dlrun.data.task import (
    Asked,
    Classes,
    infer_task,
    infer_tasks,
    refuse_constant,
    text_classes,
    unnamed_labels,
    with_labels,
)
from dlrun.data.timestamps import TimeColumns, TimeOption, refuse_missing_extra
from dlrun.errors import DataError
from dlrun.metrics.names import TargetType
from dlrun.registry.names import did_you_mean


@dataclass(frozen=True)
class _ReadOptions:
    """How the rows are to be read: the arguments of `load_dataset` that `load_test` shares."""

    extra: tuple[str, ...]
    groups: str | None
    time: TimeColumns | None
    asked: Asked
    outputs: Mapping[str, Asked]
    in_time_order: bool = False


@dataclass(frozen=True)
class _Rows:
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


def load_dataset(
    source: Source,
    base: Path,
    seed: int,
    *,
    extra: Sequence[str] = (),
    groups: str | None = None,
    time: TimeOption = None,
    regression: bool,
    labels: Literal["indices", "flags"] | None = None,
    outputs: Mapping[str, Asked] | None = None,
    validation: Paths | None = None,
    any_labels: bool = False,
    in_time_order: bool = False,
) -> Dataset:
    """Read every row that may be used before the test.

    With `test.fraction`, test rows are taken from all rows of the source by the seed alone,
    before `limit` is applied: they are the same for every protocol and every limit. They are
    split off as validation rows are: by class where every class has enough rows, and where there
    are `groups` or `time`, whole groups or the last stretch; with `test.shuffle: false` they
    are the last rows.

    Args:
        source: Where the data comes from.
        base: Folder of the config.
        seed: Seed of the test rows, and of a random `limit`.
        extra: Further columns that are not features, such as row weights.
        groups: Column of the groups; not a feature.
        time: Column of the times, or several; not a feature. Dates become datetime64.
        regression: Whether the loss is one for quantities, so that whole numbers are not labels.
        labels: What the loss takes targets with further axes for; see `Asked`.
        outputs: The same for each output by its name, where the model has several; rows are split
            by the first.
        validation: File, files or glob of separate validation rows, in the layout of the
            source; they come after the source's rows, marked in `Dataset.validation`.
        any_labels: Whether the preprocessing numbers the classes, so that any labels will do.
        in_time_order: Whether the rows are in time order, also without `time`.

    Raises:
        DataError: The data is missing, broken or cannot be split like that.
    """
    asked, times = Asked(regression, labels), TimeColumns.of(time)
    options = _ReadOptions(tuple(extra), groups, times, asked, outputs or {}, in_time_order)
    rows = _read(source, "train", base, options)
    samples, test_rows, findings = rows.samples, None, list(rows.loaded.findings)
    tested: Samples | None = None
    split = _split_test(source, rows, options, seed)
    if split is not None:
        kept, test = split
        samples, tested = samples.take(kept), samples.with_features({}).take(test)
        test_rows = tested.rows
        samples = rows.without_unknown_labels(samples, samples)
    findings += label_findings(rows.task, samples, tested, rows.classes, any_labels=any_labels)
    marks = None
    if validation is not None:
        validating = _read(source.with_test_files(validation), "test", base, options).samples
        _refuse_sealed(source, validation, base)
        samples, marks = _with_validation(samples, validating, int(rows.samples.rows[-1]) + 1)
    # Before the limit: a trial on few rows has as many outputs as the real run.
    classes = rows.classes | _joined_classes(text_classes(samples.targets), rows.classes)
    _refuse_unknown_places(source, list(samples.targets))
    unnamed: dict[str, Array] = {}
    for name, values in samples.targets.items():
        task = rows.tasks.get(name, rows.task)
        unnamed |= unnamed_labels(task, {name: values}, classes)
        if name in unnamed and tested is not None:
            unnamed[name] = np.union1d(unnamed[name], tested.targets[name])
        refuse_constant(name, values)
    samples, marks = _limited(source.limit, samples, marks, seed)
    return Dataset(
        samples=samples,
        task=rows.task,
        classes=classes,
        has_test=source.brings_test or test_rows is not None,
        test_rows=test_rows,
        description=rows.loaded.description,
        findings=tuple(findings),
        validation=marks,
        labels=unnamed,
        tasks=rows.tasks,
        undeclared_series=rows.loaded.undeclared_series,
    )


def _with_validation(samples: Samples, validating: Samples, offset: int) -> tuple[Samples, Array]:
    """Rows with separate validation rows behind them, whose numbers begin at `offset`, and which
    ones these are.

    Raises:
        DataError: They lack a column that training needs.
    """
    if absent := [name for name in samples.extras if name not in validating.extras]:
        raise DataError(f"the validation rows have no column '{absent[0]}'; training needs it")
    joined = _joined(samples, validating, offset=offset)
    return joined, np.arange(len(joined)) >= len(samples)


def _refuse_unknown_places(source: Source, targets: Sequence[str]) -> None:
    """Refuse `places` of something that is not a target."""
    if source.places is None or isinstance(source.places, str):
        return
    for name in source.places:
        # One output of several targets goes by all their names.
        if name not in (*targets, ", ".join(targets)):
            raise DataError(
                f"`places` names '{name}', which is not a target"
                f"{did_you_mean(name, targets) or '.'} The targets are: {', '.join(targets)}",
                path=("dataset", "places", name),
            )


def check_validation(
    source: Source, base: Path, validation: Paths, extra: Sequence[str] = ()
) -> None:
    """Check the files of validation rows.

    Raises:
        DataError: As `load_dataset`.
    """
    source.with_test_files(validation).check_test(base, extra)
    _refuse_sealed(source, validation, base)


def load_test(
    source: Source,
    base: Path,
    seed: int,
    *,
    extra: Sequence[str] = (),
    groups: str | None = None,
    time: TimeOption = None,
    regression: bool,
    labels: Literal["indices", "flags"] | None = None,
    outputs: Mapping[str, Asked] | None = None,
    in_time_order: bool = False,
) -> Samples:
    """Read the sealed test rows; only `evaluate` may.

    The arguments are those of `load_dataset`, and must be the same for the same rows.
    `Samples.rows` counts in the source's test data, or in the source where the test rows were
    taken from it.

    Raises:
        DataError: There are no test rows, or they are broken.
    """
    asked, times = Asked(regression, labels), TimeColumns.of(time)
    options = _ReadOptions(tuple(extra), groups, times, asked, outputs or {}, in_time_order)
    if source.brings_test:
        return _read(source, "test", base, options).samples
    rows = _read(source, "train", base, options)
    split = _split_test(source, rows, options, seed)
    if split is None:
        raise DataError(
            "there is no test data: say `test: {fraction: 0.2}` or `test: {path: ...}` under "
            "`dataset`, and train again"
        )
    kept, test = (rows.samples.take(positions) for positions in split)
    return rows.without_unknown_labels(test, kept)


def _read(source: Source, part: Part, base: Path, options: _ReadOptions) -> _Rows:
    groups = () if options.groups is None else (options.groups,)
    times = () if options.time is None else options.time.columns
    wanted = [*options.extra, *groups, *times]
    loaded = source.load(part, base, list(dict.fromkeys(wanted)))
    if source.reconstructs:
        loaded = replace(
            loaded,
            targets={INPUT: _unprepared(loaded.features)},
            classes={},
            regression=True,
            naive_forecasts={},
        )
    n = len(next(iter(loaded.features.values())))
    if n == 0:
        raise DataError(f"the source has no {'test ' if part == 'test' else ''}rows")
    asked = options.asked
    if loaded.regression is not None:
        asked = replace(asked, regression=loaded.regression)
    extras = dict(loaded.extras)
    samples = Samples(
        features=loaded.features,
        targets={},
        extras=extras,
        rows=np.arange(n, dtype=np.int64) if loaded.rows is None else loaded.rows,
        places=loaded.places,
    )
    with rows_numbered(samples):
        if options.groups in extras:
            refuse_missing_extra(options.groups, extras[options.groups])
        if options.time is not None and all(name in extras for name in times):
            extras[options.time.name] = options.time.read(extras)
    sequences = {n: options.outputs.get(n, asked).labels == "indices" for n in loaded.targets}
    with rows_numbered(samples):
        given, flags = with_labels(
            loaded.targets, loaded.labels, sequences, named=bool(options.outputs)
        )
        if options.outputs:
            questions = infer_tasks(given, loaded.classes, options.outputs)
        else:
            questions = {"": infer_task(given, loaded.classes, asked)}
    targets: Columns = {}
    quantities: Columns = {}
    classes: dict[str, tuple[str, ...]] = {}
    for inferred in questions.values():
        targets |= inferred.targets
        classes |= inferred.classes
        if inferred.task == "regression":
            quantities |= inferred.targets
    samples = replace(samples, targets=targets)
    if quantities:
        forecasts = _naive_forecasts(loaded, samples, options, quantities)
        samples = replace(samples, naive_forecasts=forecasts)
    tasks = {name: inferred.task for name, inferred in questions.items()}
    first = next(iter(tasks.values()))
    return _Rows(loaded, samples, first, classes, tasks if options.outputs else {}, flags)


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
    loaded: Loaded, samples: Samples, options: _ReadOptions, quantities: Columns
) -> Columns:
    """The naive forecasts of the quantities, if the rows are in time order; else none."""
    of, given = loaded.targets, loaded.naive_forecasts
    if not given and samples.windows is None:
        times = None if options.time is None else samples.extras.get(options.time.name)
        in_order = options.in_time_order or times is not None
        of, given = quantities, previous_targets(quantities, times) if in_order else {}
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


def _refuse_sealed(source: Source, validation: Paths, base: Path) -> None:
    """Raise an error where a file of validation rows is a test file too."""
    if source.test is not None and source.test.path is not None:
        refuse_shared(
            source.files_at(source.test.path, base),
            source.files_at(validation, base),
            named="`test.path`",
            why="test rows must not choose the model that they score",
        )


def _split_test(
    source: Source, rows: _Rows, options: _ReadOptions, seed: int
) -> tuple[Array, Array] | None:
    """Return positions to keep and positions of the test rows, if the source has none."""
    if source.test is None or source.test.fraction is None:
        return None
    time = options.time
    row_info = RowInfo.of(
        rows.samples,
        rows.task,
        seed,
        groups=options.groups,
        time=None if time is None else time.name,
    )
    with errors_at(("dataset", "test"), "test rows"):
        return holdout_split(row_info, fraction=source.test.fraction, shuffle=source.test.shuffle)


def _limited(
    limit: int | Limit | None, samples: Samples, marks: Array | None, seed: int
) -> tuple[Samples, Array | None]:
    """The rows that a limit keeps, all those of a validation file among them, and which are these.

    Raises:
        DataError: A target is the same in all of them.
    """
    own = len(samples) if marks is None else int((~marks).sum())
    limit = Limit(first=limit) if isinstance(limit, int) else limit
    if limit is None:
        return samples, marks
    if limit.random is None:
        kept = np.arange(min(limit.first or own, own))
    else:
        drawn = np.random.default_rng(seed).choice(own, size=min(limit.random, own), replace=False)
        kept = np.sort(drawn)
    if len(kept) == own:
        return samples, marks
    positions = np.concatenate([kept, np.arange(own, len(samples))])
    samples = samples.take(positions)
    for name, values in samples.targets.items():
        refuse_constant(name, values, f"let `limit` keep more, or `random: {len(positions)}`")
    return samples, None if marks is None else marks[positions]


def _joined(first: Samples, second: Samples, offset: int) -> Samples:
    def join(left: Columns, right: Columns) -> Columns:
        return {name: concatenated(left[name], right[name]) for name in left}

    return replace(
        first,
        features=join(first.features, second.features),
        targets=join(first.targets, second.targets),
        extras=join(first.extras, second.extras),
        naive_forecasts={
            name: np.concatenate([first.naive_forecasts[name], second.naive_forecasts[name]])
            for name in first.naive_forecasts
            if name in second.naive_forecasts
        },
        rows=np.concatenate([first.rows, offset + second.rows]),
        places=_joined_places(first.places, second.places, offset),
    )


def _joined_places(first: Places | None, second: Places | None, offset: int) -> Places | None:
    """Where rows are of two sources, of which the numbers of the second begin at `offset`."""
    if first is None or second is None:
        return None

    def places(rows: Sequence[int]) -> list[str]:
        before = iter(first([row for row in rows if row < offset]))
        behind = iter(second([row - offset for row in rows if row >= offset]))
        return [next(before if row < offset else behind) for row in rows]

    return places


def _joined_classes(own: Classes, given: Classes) -> dict[str, tuple[str, ...]]:
    """The classes of text, with those that only test rows have: how many there are is part of the
    question."""
    return {name: tuple(sorted({*found, *given.get(name, ())})) for name, found in own.items()}
