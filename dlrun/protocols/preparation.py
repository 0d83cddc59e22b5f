"""Rows as a model sees them, by a preprocessing that is fitted on training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlrun.config.graph import given_name
from dlrun.config.schema import Config
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.samples import Dataset, Samples
from dlrun.data.step import listed
from dlrun.errors import ComponentError, KeyPath
from dlrun.protocols.scoring import Truths, truths_of
from dlrun.protocols.weights import sample_weights
from dlrun.registry.names import did_you_mean
from dlrun.stages import stage
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


def pipeline_of(config: Config, dataset: Dataset, train: Samples) -> Pipeline:
    """Fit the config's preprocessing on training rows.

    Raises:
        ComponentError: An input of the model has no column.
        DataError: The rows cannot be prepared as the config says.
    """
    refuse_missing_columns(config, list(train.features))
    inputs = config.architecture.inputs
    return fit_pipeline(config.preprocess, config.target_steps, dataset, train, inputs)


def refuse_missing_columns(config: Config, features: Sequence[str]) -> None:
    """Refuse inputs that name columns which are not there.

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
            near = did_you_mean(column, known) or "."
            raise ComponentError(f"{message}{near} The columns are: {listed(features)}", place)


@stage("data")
def prepare(config: Config, pipeline: Pipeline, samples: Samples) -> Prepared:
    """Bring rows into the form that the model sees, whatever part they come from."""
    truths = truths_of(pipeline, samples)
    weights = sample_weights(config.training.sample_weight, samples)
    by_name = {name: truth.for_loss for name, truth in truths.items() if name is not None}
    targets: Targets = by_name or truths[None].for_loss
    inputs = narrow_integers(pipeline.inputs(samples))
    arrays = FitRows(inputs=inputs, targets=targets, weights=weights)
    return Prepared(arrays, truths, samples.rows, tuple(pipeline.findings(samples)))
