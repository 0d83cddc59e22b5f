"""Targets that count in the loss: scales are learnt of these, and of no padding."""

from __future__ import annotations

import numpy as np

from dlrun.config.schema import Config
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Array, Dataset, Samples
from dlrun.protocols.phases import fresh_model
from dlrun.protocols.preparation import pipeline_of, prepare, sample_weights
from dlrun.training.prediction import predict


def pipeline_on_counted(config: Config, dataset: Dataset, train: Samples) -> Pipeline:
    """Fit the config's preprocessing on training rows, and the scale of the targets on those that
    count in the loss: rows of weight 0 do not, nor steps that the model masks.

    Raises:
        ComponentError: An input of the model has no column, or Keras refused a part of it.
        DataError: The rows cannot be prepared as the config says.
    """
    pipeline = pipeline_of(config, dataset, train)
    counted = _counted(config, pipeline, train)
    return pipeline_of(config, dataset, train, counted) if counted else pipeline


def _counted(config: Config, pipeline: Pipeline, train: Samples) -> dict[str | None, Array]:
    """Return which targets count, (n,) or (n, ...), of each output whose scale is learnt where not
    all do."""
    learning = [name for name, p in pipeline.target_pipelines.items() if p.learns_scale]
    if not learning:
        return {}
    counted: dict[str | None, Array] = {}
    weights = sample_weights(config.training.sample_weight, train)
    if weights is not None and (weights == 0).any() and weights.any():
        counted = dict.fromkeys(learning, weights > 0)
    one_a_row = all(p.ndim == 1 for p in train.targets.values()) and not pipeline.reconstructs
    if one_a_row or train.windows is not None:
        return counted
    rows = prepare(config, pipeline, train).arrays
    model = fresh_model(config, pipeline, rows, [], config.seed)
    first = prepare(config, pipeline, train.take(np.arange(1)))
    if not predict(model, first.arrays.inputs).masks:
        return counted
    for name, mask in predict(model, rows.inputs).masks.items():
        if name in learning and not mask.all():
            of_rows = counted.get(name, np.ones(len(mask), bool))
            counted[name] = mask & of_rows.reshape(-1, *[1] * (mask.ndim - 1))
    return counted
