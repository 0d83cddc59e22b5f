"""The rows that data checks use: evenly spaced ones where there are many."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

import numpy as np

from dlrun.checks.columns import is_series, labels_of, mark_between_labels
from dlrun.checks.duplicates import positions_hashed
from dlrun.checks.views import (
    DataView,
    Known,
    PreparedInput,
    PreparedRows,
    is_own_target,
    known_without_data,
)
from dlrun.config.layer_calls import INPUT
from dlrun.config.load import completed
from dlrun.config.schema import Config, PartialConfig, UnreadableSectionError
from dlrun.data.fitting.target_pipeline import classes_made
from dlrun.data.inputs import parts_of
from dlrun.data.lazy import in_memory, windows_of
from dlrun.data.pipeline import fit_pipeline
from dlrun.data.samples import Array, Dataset, Samples, as_vector, is_of_tokens, kind_of
from dlrun.data.task import are_indices
from dlrun.errors import DataError
from dlrun.protocols.experiment import folds_of
from dlrun.protocols.protocol import Fold

MOST_ROWS = 5_000
"""Checks of columns use at most this many rows of each side."""

MOST_BYTES = 2**25
"""... and at most this many bytes."""

MOST_CLASSES = 20
"""Whole numbers below it, all of which occur, may be classes."""

MOST_INPUTS = 500_000
"""Numbers that are prepared for the model, to see their scales."""


def data_view(config: Config, dataset: Dataset, *, test_labels: bool = False) -> DataView:
    """Return what data checks use. Test rows are sealed and not part of it.

    Args:
        config: The experiment; of a `PartialConfig` the readable sections are used.
        dataset: Its rows.
        test_labels: Whether the labels of a test file are to be compared.

    Raises:
        DataError: The rows cannot be split as the config says.
    """
    whole, dataset = dataset, dataset.of_output(next(iter(dataset.tasks), None))
    whole_config = completed(config) if isinstance(config, PartialConfig) else config
    folds = folds_of(whole_config, dataset)
    train = _evenly(dataset.samples, folds[0].train)
    scored = folds[0].scored
    hashed = positions_hashed(dataset.samples)
    rows = dataset.samples if hashed is None else dataset.samples.take(hashed)
    if is_series(dataset.samples):
        # Windows share rows without being copies of each other.
        hashed, rows = np.empty(0, np.int64), dataset.samples.with_features({}).take(slice(0))
    # Reading whole the features that stay on disk would take long.
    stored_in_memory = {name: c for name, c in dataset.samples.features.items() if in_memory(c)}
    few = _evenly(whole.samples, folds[0].train)
    prepared = _prepared(config, whole, few)
    if prepared.inputs and is_own_target(config):
        values = next(iter(prepared.inputs.values())).values
        few = few.take(_some(few, math.prod(values.shape[1:])))
        train = replace(few, targets={INPUT: as_vector(values)})
    return DataView(
        config=config,
        known=known_from_data(whole_config, dataset, folds[0], train),
        dataset=replace(dataset, samples=dataset.samples.with_features(stored_in_memory)),
        folds_or_default=tuple(folds),
        train=train,
        prepared=prepared,
        held_out=None if scored is None else _evenly(dataset.samples, scored),
        hashed=rows.read(),
        hashed_positions=np.arange(len(dataset.samples)) if hashed is None else hashed,
        test_labels=test_labels,
    )


def known_from_data(config: Config, dataset: Dataset, fold: Fold, train: Samples) -> Known:
    """Return what is known from the rows."""
    name, values = next(iter(dataset.samples.targets.items()))
    task, labels = dataset.task, labels_of(dataset.samples)
    classes = len(dataset.classes.get(name, ())) or None
    different = None
    has_labels = labels is not None and values.dtype != object
    if task == "regression" and has_labels and np.isin(values, (0, 1)).all():
        task = "binary"
    of_tokens = is_of_tokens(values)
    if task in ("binary", "multiclass") and classes is None and not of_tokens:
        found = dataset.labels.get(name)
        if not are_indices(task, values):
            classes = values.shape[-1]
        elif found is None:
            classes = 2
        else:
            classes, different = classes_made(config.target_steps, name, found), len(found)
    bundled = known_without_data(config).words or 0
    words = max([bundled, *(_largest(c) + 1 for c in train.features.values())])
    if is_own_target(config):
        return Known(rows=len(fold.train), words=words or None)
    return Known(
        task=task,
        classes=classes,
        different=different,
        several_in_field=mark_between_labels(config, dataset, name) is not None,
        outputs=len(dataset.samples.output_names) if values.ndim <= 2 else None,
        rows=len(fold.train),
        words=words or None,
        labels_are_indices=are_indices(task, values),
        shares=task == "regression" and values.min() >= 0 and values.max() <= 1,
        by_step=values.ndim > 1 or of_tokens,
        whole_numbers=_whole_numbers(values) if task == "regression" else None,
        steps=of_tokens
        or values.ndim > 2
        or (values.ndim == 2 and values.shape[1] > 1 and are_indices(task, values)),
    )


def _whole_numbers(values: Array) -> int | None:
    """The largest plus 1 of whole numbers from 0, all of which occur, up to `MOST_CLASSES`."""
    one_each = values.ndim != 2 or values.shape[1] == 1
    if values.dtype.kind not in "iuf" or not values.size or not one_each:
        return None
    least, largest = values.min(), values.max()
    if least != 0 or not 1 < largest < MOST_CLASSES:
        return None
    return int(largest) + 1 if len(np.unique(values)) == largest + 1 else None


def _largest(column: Array) -> int:
    """The largest word number of a column of sequences; -1 for another column."""
    if kind_of(column) != "sequences" or is_of_tokens(column):
        return -1
    return max((int(entry.max()) for entry in column if len(entry)), default=-1)


def _evenly(samples: Samples, positions: Array) -> Samples:
    size = sum(
        column.nbytes // max(len(column), 1) if column.dtype != object else 64
        for column in samples.features.values()
    )
    most = min(MOST_ROWS, max(100, MOST_BYTES // max(size, 1)))
    if len(positions) > most:
        positions = positions[np.linspace(0, len(positions) - 1, most).astype(np.int64)]
    return samples.take(positions).read()


def _prepared(config: Config, dataset: Dataset, train: Samples) -> PreparedRows:
    """Some training rows as the model gets them; nothing where the preprocessing refuses them."""
    try:
        read = config.model_fields_set if isinstance(config, PartialConfig) else {"architecture"}
        columns = config.architecture.inputs if "architecture" in read else {}
        pipeline = fit_pipeline(config.preprocess, config.target_steps, dataset, train, columns)
        made = pipeline.feature_pipeline
        width = sum(int(np.prod(shape)) for shape in made.made.values())
        few = train.take(_some(train, width))
        parts = parts_of(pipeline.inputs(few))
    except (DataError, UnreadableSectionError):
        return PreparedRows()
    found = {}
    for name, part in parts.items():
        own = made.input_columns.get(name, made.made)
        names = replace(made, made={column: made.made[column] for column in own}).feature_names
        windows = windows_of(part)
        values = part if windows is None else windows.last_values()
        if isinstance(values, np.ndarray):
            found[name] = PreparedInput(values, tuple(islice(names, 100_000)))
    try:
        targets = None if is_own_target(config) else pipeline.targets(train)
    except DataError:
        targets = None
    return PreparedRows(found, targets)


def _some(rows: Samples, width: int) -> Array:
    """The positions of evenly spaced rows, whose inputs of this width are prepared."""
    most = max(20, MOST_INPUTS // max(width, 1))
    return np.arange(len(rows))[:: max(1, -(-len(rows) // most))]
