"""What the run of a task shows where no model learns from data: one module a task, by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from dlrun.errors import RunError

if TYPE_CHECKING:
    from dlrun.reports.charts import Chart
    from dlrun.store.run_directory import RunDirectory


@dataclass(frozen=True)
class TaskSection:
    """What the report shows of a task.

    Args:
        title: Heading of the section.
        about: What the run was, in a line.
        charts: In their order.
        caption: Above the table.
        columns: Names of the table's columns.
        rows: A text for each column.
    """

    title: str
    about: str
    charts: Sequence[Chart]
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class TaskReport(Protocol):
    """What a module of this package has."""

    def lines(self, result: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return labels and texts that sum the result up."""
        ...

    def section(self, directory: RunDirectory, result: Mapping[str, Any]) -> TaskSection:
        """Return what the report shows.

        Raises:
            RunError: A file of the run is missing or damaged.
        """
        ...


def report_of(result: Mapping[str, Any]) -> TaskReport | None:
    """Return the module for the task of a result; None for a model that learnt from data."""
    name = result.get("task")
    if name not in [module.name for module in pkgutil.iter_modules(__path__)]:
        return None
    return cast("TaskReport", importlib.import_module(f"{__name__}.{name}"))


def section_of(directory: RunDirectory, result: Mapping[str, Any]) -> TaskSection | None:
    """Return what the report shows of a task; None for a model that learnt from data, and where a
    file is missing."""
    report = report_of(result)
    try:
        return None if report is None else report.section(directory, result)
    except RunError:
        return None


def draw_task(directory: RunDirectory, title: str, result: Mapping[str, Any]) -> None:
    """Draw the charts of a task as PNG and SVG, named after it.

    Raises:
        RunError: They exist already, or the disk refused.
    """
    from dlrun.reports.picture import build_picture, save_picture

    section = section_of(directory, result)
    if section is None or not section.charts:
        return
    picture = build_picture(section.charts, f"{title}: {section.about}")
    directory.save_picture(
        str(result["task"]),
        lambda path: save_picture(picture, path, path.suffix.removeprefix(".")),
    )
