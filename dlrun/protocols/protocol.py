"""What a protocol is, and the rows that it may hold out. A new protocol is one file in
`dlrun/protocols/schemes/`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import groupby
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from dlrun.config.schema import Config
from dlrun.data.row_info import RowInfo
from dlrun.data.splits import Split, errors_at, holdout_split
from dlrun.data.timestamps import TimeColumns
from dlrun.errors import DataError
from dlrun.registry.component import Component, Section

Array = np.ndarray

SEEDS = 2**32
"""How many seeds NumPy and Keras take."""

FEW_ROWS = 100
"""Of so many rows at most, more splits are tried until one is different from all earlier ones."""

INNER_FRACTION = 0.2
"""Share of a fold's training rows that callbacks monitor where the config does not say."""


@dataclass(frozen=True)
class Fold:
    """One division of the rows.

    Args:
        index: Counted from 0 over all iterations.
        iteration: Which reshuffling of the rows it belongs to, from 0.
        train: (k,) int64 positions of the rows to learn from.
        scored: (m,) int64 positions of the rows that give the score; None where nothing is
            held out.
        monitored: (w,) int64 positions that callbacks may monitor: the scored rows, or
            rows taken from the training rows; None where nothing is measured while training.
    """

    index: int
    iteration: int
    train: Array
    scored: Array | None
    monitored: Array | None

    @property
    def monitors_scored_rows(self) -> bool:
        """Whether the rows that give the score are also measured while training."""
        return self.monitored is not None and self.monitored is self.scored


