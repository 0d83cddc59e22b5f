"""What the fused engine asks of a backend: whole epochs of a model as one compiled program.

Shapes: e epochs, n training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dlrun.data.encoded import Encoded, as_encoded
from dlrun.data.inputs import map_parts, parts_of
from dlrun.errors import TrainingError
from dlrun.training.rows import FitRows

Array = np.ndarray


class CannotFuse(TrainingError):  # noqa: N818 - to the choice of an engine it is an answer
    """The model cannot be trained by a compiled program; the text says why."""


@dataclass(frozen=True)
class Sizes:
    """What the shapes in a program depend on besides the rows.

    Args:
        batch_size: Training rows in a gradient step.
        validation_batch_size: Validation rows in a batch.
        capacity: Epochs whose row orders a call takes.
    """

    batch_size: int
    validation_batch_size: int
    capacity: int


@dataclass(frozen=True)
class Chunk:
    """The part of training that one call does.

    Args:
        epochs: How many epochs it covers; more than 1 only if it covers each one whole.
        steps: Which gradient steps of the epoch, from 0.
        validation: Which batches of validation rows, from 0.
    """

    epochs: int
    steps: range
    validation: range

    def numbers(self) -> Array:
        """Return (5,) int32: epochs, first step, step to end before, and the same of the batches
        of validation rows."""
        steps, batches = self.steps, self.validation
        numbers = (self.epochs, steps.start, steps.stop, batches.start, batches.stop)
        return np.array(numbers, np.int32)


@dataclass(frozen=True)
class EpochMetrics:
    """What a call measured.

    Args:
        train: (e,) float32 by metric, over all steps of the epoch so far.
        validation: (e,) float32 by metric, over all batches of validation rows so far; empty
            without validation rows.
        learning_rate: (e,) float32, at the beginning of the call and of each further epoch.
    """

    train: Mapping[str, Array]
    validation: Mapping[str, Array]
    learning_rate: Array

    @classmethod
    def of(cls, names: Sequence[str], table: Array) -> EpochMetrics:
        """Return the metrics of a program's answer.

        Args:
            names: The m metrics.
            table: (e, 1 + m) learning rate and metrics of each epoch; (e, 1 + 2 m) with
                validation.
        """
        rates, *values = table.T
        validation = values[len(names) :]
        return cls(
            dict(zip(names, values[: len(names)], strict=True)),
            dict(zip(names, validation, strict=True)) if validation else {},
            rates,
        )


class Program(Protocol):
    """A model's training and validation, compiled once for all rows of the same kind."""

    capacity: int
    """Epochs whose row orders a call takes; `Chunk.epochs` may be fewer."""

    def load(self, train: FitRows, validation: FitRows | None) -> None:
        """Put rows on the device, in place of earlier ones."""
        ...

    def put_orders(self, orders: Array) -> Any:
        """Put row orders, (capacity, n) int32, on the device for `run`."""
        ...

    def run(self, orders: Any, chunk: Chunk) -> EpochMetrics:
        """Train and measure in one call.

        Metrics are reset where a chunk begins an epoch's training or its validation. How an
        epoch is cut into chunks changes no digit.
        """
        ...

    def release(self) -> None:
        """Free the rows on the device."""
        ...


def metric_names(model: Any) -> list[str]:
    """Return the names of a built model's metrics, the loss among them.

    Raises:
        CannotFuse: A metric is not a single number.
    """
    results = model.get_metrics_result()
    for name, value in results.items():
        if np.ndim(value) != 0:
            raise CannotFuse(f"the metric '{name}' is more than one number")
    return list(results)


def encodings_of(rows: FitRows) -> dict[str, Encoded | None]:
    """Return, for each input, its encoding without any rows, or None if it is not encoded."""
    return {
        name: None if (inputs := as_encoded(part)) is None else inputs.take(slice(0))
        for name, part in parts_of(rows.inputs).items()
    }


def mapped_rows(
    rows: FitRows, array: Callable[[Any], Any], encoded: Callable[[Encoded], Any]
) -> tuple[Any, ...]:
    """Return inputs, targets and, if there are any, weights, with every array converted.

    Args:
        rows: Rows that are in memory.
        array: Converts an array.
        encoded: Converts encoded inputs.
    """

    def converted_part(_: str, part: Any) -> Any:
        inputs = as_encoded(part)
        return array(part) if inputs is None else encoded(inputs)

    targets = rows.targets
    converted = [
        map_parts(converted_part, rows.inputs),
        {name: array(each) for name, each in targets.items()}
        if isinstance(targets, dict)
        else array(targets),
    ]
    return tuple(converted if rows.weights is None else [*converted, array(rows.weights)])


def dtype_in_fit(array: Array) -> Any:
    """Return the dtype that Keras' `fit` gives an array: floats become `floatx`."""
    import keras

    return keras.config.floatx() if array.dtype.kind == "f" else array.dtype
