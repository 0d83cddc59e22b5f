"""From a source to the rows that may be used, with the test rows sealed away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import numpy as np

from dlrun.data.label_findings import label_findings
from dlrun.data.reading.files import Paths, refuse_shared
from dlrun.data.row_info import RowInfo
from dlrun.data.rows import ReadOptions, Rows, read_rows
from dlrun.data.samples import Array, Columns, Dataset, Places, Samples
from dlrun.data.source import Limit, Loaded, Source
from dlrun.data.splits import errors_at, holdout_split
from dlrun.data.stored import concatenated
from dlrun.data.task import Classes, refuse_constant, text_classes, unnamed_labels
from dlrun.data.timestamps import TimeColumns
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean


def load_dataset(
    source: Source,
    base: Path,
    seed: int,
    *,
    validation: Paths | None = None,
    read: Loaded | None = None,
    any_labels: bool = False,
    **options: Unpack[ReadOptions],
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
        validation: File, files or glob of separate validation rows, in the layout of the
            source; they come after the source's rows, marked in `Dataset.validation`.
        read: What the source gave before, where it was read to check it.
        any_labels: Whether the preprocessing numbers the classes, so that any labels will do.
        options: How the rows are read.

    Raises:
        DataError: The data is missing, broken or cannot be split like that.
    """
    rows = read_rows(source, "train", base, options, read)
    samples, tested = _apart_from_test(source, rows, options, seed)
    findings = label_findings(rows.task, samples, tested, rows.classes, any_labels=any_labels)
    marks = None
    if validation is not None:
        validating = read_rows(source.with_test_files(validation), "test", base, options).samples
        _refuse_sealed(source, validation, base)
        samples, marks = _with_validation(samples, validating, int(rows.samples.rows[-1]) + 1)
    # Before the limit: a trial on few rows has as many outputs as the real run.
    classes = rows.classes | _joined_classes(text_classes(samples.targets), rows.classes)
    _refuse_unknown_places(source, list(samples.targets))
    for name, values in samples.targets.items():
        refuse_constant(name, values)
    unnamed = _unnamed_labels(rows, samples, tested, classes)
    samples, marks = _limited(source.limit, samples, marks, seed)
    return Dataset(
        samples=samples,
        task=rows.task,
        classes=classes,
        has_test=source.brings_test or tested is not None,
        test_rows=None if tested is None else tested.rows,
        description=rows.loaded.description,
        findings=(*rows.loaded.findings, *findings),
        validation=marks,
        labels=unnamed,
        tasks=rows.tasks,
        undeclared_series=rows.loaded.undeclared_series,
    )


def _apart_from_test(
    source: Source, rows: Rows, options: ReadOptions, seed: int
) -> tuple[Samples, Samples | None]:
    """The rows that may be used before the test, and, without their features, the test rows that
    are taken from the same source; None where there are none."""
    split = _split_test(source, rows, options, seed)
    if split is None:
        return rows.samples, None
    kept, test = split
    samples = rows.samples.take(kept)
    tested = rows.samples.with_features({}).take(test)
    return rows.without_unknown_labels(samples, samples), tested


def _unnamed_labels(
    rows: Rows, samples: Samples, tested: Samples | None, classes: Classes
) -> dict[str, Array]:
    """The labels of each target whose classes have no names, those of the test rows among them."""
    unnamed: dict[str, Array] = {}
    for name, values in samples.targets.items():
        unnamed |= unnamed_labels(rows.tasks.get(name, rows.task), {name: values}, classes)
        if name in unnamed and tested is not None:
            unnamed[name] = np.union1d(unnamed[name], tested.targets[name])
    return unnamed


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


def load_test(source: Source, base: Path, seed: int, **options: Unpack[ReadOptions]) -> Samples:
    """Read the sealed test rows; only `evaluate` may.

    The arguments are those of `load_dataset`, and must be the same for the same rows.
    `Samples.rows` counts in the source's test data, or in the source where the test rows were
    taken from it.

    Raises:
        DataError: There are no test rows, or they are broken.
    """
    if source.brings_test:
        return read_rows(source, "test", base, options).samples
    rows = read_rows(source, "train", base, options)
    split = _split_test(source, rows, options, seed)
    if split is None:
        raise DataError(
            "there is no test data: say `test: {fraction: 0.2}` or `test: {path: ...}` under "
            "`dataset`, and train again"
        )
    kept, test = (rows.samples.take(positions) for positions in split)
    return rows.without_unknown_labels(test, kept)


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
    source: Source, rows: Rows, options: ReadOptions, seed: int
) -> tuple[Array, Array] | None:
    """Return positions to keep and positions of the test rows, if the source has none."""
    if source.test is None or source.test.fraction is None:
        return None
    time = TimeColumns.of(options.get("time"))
    row_info = RowInfo.of(
        rows.samples,
        rows.task,
        seed,
        groups=options.get("groups"),
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
