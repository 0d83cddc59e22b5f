"""What the user should know about the classes of the rows: rare ones, unseen ones, odd numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlrun.data.samples import Samples
from dlrun.data.task import Classes, class_labels
from dlrun.metrics.names import TargetType
from dlrun.text import first_few


def label_findings(
    task: TargetType,
    samples: Samples,
    tested: Samples | None,
    names: Classes,
    *,
    any_labels: bool,
) -> list[str]:
    """Return what the user should know about the classes of the first target, a sentence each.

    Args:
        task: What is predicted.
        samples: All rows that may be used before the test.
        tested: The test rows that were taken from the same source, without features, or None.
        names: The names of the classes of each target that has them.
        any_labels: Whether the preprocessing numbers the classes, so that any labels will do.
    """
    labels = class_labels(task, samples.targets)
    if labels is None:
        return []
    name = next(iter(samples.targets))
    classes = names.get(name, ())
    coded = labels.dtype == object or samples.targets[name].ndim == 2

    def named(value: Any) -> str:
        return f"'{classes[value] if classes and not coded else value}'"

    values, first, counts = np.unique(labels, return_index=True, return_counts=True)
    outside = "" if tested is None else " outside the test rows"
    notes = [
        f"class {named(value)} of '{name}' appears once{outside}, in {samples.where(position)}"
        for value, position in zip(values[counts == 1][:3], first[counts == 1], strict=False)
    ]
    if tested is not None:
        sealed = class_labels(task, tested.targets)
        unseen = [] if sealed is None else sorted(set(sealed.tolist()) - set(values.tolist()))
        if unseen:
            kind = "class {} of '{}' is" if len(unseen) == 1 else "classes {} of '{}' are"
            notes.append(
                f"{kind.format(first_few(map(named, unseen)), name)} among the test rows alone: no "
                "model can learn what it never sees, and each such row counts as an error"
            )
    if not (any_labels or classes or coded) and not np.array_equal(values, np.arange(len(values))):
        shown = ", ".join(str(value) for value in values)
        if len(values) > 5:
            shown = f"{len(values)} numbers from {values[0]} to {values[-1]}"
        notes.append(
            f"the labels of '{name}' are {shown}, not 0 to {len(values) - 1}: `label_index`, first "
            "in `targets` under `preprocess`, numbers the classes from 0"
        )
    return notes
