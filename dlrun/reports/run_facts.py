"""The facts of a run as short lines under a few headings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dlrun.errors import RunError
from dlrun.reports.summary import SummaryLine, ends_text, quantity_text, width
from dlrun.store.manifest import ChangedFileError
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import read_entry
from dlrun.text import duration, ordinal, percent

Facts = Mapping[str, Any]
T = TypeVar("T")


class RunFiles:
    """What the files of a run hold. One that is missing or damaged leaves its facts out; `notices`
    say what is damaged.

    Args:
        directory: The run.
    """

    def __init__(self, directory: RunDirectory) -> None:
        entry = read_entry(directory.path)
        assert entry is not None
        self.directory = directory
        self.entry = entry
        """What `run.json` holds."""
        self.notices = [entry.problem] if entry.problem else []
        """One sentence each."""
        self.changed: list[str] = []
        """The notices on files that are not as the run wrote them."""
        self.result: Facts = self.read(directory.result, directory.read_result) or {}
        """What `result.json` holds."""
        self.data: Facts = self.read(directory.data, directory.read_data) or {}
        """What `data.json` holds."""
        self.resolved = self.read(directory.resolved, directory.read_resolved) or ""
        """The config with everything filled in."""
        self.evaluations: list[Facts] = []
        """The run's own test evaluations, oldest first, each with its `number`."""
        for number in self.attempt(directory.evaluation_numbers) or ():
            kept = self.attempt(partial(directory.read_evaluation, number))
            self.evaluations += [] if kept is None else [{"number": number, **kept[0]}]

    def read(self, path: Path, read: Callable[[], T]) -> T | None:
        """Return what a file holds, or None where it is missing or damaged."""
        return self.attempt(lambda: read() if self.directory.files.exists(path) else None)

    def attempt(self, read: Callable[[], T]) -> T | None:
        """Return what is read, or None where a file is missing or damaged."""
        try:
            return read()
        except RunError as error:
            if isinstance(error, ChangedFileError):
                self.changed.append(str(error))
            self.notices.append(str(error))
            return None


@dataclass(frozen=True)
class FactGroup:
    """Lines under a heading; a line without a label is a sentence or a line of YAML."""

    title: str
    lines: tuple[SummaryLine, ...]


def fact_groups(files: RunFiles) -> list[FactGroup]:
    """Return the facts of a run besides its summary; unknown ones get no line."""
    entry, data = files.entry, files.data
    facts = entry.facts
    run = {
        "status": entry.status,
        "started": str(facts.get("started") or ""),
        "command": " ".join(map(str, facts.get("command") or [])),
        "error": "; ".join(str(facts.get("error") or "").splitlines()),
        "git": git_text(facts),
        "parent": str(facts.get("parent") or ""),
    }
    sections = [
        ("run", _lines(run)),
        ("data", _data_lines(data)),
        ("engine", _engine_lines(facts)),
        ("test data", _evaluation_lines(data, files.evaluations)),
        ("config", [SummaryLine("", line) for line in files.resolved.splitlines()]),
        ("damaged", [SummaryLine("", notice) for notice in files.notices]),
    ]
    return [FactGroup(title, tuple(lines)) for title, lines in sections if lines]


def git_text(run: Facts) -> str:
    """Return the commit that a run was made from: `4f2a9c1b07, with uncommitted changes`.

    Args:
        run: What `run.json` holds.
    """
    git = run.get("git")
    if not isinstance(git, dict) or not git.get("commit"):
        return ""
    return f"{git['commit'][:10]}{', with uncommitted changes' if git.get('dirty') else ''}"


