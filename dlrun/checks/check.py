"""What a check is, a decorated function in a module of `dlrun/checks/subjects/`, and running all.

A new check is one function, found by its decorator; a new subject is one file. The code's first
digit says what a check examines: `DL0..` the config alone, `DL1..` rows, `DL2..` the built model. A
code is never used for anything else again.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from dlrun.checks.finding import Finding, Findings, PlacedFinding, Severity, in_order
from dlrun.checks.views import ConfigView, DataView, Known, ModelView, known_without_data
from dlrun.config.outputs import scored_output
from dlrun.config.schema import Config, PartialConfig, UnreadableSectionError
from dlrun.errors import KeyPath, Problem
from dlrun.registry.families import CHECKS, codes_by_module

if TYPE_CHECKING:
    from dlrun.data.samples import Dataset


BOOK = "Deep Learning with Python, section "

Stage = Literal["config", "data", "model"]
STAGES: dict[Stage, str] = {"config": "DL0", "data": "DL1", "model": "DL2"}
"""What is checked, and how the codes of its checks begin."""

View = TypeVar("View", ConfigView, DataView, ModelView)


@dataclass(frozen=True)
class Check(Generic[View]):
    """One check.

    Args:
        code: Stable, such as `DL012`.
        title: What is wrong, in a few words: the function's name.
        about: What it finds: the function's docstring.
        find: Yields the findings in a view.
        severity: How serious it is, unless a finding has its own severity.
        why: Why that matters, one sentence without a full stop.
        source: Where to read more.
        instead: What to write instead, in general.
        fault: Keys of a config that has the fault, as YAML.
        fix: The same keys without it.
    """

    code: str
    title: str
    about: str
    find: Callable[[View], Iterator[Finding]]
    severity: Severity
    why: str
    source: str
    instead: str
    fault: str
    fix: str

    def place(self, finding: Finding, config: Config) -> PlacedFinding:
        """Return a finding with its place in the config."""
        written = config.document.root.mapping or {}
        if finding.path[0] in written:
            problem = config.problem_at(finding.path, finding.message, on_key=finding.on_key)
        else:
            # A default is not written in the file: there is no line to show.
            problem = Problem(f"{config.file}:1:1", finding.message)
        change = finding.change
        return PlacedFinding(
            code=self.code,
            severity=finding.severity or self.severity,
            problem=problem,
            why=f"{finding.why or self.why} ({self.source})",
            write=finding.advice or (change.write if change else self.instead),
            change=change,
        )


def check(
    code: str,
    *,
    why: str,
    source: str,
    instead: str,
    fault: str = "",
    fix: str = "",
    severity: Severity = "warning",
) -> Callable[[Callable[[View], Iterator[Finding]]], Check[View]]:
    """Make a check of a function that yields findings; for the arguments see `Check`."""

    def decorate(find: Callable[[View], Iterator[Finding]]) -> Check[View]:
        return Check(
            code=code,
            title=find.__name__.replace("_", " "),
            about=" ".join((find.__doc__ or "").split()),
            find=find,
            severity=severity,
            why=why,
            source=source,
            instead=instead,
            fault=inspect.cleandoc(fault),
            fix=inspect.cleandoc(fix),
        )

    return decorate


def checks(stage: Stage) -> list[Check[Any]]:
    """Return the checks of a config, rows or a model, in the order of their codes.

    Only the modules that hold such checks are imported: those of a config need no NumPy.
    """
    begin, found = STAGES[stage], list[Check[Any]]()
    for module, codes in codes_by_module().items():
        if any(code.startswith(begin) for code in codes):
            every = vars(import_module(f"{CHECKS}.{module}")).values()
            found += [c for c in every if isinstance(c, Check) and c.code.startswith(begin)]
    return sorted(found, key=lambda each: each.code)


def config_findings(config: Config, known: Known | None = None) -> Findings:
    """Check a config alone; imports neither Keras nor scikit-learn.

    Args:
        config: The experiment.
        known: What is known from its data; default: from the name of a bundled data set.
    """
    if known is None:
        try:
            known = known_without_data(config)
        except UnreadableSectionError:
            known = Known()
    if isinstance(config, PartialConfig) or len(config.outputs) == 1:
        views = [ConfigView(config, known)]
    else:
        scored = scored_output(config.evaluation.score, config.outputs)
        views = [
            ConfigView(
                config.of_output(output.name),
                known if output is scored else Known(rows=known.rows, words=known.words),
                output.name,
            )
            for output in config.outputs
        ]
    found: list[tuple[Check[Any], list[Finding]]] = []
    for check in checks("config"):
        # Outputs may share what is found.
        different: dict[tuple[KeyPath, str], Finding] = {}
        for one in chain.from_iterable(_readable(check.find(view)) for view in views):
            different.setdefault((one.path, one.message), one)
        found.append((check, list(different.values())))
    return _findings(config, found)


def data_findings(config: Config, dataset: Dataset, *, test_labels: bool = False) -> Findings:
    """Check the config with what is known from its data, and the rows. Reads no test rows.

    Args:
        config: The experiment.
        dataset: Its rows.
        test_labels: Whether to compare the different labels of a test file, and nothing else of it.

    Raises:
        DataError: The rows cannot be split as the config says.
    """
    from dlrun.checks.rows import data_view

    view = data_view(config, dataset, test_labels=test_labels)
    found = [(check, _readable(check.find(view))) for check in checks("data")]
    return config_findings(config, view.known) + _findings(config, found)


def model_findings(view: ModelView) -> Findings:
    """Check the model that was built."""
    return _findings(view.config, [(check, check.find(view)) for check in checks("model")])


def _readable(found: Iterator[Finding]) -> list[Finding]:
    """The findings; none where they depend on a section of the config that could not be read."""
    try:
        return list(found)
    except UnreadableSectionError:
        return []


def _findings(config: Config, found: Sequence[tuple[Check[Any], Iterable[Finding]]]) -> Findings:
    every = [check.place(one, config) for check, several in found for one in several]
    silenced = Counter(f.code for f in every if f.code in config.ignore)
    shown = in_order([f for f in every if f.code not in config.ignore])
    return Findings(tuple(shown), dict(silenced))
