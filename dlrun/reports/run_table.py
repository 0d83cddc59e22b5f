"""A list of runs as a table: common facts once above it, a column for what differs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dlrun.reports.columns import Column, shortened_apart
from dlrun.reports.differences import (
    ConfigDifference,
    differences,
    reported_differences,
    short_names,
    sources_differ,
)
from dlrun.reports.summary import ends_text, part_of_folds, width
from dlrun.store.run_list import RunEntry
from dlrun.text import duration, figure, figure_beside, figure_near, steady_figure

NAME_WIDTH = 24
VALUE_WIDTH = 28
"""Characters of a name, and of a value of the config, that a cell holds at most."""


LONGEST_TITLE = 12
"""Characters of a title in one line, where the cells are not longer."""


@dataclass(frozen=True)
class RunTable:
    """A list of runs.

    Args:
        common: What all shown runs have in common, one clause each.
        columns: From left to right.
        damaged: What is wrong with changed, damaged and unreadable runs: status, directory and
            problem.
    """

    common: tuple[str, ...]
    columns: tuple[Column, ...]
    damaged: tuple[tuple[str, str, str], ...] = ()


def run_table(entries: Sequence[RunEntry]) -> RunTable:
    """Return the facts of a table of runs, in the order given.

    A column whose cells are all the same becomes a clause above the table. Of the configs only
    the differences between the runs are shown.
    """
    # When a run began, and the end of its name: either is enough to name it in a command.
    columns = [
        Column("run", tuple(entry.stamp for entry in entries), 0),
        Column("id", tuple(entry.ending for entry in entries), 0),
    ]
    common = []
    # Of an interrupted run the status also says how many folds count.
    statuses = [", ".join(filter(None, (e.status, part_of_folds(e.result)))) for e in entries]
    for title, texts, rank in (
        ("name", [entry.name for entry in entries], 1),
        ("status", statuses, 2),
        ("protocol", [str(entry.result.get("protocol") or "") for entry in entries], 9),
    ):
        if len(set(texts)) > 1:
            columns.append(Column(title, tuple(shortened_apart(texts, NAME_WIDTH)), rank))
        elif texts and texts[0]:
            common.append(texts[0])
    scores = _score_columns(entries)
    if len(entries) > 1 and len(set(scores[-1].cells)) == 1 and scores[-1].cells[0]:
        common.append(f"baseline {scores.pop().cells[0]}")
    best = [entry.result.get("best_epoch") for entry in entries]
    epochs = tuple("" if epoch is None else figure(epoch) for epoch in best)
    times = tuple("" if e.seconds is None else duration(e.seconds) for e in entries)
    columns += [
        *scores,
        Column("best epoch", epochs, 10, to_right=True),
        Column("time", times, 11, to_right=True),
        *_config_columns(entries),
    ]
    return RunTable(
        tuple(common),
        tuple(column for column in columns if any(column.cells)),
        tuple((e.status, e.path.name, e.problem) for e in entries if e.problem is not None),
    )


def config_differences(entries: Sequence[RunEntry]) -> list[ConfigDifference]:
    """Return what differs between the configs of runs, their names left out.

    A run whose config is not known counts for nothing.
    """
    known = [index for index, entry in enumerate(entries) if entry.config]
    found = differences([entries[index].config for index in known])
    return [one for one in found if one.key != ("name",) and one.key[0] != "search"]


def _score_columns(entries: Sequence[RunEntry]) -> list[Column]:
    """Score, interval and baseline; the measure is the title if it is the same for all."""
    names = {str(entry.score["name"]) for entry in entries if entry.score.get("name")}
    one = next(iter(names)) if len(names) == 1 else None
    scores = []
    for entry in entries:
        value = entry.score.get("value")
        text = "" if value is None else _rounded(value, width(entry.score))
        scores.append(text if one or not text else f"{entry.score.get('name')} {text}")
    intervals = [ends_text(entry.score.get("interval")) for entry in entries]
    levels = {
        entry.score["interval"].get("level") for entry in entries if entry.score.get("interval")
    }
    level = f"{100 * levels.pop():g}% interval" if len(levels) == 1 else "interval"
    # One place for all of a measure: equal baselines have to look equal.
    widest: dict[str, float] = {}
    for entry in entries:
        name = str(entry.score.get("name"))
        widest[name] = max(widest.get(name, 0.0), width(entry.score) or 0.0)
    baselines = []
    for entry in entries:
        value = (entry.result.get("baseline") or {}).get("value")
        distance = widest[str(entry.score.get("name"))]
        text = figure_beside(value, distance) if distance else steady_figure(value)
        baselines.append("" if value is None else text)
    return [
        Column(one or "score", tuple(scores), 3, to_right=one is not None),
        Column(level, tuple(intervals), 6),
        Column("baseline", tuple(baselines), 7, to_right=True),
    ]


def _rounded(value: float, distance: float | None) -> str:
    return steady_figure(value) if distance is None else figure_near(value, distance)


def _config_columns(entries: Sequence[RunEntry]) -> list[Column]:
    """The differences between the configs, the least interesting last."""
    known = [index for index, entry in enumerate(entries) if entry.config]
    configs = [entries[index].config for index in known]
    found = [
        one
        for one in reported_differences(configs)
        if one.key != _PROTOCOL and one.key[0] != "search"
    ]
    mixed = sources_differ(configs)
    # Runs of one experiment: in the order of the config.
    found.sort(key=lambda one: (one.key in _SELDOM_SOUGHT, _place(one) if mixed else 0))
    columns: list[Column] = []
    titles = [
        ".".join(map(str, one.key[-2:])) if title in _TAKEN else title
        for title, one in zip(short_names([one.key for one in found]), found, strict=True)
    ]
    for title, difference in zip(titles, found, strict=True):
        cells = [""] * len(entries)
        texts = shortened_apart(difference.texts(), VALUE_WIDTH)
        for index, text in zip(known, texts, strict=True):
            cells[index] = text
        # What was varied is worth more than when the best epoch came.
        rank = 4 if not columns else 8
        if difference.key in _SELDOM_SOUGHT or (mixed and len(columns) >= MOST_OF_MIXED):
            rank = 12
        wide = len(title) > max(LONGEST_TITLE, *map(len, cells))
        title = ".\n".join(title.rsplit(".", 1)) if wide else title
        numbers = all(
            re.sub("[-.e]", "", cell).isdecimal() for cell in cells if cell not in ("", "–")
        )
        columns.append(Column(title, tuple(cells), rank, to_right=numbers))
    return columns


_SOUGHT = (
    ("dataset", "source"),
    ("architecture", "layers"),
    ("training", "epochs"),
    ("optimizer",),
)
"""Keys that distinguish experiments."""

MOST_OF_MIXED = 3
"""Columns of the config that come before the time and the best epoch, where runs are on different
sources of data."""


def _place(difference: ConfigDifference) -> int:
    starts = [difference.key[: len(key)] == key for key in _SOUGHT]
    return starts.index(True) if any(starts) else len(starts)


_SELDOM_SOUGHT = (
    ("seed",),
    ("dataset", "path"),
    ("backend",),
    ("training", "engine"),
    ("training", "xla"),
)

_PROTOCOL = ("evaluation", "protocol")
"""Has its own column."""


_TAKEN = ("run", "id", "name", "status", "protocol", "score", "baseline", "time")
"""Titles of other columns."""
