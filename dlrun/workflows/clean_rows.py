"""The score on the rows that no training row of their fold repeats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlrun.checks.duplicates import exact_hashes, positions_hashed
from dlrun.checks.finding import Findings
from dlrun.data.samples import Dataset
from dlrun.metrics.folds import spread_facts
from dlrun.protocols.result import FoldResult, Outcome

REPEATED = "DL106"
"""The finding about rows of both sides that are the same."""


def clean_rows_facts(
    dataset: Dataset, outcome: Outcome, splits: Mapping[str, np.ndarray], findings: Findings
) -> dict[str, Any] | None:
    """Return the score of each fold on its rows that are not repeated among its training rows, with
    `rows`, how many there are, and `repeated`, how many others, as plain data.

    None where the checks found no repeated rows, or too many rows to compare.

    Args:
        dataset: The rows.
        outcome: Of the training.
        splits: Row numbers by the split's name, as in `splits.npz`.
        findings: What the checks found.
    """
    found = {finding.code for finding in findings.shown} | set(findings.silenced)
    samples = dataset.samples
    if REPEATED not in found or positions_hashed(samples) is not None:
        return None
    # Rows on disk that are few enough to be compared fit into memory.
    samples = samples.read()
    hashes = exact_hashes(samples.features | {f"target {n}": c for n, c in samples.targets.items()})
    scores, rows, repeated = list[float](), 0, 0
    for fold in outcome.complete_folds:
        train = splits[f"fold{fold.index:02d}_train"]
        seen = np.isin(
            hashes[np.searchsorted(samples.rows, fold.rows)],
            hashes[np.searchsorted(samples.rows, train)],
        )
        repeated += int(seen.sum())
        value = _score(fold, ~seen)
        if value is not None:
            scores.append(value)
            rows += int((~seen).sum())
    if not scores or not repeated:
        return None
    return {**spread_facts(scores), "rows": rows, "repeated": repeated}


def _score(fold: FoldResult, chosen: np.ndarray) -> float | None:
    """The score of a fold on some of its rows; None where there are none, or it is no number."""
    if fold.rivals is None or not chosen.any():
        return None
    given = fold.rivals.comparison
    if given.score.name == "loss" and given.score.rows is None:
        # A sum of losses with masks, which are those of all rows.
        return None
    weights, mask = (None if part is None else part[chosen] for part in (given.weights, given.mask))
    value = given.score.function(given.truth[chosen], given.model[chosen], weights, mask)
    return float(value) + given.added if np.isfinite(value) else None
