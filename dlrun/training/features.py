"""Training the head of a model on what its frozen base gives for each row, computed once.

Legend: n rows of the data set, ... the shape of one row's features.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlrun.data.inputs import StreamedInputs
from dlrun.data.samples import Samples
from dlrun.data.stored import as_column
from dlrun.errors import RunError
from dlrun.models.cutting import Cut, cut_of, model_hash
from dlrun.stages import stage
from dlrun.store.environment import package_versions
from dlrun.store.features import FeatureStore, StoredFeatures
from dlrun.text import figure
from dlrun.training.backend import device_facts
from dlrun.training.engine import FitRequest
from dlrun.training.interrupt import end_if_signalled
from dlrun.training.rows import FitRows

Array = np.ndarray

BATCH_SIZE = 32
"""Rows that a base is run on at once: those of VGG16 take 150 MB."""

MOST_BYTES_IN_MEMORY = 2**30
"""Larger features stay on disk and are read a batch at a time."""

COLUMN = "features"


@dataclass(frozen=True)
class FeatureRows:
    """The rows that features are computed of, and which of them a fit uses.

    Args:
        key: Tells these rows, prepared so, from all others.
        count: n, all rows before the test.
        inputs: Returns the rows from a position to before another as the model sees them.
        train: (k,) positions of the rows to learn from.
        validation: (v,) positions of the rows that are measured after every epoch, or None.
    """

    key: Callable[[], str]
    count: int
    inputs: Callable[[int, int], Any]
    train: Array
    validation: Array | None


class Features:
    """Computes features once and finds them again, in this run and in later ones.

    Args:
        store: Where they are kept.
        report: Shows the user a sentence.
    """

    def __init__(self, store: FeatureStore, report: Callable[[str], None]) -> None:
        self._store = store
        self._report = report
        self._reported: set[str] = set()
        self._latest: tuple[str, StoredFeatures] | None = None

    def head_fit(self, request: FitRequest, rows: FeatureRows) -> tuple[FitRequest, Cut] | None:
        """Return the fit of a model's head on features, and the parts of the model.

        None if the model has no frozen base, or its features are too large to be kept. The head is
        not compiled.
        """
        cut = cut_of(request.model)
        if cut is None or not self._store.fits((rows.count, *cut.shape)):
            return None
        try:
            kept = self._stored(cut, rows)
        except RunError as error:
            self._report_once(f"the features of '{cut.name}' are not kept: {error}")
            return None
        made = replace(request, model=cut.head, train=_with(request.train, kept, rows.train))
        if request.validation is not None and rows.validation is not None:
            validation = _with(request.validation, kept, rows.validation)
            made = replace(made, validation=validation)
        return made, cut

    @stage("features")
    def _stored(self, cut: Cut, rows: FeatureRows) -> StoredFeatures:
        shape = (rows.count, *cut.shape)
        # The last digits also depend on the device and on the versions of the libraries.
        made_with = json.dumps([device_facts(), package_versions()], sort_keys=True)
        key = _joined(made_with, model_hash(cut.base), rows.key())
        if self._latest is not None and self._latest[0] == key:
            return self._latest[1]
        kept = self._store.find(key, shape)
        what = f"features of the frozen layers up to '{cut.name}' for {rows.count} rows"
        if kept is None:
            kept = self._store.write(key, shape, lambda into: _compute(cut.base, rows, into))
            self._report_once(
                f"{what} ({figure(shape_size(cut.shape))} numbers each) are computed once"
            )
        else:
            self._report_once(f"{what} come from an earlier run")
        self._latest = key, kept
        return kept

    def _report_once(self, text: str) -> None:
        if text not in self._reported:
            self._reported.add(text)
            self._report(text)


def shape_size(shape: tuple[int, ...]) -> int:
    """Return how many numbers an array of a shape holds."""
    return int(np.prod(shape, dtype=np.int64))


def rows_key(fingerprint: str, state: object, arrays: Mapping[str, Array]) -> str:
    """Return a hash of data and of the preprocessing that was fitted to it.

    Args:
        fingerprint: Of the rows.
        state: What the steps learnt, as plain data.
        arrays: What the steps learnt as arrays, by name.
    """
    parts = [fingerprint, json.dumps(state, sort_keys=True, default=str)]
    for name, array in sorted(arrays.items()):
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        parts.append(f"{name}{array.dtype}{array.shape}{digest}")
    return _joined(*parts)


def _compute(base: Any, rows: FeatureRows, into: Array) -> None:
    for start in range(0, rows.count, BATCH_SIZE):
        end_if_signalled()
        stop = min(start + BATCH_SIZE, rows.count)
        into[start:stop] = np.asarray(base.predict_on_batch(rows.inputs(start, stop)), np.float32)


def _with(rows: FitRows, kept: StoredFeatures, positions: Array) -> FitRows:
    """The same rows with their features as inputs."""
    column = as_column(kept)
    if 4 * len(positions) * shape_size(kept.shape[1:]) <= MOST_BYTES_IN_MEMORY:
        return replace(rows, inputs=column[positions])
    samples = Samples({COLUMN: column}, {}, np.arange(len(column)))
    inputs = StreamedInputs(
        samples, lambda part: part.features[COLUMN], tuple(kept.shape[1:]), kept.dtype
    )
    return replace(rows, inputs=inputs.take(positions))


def _joined(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
