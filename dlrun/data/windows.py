"""Windows over a series: the table of its rows is held once, and each window is cut when needed.

Legend: r rows of the series, f quantities, n windows of t rows each, b windows of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dlrun.data.lazy import Array, EncodedBlock, LazyArray, Rows, joined
from dlrun.errors import DataError


@dataclass(frozen=True, eq=False)
class Series:
    """Rows in the order of time, of one series or of several, one after another.

    Args:
        values: (r, f) float32; a missing value is NaN. Text is held as its place in `categories`.
        names: Of the f quantities.
        numbers: (r,) int64, each row's number in its source.
        times: (r,) when each row was measured, or None.
        origin: Number of rows of the same table before these.
        categories: The different texts of each quantity that is text.
        labels: Names of the series, where there are several.
        codes: (r,) int64 index into `labels`; None where there is one series.
    """

    values: Array
    names: tuple[str, ...]
    numbers: Array
    times: Array | None = None
    origin: int = 0
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    codes: Array | None = None

    def __len__(self) -> int:
        return len(self.values)

    def between(self, first: int, stop: int) -> Series:
        """Return rows from `first` to before `stop`; nothing is copied."""
        rows = slice(first, stop)
        return replace(
            self,
            values=self.values[rows],
            numbers=self.numbers[rows],
            times=None if self.times is None else self.times[rows],
            origin=self.origin + first,
            codes=None if self.codes is None else self.codes[rows],
        )

    def columns(self, rows: Rows = slice(None)) -> dict[str, Array]:
        """Return each quantity of some rows, (b,): float32, or text and None as objects."""
        values = self.values[rows]
        return {
            name: decoded(values[:, index], self.categories[name])
            if name in self.categories
            else values[:, index]
            for index, name in enumerate(self.names)
        }

    def followed_by(self, other: Series) -> Series:
        """Return these rows and then those of another table with the same quantities, which has no
        row number in common.

        Raises:
            DataError: The quantities differ.
        """
        if self.names != other.names or self.categories.keys() != other.categories.keys():
            raise DataError(
                f"the series differ in their quantities: {', '.join(self.names)}, and "
                f"{', '.join(other.names)}"
            )
        categories = {
            name: tuple(dict.fromkeys((*texts, *other.categories[name])))
            for name, texts in self.categories.items()
        }
        values = np.array(other.values)
        for index, name in enumerate(self.names):
            if name in categories:
                codes, _ = encoded(other.columns()[name], categories[name])
                values[:, index] = codes
        labels = tuple(dict.fromkeys((*self.labels, *other.labels)))
        of_series = None
        if self.codes is not None and other.codes is not None:
            renamed = np.asarray([labels.index(label) for label in other.labels], np.int64)
            of_series = np.concatenate([self.codes, renamed[other.codes]])
        times = None
        if self.times is not None and other.times is not None:
            times = joined(self.times, other.times)
        numbers = np.concatenate([self.numbers, other.numbers + (self.numbers.max() + 1)])
        values = np.concatenate([self.values, values])
        return Series(
            values, self.names, numbers, times, self.origin, categories, labels, of_series
        )


def encoded(
    column: Array, categories: Sequence[str] | None = None
) -> tuple[Array, tuple[str, ...]]:
    """Return (n,) float32, the place of each text among the categories, NaN where it is missing;
    and the categories, by default the different texts, sorted."""
    if categories is None:
        categories = sorted({text for text in column if text is not None})
    place: dict[Any, float] = {text: float(i) for i, text in enumerate(categories)}
    place[None] = math.nan
    return np.fromiter(map(place.__getitem__, column), np.float32, len(column)), tuple(categories)


def decoded(codes: Array, categories: Sequence[str]) -> Array:
    """Return (n,) objects, the texts that were `encoded`."""
    texts = np.asarray([*categories, None], object)
    return np.asarray(texts[np.where(np.isnan(codes), -1, codes).astype(np.int64)])


@dataclass(frozen=True, eq=False)
class Windows(LazyArray, EncodedBlock):
    """A column of `Samples`, (n, t, f): what was known of a series at n points in time.

    `take` gives windows over the rows that they need, uncopied. Windows are a block of `Encoded`
    too, which compiled programs expand a batch at a time.

    Args:
        series: The rows.
        starts: (n,) int64 places in the series of each window's first row.
        length: Rows of a window, t.
        step: From one row of a window to the next.
        delay: Rows from a window's last row to its first target.
        horizon: Rows from a window's last row to its last target; 0 where there is none.
        target_numbers: (n, s) int64 numbers of the s targets' rows in the source, where known.
        target_times: (n, s) the time of each of s targets of a window, where known.

    No window reaches from one series into the next.
    """

    series: Series
    starts: Array
    length: int
    step: int = 1
    delay: int = 0
    horizon: int = 0
    target_numbers: Array | None = None
    target_times: Array | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n, t, f)."""
        return len(self.starts), self.length, self.width

    @property
    def row_shape(self) -> tuple[int, int]:
        """Shape of one window, (t, f)."""
        return self.length, self.width

    @property
    def width(self) -> int:
        """Number of quantities, f."""
        return int(self.series.values.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Always float32."""
        return self.series.values.dtype

    @property
    def windows(self) -> Windows:
        return self

    @property
    def span(self) -> int:
        """Rows of the series from a window's first to its last."""
        return (self.length - 1) * self.step + 1

    @property
    def overlap(self) -> int:
        """Windows whose last rows are further apart than this share no row, nor targets."""
        return self.span - 1 + self.horizon

    @property
    def last(self) -> Array:
        """(n,) places in the series of each window's last row."""
        return self.starts + (self.span - 1)

    @property
    def places(self) -> Array:
        """(n,) the same in the whole series, whatever part of it is held here."""
        return self.last + self.series.origin

    @property
    def signature(self) -> tuple[object, ...]:
        return "Windows", *self.row_shape, self.step

    @property
    def arrays(self) -> tuple[Array, ...]:
        """(r, f) float32 rows, and (n,) int32 places of first rows."""
        return self.series.values, self.starts.astype(np.int32)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, rows: Rows) -> Array:
        places = self.starts[rows][..., np.newaxis] + self._offsets
        return np.asarray(self.series.values[places])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        raise DataError(
            f"{len(self)} windows of shape {self.row_shape} would have to be held one by one here; "
            "what needs that does not work on a series"
        )

    def dense(self) -> Array:
        return self[:]

    def take(self, rows: Rows) -> Windows:
        """Return some of the windows, over the rows of the series that they cover and no other."""
        starts = self.starts[rows]
        first = int(starts.min()) if len(starts) else 0
        stop = int(starts.max()) + self.span if len(starts) else 0
        return replace(
            self,
            series=self.series.between(first, stop),
            starts=starts - first,
            target_numbers=None if self.target_numbers is None else self.target_numbers[rows],
            target_times=None if self.target_times is None else self.target_times[rows],
        )

    def expand(self, arrays: Sequence[Any], rows: Any) -> Any:
        from keras import ops

        values, starts = arrays
        places = ops.take(starts, rows)[:, None] + self._offsets.astype(np.int32)[None]
        return ops.take(values, places, axis=0)

    def covered(self) -> Array:
        """Places of the series' rows that lie in a window, ascending, each once."""
        steps = np.zeros(len(self.series) + 1, np.int64)
        np.add.at(steps, self.starts, 1)
        np.add.at(steps, self.starts + self.span, -1)
        return np.flatnonzero(np.cumsum(steps)[:-1])

    def with_values(self, values: Array, names: tuple[str, ...]) -> Windows:
        """Return the same windows over other quantities, (r, f) float32."""
        series = replace(self.series, values=values, names=names, categories={})
        return replace(self, series=series)

    def followed_by(self, other: Windows) -> Windows:
        """Return these windows and then those of another series with the same quantities."""
        starts = np.concatenate([self.starts, other.starts + len(self.series)])
        # Rows of two files have no number or time in common.
        return replace(
            self,
            series=self.series.followed_by(other.series),
            starts=starts,
            target_numbers=None,
            target_times=None,
        )

    def last_values(self) -> Array:
        """(n, f) the last row of each window: what is known last."""
        return np.asarray(self.series.values[self.last])

    @property
    def codes(self) -> Array | None:
        """(n,) the series that each window is over; None where there is one."""
        return None if self.series.codes is None else self.series.codes[self.last]

    def labels(self) -> Array | None:
        """(n,) objects, the name of each window's series; None where there is one."""
        codes = self.codes
        return None if codes is None else np.asarray(self.series.labels, object)[codes]

    def thinned(self, steps: int) -> Windows:
        """Return windows of at most so many of the t rows, evenly apart and the last among them."""
        every = math.ceil(self.length / steps)
        kept = math.ceil(self.length / every)
        starts = self.starts + (self.length - 1 - (kept - 1) * every) * self.step
        return replace(self, starts=starts, length=kept, step=self.step * every)

    def last_times(self) -> Array | None:
        """(n,) when the last row of each window was measured, or None."""
        return None if self.series.times is None else self.series.times[self.last]

    @property
    def _offsets(self) -> Array:
        return np.arange(self.length, dtype=np.int64) * self.step
