"""Whether a model beats a baseline or the simple model, in one sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dlrun.scoring.differences import ScoreDifference
from dlrun.scoring.intervals import Interval
from dlrun.text import figure, figure_near, figure_range, percent

FEW_ROWS = 100
"""Fewer rows than these show only large differences."""

SAME = 1e-12


@dataclass(frozen=True)
class Verdict:
    """A comparison on the same rows.

    Args:
        beats: True where the model is better by more than chance, False where it is worse by
            more than chance, None where the rows cannot tell.
        difference: How much better it is, in the measure's unit; below 0 where it is worse.
        interval: Where the true difference probably lies, or None.
        text: All of it in one sentence; where that says "worse", its interval is of how much worse.
    """

    beats: bool | None
    difference: float
    interval: Interval | None
    text: str

    def as_dict(self, question: str = "beats_baseline") -> dict[str, Any]:
        """The verdict as plain data, its answer by the name of the question."""
        return {
            question: self.beats,
            "difference": self.difference,
            "interval": None if self.interval is None else self.interval.as_dict(),
            "text": self.text,
        }


def verdict(found: ScoreDifference, rival: str) -> Verdict:
    """Return what a difference between a model and its rival means.

    Args:
        found: The difference; above 0 where the model is better.
        rival: What the model is compared with: `baseline`, `simple model`.
    """
    beats = (found.difference > 0) if found.different else None
    return Verdict(beats, found.difference, found.interval, _text(found, beats, rival))


def _text(found: ScoreDifference, beats: bool | None, rival: str) -> str:
    same = abs(found.difference) < SAME
    better = "better" if same or found.difference > 0 else "worse"
    if found.interval is None:
        size = figure(abs(found.difference))
        lead = f"as good as the {rival}" if same else f"{size} {better} than the {rival}"
        return f"{lead}; no interval: {found.why}" if found.why else lead
    low, high = found.interval.low, found.interval.high
    if better == "worse":
        # The interval is of what the sentence says: how much worse it is.
        low, high = -high, -low
    size = figure_near(abs(found.difference), high - low)
    if float(size) == 0:
        # Beside a wide interval a small difference would be rounded to none.
        size = figure(abs(found.difference))
    ends = f"{percent(found.interval.level)} interval {_ends(low, high)}"
    if beats:
        return f"beats the {rival} by {size} ({ends})"
    if beats is False:
        return f"worse than the {rival} by {size} ({ends})"
    detail = f"the {ends} includes 0" if same else f"{size} {better}, but the {ends} includes 0"
    few = _few_rows(found.interval.note)
    return f"no clear difference from the {rival}: {detail}{few}"


def _ends(low: float, high: float) -> str:
    """Both ends; one near 0 has enough digits to show its sign."""
    texts = figure_range(low, high).split(" to ")
    ends = zip((low, high), texts, strict=True)
    return " to ".join(
        text if value == 0 or float(text) != 0 else figure(value) for value, text in ends
    )


def _few_rows(note: str | None) -> str:
    """` (20 rows are few)`, where the interval comes from few rows."""
    match = re.match(r"from (\d+) rows", note or "")
    return f" ({match[1]} rows are few)" if match and int(match[1]) < FEW_ROWS else ""
