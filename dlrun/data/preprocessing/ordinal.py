"""Categories as whole numbers, for an `Embedding` layer or an order that means something."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from dlrun.data.fitting.categories import CategoryStep, category_indices
from dlrun.data.samples import Array
from dlrun.data.step import State


class Ordinal(CategoryStep):
    """Makes each column (n,) int32: 1 to k for the categories, 0 for none of them.

    Suits columns of text, and numeric columns of whole numbers where they are named. The
    categories are those of the training rows, sorted; a row without a value or with another
    category becomes 0, as in Keras' `StringLookup`, and is counted in the findings. An
    `Embedding` of it has an `input_dim` of k + 1.
    """

    unknown_becomes: ClassVar[str] = "0"

    def transform(self, name: str, column: Array, state: State) -> Array:
        indices = category_indices(column, state["categories"][name])
        return (np.maximum(indices, -1) + 1).astype(np.int32)
