"""The rows that a run predicted worst, kept as they came from the source.

The report shows them, even when the data has moved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlrun.config.outputs import scored_output
from dlrun.config.schema import Config
from dlrun.data.lazy import windows_of
from dlrun.data.samples import Dataset, Samples
from dlrun.data.timestamps import time_text
from dlrun.metrics.cuts import as_probabilities
from dlrun.metrics.predictions import most_wrong
from dlrun.protocols.result import Outcome
from dlrun.store.examples import Examples
from dlrun.workflows.loading import meaning_of_output
from dlrun.workflows.results import out_of_fold

KEPT = 12
"""Rows that are kept."""

LONGEST_TEXT = 2_000
LONGEST_SEQUENCE = 256
LONGEST_SIDE = 128
"""Characters, tokens and pixels a side that are kept of a row; of larger arrays every n-th."""


def worst_examples(config: Config, dataset: Dataset, outcome: Outcome) -> Examples | None:
    """Return the raw features of the validation rows that were predicted worst, worst first.

    None where nothing was held out, or the predictions are not finite.
    """
    scored = out_of_fold(outcome.complete_folds)
    if scored is None:
        return None
    predictions, true, mask = scored["predictions"], scored["targets"], scored.get("mask")
    if not np.isfinite(predictions).all():
        return None
    if dataset.task != "regression":
        output = scored_output(config.evaluation.score, config.outputs)
        predictions = as_probabilities(predictions, meaning_of_output(config, output))
    classed = dataset.task in ("binary", "multiclass")
    if classed and true.max() >= max(predictions.shape[-1], 2):
        return None
    worst = scored["rows"][most_wrong(dataset.task, true, predictions, KEPT, mask)]
    return _examples(dataset.samples.take(np.searchsorted(dataset.samples.rows, worst)).read())


def _examples(samples: Samples) -> Examples:
    columns: dict[str, list[Any]] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, column in samples.features.items():
        if (windows := windows_of(column)) is not None:
            # When each window ends, and the quantities there.
            if (times := windows.last_times()) is not None:
                columns["until"] = [time_text(time) for time in times]
            if (labels := windows.labels()) is not None:
                columns["series"] = labels.tolist()
            last = windows.series.columns(windows.last)
            columns |= {name: values.tolist() for name, values in last.items()}
        elif column.ndim > 1:
            arrays[name] = _smaller(column)
        else:
            columns[name] = [_plain(value) for value in column.tolist()]
    places = samples.places_of(np.arange(len(samples))) or ()
    names = tuple(Path(place).name if samples.places is not None else place for place in places)
    return Examples(tuple(samples.rows.tolist()), columns, arrays, names)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | tuple):
        return list(value[:LONGEST_SEQUENCE])
    return value[:LONGEST_TEXT] if isinstance(value, str) else value


def _smaller(column: np.ndarray) -> np.ndarray:
    """Leave out pixels of large pictures: they are drawn small."""
    steps = [slice(None)] + [
        slice(None, None, -(-side // LONGEST_SIDE)) for side in column.shape[1:]
    ]
    return np.ascontiguousarray(column[tuple(steps)])
