"""Sequences as vectors of zeros and ones: which numbers, or labels, occur in a row."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from dlrun.data.lazy import blocks
from dlrun.data.samples import Array, Columns, Kind, is_of_tokens
from dlrun.data.step import State, Step, Storage, join_sequences, number_tokens
from dlrun.errors import DataError, RowError
from dlrun.text import counted, first_few


class MultiHot(Step):
    """Makes each column (n, num_tokens) uint8: 1 at every number that the row holds, else 0.

    Suits columns of integer sequences, and (n, ...) arrays of integers where they are named; and
    sequences of text, which the `split` of a table makes: a vector then has a place for each label
    of the training rows, in their order; others are left out, and the findings count the rows.
    """

    suits: ClassVar[tuple[Kind, ...]] = ("sequences",)
    suits_if_named: ClassVar[tuple[Kind, ...]] = ("numeric",)

    num_tokens: int | None = Field(default=None, ge=1)
    """Length of the vectors; numbers from 0 up to one less have a place in them. Default: the
    largest number of the training rows + 1."""

    out_of_range: Literal["error", "ignore"] = "error"
    """What happens to numbers that have no place: the run stops and names the row, or they are
    left out and the findings count the rows."""

    @property
    def storage(self) -> Storage:
        return "ones"

    def learn(self, name: str, column: Array) -> State:
        if is_of_tokens(column):
            if not (labels := sorted({label for row in column for label in row})):
                raise DataError(f"multi_hot: column '{name}' holds no label in the training rows")
            return {"labels": labels, "num_tokens": len(labels)}
        if column.dtype.kind in "fb":
            raise DataError(
                f"multi_hot: column '{name}' holds {column.dtype}, where whole numbers are needed"
            )
        size = self.num_tokens or 1 + max(
            int(self._numbers(name, block)[0].max(initial=0)) for block in blocks(column)
        )
        self._rows_out_of_range(name, column, size)
        return {"num_tokens": size}

    def transform(self, name: str, column: Array, state: State) -> Array:
        size = state["num_tokens"][name]
        if name in state.get("labels", {}):
            numbers, lengths = number_tokens(column, state["labels"][name], 0, None)
        else:
            numbers, lengths = self._numbers(name, column)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        placed = self._in_range(name, numbers, lengths, size)
        encoded = np.zeros((len(lengths), size), np.uint8)
        encoded[rows[placed], numbers[placed]] = 1
        return encoded

    def findings(self, features: Columns, state: State) -> list[str]:
        found = []
        for name, labels in state.get("labels", {}).items():
            known = set(labels)
            unknown = [sorted(set(row) - known) for row in features[name]]
            if count := sum(map(bool, unknown)):
                shown = first_few(sorted({label for row in unknown for label in row}), 3)
                found.append(
                    f"multi_hot: column '{name}' has {counted(count, 'row')} with labels that are "
                    f"not among the {len(labels)} learnt ({shown}); they were left out"
                )
        numbers = [name for name in state["columns"] if name not in state.get("labels", {})]
        for name in numbers if self.out_of_range == "ignore" else []:
            size = state["num_tokens"][name]
            count = self._rows_out_of_range(name, features[name], size)
            if count:
                found.append(
                    f"multi_hot: column '{name}' has numbers that are not in 0 to {size - 1} in "
                    f"{count} of {len(features[name])} rows; they were left out"
                )
        return found

    def entry_names(self, column: str, state: State) -> list[str] | None:
        labels = state.get("labels", {}).get(column)
        return labels and [f"{column}={label}" for label in labels]

    def _rows_out_of_range(self, name: str, column: Array, size: int) -> int:
        """Number of rows with numbers that have no place.

        Raises:
            RowError: There is one, and that is an error.
        """
        start = count = 0
        for block in blocks(column):
            try:
                numbers, lengths = self._numbers(name, block)
                rows = np.repeat(np.arange(len(lengths)), lengths)
                count += len(np.unique(rows[~self._in_range(name, numbers, lengths, size)]))
            except RowError as error:
                raise error.at(start + error.position) from None
            start += len(block)
        return count

    def _numbers(self, name: str, column: Array) -> tuple[Array, Array]:
        if column.dtype == object:
            return join_sequences(self, name, column)
        entries = column.reshape(len(column), int(np.prod(column.shape[1:])))
        return entries.ravel(), np.full(len(entries), entries.shape[1])

    def _in_range(self, name: str, numbers: Array, lengths: Array, size: int) -> Array:
        """Mask of the numbers that have a place.

        Raises:
            RowError: One has none, and that is an error.
        """
        placed = (numbers >= 0) & (numbers < size)
        if self.out_of_range == "error" and not placed.all():
            position = int(placed.argmin())
            row = int(np.searchsorted(np.cumsum(lengths), position, side="right"))
            raise RowError(
                f"multi_hot: column '{name}' holds {numbers[position]}",
                row,
                f"expected 0 to {size - 1}: raise `num_tokens`, or set `out_of_range: ignore`",
            )
        return placed
