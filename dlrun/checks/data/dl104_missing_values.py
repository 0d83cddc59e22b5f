"""Missing values with no step for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from dlrun.checks.check import BOOK, DataCheck
from dlrun.checks.columns import numeric_columns, preprocess_place, with_step
from dlrun.checks.finding import Seen, Severity
from dlrun.checks.views import DataView
from dlrun.data.preprocessing.impute import Impute
from dlrun.text import counted, first_few


class MissingValues(DataCheck):
    """Missing values with no step for them."""

    severity: ClassVar[Severity] = "error"
    why: ClassVar[str] = "a single NaN in a row makes the loss NaN"
    source: ClassVar[str] = BOOK + "4.3.1"
    instead: ClassVar[str] = "add `impute` to the preprocessing"

    def look(self, view: DataView) -> Iterator[Seen]:
        covered = [step for step in view.config.preprocess if isinstance(step, Impute)]
        missing = {}
        for name, column in numeric_columns(view.dataset.samples):
            if any(step.columns is None or name in step.columns for step in covered):
                continue
            if column.dtype.kind == "f" and (count := int(np.isnan(column).sum())):
                missing[name] = count
        if missing:
            values = counted(sum(missing.values()), "value")
            yield Seen(
                f"{values} missing in {first_few(missing)}, with no step for it",
                preprocess_place(view.config),
                with_step(view.config, "impute"),
                on_key=True,
            )
