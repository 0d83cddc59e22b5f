"""What a protocol is. A new protocol is one file in `dlrun/protocols/schemes/`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from dlrun.data.splits import RowInfo
from dlrun.registry.component import Component

Array = np.ndarray

SEEDS = 2**32
"""How many seeds there are, for NumPy and for Keras."""


@dataclass(frozen=True)
class Fold:
    """One division of the rows.

    Args:
        index: Counted from 0 over all iterations.
        iteration: Which reshuffling of the rows it belongs to, from 0.
        train: (k,) int64 positions of the rows to learn from.
        scored: (m,) int64 positions of the rows that give the score; None where nothing is
            held out.
        watched: (w,) int64 positions that callbacks may steer training by: the scored rows, or
            rows taken from the training rows; None where nothing is measured while training.
    """

    index: int
    iteration: int
    train: Array
    scored: Array | None
    watched: Array | None

    @property
    def watches_scored_rows(self) -> bool:
        """Whether the rows that give the score are also looked at while training."""
        return self.watched is not None and self.watched is self.scored


class Protocol(Component):
    """Base of all protocols: how rows may be dealt, and into which folds."""

    in_time_order: ClassVar[bool] = False
    """Whether the order of the rows is that of time, with or without a column of times."""

    shuffle: bool = True
    """Whether rows are put in a random order first; `false` cuts contiguous blocks, as the
    book does."""

    stratify: bool | None = None
    """Whether every split keeps the class shares; default: for classification where every
    class has enough rows."""

    groups: str | None = None
    """Column whose rows of one value never stand on both sides of a split; no feature then."""

    time: str | None = None
    """Column that orders the rows in time: validation comes strictly after training; no
    feature then."""

    @abstractmethod
    def split(self, row_info: RowInfo, steered: bool) -> list[Fold]:
        """RowInfo the rows; a function of its arguments and the options alone.

        Args:
            row_info: What may be known of the rows: their number, labels, groups, times; the seed.
            steered: Whether a callback steers training by validation data.

        Raises:
            DataError: The rows cannot be dealt so; says why, with figures.
        """

    @property
    def one_model(self) -> bool:
        """Whether one model comes out, rather than one for each fold."""
        return False


def reseeded(row_info: RowInfo, offset: int) -> RowInfo:
    """The same rows with another seed."""
    return replace(row_info, seed=shifted(row_info.seed, offset))


def shifted(seed: int, offset: int) -> int:
    """Return the seed so many further on; after the largest one comes 0."""
    return (seed + offset) % SEEDS
