"""Time-series cross-validation by forward chaining."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from dlrun.data.row_info import RowInfo
from dlrun.data.splits import errors_at, time_series_splits
from dlrun.protocols.protocol import Fold, Folded


class TimeSeries(Folded):
    """Train on the past and score on the stretch that follows, several times, each time with
    a longer past (scikit-learn's `TimeSeriesSplit`)."""

    in_time_order: ClassVar[bool] = True

    folds: int = Field(default=5, ge=2)
    """Number of stretches that are scored."""

    gap: int = Field(default=0, ge=0)
    """Rows left out between the training rows and the stretch that is scored."""

    max_train: int | None = Field(default=None, ge=1)
    """Most training rows of a fold, the latest ones; default: all of the past."""

    shuffle: Literal[False] = False
    """Rows are never shuffled."""

    stratify: Literal[False] = False
    """Time decides the splits, not the classes."""

    def split(self, row_info: RowInfo, monitors_validation: bool) -> list[Fold]:
        with errors_at(("evaluation", "folds")):
            splits = time_series_splits(
                row_info, self.folds, gap=self.gap, max_train=self.max_train
            )
        return self.complete(row_info, splits, monitors_validation)
