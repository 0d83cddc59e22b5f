"""Repeated hold-out: one split, trained several times with different seeds."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from dlrun.data.row_info import RowInfo
from dlrun.data.splits import Split
from dlrun.errors import DataError
from dlrun.protocols.protocol import Fold, Protocol, Validation, different_splits, hold_out


class RepeatedHoldout(Protocol):
    """Train on some rows and score on the others, several times with the seeds `seed`,
    `seed + 1` and so on; the score is the mean, and its spread shows how much chance in training
    matters."""

    repeats: int = Field(default=5, ge=2)
    """How many times a fresh model is trained."""

    validation: float | Validation = 0.2
    """The rows to hold out: a fraction, or one of `fraction`, `samples`, `first`, `path`."""

    reshuffle: bool = False
    """Whether each repeat makes a new split (scikit-learn's `ShuffleSplit`), different from all
    others while there are other ways; otherwise all have the same rows."""

    @model_validator(mode="after")
    def _can_be_reshuffled(self) -> Self:
        given = self.validation
        fixed = {
            "shuffle: false": not self.shuffle,
            "time": self.time is not None,
            "first": isinstance(given, Validation) and given.first is not None,
            "path": isinstance(given, Validation) and given.path is not None,
        }
        for option in (name for name, fixes in fixed.items() if fixes and self.reshuffle):
            raise ValueError(
                f"`{option}` fixes which rows are held out, so every split would be the same; "
                "remove `reshuffle`"
            )
        if isinstance(given, Validation) and not given.hold_out:
            raise ValueError("`hold_out: false` leaves nothing to score; use `holdout`")
        return self

    def split(self, row_info: RowInfo, monitors_validation: bool) -> list[Fold]:
        if self.reshuffle and row_info.places is not None:
            raise DataError(
                "the rows of a series are held out in time order, so every split would be the "
                "same; remove `reshuffle`"
            )

        def split(rows: RowInfo, loosely: bool) -> list[Split]:
            return [
                hold_out(
                    rows,
                    self.validation,
                    shuffle=self.shuffle,
                    stratify=self.stratify,
                    loosely=loosely,
                )
            ]

        dealt = different_splits(row_info, self.repeats if self.reshuffle else 1, split)
        splits = [one for _, [one] in dealt] * (1 if self.reshuffle else self.repeats)
        return [
            Fold(index=i, iteration=i, train=train, scored=scored, monitored=scored)
            for i, (train, scored) in enumerate(splits)
        ]
