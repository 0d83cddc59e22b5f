"""Rows as they come from the data: what one should look at before any model."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from dlrun.data.lazy import windows_of
from dlrun.reports.charts import Chart, LineMark, axis_holding
from dlrun.reports.drawing import RUN_COLORS
from dlrun.reports.sheets import AnySheet, ChartSheet, Sheet, TableSheet, Tile
from dlrun.text import counted
from dlrun.views import ViewOfRows, ViewResult
from dlrun.views.parts.contents import cells, pictures_in, shortened_words, words_of
from dlrun.views.parts.subject import ChosenRows, Subject

MOST_COLUMNS = 8
"""Columns of a table that are shown."""


class Rows(ViewOfRows):
    """Show rows as they are in the data: pictures with their labels, texts in words, windows of a
    series as lines, and the cells of tables."""

    needs_model: ClassVar[bool] = False

    def look(self, subject: Subject) -> ViewResult:
        chosen = subject.rows(self.rows)
        form, sheet, arrays = _shown(subject, chosen)
        facts = {
            "form": form,
            "part": chosen.part,
            "rows": chosen.numbers.tolist(),
            "names": list(chosen.names),
            "labels": list(chosen.labels),
        }
        line = f"{counted(len(chosen.names), chosen.part.removesuffix('s'))} as {form}"
        if chosen.part.startswith("rows of"):
            line = f"{chosen.part}, as {form}"
        return ViewResult([line], facts, {"rows": chosen.numbers, **arrays}, [sheet])


def _shown(subject: Subject, chosen: ChosenRows) -> tuple[str, AnySheet, dict[str, np.ndarray]]:
    """What the rows are shown as, the picture of them, and their numbers."""
    samples, title = chosen.samples, f"{subject.config.name}: {chosen.part}"
    if (pictures := pictures_in(samples)) is not None:
        pairs = zip(pictures, chosen.captions, strict=True)
        tiles = [Tile(picture, caption) for picture, caption in pairs]
        return "pictures", Sheet("rows", title, tiles, columns=4), {"pictures": pictures}
    for name, column in samples.features.items():
        if (windows := windows_of(column)) is not None:
            quantities = list(windows.series.names)
            values = np.asarray(column[:], np.float64)
            charts = [
                _chart(one, quantities, caption)
                for one, caption in zip(values, chosen.captions, strict=True)
            ]
            return "windows of a series", ChartSheet("rows", title, charts), {name: values}
    if (words := words_of(subject, samples)) is not None:
        texts = [shortened_words(one) for one in words]
        labels = chosen.labels or ("",) * len(texts)
        rows = list(zip(chosen.names, labels, texts, strict=True))
        return "texts", TableSheet("rows", title, ["row", "label", "text"], rows), {}
    names, values_of = cells(samples)
    more = len(names) - MOST_COLUMNS
    note = f"and {counted(more, 'more column')}" if more > 0 else ""
    header = ["row", *(["label"] if chosen.labels else []), *names[:MOST_COLUMNS]]
    rows_of = [
        [name, *([chosen.labels[i]] if chosen.labels else []), *values_of[i][:MOST_COLUMNS]]
        for i, name in enumerate(chosen.names)
    ]
    return "table", TableSheet("rows", title, header, rows_of, note), {}


def _chart(values: np.ndarray, quantities: list[str], caption: str) -> Chart:
    """The quantities of a window over its steps, each in units of its own spread: they share no
    scale."""
    steps = np.arange(len(values))
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    shown = scaled[:, : len(RUN_COLORS)]
    marks = tuple(
        LineMark(steps, column, f"run {number}", label=name)
        for number, (name, column) in enumerate(zip(quantities, shown.T, strict=False))
    )
    return Chart(
        axis_holding(steps, "step of the window"),
        axis_holding(shown.reshape(-1), "standard deviations"),
        marks,
        description=caption,
        note=caption,
    )
