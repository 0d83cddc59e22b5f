"""A column with one value in all training rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from dlrun.checks.check import DataCheck
from dlrun.checks.columns import DATASET, drop_columns, numeric_columns, text_columns
from dlrun.checks.finding import Seen, Severity
from dlrun.checks.views import DataView
from dlrun.text import first_few

_MANY = 32


class ConstantColumn(DataCheck):
    """A column with one value in all training rows. Pixels and counts that are 0 everywhere are
    passed over where there are more than 32 columns."""

    severity: ClassVar[Severity] = "note"
    why: ClassVar[str] = (
        "a constant tells nothing, and `standardize` cannot divide by its deviation"
    )
    source: ClassVar[str] = "scikit-learn, VarianceThreshold"
    instead: ClassVar[str] = "leave the column out"

    def look(self, view: DataView) -> Iterator[Seen]:
        columns = [*numeric_columns(view.train), *text_columns(view.train)]
        many = len(columns) > _MANY
        found = []
        for name, column in columns:
            first = column[0]
            if bool((column == first).all()) and not (many and first == 0):
                found.append(name)
        if found and len(view.train) > 1:
            have = "has" if len(found) == 1 else "have"
            yield Seen(
                f"{first_few(found)} {have} one value in all training rows",
                DATASET,
                drop_columns(view.config, found),
                on_key=True,
            )
