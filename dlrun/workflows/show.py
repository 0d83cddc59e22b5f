"""What one run was, and what two runs differ in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.errors import RunError
from dlrun.reports.differences import ConfigDifference, differences
from dlrun.reports.run_facts import FactGroup, Facts, fact_groups, result_lines
from dlrun.reports.summary import Summary, SummaryLine, run_summary
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import RunEntry, read_entry
from dlrun.text import display_path
from dlrun.workflows.open_findings import open_findings


@dataclass(frozen=True)
class ShownRun:
    """One run.

    Args:
        entry: What `run.json` says.
        summary: As at the end of training.
        sections: What else is known.
        result: What `result.json` holds; empty where there is none.
        data: What `data.json` holds; empty where there is none.
        looks: What the run keeps of its looks at the test data, oldest first.
    """

    entry: RunEntry
    summary: Summary
    sections: tuple[FactGroup, ...]
    result: Facts
    data: Facts
    looks: tuple[Facts, ...]

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {
            "run": self.entry.path.name,
            "path": self.entry.path,
            **self.entry.facts,
            "status": self.entry.status,
            "problem": self.entry.problem,
            "result": self.result or None,
            "data": self.data or None,
            "evaluations": self.looks,
        }


@dataclass(frozen=True)
class RunDiff:
    """Two runs beside each other.

    Args:
        names: Of their directories.
        config: Where their configs differ.
        lines: Their results, and what of data, machine and versions differs: a label and a
            text for each run.
        next_command: What tells whether the one is better by more than chance.
    """

    names: tuple[str, str]
    config: tuple[ConfigDifference, ...]
    lines: tuple[tuple[str, str, str], ...]
    next_command: str

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {
            "runs": self.names,
            "config": {one.name: one.plain() for one in self.config},
            "results": {label: texts for label, *texts in self.lines},
        }


def show_run(run: str | Path, *, runs_dir: str | Path = "runs") -> ShownRun:
    """Read what is known of a run. A damaged file leaves out what it would have told.

    Args:
        run: The run directory, or the unique beginning of its name.
        runs_dir: Where to look for a run that is given by name.

    Raises:
        RunError: There is no such run.
    """
    directory = RunDirectory.open(run, Path(runs_dir))
    entry = read_entry(directory.path)
    assert entry is not None
    notices = [entry.problem] if entry.problem else []
    result, data = _read(directory, "result", notices), _read(directory, "data", notices)
    looks = _looks(directory, notices)
    where = display_path(directory.path)
    summary = (
        run_summary(result, where, result.get("next"), open_findings=open_findings(directory))
        if result
        else _unscored(entry, where)
    )
    try:
        config = directory.read_resolved() if directory.resolved.exists() else ""
    except RunError as error:
        config = ""
        notices.append(str(error))
    sections = fact_groups(entry, data, result, looks, config, notices)
    return ShownRun(entry, summary, tuple(sections), result, data, tuple(looks))


def diff_runs(first: str | Path, second: str | Path, *, runs_dir: str | Path = "runs") -> RunDiff:
    """Set two runs beside each other.

    Args:
        first: A run directory, or the unique beginning of its name.
        second: The other.
        runs_dir: Where to look for a run that is given by name.

    Raises:
        RunError: There is no such run, or one of them is damaged.
    """
    directories = [RunDirectory.open(run, Path(runs_dir)) for run in (first, second)]
    runs = [_whole(directory) for directory in directories]
    one, other = (
        result_lines(entry, _read(directory, "result"), _read(directory, "data"))
        for entry, directory in zip(runs, directories, strict=True)
    )
    lines = []
    for label in dict.fromkeys([*one, *other]):
        texts = one.get(label, ""), other.get(label, "")
        # Facts of machine and data are worth a line only where they differ.
        if label in _ALWAYS or texts[0] != texts[1]:
            lines.append((label, *texts))
    return RunDiff(
        (runs[0].path.name, runs[1].path.name),
        tuple(differences([entry.config for entry in runs])),
        tuple(lines),
        shlex.join(["dlrun", "compare", *(display_path(each.path) for each in directories)]),
    )


_ALWAYS = ("status", "score", "baseline", "best epoch", "parameters", "time")


def _whole(directory: RunDirectory) -> RunEntry:
    entry = read_entry(directory.path)
    assert entry is not None
    if entry.problem:
        raise RunError(f"{directory.name} is damaged: {entry.problem}")
    if not entry.config:
        raise RunError(f"{display_path(directory.run)} does not hold the run's config")
    return entry


def _unscored(entry: RunEntry, where: str) -> Summary:
    """What there is to say of a run without a result."""
    lines = [SummaryLine("status", entry.status), SummaryLine("run", where)]
    if error := entry.facts.get("error"):
        lines.insert(1, SummaryLine("error", str(error)))
    return Summary(tuple(lines), None)


def _read(directory: RunDirectory, which: str, notices: list[str] | None = None) -> Facts:
    """What `result.json` or `data.json` holds; empty where it is missing or damaged."""
    path = directory.result if which == "result" else directory.data
    if not path.exists():
        return {}
    try:
        return directory.read_result() if which == "result" else directory.read_data()
    except RunError as error:
        if notices is not None:
            notices.append(str(error))
        return {}


def _looks(directory: RunDirectory, notices: list[str]) -> list[Mapping[str, Any]]:
    looks: list[Mapping[str, Any]] = []
    for number in directory.evaluation_numbers():
        try:
            facts, _ = directory.read_evaluation(number)
            looks.append({"number": number, **facts})
        except RunError as error:
            notices.append(str(error))
    return looks
