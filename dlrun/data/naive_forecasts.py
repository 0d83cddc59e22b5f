"""What common sense says of rows in the order of time: the target's last known value.

Legend: n rows, k targets or steps ahead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlrun.data.samples import Array, Columns

PERSISTENCE = "persistence"
SEASONAL = "seasonal"


def previous_targets(targets: Columns, time: Array | None) -> Columns:
    """Return `persistence` for the rows of a table: the targets of the row before in time.

    Nothing where two rows have the same time: then none of them comes before the other.

    Args:
        targets: (n,) or (n, k) quantities by name.
        time: (n,) times of the rows; None: they are in order.
    """
    values = as_matrix(targets)
    order = np.arange(len(values)) if time is None else np.argsort(time, kind="stable")
    if time is not None and (np.diff(time[order]) == np.zeros(1, np.diff(time).dtype)[0]).any():
        return {}
    before = np.full_like(values, np.nan)
    before[order[1:]] = values[order[:-1]]
    return {PERSISTENCE: before}


def as_matrix(targets: Columns) -> Array:
    """Return (n, k) float64: a column for each number of the targets."""
    columns = (np.asarray(column, np.float64) for column in targets.values())
    return np.concatenate([c.reshape(len(c), -1) for c in columns], axis=1)


def naive_series_forecasts(
    targets: Sequence[Array],
    last: Array,
    ahead: Array,
    season: int | None,
    stretch: Array | None,
) -> Columns:
    """Return `persistence` and `seasonal` for windows over a series.

    Persistence is the value in the last row of the window. Seasonal is the value one season before
    the target's time, or as many seasons as it takes to be known by the window's last row; where
    that says the same as persistence everywhere, it is left out.

    Args:
        targets: (r,) values of each target.
        last: (n,) places of the windows' last rows.
        ahead: (k,) rows from there to the targets.
        season: Rows of a season, or None.
        stretch: (r,) counts up at each gap, or None where no gap counts.
    """
    persistent = [values[last][:, np.newaxis].repeat(len(ahead), axis=1) for values in targets]
    references = {PERSISTENCE: np.concatenate(persistent, axis=1).astype(np.float64)}
    if season is None:
        return references
    places = last[:, np.newaxis] + (ahead - -(-ahead // season) * season)[np.newaxis]
    known = places >= 0
    places = np.maximum(places, 0)
    if stretch is not None:
        known &= stretch[places] == stretch[last][:, np.newaxis]
    seasonal = [np.where(known, values[places], np.nan) for values in targets]
    joined = np.concatenate(seasonal, axis=1).astype(np.float64)
    same = np.array_equal(places, last[:, np.newaxis].repeat(len(ahead), axis=1))
    return references if same else references | {SEASONAL: joined}