def result_lines(files: RunFiles) -> dict[str, str]:
    """Return what can be compared with another run: a text by its label."""
    entry, result, facts = files.entry, files.result, files.entry.facts
    score, baseline = result.get("score") or {}, result.get("baseline") or {}
    interval = score.get("interval") or {}
    seconds = result.get("seconds") or entry.seconds
    lines = {
        "status": entry.status,
        "score": f"{score.get('name', '')} {_quantity(score)}".strip(),
        f"{percent(interval.get('level') or 0.95)} interval": ends_text(interval),
        "baseline": _quantity(baseline, width(score)),
        "best epoch": _text(result.get("best_epoch")),
        "epochs": _text(result.get("epochs")),
        "parameters": _text(result.get("parameters")),
        "time": "" if seconds is None else duration(seconds),
    }
    for name, measure in (result.get("measures") or {}).items():
        if name != score.get("name"):
            lines[f"validation {name}"] = _quantity(measure)
    lines |= {
        "data": _fingerprint(files.data),
        "engine": _engine(facts),
        "backend": str(facts.get("backend", "")),
        "devices": ", ".join(map(str, facts.get("devices") or [])),
        "git commit": git_text(facts),
        "host": str(facts.get("host", "")),
        "python": str(facts.get("python", "")),
    }
    packages = facts.get("packages") or {}
    return lines | {name: str(version) for name, version in packages.items()}


def _data_lines(data: Facts) -> list[SummaryLine]:
    splits = data.get("splits") or {}
    rows = {name: facts.get("rows") for name, facts in splits.items()}
    texts = {
        "data": str(data.get("description") or ""),
        "task": str(data.get("task") or ""),
        "fingerprint": _fingerprint(data),
    }
    if rows:
        train, held_out = _of_folds(rows, "train"), _of_folds(rows, "validation")
        each = f" in each of {len(held_out)} folds" if len(held_out) > 1 else ""
        texts["rows"] = f"{_spread(train)} to train, {_spread(held_out)} to validate{each}"
    return _lines(texts)


def _of_folds(rows: Mapping[str, Any], part: str) -> list[int]:
    """Rows in a part of each fold; rows that callbacks monitor are another part."""
    named = re.compile(rf"fold\d+_{part}")
    return [count for name, count in rows.items() if named.fullmatch(name) and count is not None]


def _spread(counts: Sequence[int]) -> str:
    """`56 to 320`, or one number where all are the same."""
    least, most = min(counts, default=0), max(counts, default=0)
    return str(least) if least == most else f"{least} to {most}"


def _engine_lines(facts: Facts) -> list[SummaryLine]:
    packages = facts.get("packages") or {}
    backend = str(facts.get("backend") or "")
    version = packages.get(backend) or packages.get(f"{backend}-cpu") or ""
    engine = facts.get("engine") or {}
    return _lines(
        {
            "engine": _engine(facts),
            "why": str(engine.get("reason") or ""),
            "backend": f"{backend} {version}".strip(),
            "keras": str(facts.get("keras") or ""),
            "devices": ", ".join(map(str, facts.get("devices") or [])),
            "host": str(facts.get("host") or ""),
        }
    )


def _evaluation_lines(data: Facts, evaluations: Sequence[Facts]) -> list[SummaryLine]:
    if not evaluations:
        exists = (data.get("test") or {}).get("exists")
        return [SummaryLine("", "not evaluated")] if exists else []
    lines = []
    for one in evaluations:
        score = one.get("score") or {}
        text = f"{score.get('name', 'score')} {quantity_text(score)}"
        text += f" on {_text(one.get('rows'))} rows"
        if isinstance(number := one.get("look"), int):
            text += f", {ordinal(number)} test evaluation on these rows"
        lines.append(SummaryLine(str(one.get("time", "")), text))
    return lines


def _engine(facts: Facts) -> str:
    engine = facts.get("engine") or {}
    xla = engine.get("xla")
    return str(engine.get("name") or "") + (
        "" if xla is None else f", XLA {'on' if xla else 'off'}"
    )


def _fingerprint(data: Facts) -> str:
    return str(data.get("fingerprint") or "")[:12]


def _quantity(quantity: Facts, beside: float | None = None) -> str:
    return "" if quantity.get("value") is None else quantity_text(quantity, beside)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _lines(texts: Mapping[str, str]) -> list[SummaryLine]:
    return [SummaryLine(label, text) for label, text in texts.items() if text]
