"""A run as its report sees it: what the store holds, whatever of it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import yaml

from dlrun.errors import RunError
from dlrun.metrics.names import canonical
from dlrun.store.examples import Examples
from dlrun.store.ledger import RecordedEvaluation, read_evaluations_of_data, read_ledger
from dlrun.store.run_directory import RunDirectory
from dlrun.text import display_path

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """One look of a run at its test data; `facts` is what the run keeps of it."""

    number: int
    facts: Facts


@dataclass(frozen=True)
class Finding:
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
class Record:
    """Everything that a report says of a run comes from here.

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
        evaluations: The run's own looks at its test data.
        looks: All looks at this test data by any run.
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
    evaluations: tuple[Evaluation, ...]
    looks: tuple[RecordedEvaluation, ...]
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

    def of_output(self, name: str) -> Record:
        """Return what is kept of one of several outputs, as if it were the only one."""
        arrays = dict(self.predictions)
        for key in ("predictions", "targets"):
            if f"{key}_{name}" in arrays:
                arrays[key] = arrays[f"{key}_{name}"]
        losses = self.resolved.get("loss")
        own = losses[name] if isinstance(losses, dict) and name in losses else losses
        return replace(
            self,
            data={**self.data, **self.data["questions"][name]},
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

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the user should know of data and training, each once."""
        every = [*(self.data.get("findings") or ()), *(self.result.get("findings") or ())]
        found: dict[str, Finding] = {}
        for facts in every:
            finding = _finding(facts)
            if finding.text:
                found.setdefault(finding.text, finding)
        return tuple(found.values())


def read_record(directory: RunDirectory) -> Record:
    """Read a run; a file that is missing or damaged leaves out what it would have told.

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
    looks, ledger_notices = _looks(directory, data)
    return Record(
        name=directory.name,
        path=display_path(directory.path),
        status=directory.status,
        run=run,
        result=tolerant(directory.read_result, {}, there=directory.result.exists()),
        data=data,
        config=tolerant(directory.read_config, b"", there=directory.config.exists()).decode(
            "utf-8", errors="replace"
        ),
        resolved=_resolved(
            tolerant(directory.read_resolved, "", there=directory.resolved.exists())
        ),
        history=tolerant(directory.history, {}, there=True),
        classes=_classes(directory, data, tolerant),
        predictions=tolerant(directory.read_predictions, {}, there=directory.predictions.exists()),
        examples=examples,
        evaluations=tuple(_evaluations(directory, tolerant)),
        looks=looks,
        notices=(*notices, *ledger_notices),
    )


def _evaluations(directory: RunDirectory, tolerant: Any) -> list[Evaluation]:
    found = []
    for number in directory.evaluation_numbers():
        read = tolerant(lambda n=number: directory.read_evaluation(n)[0], None, there=True)
        if read is not None:
            found.append(Evaluation(number, read))
    return found


def _looks(
    directory: RunDirectory, data: Facts
) -> tuple[tuple[RecordedEvaluation, ...], tuple[str, ...]]:
    runs_dir, fingerprint = directory.path.parent, data.get("fingerprint")
    try:
        notices = read_ledger(runs_dir).notices
        return tuple(
            read_evaluations_of_data(runs_dir, fingerprint) if fingerprint else ()
        ), notices
    except RunError as error:
        return (), (str(error),)


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


def _resolved(text: str) -> Facts:
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return read if isinstance(read, dict) else {}


def _finding(facts: Any) -> Finding:
    if not isinstance(facts, dict):
        return Finding(str(facts))
    known = {key: str(facts.get(key) or "") for key in ("code", "severity", "why", "write")}
    return Finding(str(facts.get("message") or ""), **known)
