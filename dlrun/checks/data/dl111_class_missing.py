"""A class that stands on one side of the split only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from dlrun.checks.check import BOOK, DataCheck
from dlrun.checks.columns import DATASET, as_codes, labels_of
from dlrun.checks.finding import Seen, Severity
from dlrun.checks.views import DataView
from dlrun.text import first_few


class ClassMissing(DataCheck):
    """A class that stands on one side of the split only."""

    why: ClassVar[str] = (
        "what is not trained on cannot be predicted, and what is not scored is not judged"
    )
    source: ClassVar[str] = BOOK + "4.2.2"
    instead: ClassVar[str] = "say `stratify: true`, hold out more rows, or leave the class out"

    def look(self, view: DataView) -> Iterator[Seen]:
        labels = labels_of(view.dataset.samples)
        if labels is None or view.dataset.task == "regression" or view.held_out is None:
            return
        codes = as_codes(labels)
        names = {int(code): label for code, label in zip(codes, labels, strict=True)}
        classes = view.dataset.classes.get(next(iter(view.dataset.samples.targets)), ())
        untrained, unscored = set[int](), set(names)
        for fold in view.folds:
            untrained |= set(names) - set(codes[fold.train].tolist())
            unscored -= set() if fold.scored is None else set(codes[fold.scored].tolist())
        for missing, side in ((untrained, "trained on"), (unscored, "scored")):
            if missing:
                shown = first_few(_name(names[code], classes) for code in sorted(missing))
                which = "class" if len(missing) == 1 else "classes"
                where = "in a fold" if len(view.folds) > 1 and side == "trained on" else "at all"
                severity: Severity = "warning" if side == "trained on" else "note"
                message = f"{which} {shown} not {side} {where}"
                yield Seen(message, DATASET, on_key=True, severity=severity)


def _name(label: Any, classes: Sequence[str]) -> str:
    named = label if isinstance(label, str) or not classes else classes[int(label)]
    return f"'{named}'"
