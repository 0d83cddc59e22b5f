"""One component of Keras, and what is wrong beside it."""

from __future__ import annotations

from typing import Any

from dlrun.config.components import TITLES, read_component
from dlrun.config.report import Report
from dlrun.config.yaml_writer import in_line
from dlrun.errors import KeyPath
from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasComponent, KerasKind
from dlrun.text import quoted


def read_named(kind: KerasKind, value: Any, path: KeyPath, report: Report) -> KerasComponent | None:
    """Read one component of Keras, in any of the three spellings."""
    if isinstance(value, dict) and len(value) > 1 and _report_beside(kind, value, path, report):
        return None
    return read_component(kind, value, path, report)


def _report_beside(kind: KerasKind, value: dict[Any, Any], path: KeyPath, report: Report) -> bool:
    """Report arguments, or other components, that stand beside a component's name."""
    named = [key for key in value if isinstance(key, str) and catalogue.entry(kind, key)]
    if not named:
        return False
    title = TITLES[kind].split(" ", 1)[1]
    first, *more = named
    if more:
        hint = f"begin each {title} on a line of its own with '- '"
        if path in (("loss",), ("optimizer",)):
            hint = f"name one {title}"
        report((*path, more[0]), f"'{more[0]}' stands beside '{first}'", hint=hint, on_key=True)
        return True
    others = [key for key in value if key != first]
    arguments = _arguments(kind, first, value[first]) | {key: value[key] for key in others}
    stand = "stands" if len(others) == 1 else "stand"
    report(
        (*path, others[0]),
        f"{quoted(others)} {stand} beside '{first}', not inside it",
        hint=f"write {first}: {in_line(arguments)}",
        on_key=True,
    )
    return True


def _arguments(kind: KerasKind, name: str, value: Any) -> dict[Any, Any]:
    """A component's arguments by name, whatever spelling they are given in."""
    if isinstance(value, dict):
        return value
    entry = catalogue.entry(kind, name)
    if value is None or entry is None or entry.first is None:
        return {}
    return {entry.first.name: value}
