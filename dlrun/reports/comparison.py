"""The comparison of runs: the answer in a sentence, then every pair."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dlrun.reports.charts import Chart
from dlrun.reports.differences import ConfigDifference, short_names
from dlrun.reports.summary import interval_text, quantity_text, width
from dlrun.text import figure_beside, listed

MOST_NAMED = 2
"""Pairs that one sentence names at most."""

ROUNDING = 1e-12
"""A difference below this is none."""

LONGEST_VALUE = 20
"""Characters of a config's value that may name its run."""


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    Args:
        label: Its name in the comparison.
        run: Name of its directory.
        protocol: That it was scored under.
        score: `name`, `direction`, `value`, `std`, `interval`.
        baseline: `name` and `value` of common sense on the same rows, or None.
        best_epoch: Counted from 1; None where nothing was measured while training.
        epochs: That were trained.
        parameters: Weights of the model.
        seconds: The training took.
    """

    label: str
    run: str
    protocol: str
    score: Mapping[str, Any]
    baseline: Mapping[str, Any] | None
    best_epoch: int | None
    epochs: int | None
    parameters: int | None
    seconds: float | None


@dataclass(frozen=True)
class Pair:
    """Two of the runs.

    Args:
        better: Label of the one with the better score.
        worse: Label of the other.
        measure: What they are compared in.
        difference: How much better, in the measure's unit; None where they are not comparable.
        interval: `low`, `high` and `level` of the true difference, or None.
        p_value: Two-sided, for this pair alone, or None.
        corrected_p: The same, corrected for the number of pairs (Holm).
        different: Whether the corrected difference is larger than chance; None if
            unknown.
        method: How it was judged.
        why: Why they are not comparable, or why chance is unknown; one clause.
        note: What else is to be known, one sentence.
    """

    better: str
    worse: str
    measure: str
    difference: float | None = None
    interval: Mapping[str, Any] | None = None
    p_value: float | None = None
    corrected_p: float | None = None
    different: bool | None = None
    method: str | None = None
    why: str | None = None
    note: str | None = None

    @property
    def comparable(self) -> bool:
        """Whether both were scored on the same rows in the same measure."""
        return self.difference is not None

    @property
    def equal(self) -> bool:
        """Whether both have the same score."""
        return self.difference is not None and abs(self.difference) < ROUNDING

    def sentence(self) -> str:
        """The answer about the two."""
        if self.difference is None:
            return f"{self.better} and {self.worse} are not comparable: {self.why}"
        amount = f"{figure_beside(self.difference, width(asdict(self)))} {self.measure}"
        if self.equal and self.interval is None:
            return f"{self.better} and {self.worse} have the same {self.measure} on these rows"
        if self.interval is None:
            return (
                f"{self.better} is better than {self.worse} by {amount}; whether by more than "
                f"chance is unknown: {self.why}"
            )
        amount += f" ({interval_text(self.interval)})"
        if self.different:
            return f"{self.better} is better than {self.worse} by {amount}"
        text = f"no clear difference between {self.better} and {self.worse}: {amount}"
        if self.corrected_p is None or self.interval["low"] <= 0:
            return text
        return f"{text}; corrected for the number of pairs, p is {self.corrected_p:.2g}"


@dataclass(frozen=True, repr=False)
class Comparison:
    """Several runs side by side.

    Args:
        runs: In the order given.
        pairs: Each of the runs with each other.
        differs: Where their configs differ, a value for each run.
        rows: What they were scored on, for a person to read; None where that differs.
        curves: Their validation curves over each other; empty where none was measured.
    """

    runs: tuple[ComparedRun, ...]
    pairs: tuple[Pair, ...]
    differs: tuple[ConfigDifference, ...]
    rows: str | None
    curves: tuple[Chart, ...] = ()

    def __repr__(self) -> str:
        scored = [
            f"{run.label}: {run.score.get('name')} {quantity_text(run.score)}" for run in self.runs
        ]
        return "\n".join([*self.answer(), *scored])

    def answer(self) -> list[str]:
        """Return the conclusions, a sentence each."""
        sentences = [
            pairs[0].sentence() if len(pairs) == 1 else self._of_several(pairs)
            for pairs in _comparable_groups(self.pairs)
        ]
        return sentences + _refusals(self.pairs)

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {
            "answer": self.answer(),
            "runs": [asdict(run) for run in self.runs],
            "pairs": [asdict(pair) for pair in self.pairs],
            "differs": {one.name: one.plain() for one in self.differs},
            "rows": self.rows,
        }

    def _of_several(self, pairs: Sequence[Pair]) -> str:
        """The conclusion on comparable runs: the best one, and what it is better than."""
        beaten = {pair.worse for pair in pairs}
        best = next(pair.better for pair in pairs if pair.better not in beaten)
        ahead = [pair for pair in pairs if pair.better == best]
        score = next(run.score for run in self.runs if run.label == best)
        clauses = [f"{best} has the best {ahead[0].measure}: {quantity_text(score)}"]
        equal = [pair for pair in ahead if pair.equal and pair.interval is None]
        if equal:
            clauses.append(f"{listed([pair.worse for pair in equal])} the same")
        others = [pair for pair in ahead if pair not in equal]
        for different, text in (
            (True, "it is better than {} by more than chance"),
            (False, "no clear difference between it and {}"),
            (None, "whether it is better than {} is unknown"),
        ):
            if named := [pair.worse for pair in others if pair.different is different]:
                clauses.append(text.format(listed(named)))
        return "; ".join(clauses)


def run_labels(
    names: Sequence[str], directories: Sequence[str], differs: Sequence[ConfigDifference]
) -> list[str]:
    """Return what to call each run: its experiment's name where all names differ, the
    one value of the config that differs where that is short, else the name and the directory's
    last four characters, as far as these are unique.

    Args:
        names: Of the experiments.
        directories: Names of the run directories.
        differs: Where their configs differ.
    """
    if len(set(names)) == len(names):
        return list(names)
    varied = [one for one in differs if one.key not in (("name",), ("seed",))]
    varied = varied or [one for one in differs if one.key == ("seed",)]
    if len(varied) == 1:
        (title,), values = short_names([varied[0].key]), varied[0].short_texts()
        if len(set(values)) == len(values) and all(len(v) <= LONGEST_VALUE for v in values):
            return [f"{title} {value}" for value in values]
    short = [f"{n}-{d.rpartition('-')[2]}" for n, d in zip(names, directories, strict=True)]
    return short if len(set(short)) == len(short) else list(directories)


def _comparable_groups(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """The pairs that can be compared, those of runs that can be compared with each other
    together. Being scored on the same rows in the same measure is transitive."""
    groups: list[list[Pair]] = []
    for pair in pairs:
        if not pair.comparable:
            continue
        runs = {pair.better, pair.worse}
        joined = [group for group in groups if any({p.better, p.worse} & runs for p in group)]
        rest = [group for group in groups if group not in joined]
        groups = [*rest, [*itertools.chain.from_iterable(joined), pair]]
    return groups


def _refusals(pairs: Sequence[Pair]) -> list[str]:
    """Each reason once, with the pairs that it holds for: `A is not comparable with B and C: why`,
    or each pair where no run is in all of them."""
    by_reason: dict[str | None, list[Pair]] = {}
    for pair in pairs:
        if not pair.comparable:
            by_reason.setdefault(pair.why, []).append(pair)
    sentences = []
    for reason, those in by_reason.items():
        in_all = set[str].intersection(*({pair.better, pair.worse} for pair in those))
        if len(those) > 1 and in_all:
            one = in_all.pop()
            others = [pair.worse if pair.better == one else pair.better for pair in those]
            refused = f"{one} is not comparable with {listed(others)}"
        elif len(those) <= MOST_NAMED:
            names = listed([f"{pair.better} and {pair.worse}" for pair in those])
            refused = f"{names} are not comparable"
        else:
            refused = f"{len(those)} pairs of runs are not comparable"
        sentences.append(f"{refused}: {reason}")
    return sentences
