"""What a check reports: where, how serious, why, and what to write instead."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dlrun.config.layers import PlainLayer
from dlrun.config.yaml_writer import in_line
from dlrun.errors import ConfigError, KeyPath, Problem, number_shown
from dlrun.registry.keras_component import KerasComponent
from dlrun.text import counted, first_few

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

MOST_ALIKE = 3
"""So many findings that differ only in names and figures are shown in full; of more, the first."""

_NAMES_AND_FIGURES = re.compile(r"'[^']*'|[-\d][\d.,e+-]*")


@dataclass(frozen=True)
class Change:
    """Values that fix what was found.

    Args:
        values: Paths in the config, and what to put there, as plain data.
        write: The line to write into the file.
    """

    values: tuple[tuple[KeyPath, Any], ...]
    write: str

    @property
    def overrides(self) -> tuple[str, ...]:
        """The values as `KEY=VALUE`."""
        return tuple(f"{'.'.join(map(str, path))}={in_line(value)}" for path, value in self.values)


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Args:
        message: What is there, with the figures; a sentence without a full stop.
        path: Where it is in the config.
        change: What fixes it, where that is known.
        advice: What to do, where no single change fixes it; default: the check's own.
        on_key: Whether the key is meant rather than its value.
        severity: Where it differs from the check's own.
        why: Where the reason differs from the check's own.
    """

    message: str
    path: KeyPath
    change: Change | None = None
    advice: str | None = None
    on_key: bool = False
    severity: Severity | None = None
    why: str | None = None


