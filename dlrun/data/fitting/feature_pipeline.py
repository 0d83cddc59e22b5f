"""All preprocessing steps on features, fitted, and what the model gets out of them.

Legend: n rows, f features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dlrun.data.fitting.chunks import map_rows
from dlrun.data.fitting.step_columns import HOLDS, first_row, listed, to_float
from dlrun.data.samples import Array, Columns, Kind, Samples, kind_of
from dlrun.data.step import RowError, State, Step
from dlrun.errors import DataError
from dlrun.registry.suggest import did_you_mean

Shape = tuple[int, ...]

_JOINED = ""
_CHECKED_AT_ONCE = 2**22


@dataclass(frozen=True)
class FittedStep:
    """A step and what it learnt."""

    step: Step
    state: State


@dataclass(frozen=True)
class FeaturePipeline:
    """Steps on features, fitted on training rows.

    Args:
        steps: In order.
        expected_columns: The columns that rows must have: kind, and shape of one entry.
        made: The columns that the steps make of them: shape of one entry.
    """

    steps: tuple[FittedStep, ...]
    expected_columns: Mapping[str, tuple[Kind, Shape]]
    made: Mapping[str, Shape]

    def inputs(self, samples: Samples) -> Array:
        """Return what the model gets; see `Pipeline.inputs`."""
        columns = map_rows_of(samples, self._columns(samples), self._ready)
        (joined,) = columns.values()
        self._refuse_gaps(joined, samples)
        return joined

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each feature of (n, f) inputs; else the name of the one column."""
        names: list[str] = []
        for name, shape in self.made.items():
            if len(shape) != 1:
                names.append(name)
                continue
            entries: list[str] = []
            for fitted in self.steps:
                entries = fitted.step.entry_names(name, fitted.state) or entries
            fits = len(entries) == shape[0]
            names += entries if fits else [f"{name}[{index}]" for index in range(shape[0])]
        return tuple(names)

    def findings(self, samples: Samples) -> list[str]:
        """What the steps have to say about these rows."""
        found: list[str] = []
        for index, fitted in enumerate(self.steps):
            if type(fitted.step).findings is not Step.findings:
                columns = transformed(self.steps[:index], samples, self._columns(samples))
                found += fitted.step.findings(columns, fitted.state)
        return found

    def _columns(self, samples: Samples) -> Columns:
        """The expected columns of these rows, in their order; other columns are left out."""
        chosen: Columns = {}
        for name, (kind, shape) in self.expected_columns.items():
            column = samples.features.get(name)
            if column is None:
                raise DataError(
                    f"these rows have no column '{name}', which the training rows have"
                    f"{did_you_mean(name, samples.features) or '.'} The columns here are: "
                    f"{listed(list(samples.features))}"
                )
            text_or_numbers = (kind != "numeric", column.dtype == object)
            if len(set(text_or_numbers)) == 2:
                raise DataError(
                    f"column '{name}' holds {HOLDS[kind_of(column)]} in these rows, and "
                    f"{HOLDS[kind]} in the training rows"
                )
            if column.shape[1:] != shape:
                raise DataError(
                    f"column '{name}' has entries of shape {column.shape[1:]} in these rows, and "
                    f"of shape {shape} in the training rows"
                )
            chosen[name] = column
        return chosen

    def _ready(self, columns: Columns) -> Columns:
        made = apply_steps(self.steps, columns)
        if len(made) == 1:
            return {name: _alone(column) for name, column in made.items()}
        return {_JOINED: _side_by_side(made)}

    def _refuse_gaps(self, inputs: Array, samples: Samples) -> None:
        """Raise an error for NaN and infinity, which no loss survives."""
        if inputs.dtype.kind != "f" or _is_finite(inputs):
            return
        parts = {next(iter(self.made)): inputs}
        if len(self.made) > 1:
            widths = [math.prod(shape) for shape in self.made.values()]
            split = np.split(inputs, np.cumsum(widths)[:-1], axis=1)
            parts = dict(zip(self.made, split, strict=True))
        gaps = {name: np.isnan(part) for name, part in parts.items()}
        told = [_gap_text(name, gap, samples) for name, gap in gaps.items() if gap.any()]
        if told:
            raise DataError(f"{'; '.join(told)}. Add `impute` to `preprocess`")
        name, mask = next((n, ~np.isfinite(p)) for n, p in parts.items() if not _is_finite(p))
        raise DataError(
            f"column '{name}' holds a value that is infinite, or too large for float32, in row "
            f"{samples.rows[first_row(mask)]} (counted from 0); mend the data, or add `clip` to "
            "`preprocess`"
        )


