"""A run as a comparison sees it: its score, and the rows and folds that gave it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlrun.config.schema import Config
from dlrun.data.source import Source
from dlrun.errors import RunError
from dlrun.protocols.protocol import Protocol
from dlrun.reports.differences import ConfigDifference, differences
from dlrun.scoring.measures import Measure, measures_of, select_measure
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import RunEntry, read_entry
from dlrun.workflows.plugins import load_run_config

Array = np.ndarray
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class ScoredRun:
    """A run that has a score. What it keeps is read when it is asked for.

    Args:
        directory: Where it is.
        entry: What `run.json` holds.
        result: What `result.json` holds.
        label: What it is called in the comparison.
        trust_plugins: Whether the Python files of its config may run.
    """

    directory: RunDirectory
    entry: RunEntry
    result: Facts
    label: str = ""
    trust_plugins: bool = False

    @property
    def score(self) -> Facts:
        """`name`, `direction`, `value` and more."""
        score: Facts = self.result["score"]
        return score

    @property
    def protocol(self) -> str:
        """That it was scored under."""
        return str(self.result.get("protocol"))

    @cached_property
    def config(self) -> Config:
        """The config with everything filled in."""
        return load_run_config(self.directory, trust_plugins=self.trust_plugins)

    @cached_property
    def measure(self) -> Measure:
        """The measure of success."""
        measures = measures_of(self.config.outputs)
        return select_measure(measures, self.config.evaluation.score)

    @cached_property
    def data(self) -> Facts:
        """What `data.json` holds."""
        return self.directory.read_data()

    @cached_property
    def predictions(self) -> dict[str, Array]:
        """`rows`, `predictions` and `targets` of the rows that gave the score."""
        arrays = self.directory.read_predictions()
        if missing := {"rows", "predictions", "targets"} - arrays.keys():
            raise RunError(f"{self.directory.name}/predictions.npz lacks {', '.join(missing)}")
        return arrays

    @cached_property
    def parts(self) -> list[dict[str, Array]]:
        """`predictions` of each fold."""
        if self.directory.has_model or len(self.folds) == 1:
            return [self.predictions]
        numbers = [number for number, *_ in self._numbered_folds]
        return [self.directory.fold(number).read_predictions() for number in numbers]

    @property
    def folds(self) -> list[tuple[Array, Array, float]]:
        """Training rows, scored rows and score of every fold that was trained to its end."""
        return [fold[1:] for fold in self._numbered_folds]

    @property
    def in_time(self) -> bool:
        """Whether rows depend on those near them in time."""
        protocol = Protocol.of(self.config)
        source = Source.of(self.config)
        return protocol.in_time_order or protocol.time is not None or source.in_time_order

    @cached_property
    def _numbered_folds(self) -> list[tuple[int, Array, Array, float]]:
        splits = self.directory.read_splits()
        scores = {
            fold["fold"]: fold["score"]
            for fold in self.result["folds"]
            if fold.get("score") is not None and not fold.get("interrupted")
        }
        numbers = {
            int(match[1]): name
            for name in splits
            if (match := re.fullmatch(r"fold(\d+)_validation", name))
        }
        return [
            (
                number,
                splits[name.replace("_validation", "_train")],
                splits[name],
                float(scores[number]),
            )
            for number, name in sorted(numbers.items())
            if number in scores
        ]


def read_scored_run(directory: RunDirectory, *, trust_plugins: bool = False) -> ScoredRun:
    """Read a run's score.

    Args:
        directory: The run.
        trust_plugins: Whether the Python files of its config may run.

    Raises:
        RunError: It has none, or its files are damaged.
    """
    entry = read_entry(directory.path)
    assert entry is not None
    if entry.status == "changed":
        # Says more of what is wrong.
        directory.read_run()
    if entry.problem:
        raise RunError(f"{directory.name} is {entry.status}: {entry.problem}")
    if not directory.has_result:
        raise RunError(f"{directory.name} has no result to compare: its status is '{entry.status}'")
    result = directory.read_result()
    if not isinstance(result.get("score"), dict) or not isinstance(result.get("folds"), list):
        raise RunError(f"{directory.name} is damaged: its result.json holds no score")
    if not entry.config:
        raise RunError(f"{directory.name} is damaged: its run.json holds no config")
    return ScoredRun(directory, entry, result, trust_plugins=trust_plugins)


MOST_NAMED = 3
"""Keys of the config that a reason names at most."""

_WHICH_DATA = ("source", "name", "path")
"""Options of a dataset that say which data it is; others say which of its columns and rows."""


def why_not_comparable(first: ScoredRun, second: ScoredRun) -> str | None:
    """Return why two runs cannot be compared, one clause, or None where they can."""
    for run in (first, second):
        if run.score.get("value") is None:
            why = "it is not a number" if run.score.get("folds") else "no rows were held out"
            return f"{run.label} has no score: {why}"
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
        if np.array_equal(first.predictions["targets"], second.predictions["targets"]):
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


def _differing(first: ScoredRun, second: ScoredRun, keys: Sequence[str]) -> list[ConfigDifference]:
    found = differences([first.entry.config, second.entry.config])
    return [one for one in found if one.key[0] in keys and one.key != ("evaluation", "score")]


def _named(found: Sequence[ConfigDifference]) -> str:
    texts = [f"{one.name} {' against '.join(one.texts())}" for one in found[:MOST_NAMED]]
    more = [f"and {len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
    return ", ".join(texts + more)
