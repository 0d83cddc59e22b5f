"""A run as its report sees it: what the store holds, whatever of it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import yaml

from dlrun.errors import RunError
from dlrun.metrics.names import TargetType, canonical
from dlrun.metrics.predictions import as_probabilities, class_indices, class_shares
from dlrun.reports.run_facts import Facts, read_evaluations
from dlrun.store.examples import Examples
from dlrun.store.ledger import RecordedEvaluation, read_evaluations_of_data, read_ledger
from dlrun.store.run_directory import RunDirectory
from dlrun.text import display_path


@dataclass(frozen=True)
class RunFinding:
    """Something that the user should know.

    Args:
        text: What was found.
        code: That `ignore` takes, or nothing.
        severity: `error`, `warning` or `note`, or nothing.
        why: The reason, or nothing.
        write: What to write instead, or nothing.
    """

    text: str
    code: str = ""
    severity: str = ""
    why: str = ""
    write: str = ""


@dataclass(frozen=True)
class RunRecord:
    """Everything that a report shows of a run.

    Args:
        name: Name of the run directory.
        path: Where it is, as the user would type it.
        status: `running`, `finished`, `failed`, `interrupted` or `died`.
        run: What `run.json` holds.
        result: What `result.json` holds; empty where there is none.
        data: What `data.json` holds; empty where there is none.
        config: The config as it was given.
        resolved: The config with everything filled in, as plain data; empty where it cannot be
            read.
        history: Columns of `metrics.csv`; empty where no epoch was completed.
        classes: Names of the classes in the order of their indices, by target; none where they
            have no names.
        predictions: What `predictions.npz` holds; empty where there is none.
        examples: The rows that were predicted worst, or None.
        evaluations: The run's own test evaluations, each with its `number`.
        test_evaluations: Those of any run on the same test data.
        notices: What is wrong with the run's files or the ledger, one sentence each.
    """

    name: str
    path: str
    status: str
    run: Facts
    result: Facts
    data: Facts
    config: str
    resolved: Facts
    history: Mapping[str, list[float]]
    classes: Mapping[str, tuple[str, ...]]
    predictions: Mapping[str, np.ndarray]
    examples: Examples | None
    evaluations: tuple[Facts, ...]
    test_evaluations: tuple[RecordedEvaluation, ...]
    notices: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """The experiment's name."""
        return str(self.run.get("name") or self.name)

    @property
    def task(self) -> str:
        """What is predicted, or an empty text where that is not known."""
        return str(self.data.get("task") or self.result.get("task") or "")

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of their indices; empty where they have no names."""
        return next(iter(self.classes.values()), ())

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs where there are several, that of the one that is scored first."""
        return tuple(self.data.get("questions") or ())

    def of_output(self, name: str) -> RunRecord:
        """Return what is kept of one of several outputs, as if it were the only one."""
        arrays = dict(self.predictions)
        for key in ("predictions", "targets"):
            if f"{key}_{name}" in arrays:
                arrays[key] = arrays[f"{key}_{name}"]
        losses = self.resolved.get("loss")
        own = losses[name] if isinstance(losses, dict) and name in losses else losses
        return replace(
            self,
            data={**self.data, **self.data["questions"][name], "questions": None},
            resolved={**self.resolved, "loss": own},
            classes={name: self.classes[name]} if name in self.classes else {},
            predictions=arrays,
        )

    @property
    def loss(self) -> tuple[str, bool]:
        """Keras' class name of the loss, and whether it takes the output for logits."""
        given = self.resolved.get("loss", "")
        name, arguments = next(iter(given.items())) if isinstance(given, dict) else (given, {})
        known = isinstance(arguments, dict)
        return canonical(str(name), "loss") or str(name), known and bool(
            arguments.get("from_logits")
        )

    @cached_property
    def scored(self) -> ScoredRows | None:
        """The rows that gave the score, of several outputs that of the first."""
        return _scored_rows(self.of_output(self.output_names[0]) if self.output_names else self)

    @property
    def findings(self) -> tuple[RunFinding, ...]:
        """What the user should know of data and training, each once."""
        every = [*(self.data.get("findings") or ()), *(self.result.get("findings") or ())]
        found: dict[str, RunFinding] = {}
        for facts in every:
            finding = RunFinding(str(facts))
            if isinstance(facts, dict):
                known = {k: str(facts.get(k) or "") for k in ("code", "severity", "why", "write")}
                finding = RunFinding(str(facts.get("message") or ""), **known)
            if finding.text:
                found.setdefault(finding.text, finding)
        return tuple(found.values())


