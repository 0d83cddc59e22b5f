"""The simple model beside a score: fitted on the rows that trained the network, as it sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.config.walk import PlainLayer
from dlrun.data.encoded import Encoded, SparseBlock
from dlrun.data.samples import Task
from dlrun.data.streamed import NamedInputs
from dlrun.data.windows import Windows, is_windows
from dlrun.metrics.scores import Score
from dlrun.metrics.simple_models import (
    SkippedError,
    fit_simple_model,
    most_features,
    refuse_large,
    simple_name,
)

Array = np.ndarray


@dataclass(frozen=True)
class SimpleOutput:
    """What the simple model says about the scored rows.

    Args:
        name: `logistic regression` or `ridge regression`, and of windows what part of them it saw.
        description: What it is and does, for a person to read; empty where it was skipped.
        predictions: (m, k) in the form of the network's output, or None.
        skipped: Why there is none, one clause; None where there is one.
    """

    name: str
    description: str
    predictions: Array | None
    skipped: str | None = None


def simple_output(
    task: Task,
    score: Score,
    layers: Sequence[PlainLayer],
    train: tuple[Any, Array],
    inputs: Any,
    outputs: int,
) -> SimpleOutput:
    """Fit the simple model and let it predict rows.

    Args:
        task: What is predicted.
        score: The measure of success.
        layers: The network's layers: with an `Embedding`, its inputs are indices and no numbers.
        train: Inputs and targets of the training rows.
        inputs: Inputs of the rows to predict.
        outputs: Number of the network's outputs.
    """
    try:
        if any(entry.layer.name == "Embedding" for entry in layers):
            raise SkippedError("the inputs are indices for an Embedding, not quantities")
        known, targets = train
        if isinstance(known, NamedInputs):
            known, inputs = _joined(known, task, outputs), _joined(inputs, task, outputs)
        windows = _windows(known)
        if windows is not None:
            steps = max(1, most_features(task, len(windows), outputs) // windows.width)
            seen, scored = windows.thinned(steps), _windows(inputs)
            assert scored is not None
            known, inputs = seen[:], scored.thinned(steps)[:]
        features = _features(known, task, outputs)
        model = fit_simple_model(task, features, targets, outputs)
        predictions = model.predict(_matrix(inputs), score)
    except SkippedError as error:
        return SimpleOutput(simple_name(task), "", None, str(error))
    if windows is None:
        return SimpleOutput(model.name, model.description, predictions)
    part = _part_of_window(seen.length, windows.length)
    return SimpleOutput(f"{model.name} on {part}", f"{model.description}, {part}", predictions)


def _windows(inputs: Any) -> Windows | None:
    """The windows over a series that the inputs are, or None."""
    if not isinstance(inputs, Encoded) or len(inputs.blocks) > 1:
        return None
    (block,) = inputs.blocks
    return block if is_windows(block) else None


def _part_of_window(seen: int, length: int) -> str:
    if seen == length:
        return "the whole window"
    if seen == 1:
        return f"the last of the {length} rows of the window"
    return f"{seen} of the {length} rows of the window, evenly apart"


def _joined(inputs: NamedInputs, task: Task, outputs: int) -> Array:
    """(n, f) the features of all inputs side by side."""
    if not inputs.are_arrays:
        raise SkippedError("the inputs are not all arrays in memory")
    parts = [np.asarray(part) for part in inputs.parts.values()]
    refuse_large(task, len(inputs), sum(int(np.prod(p.shape[1:])) for p in parts), outputs)
    return np.concatenate([_matrix(part) for part in parts], axis=1)


def _features(inputs: Any, task: Task, outputs: int) -> Any:
    """(n, f) training features: a sparse matrix where the inputs are kept as places of ones."""
    if not isinstance(inputs, Encoded | np.ndarray):
        raise SkippedError("the inputs are not one array in memory")
    if not _is_sparse(inputs):
        # Before they are copied.
        refuse_large(task, len(inputs), int(np.prod(inputs.shape[1:])), outputs)
    return _matrix(inputs)


def _is_sparse(inputs: Encoded | Array) -> bool:
    return isinstance(inputs, Encoded) and all(
        isinstance(block, SparseBlock) for block in inputs.blocks
    )


def _matrix(inputs: Encoded | Array) -> Any:
    if isinstance(inputs, Encoded) and _is_sparse(inputs):
        from scipy.sparse import csr_matrix, hstack

        blocks = [
            csr_matrix(
                (
                    np.ones(len(block.places), np.float32)
                    if block.values is None
                    else block.values,
                    block.places.astype(np.int32),
                    block.splits.astype(np.int32),
                ),
                shape=(len(block), block.width),
            )
            for block in inputs.blocks
            if isinstance(block, SparseBlock)
        ]
        return blocks[0] if len(blocks) == 1 else hstack(blocks, format="csr")
    rows = inputs[:]
    return rows.reshape(len(rows), -1).astype(np.float32, copy=False)
