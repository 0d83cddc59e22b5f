"""Which epoch the curves of a training mark: the one whose weights its model has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlrun.reports.summary import width


@dataclass(frozen=True)
class MarkedEpoch:
    """The epoch that is marked, the value of the curve there, and that value rounded."""

    epoch: int
    value: float
    text: str


@dataclass(frozen=True)
class Kept:
    """The epoch that all curves of a training mark.

    Args:
        epoch: The one whose weights the model has; of several folds the best one of their mean.
        label: Which of these it is.
        score: The measure of success.
        width: What its values are rounded by, see `dlrun.text.figure_near`.
    """

    epoch: int
    label: str
    score: str
    width: float | None


KEPT, BEST = "kept epoch", "best epoch"
"""Which epoch is marked."""


def kept_epoch(result: Mapping[str, Any], fold: int | None = None) -> Kept | None:
    """Return the epoch that the curves mark, or None where it is not known.

    Args:
        result: What `result.json` holds.
        fold: Which of several trainings, from 0; None for the run as a whole.
    """
    folds, score = result.get("folds") or [], result.get("score") or {}
    own = result if fold is None else folds[fold] if fold < len(folds) else {}
    weights = own.get("kept_weights") or {}
    epoch = weights.get("epoch") or own.get("best_epoch")
    if epoch is None:
        return None
    label = KEPT if weights.get("epoch") else BEST
    return Kept(int(epoch), label, str(score.get("name")), width(score))
