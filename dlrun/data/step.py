"""What a preprocessing step is. A new step is one file in `dlrun/data/preprocessing/`
(features) or `dlrun/data/targets/` (targets).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from dlrun.data.samples import Array, Columns
from dlrun.registry.component import Component

State = dict[str, Any]
"""What a step learnt: names to plain JSON values or NumPy arrays. Never code."""


class Step(Component):
    """Base of all preprocessing steps on features.

    `fit` sees training rows only; `apply` is the same for training, validation, test and
    new rows. Neither changes its arguments.
    """

    columns: list[str] | None = None
    """Columns to work on; default: all that this step suits."""

    @abstractmethod
    def fit(self, features: Columns) -> State:
        """Learn from the training rows.

        Args:
            features: Training rows of all columns that earlier steps left.

        Raises:
            DataError: A named column is missing or unsuitable; says which and why.
        """

    @abstractmethod
    def apply(self, features: Columns, state: State) -> Columns:
        """Return all columns, those worked on replaced; row count and order are kept."""

    def findings(self, features: Columns, state: State) -> list[str]:
        """What the user should know when the step is applied to these rows (before it),
        such as counts of unknown categories; one sentence each."""
        return []


class TargetStep(Component):
    """Base of all preprocessing steps on targets.

    Args of all methods: `target` is (n,) or (n, k).
    """

    @abstractmethod
    def fit(self, target: Array, classes: tuple[str, ...] | None) -> State:
        """Learn from the training rows.

        Args:
            target: Training rows of one target.
            classes: Class names of a categorical target, from all non-test rows.
        """

    @abstractmethod
    def apply(self, target: Array, state: State) -> Array:
        """Return the target as the loss wants it.

        Raises:
            DataError: A value was never seen, such as an unknown label; says which row.
        """

    @abstractmethod
    def invert(self, predictions: Array, state: State) -> Array:
        """Bring model outputs back to the target's own unit (class scores stay as they are)."""

    def scale(self, state: State) -> float:
        """By how much the target was divided: brings an error back to the target's unit."""
        return 1.0
