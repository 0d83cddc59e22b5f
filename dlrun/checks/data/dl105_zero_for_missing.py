"""Missing values become 0 in a column where 0 is a value of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from dlrun.checks.check import BOOK, DataCheck
from dlrun.checks.columns import numeric_columns
from dlrun.checks.finding import Change, Seen
from dlrun.checks.views import DataView
from dlrun.data.preprocessing.impute import Impute
from dlrun.text import first_few


class ZeroForMissing(DataCheck):
    """Missing values become 0 in a column where 0 is a value of its own."""

    why: ClassVar[str] = "a network can learn that 0 means missing only where 0 means nothing else"
    source: ClassVar[str] = BOOK + "4.3.1"
    instead: ClassVar[str] = "use `impute: median`, or `impute: {strategy: zero, indicator: true}`"

    def look(self, view: DataView) -> Iterator[Seen]:
        for index, step in enumerate(view.config.preprocess):
            if not isinstance(step, Impute) or step.strategy != "zero" or step.indicator:
                continue
            names = [
                name
                for name, column in numeric_columns(view.train)
                if column.dtype.kind == "f"
                and (step.columns is None or name in step.columns)
                and np.isnan(column).any()
                and (column == 0).mean() > 0.01
            ]
            if names:
                yield Seen(
                    f"missing values of {first_few(names)} become 0, which is a value there",
                    ("preprocess", index),
                    Change((), "- impute: {strategy: zero, indicator: true}"),
                )
