"""What a check is: a decorated function in a module of `dlrun/checks/subjects/`.

A new check is one function, found by its decorator; a new subject is one file. The code's first
digit says what a check looks at: `DL0..` the config alone, `DL1..` rows, `DL2..` the built model. A
code is never used for anything else again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, Literal, TypeVar

from dlrun.checks.finding import Finding, PlacedFinding, Severity
from dlrun.checks.views import ConfigView, DataView, ModelView
from dlrun.config.schema import Config
from dlrun.errors import Problem
from dlrun.registry.families import CHECKS, codes_by_module

BOOK = "Deep Learning with Python, section "

Stage = Literal["config", "data", "model"]
STAGES: dict[Stage, str] = {"config": "DL0", "data": "DL1", "model": "DL2"}
"""What is looked at, and how the codes of its checks begin."""

View = TypeVar("View", ConfigView, DataView, ModelView)


@dataclass(frozen=True)
class Check(Generic[View]):
    """One check.

    Args:
        code: Stable, such as `DL012`.
        title: What is wrong, in a few words: the function's name.
        about: What it finds: the function's docstring.
        find: Yields the findings in a view.
        severity: How grave it is, where a finding does not say otherwise.
        why: Why that matters, one sentence without a full stop.
        source: Where to read more.
        instead: What to write instead, in general.
        fault: Keys of a config that has the fault, as YAML.
        mend: The same keys without it.
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
    mend: str

    def place(self, finding: Finding, config: Config) -> PlacedFinding:
        """Return a finding with its place in the config."""
        written = config.document.root.mapping or {}
        if finding.path[0] in written:
            problem = config.problem_at(finding.path, finding.message, on_key=finding.on_key)
        else:
            # A default that is written nowhere: there is no line to show.
            problem = Problem(f"{config.file}:1:1", finding.message)
        change = finding.change
        return PlacedFinding(
            code=self.code,
            severity=finding.severity or self.severity,
            problem=problem,
            why=f"{finding.why or self.why} ({self.source})",
            write=finding.advice or (change.write if change else self.instead),
            overrides=change.overrides if change else (),
        )


def check(
    code: str,
    *,
    why: str,
    source: str,
    instead: str,
    fault: str = "",
    mend: str = "",
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
            mend=inspect.cleandoc(mend),
        )

    return decorate


def checks(stage: Stage) -> list[Check[Any]]:
    """Return the checks that look at a config, rows or a model, in the order of their codes.

    Only the modules that hold such checks are imported: those of a config need no NumPy.
    """
    begin, found = STAGES[stage], list[Check[Any]]()
    for module, codes in codes_by_module().items():
        if any(code.startswith(begin) for code in codes):
            every = vars(import_module(f"{CHECKS}.{module}")).values()
            found += [c for c in every if isinstance(c, Check) and c.code.startswith(begin)]
    return sorted(found, key=lambda each: each.code)
