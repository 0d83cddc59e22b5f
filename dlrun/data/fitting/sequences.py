"""Columns of integer sequences, all values in one array.

Legend: n rows, m values in all rows together.
"""

from __future__ import annotations

import numpy as np

from dlrun.data.samples import Array
from dlrun.data.step import RowError, Step


def join_sequences(step: Step, column: str, sequences: Array) -> tuple[Array, Array]:
    """Return all values one after another, (m,), and each row's number of them, (n,) int64.

    Raises:
        RowError: A row holds no sequence, or one of anything but integers.
    """
    arrays = []
    for position, sequence in enumerate(sequences):
        array = np.asarray([] if sequence is None else sequence)
        if sequence is None or array.ndim != 1 or (len(array) and array.dtype.kind not in "iu"):
            found = "nothing" if sequence is None else f"{str(sequence)[:40]}"
            raise RowError(
                f"{step.member_name()}: column '{column}' holds {found}",
                position,
                "expected a sequence of whole numbers",
            )
        arrays.append(array)
    lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
    filled = [array for array in arrays if len(array)]
    return np.concatenate(filled) if filled else np.empty(0, np.int64), lengths
