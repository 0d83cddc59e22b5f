"""Which rows are held out of training, as the config says it."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from dlrun.data.splits import RowInfo, holdout_split
from dlrun.errors import DataError
from dlrun.registry.component import Section

Array = np.ndarray


class Share(Section):
    """Some of the rows. Exactly one of the options."""

    fraction: float | None = Field(default=None, gt=0, lt=1)
    """Share of the rows, between 0 and 1."""

    samples: int | None = Field(default=None, ge=1)
    """Number of rows."""

    first: int | None = Field(default=None, ge=1)
    """The first so many rows, in the order of the source: the book's hold-out."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        names = [name for name in type(self).model_fields if name != "hold_out"]
        if sum(getattr(self, name) is not None for name in names) != 1:
            listed = ", ".join(f"`{name}`" for name in names[:-1])
            raise ValueError(f"give exactly one of {listed} and `{names[-1]}`")
        return self


class Validation(Share):
    """Rows to hold out. Exactly one of the options."""

    path: str | list[str] | None = None
    """File, files or glob that hold the validation rows, relative to the config file."""

    hold_out: bool = True
    """With `path`: whether these rows are held out; `false` trains the final model on them too."""

    @model_validator(mode="after")
    def _trained_on_rows_of_their_own(self) -> Self:
        if not self.hold_out and self.path is None:
            raise ValueError(
                "`hold_out: false` goes with `path`; `validation: null` holds out none"
            )
        return self

    def own_options(self) -> list[str]:
        return ["path", "hold_out"] if self.path is not None else list(Share.model_fields)


def hold_out(
    row_info: RowInfo, given: float | Share, *, shuffle: bool, stratify: bool | None
) -> tuple[Array, Array]:
    """Return training and validation positions, int64. A bare number is a fraction.

    Raises:
        DataError: The rows cannot be dealt so; says why, with figures.
    """
    share = given if isinstance(given, Share) else Share(fraction=given)
    if isinstance(share, Validation) and share.path is not None:
        return _rows_of_their_own(row_info)
    return holdout_split(
        row_info,
        fraction=share.fraction,
        samples=share.samples,
        first=share.first,
        shuffle=shuffle,
        stratify=stratify,
    )


def _rows_of_their_own(row_info: RowInfo) -> tuple[Array, Array]:
    """The rows that come from files of their own; groups and times hold for them too.

    Raises:
        DataError: A group stands on both sides, or validation does not come after training.
    """
    assert row_info.validation is not None
    train, held_out = np.flatnonzero(~row_info.validation), np.flatnonzero(row_info.validation)
    if row_info.groups is not None:
        torn = np.intersect1d(row_info.groups[train], row_info.groups[held_out])
        if len(torn):
            raise DataError(
                f"the group '{torn[0]}' stands among the training rows and the validation rows; "
                "take it out of one of the files"
            )
    if row_info.time is not None:
        last, first = row_info.time[train].max(), row_info.time[held_out].min()
        if first <= last:
            raise DataError(
                f"the validation rows begin at {first}, before the training rows end at {last}; "
                "validation must come after training"
            )
    return train, held_out


def hold_out_within(
    row_info: RowInfo,
    positions: Array,
    given: float | Share,
    *,
    shuffle: bool,
    stratify: bool | None,
) -> tuple[Array, Array]:
    """Hold rows out of some of the rows; positions in and out count from the first row of all."""
    train, held_out = hold_out(row_info.part(positions), given, shuffle=shuffle, stratify=stratify)
    return positions[train], positions[held_out]
