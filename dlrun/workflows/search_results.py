"""What a search found: its best trial, and what that is worth, from the kept runs of the trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlrun.config.yaml_writer import in_line
from dlrun.errors import DlrunError, RunError
from dlrun.metrics.names import Direction
from dlrun.scoring.differences import ResampledRows, bounds
from dlrun.searches.correction import (
    METHOD,
    Correction,
    ScoredFold,
    corrected_score,
)
from dlrun.store.run_directory import RunDirectory
from dlrun.store.search_directory import SearchDirectory
from dlrun.workflows.comparable_runs import ScoredRun, read_scored_run, why_not_comparable
from dlrun.workflows.compare import not_from_predictions, targets_of


@dataclass(frozen=True)
class TrialRow:
    """One trial of a search.

    Args:
        number: From 0; 0 is the config itself.
        values: By the paths of the space; those that it does not have, or whose value is not known,
            are left out.
        status: `finished` or `failed`.
        score: On the validation rows, or the mean over folds; None if it failed.
        seconds: How long it took.
        reason: Why it failed, one line; None if it did not.
    """

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    status: str = "finished"
    score: float | None = None
    seconds: float = 0.0
    reason: str | None = None

    def cells(self, paths: Sequence[str]) -> list[str]:
        """The row of `trials.csv`."""
        values = [in_line(self.values[p]) if p in self.values else "" for p in paths]
        score = "" if self.score is None else repr(self.score)
        ends = [score, self.status, f"{self.seconds:.3f}", self.reason or ""]
        return [str(self.number), *values, *ends]


def table_columns(paths: Sequence[str]) -> list[str]:
    """Return the titles of `trials.csv`."""
    return ["trial", *paths, "score", "status", "seconds", "reason"]


def best_of(rows: Sequence[TrialRow], direction: Direction) -> TrialRow | None:
    """Return the finished trial with the best score, the first of equals; None without one."""
    sign = 1.0 if direction == "max" else -1.0
    scored = [row for row in rows if row.score is not None]
    return max(scored, key=lambda row: sign * (row.score or 0.0), default=None)


def kept_row(run: RunDirectory, number: int, values: dict[str, Any]) -> TrialRow | None:
    """Return the row of a trial that has ended, from its run; None if it can go on."""
    facts, status = run.read_run(), run.status
    seconds = float(facts.get("seconds") or 0.0)
    if status == "failed" and not facts.get("resumable"):
        why = str(facts.get("error")).partition(": ")[2]
        return TrialRow(number, values, "failed", None, seconds, reason(RunError(why)))
    if status != "finished":
        return None
    value = (run.read_result().get("score") or {}).get("value")
    if value is None or not math.isfinite(value):
        return TrialRow(number, values, "failed", None, seconds, "the score is not a number")
    return TrialRow(number, values, "finished", float(value), seconds)


def reason(error: Exception) -> str:
    """Return why a trial failed, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def selection_facts(
    directory: SearchDirectory,
    rows: Sequence[TrialRow],
    direction: Direction,
    seed: int,
    *,
    trust_plugins: bool,
) -> dict[str, Any]:
    """Return the score corrected for having chosen the best of all trials, and how much better
    than trial 0 that is, as plain data; `no_correction` says why there is none."""
    scored = [row.number for row in rows if row.score is not None]
    nothing: dict[str, Any] = {"corrected": None, "against_config": None}
    if len(scored) < 2:
        return {**nothing, "no_correction": "only one trial was scored: nothing was chosen"}
    try:
        runs = [
            read_scored_run(RunDirectory(directory.trial(number)), trust_plugins=trust_plugins)
            for number in scored
        ]
        found = _correction(runs, direction, scored.index(0) if 0 in scored else None, seed)
    except (DlrunError, OSError, MemoryError, ValueError) as error:
        return {**nothing, "no_correction": str(error)}
    if isinstance(found, str):
        return {**nothing, "no_correction": found}
    low, high = bounds(runs[0].measure.score) if runs[0].measure.score else (None, None)
    facts: dict[str, Any] = {
        "corrected": {
            "value": found.value,
            "interval": found.interval.within(low, high).as_dict(),
            "method": METHOD,
        },
        "against_config": None,
    }
    if found.gain is not None and found.gain_interval is not None:
        ends = found.gain_interval
        facts["against_config"] = {
            "gain": found.gain,
            "interval": ends.as_dict(),
            "better": None if ends.low <= 0 <= ends.high else ends.low > 0,
        }
    return facts


def _correction(
    runs: Sequence[ScoredRun], direction: Direction, first: int | None, seed: int
) -> Correction | str:
    """The corrected score of some trials, or why there is none."""
    for number, run in enumerate(runs):
        if (why := why_not_comparable(runs[0], run)) is not None:
            return f"the trials were not scored on the same rows: {why}"
        if (why := not_from_predictions(run)) is not None:
            return why
        if number and not _counts_same_steps(runs[0], run):
            return "some trials mask steps that others count"
    folds = []
    for number, part in enumerate(runs[0].parts):
        statistics = []
        for run in runs:
            score = run.measure.score
            assert score is not None
            own = run.parts[number]
            rows = ResampledRows(score, targets_of(run, own), None, own.get("mask"), None)
            statistics.append(rows.repeated([own["predictions"]])[0])
        folds.append(ScoredFold(part["rows"], part.get("units"), statistics))
    return corrected_score(folds, direction, first=first, seed=seed)


def _counts_same_steps(one: ScoredRun, other: ScoredRun) -> bool:
    masks = [run.predictions.get("mask") for run in (one, other)]
    if masks[0] is None or masks[1] is None:
        return masks[0] is masks[1]
    return bool(np.array_equal(masks[0], masks[1]))
