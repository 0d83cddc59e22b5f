"""Categories as vectors of zeros with a single one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from dlrun.data.fitting.categories import CategoryStep, category_indices
from dlrun.data.samples import Array
from dlrun.data.step import State, Storage


class OneHot(CategoryStep):
    """Makes each column (n, k) uint8: 1 at the row's category, else 0.

    Suits columns of text, and numeric columns of whole numbers where they are named. The
    categories are those of the training rows, sorted; a row without a value or with another
    category is all zeros, and is counted in the findings.
    """

    unknown_becomes: ClassVar[str] = "all zeros"

    @property
    def storage(self) -> Storage:
        return "ones"

    def transform(self, name: str, column: Array, state: State) -> Array:
        categories = state["categories"][name]
        indices = category_indices(column, categories)
        encoded = np.zeros((len(indices), len(categories)), np.uint8)
        rows = np.flatnonzero(indices >= 0)
        encoded[rows, indices[rows]] = 1
        return encoded

    def entry_names(self, column: str, state: State) -> list[str] | None:
        categories = state["categories"].get(column)
        return categories and [f"{column}={category}" for category in categories]
