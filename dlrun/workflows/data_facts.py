"""What the data was: the content of `data.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlrun.checks.finding import Findings
from dlrun.data.fingerprint import describe, fingerprint
from dlrun.data.samples import Dataset


def data_facts(
    dataset: Dataset, splits: Mapping[str, np.ndarray], findings: Findings
) -> dict[str, Any]:
    """Return fingerprint, shapes, dtypes, class counts and findings, as plain data.

    The test rows are sealed: nothing of them is read, their fingerprint comes with the first
    evaluation.

    Args:
        dataset: All rows that may be used before the test.
        splits: Row numbers of every split by its name, as in `splits.npz`.
        findings: What the checks found before training.
    """
    parts = {name: rows for name, rows in splits.items() if name != "test"}
    return {
        "description": dataset.description,
        "task": dataset.task,
        "outputs": list(_of_first(dataset).samples.output_names),
        **({"questions": _questions(dataset)} if dataset.tasks else {}),
        "classes": {name: list(names) for name, names in dataset.classes.items()},
        "fingerprint": fingerprint(dataset.samples),
        **describe(dataset.samples, dataset.classes),
        "splits": {name: _split_facts(dataset, rows) for name, rows in parts.items()},
        "test": {
            "exists": dataset.has_test,
            "rows": None if dataset.test_rows is None else len(dataset.test_rows),
        },
        "findings": findings.as_dicts(),
        "silenced": dict(findings.silenced),
    }


def _of_first(dataset: Dataset) -> Dataset:
    """What the output predicts that gives the score, where there are several."""
    return dataset.of_output(next(iter(dataset.tasks), None))


def _questions(dataset: Dataset) -> dict[str, Any]:
    """The task of each of several outputs, and a name for each number that it predicts."""
    return {
        name: {"task": task, "outputs": list(dataset.of_output(name).samples.output_names)}
        for name, task in dataset.tasks.items()
    }


def _split_facts(dataset: Dataset, rows: np.ndarray) -> dict[str, Any]:
    """Facts of one split; row numbers ascend in a data set, so that they can be looked up."""
    part = dataset.samples.take(np.searchsorted(dataset.samples.rows, rows))
    described = describe(part, dataset.classes)
    return {
        "rows": len(part),
        "fingerprint": fingerprint(part),
        "targets": {
            name: {key: facts[key] for key in ("counts", "range", "sums") if key in facts}
            for name, facts in described["targets"].items()
        },
    }
