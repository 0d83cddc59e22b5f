"""Hold-out: one split into training and validation rows."""

from __future__ import annotations

import numpy as np

from dlrun.data.row_info import RowInfo
from dlrun.errors import DataError
from dlrun.protocols.protocol import Fold, Protocol, Validation, hold_out


class Holdout(Protocol):
    """Train on some rows, score on the others."""

    validation: float | Validation | None = 0.2
    """The rows to hold out: a fraction, or one of `fraction`, `samples`, `first`, `path`;
    `null` holds nothing out and trains the final model on all non-test rows."""

    @property
    def one_model(self) -> bool:
        return True

    @property
    def holds_nothing_out(self) -> bool:
        """Whether every non-test row is trained on."""
        given = self.validation
        return given is None or (isinstance(given, Validation) and not given.hold_out)

    def split(self, row_info: RowInfo, monitors_validation: bool) -> list[Fold]:
        if self.holds_nothing_out and monitors_validation:
            raise DataError(
                "a callback monitors validation data, but `validation: null` holds no rows out; "
                "remove the callback (--set training.callbacks=[]) or hold rows out"
            )
        if self.validation is None or self.holds_nothing_out:
            everything = np.arange(row_info.n, dtype=np.int64)
            return [Fold(index=0, iteration=0, train=everything, scored=None, monitored=None)]
        train, scored = hold_out(
            row_info, self.validation, shuffle=self.shuffle, stratify=self.stratify
        )
        return [Fold(index=0, iteration=0, train=train, scored=scored, monitored=scored)]