@dataclass(frozen=True)
class PlacedFinding:
    """What `dlrun check` shows.

    Args:
        code: Stable, such as `DL012`.
        severity: `error`: the run fails or its number means nothing. `warning`: the number is
            probably worse or less honest than it could be. `note`: good to know.
        problem: Place, message and the line of the file.
        why: One sentence with its source.
        write: The line to write instead, or what to do.
        change: The same as values, where there are such.
        also: Where the same was found too, if it is not shown there.
    """

    code: str
    severity: Severity
    problem: Problem
    why: str
    write: str
    change: Change | None = None
    also: str = ""

    @property
    def _first_line(self) -> str:
        return f"{self.problem.place}: {self.severity} {self.code}: {self.problem.message}"

    @property
    def headline(self) -> str:
        """The finding as one line."""
        return f"{self._first_line} (and {self.also})" if self.also else self._first_line

    @property
    def overrides(self) -> tuple[str, ...]:
        """The change as `KEY=VALUE`."""
        return self.change.overrides if self.change else ()

    def __str__(self) -> str:
        excerpt = str(self.problem).split("\n")[1:]
        labelled = [f"    why:   {self.why}", f"    write: {self.write}"]
        if self.also:
            labelled.append(f"    also:  {self.also}; `--json` shows all")
        return "\n".join([self._first_line, *excerpt, *labelled])

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain data, for `--json` and `data.json`."""
        facts = {
            "code": self.code,
            "severity": self.severity,
            "place": self.problem.place,
            "message": self.problem.message,
            "why": self.why,
            "write": self.write,
        }
        if self.overrides:
            facts["set"] = " ".join(f"--set {shlex.quote(text)}" for text in self.overrides)
        return facts


@dataclass(frozen=True)
class Findings:
    """What the checks report about an experiment.

    Args:
        shown: The most serious first.
        silenced: How many findings of each code the config's `ignore` silences.
    """

    shown: tuple[PlacedFinding, ...] = ()
    silenced: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Findings) -> Findings:
        silenced = Counter(self.silenced) + Counter(other.silenced)
        return Findings(tuple(in_order([*self.shown, *other.shown])), dict(silenced))

    def brief(self) -> tuple[PlacedFinding, ...]:
        """Those that a terminal shows: of many that differ only in names and figures the first,
        which says where the others are."""
        alike: dict[tuple[str, Severity, str], list[PlacedFinding]] = {}
        for finding in self.shown:
            words = _NAMES_AND_FIGURES.sub("_", finding.problem.message)
            alike.setdefault((finding.code, finding.severity, words), []).append(finding)
        brief = list[PlacedFinding]()
        for first, *others in alike.values():
            if len(others) < MOST_ALIKE:
                brief += [first, *others]
            else:
                brief.append(replace(first, also=_others_counted(first, others)))
        return tuple(in_order(brief))

    def count(self, severity: str) -> int:
        """How many have that severity."""
        return sum(finding.severity == severity for finding in self.shown)

    @property
    def errors(self) -> list[str]:
        """The codes of the errors, each once."""
        return sorted({finding.code for finding in self.shown if finding.severity == "error"})

    def counts(self) -> str:
        """How many there are, such as `1 error, 2 warnings; 1 silenced: DL012`."""
        numbers = [(self.count(severity), severity) for severity in SEVERITIES]
        parts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in numbers if n]
        text = ", ".join(parts) or "nothing wrong found"
        if self.silenced:
            codes = ", ".join(sorted(self.silenced))
            text += f"; {sum(self.silenced.values())} silenced: {codes}"
        return text

    def as_dicts(self) -> list[dict[str, Any]]:
        """The findings as plain data."""
        return [finding.as_dict() for finding in self.shown]


def _others_counted(first: PlacedFinding, others: Sequence[PlacedFinding]) -> str:
    """Say how many more findings are like the first one, and where."""
    places = list(dict.fromkeys(other.problem.place for other in others))
    if places == [first.problem.place]:
        return f"{len(others):,} more like it here"
    return f"{len(others):,} more like it: {first_few(places, 3)}"


class FoundErrorsError(ConfigError):
    """The checks found errors, so that nothing was trained.

    Args:
        findings: All that they found.
    """

    def __init__(self, findings: Findings) -> None:
        errors = [finding for finding in findings.shown if finding.severity == "error"]
        super().__init__([finding.problem for finding in errors])
        self.errors = tuple(errors[: number_shown([str(error) for error in errors])])
        more = len(errors) - len(self.errors)
        self.more = {"findings": findings.as_dicts()}
        them = "it" if len(errors) == 1 else "them"
        self.advice = (
            f"nothing was trained: {counted(len(errors), 'error')} found{' ' if more else ''}"
            f"{f'({more:,} more than shown)' if more else ''}; fix {them}, or train anyway with "
            "--force"
        )

    def __str__(self) -> str:
        return "\n".join([*map(str, self.errors), self.advice])


def refuse_errors(findings: Findings) -> None:
    """Raise an error where a finding is one.

    Raises:
        FoundErrorsError: The run would fail, or its number would mean nothing.
    """
    if findings.errors:
        raise FoundErrorsError(findings)


def put(path: KeyPath, value: Any) -> Change:
    """Return the change that gives one key of the config a value."""
    *above, key = path
    where = f" (under {'.'.join(map(str, above))})" if above else ""
    return Change(((path, value),), f"{key}: {in_line(value)}{where}")


def with_arguments(entry: PlainLayer, **arguments: Any) -> Change:
    """Return the change that gives a layer other arguments."""
    layer = entry.layer
    return Change(
        tuple(((*entry.path, layer.alias, name), value) for name, value in arguments.items()),
        f"- {layer.alias}: {in_line(as_written(layer, arguments)[layer.alias])}",
    )


def argument_of(component: KerasComponent, name: str) -> KeyPath:
    """Return the path of an argument of a component, whatever spelling it is given in."""
    bare = component.path[-1:] != (component.alias,)
    return (*component.path, *([component.alias] if bare else []), name)


def as_written(component: KerasComponent, others: dict[str, Any] | None = None) -> Any:
    """Return a component as plain data, without defaults, with some arguments changed."""
    given = {name: _plain(value) for name, value in component.arguments.items()} | (others or {})
    return {component.alias: given} if given else component.alias


def _plain(value: Any) -> Any:
    if isinstance(value, KerasComponent):
        return as_written(value)
    return [_plain(item) for item in value] if isinstance(value, list) else value


def in_order(findings: Sequence[PlacedFinding]) -> list[PlacedFinding]:
    """Return the most serious first, else in the order found."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
