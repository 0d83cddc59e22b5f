"""The last layer has other units than there are classes or targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from dlrun.checks.check import BOOK, ConfigCheck
from dlrun.checks.finding import Seen, Severity, with_arguments
from dlrun.checks.losses import BINARY_LOSSES, PROBABILITY_LOSSES, QUANTITY_LOSSES
from dlrun.checks.views import ConfigView
from dlrun.text import counted


class UnitsAgainstClasses(ConfigCheck):
    """The last layer has other units than there are classes or targets."""

    severity: ClassVar[Severity] = "error"
    why: ClassVar[str] = (
        "the last layer gives a number for each class, for each target, or one probability "
        "for two classes"
    )
    source: ClassVar[str] = BOOK + "4.5, table 4.1"
    instead: ClassVar[str] = "give the last layer a unit for each class or target"

    def look(self, view: ConfigView) -> Iterator[Seen]:
        output, known, loss = view.output, view.known, view.config.loss
        if output is None or output.units is None:
            return
        if loss.name in QUANTITY_LOSSES and known.task == "regression":
            needed, what = known.outputs, "targets"
        elif loss.name in BINARY_LOSSES and known.task == "binary" and not view.one_hot:
            needed, what = 1, "classes"
        elif loss.name in PROBABILITY_LOSSES and known.task in ("binary", "multiclass"):
            needed, what = known.classes, "classes"
        else:
            return
        if needed is None or output.units == needed:
            return
        there = known.classes if what == "classes" else needed
        too_many = output.units > needed and loss.name.startswith("Sparse")
        yield Seen(
            f"the last layer has {counted(output.units, 'unit')} for {there} {what}",
            output.units_place,
            with_arguments(output.entry, units=needed) if "units" in output.units_place else None,
            advice=f"give it {counted(needed, 'unit')}"
            if "units" not in output.units_place
            else None,
            severity="warning" if too_many else None,
        )
