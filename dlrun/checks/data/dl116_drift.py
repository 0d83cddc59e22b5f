"""A column distributed differently in the training rows and in those that give the score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from dlrun.checks.check import BOOK, DataCheck
from dlrun.checks.columns import DATASET, is_series, numeric_columns
from dlrun.checks.finding import Seen
from dlrun.checks.leaks import largest_gap
from dlrun.checks.views import DataView
from dlrun.registry.component import Component
from dlrun.text import first_few

_LARGE = 0.3
_P_VALUE = 1e-4
_IN_TIME = (
    "find out what changed over time; where a column only grows, its change from row to row may "
    "tell more than its value"
)


class Drift(DataCheck):
    """A column distributed differently in the training rows and in those that give the score. Test
    rows are sealed, and are not compared."""

    why: ClassVar[str] = "the score is that of another kind of rows than the model learnt from"
    source: ClassVar[str] = BOOK + "4.2.2"
    instead: ClassVar[str] = (
        "find out how the rows differ; shuffle them unless time or groups forbid it"
    )

    def look(self, view: DataView) -> Iterator[Seen]:
        if view.held_out is None or len(view.held_out) < 20:
            return
        protocol, series = view.config.evaluation.protocol, is_series(view.train)
        held_out = dict(numeric_columns(view.held_out))
        columns = [(n, c) for n, c in numeric_columns(view.train) if n in held_out]
        gaps = {}
        for name, column in columns:
            gap, p_value = largest_gap(column, held_out[name])
            if gap > _LARGE and p_value * len(columns) < _P_VALUE:
                gaps[name] = gap
        if gaps:
            worst = max(gaps, key=lambda name: gaps[name])
            here = f"{np.nanmean(dict(columns)[worst]):.4g}"
            there = f"{np.nanmean(held_out[worst]):.4g}"
            yield Seen(
                f"{first_few(gaps)} differ{'s' if len(gaps) == 1 else ''} between training and "
                f"validation rows (the mean of '{worst}' is {here} and {there})",
                DATASET,
                on_key=True,
                advice=_IN_TIME if series or _in_time_order(protocol) else None,
                # Later stretches of a series differ by their season; it cannot be shuffled.
                severity="note" if series else None,
            )


def _in_time_order(protocol: Component) -> bool:
    return bool(getattr(protocol, "time", None) or getattr(protocol, "in_time_order", False))
