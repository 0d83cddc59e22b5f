"""Rows as a model sees them, by a preprocessing that is fitted on training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlrun.config.graph import given_name
from dlrun.config.layer_calls import POSITIONS
from dlrun.config.schema import Config
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.samples import Dataset, Samples
from dlrun.data.source import Source
from dlrun.data.step import MOST_COLUMNS
from dlrun.errors import ComponentError, DataError, KeyPath
from dlrun.metrics.names import TargetType
from dlrun.registry.names import did_you_mean
from dlrun.scoring.model_scores import Truths, truths_of
from dlrun.stages import stage
from dlrun.text import first_few
from dlrun.training.rows import FitRows, Targets, narrow_integers

Array = np.ndarray


@dataclass(frozen=True)
class Prepared:
    """Rows of one fold, ready for the model.

    Args:
        arrays: What the model sees.
        truths: Their targets, by the name of the output.
        rows: (n,) int64 row numbers, in the source's numbering.
        findings: What the user should know of them, one sentence each.
    """

    arrays: FitRows
    truths: Truths
    rows: Array
    findings: tuple[str, ...]


def pipeline_of(
    config: Config,
    dataset: Dataset,
    train: Samples,
    counted: Mapping[str | None, Array] | None = None,
) -> Pipeline:
    """Fit the config's preprocessing on training rows; `counted` says which targets count in the
    loss, by output, where not all do.

    Raises:
        ComponentError: An input of the model has no column.
        DataError: The rows cannot be prepared as the config says.
    """
    refuse_missing_columns(config, list(train.features))
    return fit_pipeline(
        config.preprocess,
        config.target_steps,
        dataset,
        train,
        config.architecture.inputs,
        reconstructs=Source.of(config).reconstructs,
        counted=counted,
    )


def refuse_missing_columns(config: Config, features: Sequence[str]) -> None:
    """Refuse inputs that name columns which do not exist.

    Raises:
        ComponentError: Names the column, and what may have been meant.
    """
    architecture = config.architecture
    stated = "inputs" in config.document.root.plain()["architecture"]
    for name, columns in architecture.inputs.items():
        for column in columns:
            if column in features:
                continue
            message, known = f"there is no column '{column}' for the input '{name}'", [*features]
            place: KeyPath = ("architecture", "inputs", name)
            if not stated:
                message = f"'{column}' is neither a layer above nor a column"
                takes = [entry.path for entry in architecture.layers if name in entry.inputs]
                place = (*takes[0], "from")
                above = architecture.layers[: int(takes[0][-1])]
                known += [given for entry in above if (given := given_name(entry)) is not None]
                if "." in column:
                    known += [f"{given}{POSITIONS}" for given in known]
            near = did_you_mean(column, known) or "."
            there = first_few(features, MOST_COLUMNS)
            raise ComponentError(f"{message}{near} The columns are: {there}", place)


@stage("data")
def prepare(
    config: Config, pipeline: Pipeline, samples: Samples, rows: str = "training rows"
) -> Prepared:
    """Bring rows into the form that the model sees; `rows` says what part they are."""
    truths = truths_of(pipeline, samples)
    weights = sample_weights(config.training.sample_weight, samples)
    by_name = {name: truth.for_loss for name, truth in truths.items() if name is not None}
    targets: Targets = by_name or truths[None].for_loss
    inputs = narrow_integers(pipeline.inputs(samples))
    arrays = FitRows(inputs=inputs, targets=targets, weights=weights)
    return Prepared(arrays, truths, samples.rows, tuple(pipeline.findings(samples, rows)))


SHOWN = 10
"""Classes that a message lists at most."""


def class_weights(
    given: Literal["balanced"] | Mapping[str | int, float] | None,
    targets: Array,
    task: TargetType,
    names: Sequence[str],
    *,
    indices: bool = False,
    mask: Array | None = None,
) -> dict[int, float] | None:
    """Return the weight of each class index in the loss.

    Args:
        given: `balanced` (n / (classes * rows of the class), scikit-learn's rule; of steps or
            pixels, their numbers), a mapping from class name or index, or None.
        targets: (n, ...) class indices or (n, ..., k) one-hot rows that are trained on.
        task: What is predicted.
        names: Class names in the order of their indices; empty where they have none.
        indices: Whether targets of several axes are class indices.
        mask: (n, ...) which steps count, or None for all.

    Raises:
        DataError: The target has no classes, or a class of the mapping does not exist.
    """
    if given is None:
        return None
    if task not in ("binary", "multiclass"):
        raise DataError(
            f"class_weight needs one target with classes; this task is {task}",
            path=("training", "class_weight"),
        )
    labels = _labels(targets, indices)
    labels = labels.reshape(-1) if mask is None else labels[mask]
    if given == "balanced":
        present, counts = np.unique(labels, return_counts=True)
        return {
            int(label): len(labels) / (len(present) * int(count))
            for label, count in zip(present, counts, strict=True)
        }
    return {_index(name, names, int(labels.max())): float(weight) for name, weight in given.items()}


def weighted_by_class(
    weights: Array | None,
    class_weight: dict[int, float] | None,
    targets: Array,
    *,
    indices: bool = False,
) -> tuple[Array | None, dict[int, float] | None]:
    """Return what Keras' `fit` takes, which is either weights or class weights of rows.

    Where a config gives both, a row counts by the product of the two. Classes of steps or pixels
    give each of these a weight, which Keras takes as weights alone.

    Args:
        weights: (n,) float32 weights of the rows, or None.
        class_weight: Weight of each class index, or None.
        targets: (n, ...) class indices or (n, ..., k) one-hot rows.
        indices: Whether targets of several axes are class indices.
    """
    if class_weight is None:
        return weights, class_weight
    labels = _labels(targets, indices)
    if weights is None and labels.ndim == 1:
        return weights, class_weight
    present, places = np.unique(labels, return_inverse=True)
    values = np.array([class_weight.get(int(label), 1.0) for label in present], np.float32)
    by_class = values[places].reshape(labels.shape)
    if weights is None:
        return by_class, None
    return weights.reshape(-1, *[1] * (labels.ndim - 1)) * by_class, None


def _labels(targets: Array, indices: bool) -> Array:
    """(n, ...) int64 class indices of targets: indices, also with a last axis of 1, or one-hot."""
    if targets.ndim == 1 or (indices and targets.shape[-1] > 1):
        return targets.astype(np.int64)
    return (targets.argmax(axis=-1) if targets.shape[-1] > 1 else targets[..., 0]).astype(np.int64)


def _index(name: str | int, names: Sequence[str], largest: int) -> int:
    if str(name) in names:
        return names.index(str(name))
    # Where the labels themselves are numbers, a number is a label and never an index.
    are_numbers = bool(names) and all(known.lstrip("-").isdigit() for known in names)
    if isinstance(name, int) and not are_numbers and 0 <= name <= max(largest, len(names) - 1):
        return name
    known = names or [str(index) for index in range(largest + 1)]
    some = ", ".join(known[:SHOWN]) + (", ..." if len(known) > SHOWN else "")
    raise DataError(
        f"class_weight names the class '{name}', which the target does not have"
        f"{did_you_mean(str(name), known) or f'; its classes are {some}'}"
    )


def sample_weights(column: str | None, samples: Samples) -> Array | None:
    """Return the weight of each row in the loss, (n,) float32; None where rows have none.

    Test files may do without the column of the weights.

    Raises:
        DataError: The column holds no numbers, or a weight is negative, missing or infinite;
            names the row.
    """
    if column is None or column not in samples.extras:
        return None
    values = samples.extras[column]
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"sample_weight column '{column}' holds '{values[0]}' in {samples.where(0)}; "
            "weights must be numbers"
        )
    weights = np.asarray(values, np.float32)
    bad = np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))
    if bad.size:
        raise DataError(
            f"sample_weight column '{column}' holds {weights[bad[0]]} in "
            f"{samples.where(int(bad[0]))}; weights must be finite, and 0 or more"
        )
    return weights