def fit_features(steps: Sequence[Step], train: Samples) -> FeaturePipeline:
    """Fit each step on what the steps before it make of the training rows.

    Every step sees the rows freshly made from the source's, so that one copy of them is held
    besides the source's, not one for each step.
    """
    fitted: list[FittedStep] = []
    for step in steps:
        columns = transformed(fitted, train, train.features)
        try:
            fitted.append(FittedStep(step, step.fit(columns)))
        except RowError as error:
            raise error.at(int(train.rows[error.position])) from None
        del columns
    head = train.take(np.arange(min(1, len(train))))
    made = transformed(fitted, head, head.features)
    expected = {name: (kind_of(c), c.shape[1:]) for name, c in train.features.items()}
    _require_numbers(made, expected)
    return FeaturePipeline(
        tuple(fitted), expected, {name: column.shape[1:] for name, column in made.items()}
    )


def apply_steps(steps: Sequence[FittedStep], columns: Columns) -> Columns:
    """Apply fitted steps in order."""
    for fitted in steps:
        columns = fitted.step.apply(columns, fitted.state)
    return columns


def transformed(steps: Sequence[FittedStep], samples: Samples, columns: Columns) -> Columns:
    """Apply fitted steps in order, a batch of rows at a time."""
    if not steps:
        return columns
    return map_rows_of(samples, columns, partial(apply_steps, steps))


def map_rows_of(
    samples: Samples, columns: Columns, function: Callable[[Columns], Columns]
) -> Columns:
    """`map_rows` with errors that name the row's number in the source."""
    try:
        return map_rows(function, columns, len(samples))
    except RowError as error:
        raise error.at(int(samples.rows[error.position])) from None


def _require_numbers(made: Columns, expected: Mapping[str, tuple[Kind, Shape]]) -> None:
    if not made:
        raise DataError("no feature column is left for the model to learn from")
    for name, column in made.items():
        if column.dtype == object:
            kind = expected[name][0] if name in expected else kind_of(column)
            advice = "`multi_hot` or `pad_sequences`"
            if kind == "categorical":
                advice = "`one_hot` or `ordinal`"
            raise DataError(f"column '{name}' holds {HOLDS[kind]}; add {advice} to `preprocess`")
        if column.ndim > 2 and len(made) > 1:
            raise DataError(
                f"column '{name}' has entries of shape {column.shape[1:]}, which cannot stand "
                f"beside the other columns in one input; add `flatten` to `preprocess`"
            )


def _alone(column: Array) -> Array:
    if column.ndim == 1:
        column = column[:, np.newaxis]
    if column.dtype.kind in "iu" or column.dtype == np.float32:
        return column
    return to_float(column)


def _side_by_side(columns: Columns) -> Array:
    parts = [column if column.ndim == 2 else column[:, np.newaxis] for column in columns.values()]
    return np.concatenate([to_float(part) for part in parts], axis=1)


def _is_finite(values: Array) -> bool:
    rows = max(1, _CHECKED_AT_ONCE // max(1, math.prod(values.shape[1:])))
    starts = range(0, len(values), rows)
    return all(bool(np.isfinite(values[start : start + rows]).all()) for start in starts)


def _gap_text(name: str, gap: Array, samples: Samples) -> str:
    count = int(gap.sum())
    values = "1 missing value" if count == 1 else f"{count} missing values"
    row = samples.rows[first_row(gap)]
    return f"column '{name}' has {values}, the first in row {row} (counted from 0)"
