"""All preprocessing steps on features, fitted, and what the model gets out of them.

Legend: n rows, f features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from dlrun.data.encoded import Encoded
from dlrun.data.fitting.batches import (
    Encoder,
    batches,
    byte_block_of,
    changes_numbers_alone,
    is_large,
    join_columns,
    map_rows,
    split_columns,
)
from dlrun.data.fitting.input_columns import (
    InputColumns,
    columns_after_steps,
    columns_used,
    is_finite,
    missing_values_error,
    require_numbers,
)
from dlrun.data.inputs import Inputs, NamedInputs, OneInput, StreamedInputs
from dlrun.data.lazy import BLOCK_BYTES, in_memory, series_windows
from dlrun.data.samples import Array, Columns, Kind, Places, Samples, kind_of
from dlrun.data.step import HOLDS, MOST_COLUMNS, FittedStep, Step, Storage, rows_numbered, to_float
from dlrun.data.windows import Windows
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean
from dlrun.text import first_few

Shape = tuple[int, ...]
_ONLY = ""
_JOINED = "\0"


@dataclass(frozen=True)
class FeaturePipeline:
    """Steps on features, fitted on training rows.

    Args:
        steps: In order.
        expected_columns: The columns that rows must have: kind, and shape of one entry.
        made: The columns that the steps make of them: shape of one entry.
        input_columns: The made columns of each input, where the model has several.
        quantities: Those of a series with their kinds, where the rows are windows over one: the
            steps worked on them, and `made` holds what they made of them.
    """

    steps: tuple[FittedStep[Step], ...]
    expected_columns: Mapping[str, tuple[Kind, Shape]]
    made: Mapping[str, Shape]
    input_columns: InputColumns = field(default_factory=dict)
    quantities: Mapping[str, Kind] = field(default_factory=dict)

    def inputs(self, samples: Samples) -> Inputs:
        """Return what the model gets; see `Pipeline.inputs`."""
        columns = self._columns(samples)
        if (windows := series_windows(columns)) is not None:
            if windows.series.names != tuple(self.quantities):
                raise DataError(
                    f"the series has the quantities {', '.join(windows.series.names)}, and the "
                    f"training rows have {', '.join(self.quantities)}"
                )
            # The rows of the series are prepared once, and the windows are cut over them.
            inner = self.of_series
            prepared = to_float(np.asarray(inner.inputs(covered_rows(windows, samples.places))[:]))
            made = Encoded((windows_over(windows, prepared, inner.feature_names),))
            several = len(self.input_columns) > 1
            return NamedInputs(dict.fromkeys(self.input_columns, made)) if several else made
        streams = not all(map(in_memory, columns.values()))
        parts = self._streamed(samples) if streams else self._inputs_in_memory(samples, columns)
        if len(parts) == 1:
            return next(iter(parts.values()))
        return NamedInputs(parts, self._inputs_of if streams else None)

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

    def findings(self, samples: Samples, *, settled: bool = False) -> list[str]:
        """The findings of the steps about these rows; see `Pipeline.findings`."""
        if (windows := samples.windows) is not None:
            rows = covered_rows(windows, samples.places)
            return self.of_series.findings(rows, settled=settled)
        found: list[str] = []
        for index, fitted in enumerate(self.steps):
            if type(fitted.step).findings is not Step.findings:
                columns = transformed(self.steps[:index], samples, self._columns(samples))
                remedy = f"; {fitted.step.remedy}" if fitted.step.remedy and not settled else ""
                texts = fitted.step.findings_of_rows(columns, fitted.state, samples.listed)
                found += [text + remedy for text in texts]
        return found

    @property
    def of_series(self) -> FeaturePipeline:
        """The same steps on the rows of a series, rather than on windows over it."""
        expected: dict[str, tuple[Kind, Shape]] = {n: (k, ()) for n, k in self.quantities.items()}
        return FeaturePipeline(self.steps, expected, self.made)

    def _columns(self, samples: Samples) -> Columns:
        """The expected columns of these rows, in their order; other columns are left out."""
        chosen: Columns = {}
        for name, (kind, shape) in self.expected_columns.items():
            column = samples.features.get(name)
            if column is None:
                raise DataError(
                    f"these rows have no column '{name}', which the training rows have"
                    f"{did_you_mean(name, samples.features) or '.'} The columns here are: "
                    f"{first_few(samples.features, MOST_COLUMNS)}"
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

    @cached_property
    def _made_of(self) -> Mapping[str, Mapping[str, Shape]]:
        """The columns of each input: shape of one entry."""
        if not self.input_columns:
            return {_ONLY: self.made}
        return {
            name: {column: self.made[column] for column in columns}
            for name, columns in self.input_columns.items()
        }

    def _inputs_in_memory(self, samples: Samples, columns: Columns) -> dict[str, OneInput]:
        """The inputs in memory, those that are large and nearly all 0 by the places of ones."""
        large = [name for name, made in self._made_of.items() if is_large(made, len(samples))]
        storage: Mapping[str, Storage] = self._storage(columns) if large else {}
        encoded = {
            name: self._encoded(samples, columns, name, storage)
            for name in large
            if any(column in storage for column in self._made_of[name])
        }
        for name in large:
            block = byte_block_of(self.steps, columns, self._made_of[name])
            if block is not None:
                encoded[name] = Encoded((block,))
        plain = [name for name in self._made_of if name not in encoded]
        ready: Columns = {}
        if plain:
            with rows_numbered(samples):
                ready = map_rows(partial(self._prepared, plain), columns, len(samples))
        held: dict[str, OneInput] = {}
        for name, made in self._made_of.items():
            if name in encoded:
                held[name] = encoded[name]
                continue
            held[name] = joined = ready[_key(name, made)]
            if joined.dtype.kind == "f" and not is_finite(joined):
                one = len(made) == 1
                raise missing_values_error(
                    {next(iter(made)): joined} if one else split_columns(joined, made), samples
                )
        return held

    def _prepared(self, names: Sequence[str], columns: Columns) -> Columns:
        """The inputs of these names, that of one column under the column's name: one that no step
        changes is then the given array itself."""
        made = apply_steps(self.steps, columns)
        ready: Columns = {}
        for name in names:
            own = [made[column] for column in self._made_of[name]]
            ready[_key(name, self._made_of[name])] = (
                _single_input(own[0]) if len(own) == 1 else join_columns([to_float(c) for c in own])
            )
        return ready

    def _streamed(self, samples: Samples) -> dict[str, OneInput]:
        """The inputs of rows that stay on disk, each checked once for values no model can use."""

        def prepared(name: str, rows: Samples) -> OneInput:
            return self._inputs_of(rows)[name]

        streamed: dict[str, OneInput] = {}
        size = 0
        for name in self._made_of:
            row = prepared(name, samples.take(slice(1)).read())
            size += math.prod(row.shape[1:]) * row.dtype.itemsize
            entry = row.shape[1:]
            streamed[name] = StreamedInputs(samples, partial(prepared, name), entry, row.dtype)
        # Of integers no value can be missing or infinite.
        are_integers = all(column.dtype.kind in "iu" for column in samples.features.values())
        if are_integers and changes_numbers_alone(self.steps):
            return streamed
        rows = max(1, BLOCK_BYTES // max(1, size))
        for start in range(0, len(samples), rows):
            self._inputs_of(samples.take(np.arange(start, min(start + rows, len(samples)))).read())
        return streamed

    def _inputs_of(self, samples: Samples) -> dict[str, OneInput]:
        """The inputs of rows that are in memory."""
        return self._inputs_in_memory(samples, self._columns(samples))

    def _encoded(
        self, samples: Samples, columns: Columns, name: str, storage: Mapping[str, Storage]
    ) -> Encoded:
        """An input of many rows, with what is nearly all 0 kept by the places of the rest."""
        encoder = Encoder(self._made_of[name], storage, len(samples))
        with rows_numbered(samples):
            for rows, _, made in batches(partial(apply_steps, self.steps), columns, len(samples)):
                encoder.add(rows, made)
        parts = encoder.dense_columns()
        if not all(map(is_finite, parts.values())):
            raise missing_values_error(parts, samples)
        return encoder.inputs()

    def _storage(self, columns: Columns) -> dict[str, Storage]:
        """The columns that are nearly all 0, by the last step that changes them: how each is
        kept."""
        columns = {name: column[:1] for name, column in columns.items()}
        storage: dict[str, Storage] = {}
        for fitted in self.steps:
            made = fitted.step.apply(columns, fitted.state)
            for name, column in made.items():
                if column is not columns.get(name):
                    storage[name] = fitted.step.storage
            columns = made
        return {n: how for n, how in storage.items() if how != "dense" and n in columns}


def fit_features(
    steps: Sequence[Step], train: Samples, input_columns: InputColumns | None = None
) -> FeaturePipeline:
    """Fit each step on what the steps before it make of the training rows.

    Every step sees the rows freshly made from the source's, so that one copy of them is held
    besides the source's, not one for each step.

    Args:
        steps: In order.
        train: The training rows.
        input_columns: The columns of each input of a model that has several; the steps see no
            others.
    """
    if input_columns:
        train = train.with_features(columns_used(input_columns, train.features))
    if (windows := train.windows) is not None:
        inner = fit_features(steps, covered_rows(windows, train.places))
        expected = {name: (kind_of(c), c.shape[1:]) for name, c in train.features.items()}
        quantities = {name: kind for name, (kind, _) in inner.expected_columns.items()}
        return FeaturePipeline(inner.steps, expected, inner.made, input_columns or {}, quantities)
    fitted: list[FittedStep[Step]] = []
    for number, step in enumerate(steps):
        shown = train if step.changes == "rows" else train.take(slice(1)).read()
        columns = transformed(fitted, shown, shown.features)
        with rows_numbered(train):
            try:
                fitted.append(FittedStep(step, step.fit(columns)))
            except DataError as error:
                error.step = number
                raise
        del columns
    head = train.take(np.arange(min(1, len(train))))
    made = transformed(fitted, head, head.features)
    expected = {name: (kind_of(c), c.shape[1:]) for name, c in train.features.items()}
    companions = {new: of for f in fitted for new, of in f.step.companions(f.state).items()}
    inputs = columns_after_steps(input_columns or {}, train.features, made, companions)
    used = [column for columns in inputs.values() for column in columns] if inputs else list(made)
    made = {name: made[name] for name in dict.fromkeys(used)}
    require_numbers(made, expected, [*inputs.values()] or [list(made)])
    shapes = {name: column.shape[1:] for name, column in made.items()}
    return FeaturePipeline(tuple(fitted), expected, shapes, inputs)


def _key(name: str, made: Mapping[str, Shape]) -> str:
    return next(iter(made)) if len(made) == 1 else f"{_JOINED}{name}"


def apply_steps(steps: Sequence[FittedStep[Step]], columns: Columns) -> Columns:
    """Apply fitted steps in order."""
    for fitted in steps:
        columns = fitted.step.apply(columns, fitted.state)
    return columns


def transformed(steps: Sequence[FittedStep[Step]], samples: Samples, columns: Columns) -> Columns:
    """Apply fitted steps in order, a batch of rows at a time."""
    if not steps:
        return columns
    with rows_numbered(samples):
        return map_rows(partial(apply_steps, steps), columns, len(samples))


def _single_input(column: Array) -> Array:
    if column.ndim == 1:
        column = column[:, np.newaxis]
    if column.dtype.kind in "iu" or column.dtype == np.float32:
        return column
    return to_float(column)


def covered_rows(windows: Windows, row_places: Places | None = None) -> Samples:
    """Return the rows that windows cover: a feature a quantity, by their numbers in the source."""
    places, series = windows.covered(), windows.series
    rows = slice(None) if len(places) == len(series) else places
    return Samples(series.columns(rows), {}, series.numbers[rows], places=row_places)


def windows_over(windows: Windows, prepared: Array, names: tuple[str, ...]) -> Windows:
    """Return the windows over what preprocessing made of their rows.

    Args:
        windows: Over the rows as they were.
        prepared: (m, f) float32, of the rows of `covered_rows`.
        names: Of the f quantities.
    """
    if len(prepared) == len(windows.series):
        return windows.with_values(prepared, names)
    values = np.zeros((len(windows.series), prepared.shape[1]), np.float32)
    values[windows.covered()] = prepared
    return windows.with_values(values, names)
