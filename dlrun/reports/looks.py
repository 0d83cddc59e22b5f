"""What is said of looks at test data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlrun.metrics.formatting import figure
from dlrun.text import ordinal

NAMED = 3
"""Earlier looks that are named at most, the newest."""


def look_sentence(number: int, runs_before: int) -> str:
    """Return `third look at this test set; validation chose among 14 runs before it`, or that no
    other run was there to choose from.

    Args:
        number: Which look at these test rows it is, by any run, from 1.
        runs_before: Finished runs on the same data that validation chose among before.
    """
    sentence = f"{ordinal(number)} look at this test set"
    if runs_before == 1:
        sentence += "; validation had no other run to choose from"
    elif runs_before:
        sentence += f"; validation chose among {runs_before} runs before it"
    if number > 1:
        sentence += "; who chooses between looks gets a score that flatters"
    return sentence


def looks_before(looks: Sequence[Mapping[str, Any]]) -> str | None:
    """Return `20261121-101530-a-3f2a (accuracy 0.91), ...`: who looked before, the newest first;
    None where nobody did.

    Args:
        looks: `run`, `metric` and `score` of each, oldest first.
    """
    shown = [
        f"{look['run']} ({look['metric']} {figure(look['score'])})"
        for look in reversed(looks[-NAMED:])
    ]
    if len(looks) > NAMED:
        shown.append(f"and {len(looks) - NAMED} more")
    return ", ".join(shown) or None
