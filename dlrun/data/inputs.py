"""What a model is fed from: one input or several by name, held or prepared a batch at a time.

Legend: n rows, b rows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from dlrun.data.lazy import Array, LazyArray, Rows, take_rows
from dlrun.data.samples import Samples

Result = TypeVar("Result")

OneInput = Array | LazyArray
"""What one input of a model is fed from."""


@dataclass(frozen=True, eq=False)
class StreamedInputs(LazyArray):
    """(n, ...) inputs that are read from disk and prepared when they are asked for.

    Args:
        samples: Rows whose features stay on disk.
        prepare: Makes inputs of a few rows that are held in memory.
        row_shape: Shape of one row of the inputs.
        input_type: Dtype of the inputs.
    """

    in_memory: ClassVar[bool] = False

    samples: Samples
    prepare: Callable[[Samples], OneInput]
    row_shape: tuple[int, ...]
    input_type: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.samples), *self.row_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.input_type

    def __getitem__(self, rows: Rows) -> Array:
        inputs = self.prepare(self.take(rows).samples.read())
        return inputs[:].astype(self.dtype, copy=False)

    def take(self, rows: Rows) -> StreamedInputs:
        positions = np.arange(len(self))[rows]
        return StreamedInputs(
            self.samples.take(positions), self.prepare, self.row_shape, self.input_type
        )


@dataclass(frozen=True)
class NamedInputs:
    """The inputs of a model that has several.

    Args:
        parts: What each is fed from, by the input's name; n rows each.
        prepare: Makes all of them of a few rows that are held in memory, where rows stay on disk:
            they are then read once, and not for each input.
    """

    parts: Mapping[str, OneInput]
    prepare: Callable[[Samples], Mapping[str, OneInput]] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.parts.values())))

    def __getitem__(self, rows: Rows) -> dict[str, Array]:
        """Return rows as the model sees them, (b, ...) by the name of the input; threads may ask at
        once."""
        first = next(iter(self.parts.values()))
        if self.prepare is None or not isinstance(first, StreamedInputs):
            return {name: part[rows] for name, part in self.parts.items()}
        made = self.prepare(first.take(rows).samples.read())
        return {
            name: made[name][:].astype(part.dtype, copy=False) for name, part in self.parts.items()
        }

    def take(self, rows: Rows) -> NamedInputs:
        """Return some of the rows as they are stored."""
        taken = {name: take_rows(part, rows) for name, part in self.parts.items()}
        return NamedInputs(taken, self.prepare)


Inputs = OneInput | NamedInputs
"""What a model is fed from, indexed by rows; of `NamedInputs` come batches by name."""


def parts_of(inputs: Inputs) -> Mapping[str, OneInput]:
    """Return each input by its name; the only one of a model that has one is called ``."""
    return inputs.parts if isinstance(inputs, NamedInputs) else {"": inputs}


def map_parts(
    function: Callable[[str, OneInput], Result], inputs: Inputs
) -> Result | dict[str, Result]:
    """Return what a function makes of the name and the rows of the only input; of several, by the
    name of the input."""
    made = {name: function(name, part) for name, part in parts_of(inputs).items()}
    return made if isinstance(inputs, NamedInputs) else made[""]


def are_arrays(inputs: Inputs) -> bool:
    """Whether all inputs are plain arrays in memory."""
    return not any(isinstance(part, LazyArray) for part in parts_of(inputs).values())
