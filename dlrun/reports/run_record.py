"""A run as its report sees it: what the store holds, whatever of it is there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import yaml

from dlrun.errors import RunError
from dlrun.metrics.cuts import as_probabilities, meaning_of
from dlrun.metrics.names import TargetType, canonical
from dlrun.metrics.predictions import (
    by_step,
    class_indices,
    class_shares,
    names_of_outputs,
)
from dlrun.reports.run_facts import Facts, RunFiles
from dlrun.store.ledger import RecordedEvaluation, read_ledger
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import kept_evaluations
from dlrun.text import display_path


class RunRecord(RunFiles):
    """A run as its report sees it: what its files hold, whatever of them is there.

    Args:
        directory: The run.

    Raises:
        RunError: Its `run.json` cannot be read, or a file is not as the run wrote it.
    """

    def __init__(self, directory: RunDirectory) -> None:
        super().__init__(directory)
        if self.entry.status == "changed":
            # Says more of what is wrong.
            directory.read_run()
        if self.entry.problem:
            raise RunError(f"{directory.name} is {self.entry.status}: {self.entry.problem}")
        self.name, self.path = directory.name, display_path(directory.path)
        self.run, self.status = self.entry.facts, self.entry.status
        given = self.read(directory.config, directory.read_config) or b""
        self.given = given.decode("utf-8", errors="replace")
        """The config as it was given."""
        config = None
        with suppress(yaml.YAMLError):
            config = yaml.safe_load(self.resolved)
        self.config: Facts = config if isinstance(config, dict) else {}
        """The config with everything filled in, as plain data."""
        self.history = self.read(directory.metrics, directory.history) or {}
        """Columns of `metrics.csv`."""
        self.predictions = self.read(directory.predictions, directory.read_predictions) or {}
        """What `predictions.npz` holds."""
        self.examples = self.read(directory.examples, directory.read_examples)
        """The rows that were predicted worst."""
        self.classes = self._classes()
        """Names of the classes in the order of their indices, by target; none without names."""
        self.test_evaluations: Sequence[RecordedEvaluation] = ()
        """Those of any run on the same test data."""
        runs_dir = directory.path.parent
        try:
            ledger = read_ledger(runs_dir, kept_evaluations(runs_dir))
            self.notices += ledger.notices
            if fingerprint := self.data.get("fingerprint"):
                known = ledger.evaluations
                self.test_evaluations = [one for one in known if one.data == fingerprint]
        except RunError as error:
            self.notices.append(str(error))
        if self.changed:
            raise RunError("\n".join(self.changed))

    def _classes(self) -> dict[str, Sequence[str]]:
        """Those that preprocessing knows: it also names labels that the source did not."""
        for folder in (self.directory, *(self.attempt(self.directory.folds) or ())):
            state, _ = self.read(folder.preprocess, folder.read_preprocess) or ([], {})
            targets = state[0].get("targets", {}) if state else {}
            if known := {n: t["classes"] for n, t in targets.items() if t.get("classes")}:
                return known
        return dict(self.data.get("classes") or {})

    @property
    def title(self) -> str:
        """The experiment's name."""
        return str(self.run.get("name") or self.name)

    @property
    def task(self) -> str:
        """What is predicted, or an empty text where that is not known."""
        return str(self.data.get("task") or self.result.get("task") or "")

    @property
    def output_names(self) -> Sequence[str]:
        """Names of the outputs where there are several, that of the one that is scored first."""
        return list(self.data.get("questions") or ())

    @cached_property
    def scored(self) -> ScoredRows | None:
        """The rows that gave the score; of several outputs those of the first."""
        return self.scored_rows(next(iter(self.output_names), None))

    def scored_rows(self, output: str | None) -> ScoredRows | None:
        """Return the rows that gave the score, or None where targets or predictions are missing.

        Args:
            output: Which of several outputs; None for the only one.
        """
        stored, facts, classes = self.predictions, self.data, next(iter(self.classes.values()), ())
        loss, suffix = self.config.get("loss", ""), ""
        if output is not None:
            facts, classes = facts["questions"][output], self.classes.get(output, ())
            loss = loss[output] if isinstance(loss, dict) and output in loss else loss
            suffix = f"_{output}" if f"predictions_{output}" in stored else ""
        predictions, targets, mask = (
            f"{part}{suffix}" for part in ("predictions", "targets", "mask")
        )
        if not {"rows", predictions, targets} <= stored.keys() or not len(stored["rows"]):
            return None
        rows, values, true = stored["rows"], stored[predictions], stored[targets]
        task = cast("TargetType", facts.get("task") or self.task)
        if task not in ("binary", "multiclass", "multilabel", "regression"):
            return None
        if not np.isfinite(values).all():
            return None
        fold = stored.get("fold", np.zeros(len(rows), np.int64))
        steps = by_step(task, true, values, stored.get(mask))
        if not len(steps.rows):
            return None
        unit = steps.unit
        values, true, rows, fold = steps.predictions, steps.true, rows[steps.rows], fold[steps.rows]
        outputs = [str(name) for name in facts.get("outputs") or ()]
        if task == "regression":
            predicted = np.asarray(values, np.float64)
            true = np.asarray(true, np.float64).reshape(predicted.shape)
            names = names_of_outputs(outputs, predicted.shape[1])
            return ScoredRows(task, rows, true, predicted, names, fold, unit=unit)
        word, arguments = next(iter(loss.items())) if isinstance(loss, dict) else (loss, {})
        loss_name = canonical(str(word), "loss") or str(word)
        from_logits = isinstance(arguments, dict) and bool(arguments.get("from_logits"))
        meaning = facts.get("outputs_are") or meaning_of(loss_name, from_logits=from_logits)
        shares = as_probabilities(values, meaning)
        probable = meaning not in ("margins", "scores")
        if task == "multilabel":
            true = np.asarray(true).reshape(shares.shape).astype(np.int64)
            names = names_of_outputs(outputs, shares.shape[1])
            shares = shares.astype(np.float64)
            return ScoredRows(task, rows, true, shares, names, fold, probable, unit)
        shares, indices = class_shares(shares), class_indices(true)
        if indices.max() >= shares.shape[1]:
            return None
        names = _named(classes, shares.shape[1])
        return ScoredRows(task, rows, indices, shares, names, fold, probable, unit)

    @property
    def findings(self) -> Sequence[Facts]:
        """What the user should know of data, training and the run's files, each once: its
        `message`, and `code`, `severity`, `why` and `write` where it has them."""
        every = [*(self.data.get("findings") or ()), *(self.result.get("findings") or ())]
        found: dict[str, Facts] = {}
        for finding in (*every, *self.notices):
            facts = finding if isinstance(finding, dict) else {"message": str(finding)}
            found.setdefault(str(facts.get("message") or ""), facts)
        return [facts for message, facts in found.items() if message]