def read_run_record(directory: RunDirectory) -> RunRecord:
    """Read a run; a file that is missing or damaged leaves its facts out.

    Raises:
        RunError: There is no `run.json`, or it cannot be read.
    """
    run = directory.read_run()
    notices: list[str] = []

    def tolerant(read: Any, otherwise: Any, *, there: bool) -> Any:
        if not there:
            return otherwise
        try:
            return read()
        except RunError as error:
            notices.append(str(error))
            return otherwise

    data = tolerant(directory.read_data, {}, there=directory.data.exists())
    examples = tolerant(directory.read_examples, None, there=True)
    try:
        read = tolerant(directory.read_resolved, "", there=directory.resolved.exists())
        resolved = yaml.safe_load(read)
    except yaml.YAMLError:
        resolved = {}
    recorded: Sequence[RecordedEvaluation] = ()
    runs_dir, fingerprint = directory.path.parent, data.get("fingerprint")
    try:
        ledger_notices = read_ledger(runs_dir).notices
        if fingerprint:
            recorded = read_evaluations_of_data(runs_dir, fingerprint)
    except RunError as error:
        ledger_notices = (str(error),)
    return RunRecord(
        name=directory.name,
        path=display_path(directory.path),
        status=directory.status,
        run=run,
        result=tolerant(directory.read_result, {}, there=directory.result.exists()),
        data=data,
        config=tolerant(directory.read_config, b"", there=directory.config.exists()).decode(
            "utf-8", errors="replace"
        ),
        resolved=resolved if isinstance(resolved, dict) else {},
        history=tolerant(directory.history, {}, there=True),
        classes=_classes(directory, data, tolerant),
        predictions=tolerant(directory.read_predictions, {}, there=directory.predictions.exists()),
        examples=examples,
        evaluations=tuple(read_evaluations(directory, notices)),
        test_evaluations=tuple(recorded),
        notices=(*notices, *ledger_notices),
    )


def _classes(directory: RunDirectory, data: Facts, tolerant: Any) -> dict[str, tuple[str, ...]]:
    """Those that preprocessing knows: it also names labels that the source did not."""
    for folder in (directory, *directory.folds()):
        if folder.preprocess.exists():
            state, _ = tolerant(folder.read_preprocess, ([], {}), there=True)
            targets = state[0].get("targets", {}) if state else {}
            known = {name: target.get("classes") for name, target in targets.items()}
            if any(known.values()):
                return {name: tuple(map(str, names)) for name, names in known.items() if names}
    return {name: tuple(map(str, names)) for name, names in (data.get("classes") or {}).items()}


@dataclass(frozen=True)
class ScoredRows:
    """Targets and predictions of the same rows.

    Args:
        task: What is predicted.
        rows: (n,) row numbers in the source's numbering.
        true: (n,) class indices, (n, k) labels of 0 and 1, or (n, k) quantities.
        predictions: (n, c) probabilities with a column for every class or label, or (n, k)
            quantities in the unit of the targets.
        names: Of the classes, the labels or the targets: one for each column of `predictions`.
        fold: (n,) which fold scored each row.
        has_probabilities: Whether `predictions` holds probabilities: hinge losses do not make any.
    """

    task: TargetType
    rows: np.ndarray
    true: np.ndarray
    predictions: np.ndarray
    names: tuple[str, ...]
    fold: np.ndarray
    has_probabilities: bool = True

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def predicted_class(self) -> np.ndarray:
        """(n,) index of the class with the highest probability."""
        classes: np.ndarray = self.predictions.argmax(axis=1)
        return classes


def _scored_rows(record: RunRecord) -> ScoredRows | None:
    """The rows that gave the score, or None where targets or predictions are missing."""
    stored = record.predictions
    task = cast("TargetType", record.task)
    if not {"rows", "predictions", "targets"} <= stored.keys() or not len(stored["rows"]):
        return None
    rows, output, true = stored["rows"], stored["predictions"], stored["targets"]
    fold = stored.get("fold", np.zeros(len(rows), np.int64))
    if task not in ("binary", "multiclass", "multilabel", "regression") or output.ndim > 2:
        return None
    if not np.isfinite(output).all():
        return None
    outputs = tuple(map(str, record.data.get("outputs") or ()))
    if task == "regression":
        predicted = np.asarray(output, np.float64).reshape(len(rows), -1)
        true = np.asarray(true, np.float64).reshape(predicted.shape)
        names = _named(outputs, predicted.shape[1])
        return ScoredRows(task, rows, true, predicted, names, fold)
    loss, from_logits = record.loss
    shares = as_probabilities(output, loss, from_logits)
    probable = not loss.endswith("Hinge")
    if task == "multilabel":
        true = np.asarray(true).reshape(shares.shape).astype(np.int64)
        names = _named(outputs, shares.shape[1])
        return ScoredRows(task, rows, true, shares.astype(np.float64), names, fold, probable)
    shares = class_shares(shares)
    indices = class_indices(true)
    count = max(shares.shape[1], int(indices.max()) + 1)
    if count > shares.shape[1]:
        return None
    names = _named(record.class_names, count)
    return ScoredRows(task, rows, indices, shares, names, fold, probable)


def _named(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Names, and numbers for those that have none."""
    return (*names[:count], *(str(index) for index in range(len(names), count)))
