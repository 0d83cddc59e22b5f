"""A number that stands for a missing value, such as -999."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from dlrun.checks.check import BOOK, DataCheck
from dlrun.checks.columns import DATASET, numeric_columns
from dlrun.checks.finding import Seen, put
from dlrun.checks.views import DataView
from dlrun.text import first_few

_MARKERS = (-99999, -9999, -999, -99, 999, 9999, 99999, 999999)


class MarkedMissing(DataCheck):
    """A number that stands for a missing value, such as -999."""

    why: ClassVar[str] = (
        "as a number it is the strongest signal in the column, and it means nothing"
    )
    source: ClassVar[str] = BOOK + "4.3.1"
    instead: ClassVar[str] = (
        "name it in `missing` under dataset, and add `impute` to the preprocessing"
    )

    def look(self, view: DataView) -> Iterator[Seen]:
        found: dict[str, int] = {}
        for name, column in numeric_columns(view.train):
            for marker in _MARKERS:
                marked = column == marker
                others = column[~marked & np.isfinite(column)]
                if not 3 <= marked.sum() < len(column) / 2 or len(others) < 10:
                    continue
                low, high = float(others.min()), float(others.max())
                if min(abs(marker - low), abs(marker - high)) > 3 * (high - low):
                    found[name] = marker
        if found:
            markers = sorted(set(found.values()))
            has = hasattr(view.config.dataset, "missing")
            hold = "holds" if len(found) == 1 else "hold"
            yield Seen(
                f"{first_few(found)} {hold} {first_few(markers)}, far from all other values",
                DATASET,
                put(("dataset", "missing"), markers) if has else None,
                on_key=True,
            )
