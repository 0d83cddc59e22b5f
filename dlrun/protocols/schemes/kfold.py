"""K-fold cross-validation."""

from __future__ import annotations

from pydantic import Field

from dlrun.data.row_info import RowInfo
from dlrun.data.splits import errors_at, kfold_splits
from dlrun.protocols.protocol import Fold, Folded


class KFold(Folded):
    """Cut the rows into K parts; each is scored by a model trained on the others."""

    folds: int = Field(default=5, ge=2)
    """Number of parts, K."""

    def split(self, row_info: RowInfo, monitors_validation: bool) -> list[Fold]:
        with errors_at(("evaluation", "folds")):
            splits = kfold_splits(
                row_info, self.folds, shuffle=self.shuffle, stratify=self.stratify
            )
        return self.complete(row_info, splits, monitors_validation)
