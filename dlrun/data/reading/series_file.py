"""Tables of one series or several as they were read: their rows, gaps and windows.

Legend: r rows of the series, n windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dlrun.config.yaml_writer import in_line
from dlrun.data.reading.row_order import OrderedRows
from dlrun.data.reading.series import Clock, Gaps, every
from dlrun.data.reading.table_columns import ColumnType, column_type, holds_lists
from dlrun.data.reading.tables import TableFiles
from dlrun.data.samples import Array
from dlrun.data.timestamps import TimeColumns
from dlrun.data.windows import Series, Windows
from dlrun.errors import DataError
from dlrun.text import counted, first_few


@dataclass(frozen=True)
class SeriesFile:
    """A table of one series or several, read.

    Args:
        table: The files.
        features: What the features hold.
        kinds: What features and targets hold.
        rows: The rows in their order.
        series: The quantities that the model uses.
        columns: Features and targets, (r,) each.
        clock: The times, or None.
        time: Their columns.
        gaps: What a gap in the times means.
        findings: What the user should know.
    """

    table: TableFiles
    features: dict[str, ColumnType]
    kinds: dict[str, ColumnType]
    rows: OrderedRows
    series: Series
    columns: dict[str, Array]
    clock: Clock | None
    time: TimeColumns | None
    gaps: Gaps
    findings: tuple[str, ...]

    def places(self, needed: int, stride: int) -> tuple[Array, list[str]]:
        """Return the first rows of all windows for which a series has enough rows, and what to
        know of the series that have not."""
        borders = self.rows.borders
        places = [np.arange(first, stop - needed + 1, stride) for first, stop in pairwise(borders)]
        short = [
            label for label, own in zip(self.rows.labels, places, strict=False) if not len(own)
        ]
        found = []
        if short and len(short) < len(places):
            have = "has" if len(short) == 1 else "have"
            which = "1 series" if len(short) == 1 else f"{len(short):,} series"
            found.append(
                f"{which} of {len(places):,} {have} fewer than the {needed} rows that are needed, "
                f"and no window: {first_few(short, 5)}"
            )
        return np.concatenate(places).astype(np.int64), found

    @property
    def stretch(self) -> Array | None:
        """(r,) counts up wherever no window may go on; None where one may go on everywhere."""
        if self.clock is None or self.gaps == "ignore":
            return self.rows.codes
        return self.clock.stretch

    def without_gaps(self, places: Array, span: int) -> Array:
        """Return the first rows of those windows that have no gap within `span` rows."""
        stretch = self.stretch
        return places if stretch is None else places[stretch[places] == stretch[places + span]]

    def gap_findings(self, left_out: int) -> list[str]:
        """Return what to know of the gaps, for which so many windows were left out."""
        clock = self.clock
        if clock is None or not clock.gaps:
            return []
        gaps = "1 gap" if clock.gaps == 1 else f"{clock.gaps:,} gaps"
        where = f"the times have {gaps}, the first after {clock.first_gap}, up to {clock.widest}"
        if self.gaps == "ignore":
            return [f"{where}: windows span them, as `gaps: ignore` says"]
        return [f"{where}: {counted(left_out, 'window')} that would span one are left out"]

    def description(self, windows: Windows) -> str:
        """Return what was read, in a few words."""
        files = self.table.files
        place = files[0].name if len(files) == 1 else f"{len(files)} files"
        clock = self.clock
        spaced = f", one {every(clock.usual)}," if clock and clock.dates else ""
        several = f" of {len(self.rows.labels):,} series" if self.rows.labels else ""
        count, length, width = windows.shape
        return (
            f"{count:,} windows of {length} x {width} over {len(self.series):,} rows{several}"
            f"{spaced} from {place}"
        )


def kind_of_numbers(table: TableFiles, name: str) -> ColumnType | None:
    """What a column of numbers or of true and false holds; None: dates, lists, or text."""
    series = table.series(name)
    if series.dtype.kind in "mM" or holds_lists(series):
        return None
    try:
        kind = column_type(table, name)
    except DataError as error:
        unwanted = in_line({"drop": [name]})[1:-1]
        advice = f"{error.advice}, or `{unwanted}` to leave it out"
        raise DataError(error.problem, advice=advice, path=error.path) from None
    return kind if kind == "numeric" or series.dtype.kind == "b" else None


def is_known(column: Array) -> Array:
    """(n,) whether a value is there, and finite."""
    if column.dtype == object:
        return np.asarray([value is not None for value in column], bool)
    return np.isfinite(column)
