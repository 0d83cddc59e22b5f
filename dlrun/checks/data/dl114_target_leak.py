"""A column that gives the target away by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from dlrun.checks.check import BOOK, DataCheck
from dlrun.checks.columns import (
    DATASET,
    drop_columns,
    is_series,
    labels_of,
    numeric_columns,
    text_columns,
)
from dlrun.checks.finding import Seen
from dlrun.checks.leaks import gives_classes, gives_quantity, names_classes
from dlrun.checks.views import DataView
from dlrun.text import first_few

_FEWEST = 30


class TargetLeak(DataCheck):
    """A column that gives the target away by itself."""

    why: ClassVar[str] = (
        "a column that decides the answer alone is mostly made after the answer was known, "
        "and will be missing in use"
    )
    source: ClassVar[str] = BOOK + "4.5"
    instead: ClassVar[str] = "leave the column out, unless it is known before the answer"

    def look(self, view: DataView) -> Iterator[Seen]:
        target = labels_of(view.train)
        if target is None or len(target) < _FEWEST:
            return
        if is_series(view.train):
            # What was measured last tells most of what comes next, as it may.
            return
        quantity = view.dataset.task == "regression"
        tells = gives_quantity if quantity else gives_classes
        found = [name for name, values in numeric_columns(view.train) if tells(values, target)]
        if not quantity:
            texts = text_columns(view.train)
            found += [name for name, values in texts if names_classes(values, target)]
        if found:
            tell = "tells" if len(found) == 1 else "tell"
            yield Seen(
                f"{first_few(found)} alone {tell} the target in these rows",
                DATASET,
                drop_columns(view.config, found),
                on_key=True,
            )