@dataclass(frozen=True)
class ScoredRows:
    """Targets and predictions of the same rows, or of all their steps or pixels that count.

    Args:
        task: What is predicted.
        rows: (n,) row numbers in the source's numbering.
        true: (n,) class indices, (n, k) labels of 0 and 1, or (n, k) quantities.
        predictions: (n, c) probabilities with a column for every class or label, or (n, k)
            quantities in the unit of the targets.
        names: Of the classes, the labels or the targets: one for each column of `predictions`.
        fold: (n,) which fold scored each row.
        has_probabilities: Whether `predictions` holds probabilities, not margins or scores.
        unit: What there is one of for each entry: `rows`, `steps` or `pixels`.
    """

    task: TargetType
    rows: np.ndarray
    true: np.ndarray
    predictions: np.ndarray
    names: tuple[str, ...]
    fold: np.ndarray
    has_probabilities: bool = True
    unit: str = "rows"

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def predicted_class(self) -> np.ndarray:
        """(n,) index of the class with the highest probability."""
        classes: np.ndarray = self.predictions.argmax(axis=1)
        return classes


def _named(names: Sequence[object] | None, count: int) -> tuple[str, ...]:
    """Names, and numbers for those that have none."""
    known = [str(name) for name in names or ()][:count]
    return (*known, *(str(index) for index in range(len(known), count)))
