"""What a finished protocol comes to: the content of `result.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlrun.data.samples import Dataset
from dlrun.metrics.folds import best_epoch, mean_history, summarize
from dlrun.protocols.protocol import Protocol
from dlrun.protocols.result import FoldResult, Outcome


def result_facts(protocol: Protocol, dataset: Dataset, outcome: Outcome) -> dict[str, Any]:
    """Return score, spread, baseline, best epoch and every fold's own, as plain data."""
    folds = outcome.complete_folds
    histories = [fold.history for fold in folds if fold.epochs]
    mean = mean_history(histories) if histories else {}
    watched = mean.get(f"val_{outcome.score_name}", {}).get("mean")
    best = best_epoch(watched, outcome.direction) if watched else None
    return {
        "protocol": protocol.member_name(),
        "task": dataset.task,
        "score": {
            "name": outcome.score_name,
            "direction": outcome.direction,
            **_spread([fold.score for fold in folds]),
        },
        "baseline": _baseline(folds),
        "best_epoch": best[0] if best else None,
        "best_value": best[1] if best else None,
        "epochs": max(fold.epochs for fold in folds),
        "measures": {
            name: _spread([fold.measures[name] for fold in folds]) for name in folds[0].measures
        },
        "folds": [fold_facts(fold) for fold in outcome.folds],
        "mean_history": mean if len(folds) > 1 else None,
        "watched_scored_rows": outcome.watched_scored_rows,
        "parameters": outcome.parameters,
        "seconds": outcome.seconds,
        "interrupted": outcome.interrupted,
        "findings": _findings(dataset, outcome),
    }


def out_of_fold(folds: Sequence[FoldResult]) -> dict[str, np.ndarray] | None:
    """Predictions for every row that a fold scored, in the order of row numbers.

    Returns:
        `rows` (m,), `predictions` (m, k), averaged over the iterations that scored the row,
        `fold` (m,), the last fold that scored it, and `times` (m,), how often it was scored;
        None where nothing was scored.
    """
    scored = [fold for fold in folds if fold.rows.size]
    if not scored:
        return None
    every_row = np.concatenate([fold.rows for fold in scored])
    rows, places, times = np.unique(every_row, return_inverse=True, return_counts=True)
    values = np.concatenate([fold.predictions for fold in scored]).astype(np.float64)
    sums = np.zeros((len(rows), *values.shape[1:]))
    np.add.at(sums, places, values)
    by_row = times.reshape(-1, *[1] * (values.ndim - 1))
    last = np.zeros(len(rows), np.int64)
    last[places] = np.concatenate([np.full(len(fold.rows), fold.index) for fold in scored])
    return {
        "rows": rows,
        "predictions": (sums / by_row).astype(np.float32),
        "fold": last,
        "times": times,
    }


def _spread(values: Sequence[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    if not known:
        return {"value": None, "std": None, "folds": []}
    summary = summarize(known)
    return {
        "value": summary.mean,
        "std": summary.std if len(known) > 1 else None,
        "folds": known,
    }


def _baseline(folds: Sequence[FoldResult]) -> dict[str, Any] | None:
    known = [fold.baseline for fold in folds if fold.baseline is not None]
    if not known:
        return None
    return {
        "name": known[0].name,
        "description": known[0].description,
        **_spread([baseline.value for baseline in known]),
    }


def fold_facts(fold: FoldResult) -> dict[str, Any]:
    """One fold's own result, as plain data."""
    return {
        "fold": fold.index,
        "iteration": fold.iteration,
        "score": fold.score,
        "measures": fold.measures,
        "baseline": None if fold.baseline is None else fold.baseline.value,
        "best_epoch": fold.best_epoch,
        "best_value": fold.best_value,
        "epochs": fold.epochs,
        "rows": len(fold.rows),
        "seconds": fold.seconds,
        "interrupted": fold.interrupted,
    }


def _findings(dataset: Dataset, outcome: Outcome) -> list[str]:
    findings = list(dataset.findings)
    for fold in outcome.folds:
        findings += [text for text in fold.findings if text not in findings]
    if outcome.watched_scored_rows and len(outcome.folds) > 1:
        findings.append(
            "callbacks steered training by the rows that give the score; the score flatters"
        )
    return findings
