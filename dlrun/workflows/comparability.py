"""Whether two runs were scored on the same rows in the same measure, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlrun.reports.differences import ConfigDifference, differences
from dlrun.workflows.scored_run import ScoredRun

MOST_NAMED = 3
"""Keys of the config that a reason names at most."""

_WHICH_DATA = ("source", "name", "path")
"""Options of a dataset that say which data it is; others say which of its columns and rows."""


def refusal(first: ScoredRun, second: ScoredRun) -> str | None:
    """Return why two runs cannot be compared, one clause, or None where they can."""
    for run in (first, second):
        if run.score.get("value") is None:
            return f"{run.label} has no score: {_why_no_score(run)}"
    return (
        _different_measure(first, second)
        or _different_data(first, second)
        or _different_splits(first, second)
    )


def same_but_for_features(first: ScoredRun, second: ScoredRun) -> str | None:
    """Return what to say of two runs that can be compared though their data is not the same."""
    if first.data.get("fingerprint") == second.data.get("fingerprint"):
        return None
    which = _named(_differing(first, second, ("dataset",)))
    because = f" ({which})" if which else ": the files have changed between the runs"
    return f"{first.label} and {second.label} read different features of the same rows{because}"


def _why_no_score(run: ScoredRun) -> str:
    return "it is not a number" if run.score.get("folds") else "no rows were held out"


def _different_measure(first: ScoredRun, second: ScoredRun) -> str | None:
    one, other = first.measure, second.measure
    if one.output != other.output and one.output and other.output:
        return f"different measures: {one.name} against {other.name}"
    if one.is_sum and other.is_sum:
        configs = (first.config, second.config)
        losses = [[output.loss.name for output in config.outputs] for config in configs]
        weights = [config.loss_weights for config in configs]
        if losses[0] != losses[1] or weights[0] != weights[1]:
            return "different measures: sums of different losses"
    if one.name != other.name and not (one.score and other.score):
        return f"different measures: {one.name} against {other.name}"
    names = [measure.score.metric if measure.score else measure.name for measure in (one, other)]
    if names[0] != names[1]:
        return f"different measures: {one.name} against {other.name}"
    if one.component.arguments != other.component.arguments:
        key = "loss" if one.component.kind == "loss" else "metrics"
        which = _named(_differing(first, second, (key,)))
        return f"different measures: {one.name} with different arguments ({which})"
    return None


def _different_data(first: ScoredRun, second: ScoredRun) -> str | None:
    """The same rows with other features are the same data to compare on: what is true of every
    row is the same."""
    if first.data.get("fingerprint") == second.data.get("fingerprint"):
        return None
    differing = _differing(first, second, ("dataset",))
    other_source = any(one.key[1] in _WHICH_DATA for one in differing)
    if not other_source and first.data.get("rows") == second.data.get("rows"):
        if _different_splits(first, second) is not None:
            return None
        if _same_targets(first, second):
            return None
    if which := _named(differing):
        return f"different data ({which})"
    return "different data: the files have changed between the runs"


def _different_splits(first: ScoredRun, second: ScoredRun) -> str | None:
    one, other = ([scored for _, scored, _ in run.folds] for run in (first, second))
    if len(one) == len(other) and all(map(np.array_equal, one, other)):
        return None
    if first.protocol != second.protocol:
        return f"different splits ({first.protocol} against {second.protocol})"
    if len(one) != len(other):
        return f"different splits ({len(one)} folds against {len(other)})"
    which = _named(_differing(first, second, ("seed", "evaluation", "dataset")))
    return f"different splits ({which or 'other rows were held out'})"


def _same_targets(first: ScoredRun, second: ScoredRun) -> bool:
    return np.array_equal(first.predictions["targets"], second.predictions["targets"])


def _differing(first: ScoredRun, second: ScoredRun, keys: Sequence[str]) -> list[ConfigDifference]:
    found = differences([first.entry.config, second.entry.config])
    return [one for one in found if one.key[0] in keys and one.key != ("evaluation", "score")]


def _named(found: Sequence[ConfigDifference]) -> str:
    texts = [f"{one.name} {' against '.join(one.texts())}" for one in found[:MOST_NAMED]]
    more = [f"and {len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
    return ", ".join(texts + more)
