"""A column of texts that are numbers with marks between their thousands, such as "1,234"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from dlrun.checks.check import DataCheck
from dlrun.checks.columns import DATASET, text_columns
from dlrun.checks.finding import Change, Seen
from dlrun.checks.grouped_numbers import LAYOUTS, are_grouped
from dlrun.checks.views import DataView
from dlrun.text import first_few


class GroupedNumbers(DataCheck):
    """A column of texts that are numbers with marks between their thousands, such as "1,234"."""

    why: ClassVar[str] = (
        "it is taken for words: every number is a category of its own, and which is larger is lost"
    )
    source: ClassVar[str] = "pandas, read_csv"
    instead: ClassVar[str] = "say in `thousands`, under dataset, what stands between them"

    def look(self, view: DataView) -> Iterator[Seen]:
        dataset = view.config.dataset
        if not hasattr(dataset, "thousands"):
            return
        typed = getattr(dataset, "types", {})
        columns = [(n, column) for n, column in text_columns(view.train) if n not in typed]
        for thousands, decimal in LAYOUTS:
            found = [name for name, column in columns if are_grouped(column, thousands, decimal)]
            if found:
                hold = "holds numbers" if len(found) == 1 else "hold numbers"
                yield Seen(
                    f"{first_few(found)} {hold} with '{thousands}' between the thousands, "
                    "read as text",
                    DATASET,
                    _change(thousands, decimal),
                    on_key=True,
                )
                return


def _change(thousands: str, decimal: str) -> Change:
    values = ((("dataset", "thousands"), thousands), (("dataset", "decimal"), decimal))
    if decimal == ".":
        return Change(values[:1], f'thousands: "{thousands}" (under dataset)')
    return Change(values, f'thousands: "{thousands}" and decimal: "{decimal}" (under dataset)')
