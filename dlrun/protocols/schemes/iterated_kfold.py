"""Iterated K-fold cross-validation: K-fold several times, shuffled anew each time."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dlrun.data.row_info import RowInfo
from dlrun.data.splits import Split, errors_at, kfold_splits
from dlrun.protocols.protocol import Fold, Folded, different_splits


class IteratedKFold(Folded):
    """Run K-fold P times on rows shuffled anew, each time differently while there are other ways;
    the score is the mean of all P x K folds (Deep Learning with Python, section 4.2.1)."""

    folds: int = Field(default=5, ge=2)
    """Number of parts, K."""

    iterations: int = Field(default=3, ge=1)
    """Number of times, P, that the rows are shuffled and cut."""

    shuffle: Literal[True] = True
    """Rows are always shuffled: without it every iteration would be the same."""

    def split(self, row_info: RowInfo, monitors_validation: bool) -> list[Fold]:
        def split(rows: RowInfo, loosely: bool) -> list[Split]:
            with errors_at(("evaluation", "folds")):
                return kfold_splits(rows, self.folds, stratify=self.stratify, loosely=loosely)

        folds: list[Fold] = []
        dealt = different_splits(row_info, self.iterations, split)
        for iteration, (rows, splits) in enumerate(dealt):
            folds += self.complete(rows, splits, monitors_validation, iteration)
        return folds
