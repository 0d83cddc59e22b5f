"""What a split may know of the rows.

Legend: n rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dlrun.data.samples import Array, Samples
from dlrun.data.task import class_labels
from dlrun.metrics.names import TargetType


@dataclass(frozen=True)
class RowInfo:
    """What a split may know of the rows: never their features.

    Args:
        n: Number of rows.
        labels: (n,) class of each row, or None where there are no classes.
        groups: (n,) group of each row: rows of one group stay together.
        time: (n,) time of each row: training comes before validation.
        seed: Seed of everything random.
        validation: (n,) bool, rows that come from a separate validation file.
        places: (n,) place of each window in its series; None for rows that are not windows. Windows
            are split in their order.
        overlap: Windows of which the places are no further apart than this share rows.
        series: (n,) number of the series that each window is over; None: the same one.
        moments: (n,) when the last row of each window was measured, where that is known.
        ends: (n,) when the last of its targets was.
    """

    n: int
    labels: Array | None = None
    groups: Array | None = None
    time: Array | None = None
    seed: int = 0
    validation: Array | None = None
    places: Array | None = None
    overlap: int = 0
    series: Array | None = None
    moments: Array | None = None
    ends: Array | None = None

    @classmethod
    def of(
        cls,
        samples: Samples,
        task: TargetType,
        seed: int,
        *,
        groups: str | None,
        time: str | None,
        validation: Array | None = None,
    ) -> RowInfo:
        """What a split may know of some rows, with their groups and times in these columns."""
        windows = samples.windows
        ahead = None if windows is None else windows.target_times
        return cls(
            n=len(samples),
            labels=class_labels(task, samples.targets),
            groups=None if groups is None else samples.extras[groups],
            time=None if time is None else samples.extras[time],
            seed=seed,
            validation=validation,
            places=None if windows is None else windows.places,
            overlap=0 if windows is None else windows.overlap,
            series=None if windows is None else windows.codes,
            moments=None if windows is None else windows.last_times(),
            ends=None if ahead is None else ahead[:, -1],
        )

    def part(self, positions: Array) -> RowInfo:
        """Some of the rows."""

        def some(column: Array | None) -> Array | None:
            return None if column is None else column[positions]

        return replace(
            self,
            n=len(positions),
            labels=some(self.labels),
            groups=some(self.groups),
            time=some(self.time),
            places=some(self.places),
            series=some(self.series),
            moments=some(self.moments),
            ends=some(self.ends),
        )

    @property
    def order(self) -> Array | None:
        """(n,) what orders the rows in time, or None where nothing does.

        Windows over several series are in the order of their times; without times, by the share
        of their own series that lies before them.
        """
        if self.time is not None or self.series is None or self.places is None:
            return self.places if self.time is None else self.time
        return self.moments if self.moments is not None else _shares(self.series, self.places)

    @property
    def whole_series(self) -> bool:
        """Whether windows are dealt by the groups that their series belong to, not by time."""
        return self.groups is not None and self.series is not None and self.time is None


def _shares(series: Array, places: Array) -> Array:
    """(n,) between 0 and 1: the share of each window's own series that lies before it."""
    order = np.lexsort((places, series))
    _, first, counts = np.unique(series[order], return_index=True, return_counts=True)
    rank = np.arange(len(series)) - np.repeat(first, counts)
    shares = np.empty(len(series))
    shares[order] = (rank + 0.5) / np.repeat(counts, counts)
    return shares
