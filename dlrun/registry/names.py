"""Names: near misses, and how Keras spells the names of its classes elsewhere."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

LONGEST_NAME = 100
"""Longer texts are near to no name."""


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to `name`, or None if none is near.

    Case and underscores do not count: `earlystopping` is near to `EarlyStopping`. They decide
    between names that differ in nothing else: `acuracy` means `accuracy`, not `Accuracy`.
    """
    if len(name) > LONGEST_NAME:
        return None
    by_folded: dict[str, list[str]] = {}
    for candidate in known:
        by_folded.setdefault(_fold(candidate), []).append(candidate)
    matches = difflib.get_close_matches(_fold(name), by_folded, n=1, cutoff=0.7)
    # Two letters that changed places weigh much in a short name: `cvs` means `csv`.
    letters = sorted(_fold(name))
    matches = matches or [folded for folded in by_folded if sorted(folded) == letters]
    if not matches:
        return None
    return max(
        by_folded[matches[0]],
        key=lambda candidate: difflib.SequenceMatcher(None, name, candidate).ratio(),
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or an empty text where nothing is near."""
    nearest = closest(name, known)
    return f"; did you mean '{nearest}'?" if nearest else ""


def _fold(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def snake_case(name: str) -> str:
    """Return a class name in snake case, as Keras makes it (`keras/src/utils/naming.py`)."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
