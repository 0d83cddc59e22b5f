"""What the end of a run says: score, baseline, best epoch, time, place, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlrun.metrics.formatting import duration, figure, figure_with_spread


@dataclass(frozen=True)
class Line:
    """One line: what it is about, and what there is to say."""

    label: str
    text: str


@dataclass(frozen=True)
class Summary:
    """The end of a run.

    Args:
        lines: In the order in which they are read.
        beats_baseline: Whether the score is better than the baseline; None where one of them
            is not known.
        findings: What the user should know, one sentence each.
    """

    lines: tuple[Line, ...]
    beats_baseline: bool | None
    findings: tuple[str, ...] = ()

    def text(self) -> str:
        """The lines and findings as plain text, labels in a column."""
        width = max((len(line.label) for line in self.lines), default=0)
        lines = [f"{line.label:<{width}}  {line.text}" for line in self.lines]
        return "\n".join([*lines, *(f"note: {finding}" for finding in self.findings)])


def run_summary(
    result: Mapping[str, Any],
    where: str,
    next_command: str | None = None,
    *,
    unit: str | None = None,
) -> Summary:
    """Summarise a run.

    Args:
        result: What `result.json` holds: `score` and `baseline` (each with `value`, `std` and
            the values of all `folds`), `best_epoch`, `best_value`, `epochs`, `seconds`,
            `interrupted`, `findings`. What is missing gets no line.
        where: The run directory, as the user would type it.
        next_command: What to run next.
        unit: Unit of the score, where it has one.
    """
    score, baseline = result.get("score") or {}, result.get("baseline") or {}
    trained = result.get("folds") or []
    folds = sum(not fold.get("interrupted") for fold in trained) or len(trained)
    beats = _beats(score, baseline)
    texts = {
        "status": "interrupted; what was reached is kept" if result.get("interrupted") else None,
        "score": _score(score, folds, unit),
        "baseline": _baseline(baseline, folds, unit, beats),
        "best epoch": _best_epoch(result, score, folds),
        "time": _time(result.get("seconds"), folds),
        "run": where,
        "next": next_command,
    }
    lines = tuple(Line(label, text) for label, text in texts.items() if text is not None)
    return Summary(lines, beats, tuple(result.get("findings") or ()))


def _score(score: Mapping[str, Any], folds: int, unit: str | None) -> str | None:
    if not score:
        return None
    name = f"validation {score.get('name', 'score')}"
    values: Sequence[float | None] = score.get("folds") or []
    if not values:
        return "none: no rows were held out"
    if score.get("value") is None:
        return f"{name} is not a number"
    text = f"{name} {_quantity(score, unit)}"
    if folds > 1:
        text += f" (mean ± standard deviation of {folds} folds)"
    return text


def _baseline(
    baseline: Mapping[str, Any], folds: int, unit: str | None, beats: bool | None
) -> str | None:
    if not baseline:
        return None
    # Each fold's constant is its own, so that one number would say too much.
    about = baseline.get("description") if folds <= 1 else baseline.get("name")
    text = f"{_quantity(baseline, unit)} ({about})"
    return f"{text}; the model does not beat it" if beats is False else text


def _best_epoch(result: Mapping[str, Any], score: Mapping[str, Any], folds: int) -> str | None:
    best, epochs = result.get("best_epoch"), result.get("epochs")
    if best is None:
        return None
    text = str(best) if epochs is None else f"{best} of {epochs}"
    value = result.get("best_value")
    if value is None:
        return text
    mean = "mean " if folds > 1 else ""
    return f"{text} ({mean}validation {score.get('name', 'score')} {figure(value)})"


def _time(seconds: float | None, folds: int) -> str | None:
    if seconds is None:
        return None
    return f"{duration(seconds)} for {folds} folds" if folds > 1 else duration(seconds)


def _quantity(spread: Mapping[str, Any], unit: str | None) -> str:
    value = spread.get("value")
    text = figure(None) if value is None else figure_with_spread(value, spread.get("std"))
    return f"{text} {unit}" if unit else text


def _beats(score: Mapping[str, Any], baseline: Mapping[str, Any]) -> bool | None:
    ours, theirs = score.get("value"), baseline.get("value")
    if ours is None or theirs is None or not (math.isfinite(ours) and math.isfinite(theirs)):
        return None
    return bool(ours < theirs if score.get("direction") == "min" else ours > theirs)
