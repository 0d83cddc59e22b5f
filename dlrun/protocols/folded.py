"""What all protocols of several folds share: the rows that callbacks may watch."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dlrun.data.splits import RowInfo
from dlrun.protocols.protocol import Fold, Protocol
from dlrun.protocols.validation import Share, hold_out_within

Array = np.ndarray

INNER_FRACTION = 0.2


class Folded(Protocol):
    """Base of protocols that score every fold on rows that did not train it."""

    validation: Literal["fold"] | float | Share | None = None
    """Rows that callbacks such as EarlyStopping may watch: a share of the training rows
    (default 0.2 where a callback watches validation data), or `fold` for the very rows that
    give the score, which flatters it."""

    def fold(
        self, row_info: RowInfo, index: int, iteration: int, train: Array, scored: Array
    ) -> Fold:
        """Complete one fold with the rows that are watched while it trains."""
        if self.validation == "fold":
            return Fold(index, iteration, train, scored, watched=scored)
        share = INNER_FRACTION if self.validation is None else self.validation
        rest, watched = hold_out_within(
            row_info, train, share, shuffle=self.shuffle, stratify=self.stratify
        )
        return Fold(index, iteration, rest, scored, watched)

    def complete(
        self,
        row_info: RowInfo,
        splits: list[tuple[Array, Array]],
        steered: bool,
        iteration: int = 0,
    ) -> list[Fold]:
        """Turn training and scored positions into folds of one iteration.

        Where no callback is steered and no inner split is asked for, the scored rows are
        measured after every epoch too: nothing depends on what is seen there.
        """
        first = iteration * len(splits)
        if not steered and self.validation is None:
            return [
                Fold(first + i, iteration, train, scored, watched=scored)
                for i, (train, scored) in enumerate(splits)
            ]
        return [
            self.fold(row_info, first + i, iteration, train, scored)
            for i, (train, scored) in enumerate(splits)
        ]