class Share(Section):
    """Some of the rows. Exactly one of the options."""

    alternatives = frozenset({"fraction", "samples", "first"})

    fraction: float | None = Field(default=None, gt=0, lt=1)
    """Share of the rows, between 0 and 1."""

    samples: int | None = Field(default=None, ge=1)
    """Number of rows."""

    first: int | None = Field(default=None, ge=1)
    """Number of rows at the beginning, in the order of the source: the book's hold-out."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        names = [name for name in type(self).model_fields if name != "hold_out"]
        if sum(getattr(self, name) is not None for name in names) != 1:
            listed = ", ".join(f"`{name}`" for name in names[:-1])
            raise ValueError(f"give exactly one of {listed} and `{names[-1]}`")
        return self


class Validation(Share):
    """Rows to hold out. Exactly one of the options."""

    alternatives = Share.alternatives | {"path"}

    path: str | list[str] | None = None
    """File, files or glob that hold the validation rows, relative to the config file."""

    hold_out: bool = True
    """With `path`: whether these rows are held out; `false` trains the final model on them too."""

    @model_validator(mode="after")
    def _hold_out_needs_path(self) -> Self:
        if not self.hold_out and self.path is None:
            raise ValueError(
                "`hold_out: false` goes with `path`; `validation: null` holds out none"
            )
        return self

    def own_options(self) -> list[str]:
        return ["path", "hold_out"] if self.path is not None else list(Share.model_fields)


class Protocol(Component):
    """Base of all protocols: how rows are split into folds."""

    in_time_order: ClassVar[bool] = False
    """Whether rows are in time order, with or without a column of times."""

    shuffle: bool = True
    """Whether rows are put in a random order first; `false` cuts contiguous blocks, as the
    book does. With `groups`, a hold-out then takes the groups that begin last."""

    stratify: bool | None = None
    """Whether every split keeps the class shares. By default those of classification do; the only
    row of a class is trained on, and the rows of a class with fewer of them than there are folds
    go to different folds. `true` refuses such classes."""

    groups: str | None = None
    """Column of groups, not a feature: rows of one group are never on both sides of a split."""

    time: str | list[str] | TimeColumns | None = None
    """Column that orders the rows in time: validation comes strictly after training; it is not
    a feature. Several columns make one time, such as `[date, hour]` or `[year, month, day]`;
    `{column: when, format: "%d.%m.%Y %H:%M"}` says how it is written."""

    @property
    def time_columns(self) -> TimeColumns | None:
        """The columns of `time`."""
        return TimeColumns.of(self.time)

    @classmethod
    def of(cls, config: Config) -> Protocol:
        """The protocol that a config names."""
        protocol = config.evaluation.protocol
        assert isinstance(protocol, Protocol)
        return protocol

    @abstractmethod
    def split(self, row_info: RowInfo, monitors_validation: bool) -> list[Fold]:
        """Split the rows; a function of its arguments and the options alone.

        Args:
            row_info: What may be known of the rows: their number, labels, groups, times; the seed.
            monitors_validation: Whether a callback monitors validation data.

        Raises:
            DataError: The rows cannot be split so; says why, with figures.
        """

    @property
    def one_model(self) -> bool:
        """Whether one model comes out, rather than one for each fold."""
        return False


class Folded(Protocol):
    """Base of protocols that score every fold on rows that did not train it."""

    validation: Literal["fold"] | float | Share | None = None
    """Rows that callbacks such as EarlyStopping may monitor: a share of the training rows
    (default 0.2 where a callback monitors validation data), or `fold` for the very rows that
    give the score, which makes it optimistic."""

    def complete(
        self,
        row_info: RowInfo,
        splits: Sequence[Split],
        monitors_validation: bool,
        iteration: int = 0,
    ) -> list[Fold]:
        """Turn training and scored positions into folds of one iteration, each with the rows that
        are monitored while it trains.

        Where no callback monitors validation data and no inner split is asked for, the scored
        rows are measured after every epoch: nothing depends on what they show.
        """
        share = self.validation
        if share is None:
            share = INNER_FRACTION if monitors_validation else "fold"
        folds = []
        for number, (train, scored) in enumerate(splits):
            monitored = scored
            if share != "fold":
                name = f"inner validation of fold {number + 1} of {len(splits)}"
                train, monitored = self._inner_split(row_info, train, share, name)
            index = iteration * len(splits) + number
            folds.append(Fold(index, iteration, train, scored, monitored))
        return folds

    def _inner_split(
        self, row_info: RowInfo, positions: Array, share: float | Share, name: str
    ) -> Split:
        """Hold out some of the given rows; all positions count from the first row of the data."""
        train, held_out = hold_out(
            row_info.part(positions),
            share,
            shuffle=self.shuffle,
            stratify=self.stratify,
            name=name,
        )
        return positions[train], positions[held_out]


def hold_out(
    row_info: RowInfo,
    given: float | Share,
    *,
    shuffle: bool,
    stratify: bool | None,
    loosely: bool = False,
    name: str = "validation rows",
) -> Split:
    """Return training and validation positions, int64. A bare number is a fraction.

    Raises:
        DataError: The rows cannot be split so; says which split it is, and why, with figures.
    """
    share = given if isinstance(given, Share) else Share(fraction=given)
    if isinstance(share, Validation) and share.path is not None:
        with errors_at(("evaluation", "validation", "path")):
            return _validation_file_split(row_info)
    with errors_at(("evaluation", "validation"), name):
        return holdout_split(
            row_info,
            fraction=share.fraction,
            samples=share.samples,
            first=share.first,
            shuffle=shuffle,
            stratify=stratify,
            loosely=loosely,
        )


def _validation_file_split(row_info: RowInfo) -> tuple[Array, Array]:
    """The rows of a separate validation file; groups and times apply to them too.

    Raises:
        DataError: A group is on both sides, or validation does not come after training.
    """
    assert row_info.validation is not None
    train, held_out = np.flatnonzero(~row_info.validation), np.flatnonzero(row_info.validation)
    if row_info.groups is not None:
        torn = np.intersect1d(row_info.groups[train], row_info.groups[held_out])
        if len(torn):
            raise DataError(
                f"the group '{torn[0]}' is in both the training and the validation rows; "
                "remove it from one of the files"
            )
    if row_info.time is not None:
        last, first = row_info.time[train].max(), row_info.time[held_out].min()
        if first <= last:
            raise DataError(
                f"the validation rows begin at {first}, before the training rows end at {last}; "
                "validation must come after training"
            )
    return train, held_out


def different_splits(
    row_info: RowInfo, count: int, split: Callable[[RowInfo, bool], Sequence[Split]]
) -> list[tuple[RowInfo, Sequence[Split]]]:
    """Split rows several times, never twice in the same way while other ways are found.

    The seeds are `seed`, `seed + 1` and so on. Where an earlier split would be repeated, the seeds
    that follow are tried: until no part repeats an earlier one, or the split as a whole does not.

    Args:
        row_info: The rows.
        count: How many times.
        split: Splits reseeded rows, `loosely` (see `holdout_split`) if its second argument says so.

    Returns:
        The rows as they were reseeded, with their splits.
    """
    # A split of few rows is cheap.
    attempts = 50 + (20 if row_info.n <= FEW_ROWS else 5) * count
    found: list[tuple[RowInfo, Sequence[Split]]] = []
    wholes, parts = set[frozenset[bytes]](), set[bytes]()
    settled = 0
    for number in range(count):
        tried: list[tuple[int, RowInfo, Sequence[Split], frozenset[bytes]]] = []
        for attempt in range(attempts):
            rows = replace(row_info, seed=shifted(row_info.seed, number + attempt * count))
            splits = split(rows, attempt > attempts // 2)
            whole = frozenset(_digest(held_out) for _, held_out in splits)
            repeats = 2 if whole in wholes else len(whole & parts) > 0
            if not tried or repeats < tried[0][0]:
                tried = [(repeats, rows, splits, whole)]
            if repeats <= settled:
                break
        [(repeats, rows, splits, whole)] = tried
        # What could not be had once is not looked for again.
        settled = max(settled, repeats)
        found.append((rows, splits))
        wholes.add(whole)
        parts |= whole
    return found


def _digest(positions: Array) -> bytes:
    """What tells some rows from others, in a few bytes."""
    return blake2b(np.ascontiguousarray(positions).data, digest_size=16).digest()


def repeated_iterations(folds: Sequence[Fold]) -> int:
    """Return how many iterations score the same rows as an earlier one, in the same folds."""
    wholes = [
        frozenset(_digest(fold.scored) for fold in of_one if fold.scored is not None)
        for _, of_one in groupby(folds, key=lambda fold: fold.iteration)
    ]
    return len(wholes) - len(set(wholes))


def shifted(seed: int, offset: int) -> int:
    """Return the seed plus an offset; after the largest seed comes 0."""
    return (seed + offset) % SEEDS
