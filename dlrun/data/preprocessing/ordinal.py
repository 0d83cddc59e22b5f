"""Categories as whole numbers, for an `Embedding` layer or an order that means something."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from dlrun.data.fitting.categories import category_findings, category_indices, learn_categories
from dlrun.data.samples import Columns
from dlrun.data.step import State, Step


class Ordinal(Step):
    """Makes each column (n,) int32: 1 to k for the categories, 0 for none of them.

    Suits columns of text, and numeric columns of whole numbers where they are named. The
    categories are those of the training rows, sorted; a row without a value or with another
    category becomes 0, as in Keras' `StringLookup`, and is counted in the findings. An
    `Embedding` of it has an `input_dim` of k + 1.
    """

    max_categories: int | None = Field(default=None, ge=1)
    """Keep at most so many categories in each column, the most frequent ones; the rest counts as
    unknown. Default: all."""

    def fit(self, features: Columns) -> State:
        return learn_categories(self, features, self.max_categories)

    def apply(self, features: Columns, state: State) -> Columns:
        result = dict(features)
        for name in state["columns"]:
            indices = category_indices(features[name], state["categories"][name])
            result[name] = (np.maximum(indices, -1) + 1).astype(np.int32)
        return result

    def findings(self, features: Columns, state: State) -> list[str]:
        return category_findings(self, features, state, "0")
