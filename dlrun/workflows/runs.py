"""Lists of runs, what one run was, what two runs differ in, and removing runs."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, Literal, overload

from dlrun.errors import RunError
from dlrun.reports.columns import table_lines
from dlrun.reports.differences import ConfigDifference, differences
from dlrun.reports.run_facts import RunFiles, result_lines
from dlrun.reports.run_table import config_differences, run_table
from dlrun.reports.summary import Summary, SummaryLine, run_summary
from dlrun.store.names import RUN_NAME, find_run
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import RunEntry, can_go_on, checked, read_entry, run_entries
from dlrun.text import counted, display_path
from dlrun.workflows.next_step import open_findings, resume_command

Order = Literal["time", "score", "name", "seconds"]

REPR_WIDTH = 100
"""Characters of a line of a table that Python shows."""

SHOWN = 50
"""Runs that a list shows unless more are asked for."""

SHORTEST_FINGERPRINT = 4
"""Characters from which on a text may be the beginning of a fingerprint."""


@dataclass(frozen=True, repr=False)
class RunListing(Sequence[RunEntry]):
    """Some of the runs of a folder: a sequence of them, shown as a table.

    Args:
        runs_dir: The folder.
        entries: In the order asked for.
        more: Whether there are others that were left out because of the limit.
    """

    runs_dir: Path
    entries: tuple[RunEntry, ...]
    more: bool

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> RunEntry: ...

    @overload
    def __getitem__(self, index: slice) -> RunListing: ...

    def __getitem__(self, index: int | slice) -> RunEntry | RunListing:
        if isinstance(index, slice):
            return RunListing(self.runs_dir, self.entries[index], more=False)
        return self.entries[index]

    def __repr__(self) -> str:
        table = run_table(self.entries)
        heading = f"{counted(len(self), 'run')} in {display_path(self.runs_dir)}"
        lines = [", ".join([heading, *table.common]), *table_lines(table.columns, REPR_WIDTH)]
        return "\n".join([*lines, *(["there are more"] if self.more else [])])

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data; `differs` holds what differs between the configs."""
        known = [entry for entry in self.entries if entry.config]
        differing = {one.name: one.plain() for one in config_differences(known)}
        place = {entry.path: index for index, entry in enumerate(known)}
        return {
            "runs": [
                {
                    "run": entry.path.name,
                    "path": entry.path,
                    "name": entry.name,
                    "status": entry.status,
                    "problem": entry.problem,
                    "started": entry.facts.get("started"),
                    "seconds": entry.seconds,
                    "protocol": entry.result.get("protocol"),
                    "score": entry.score or None,
                    "baseline": entry.result.get("baseline"),
                    "best_epoch": entry.result.get("best_epoch"),
                    "epochs": entry.result.get("epochs"),
                    "differs": {
                        name: values[place[entry.path]] for name, values in differing.items()
                    }
                    if entry.path in place
                    else {},
                }
                for entry in self.entries
            ],
            "more": self.more,
        }


def runs(
    runs_dir: str | Path = "runs",
    *,
    name: str | None = None,
    status: str | None = None,
    data: str | None = None,
    sort: Order = "time",
    limit: int | None = SHOWN,
) -> RunListing:
    """List the runs of a folder: a sequence of entries, each with `path`, `name`, `status`,
    `score`, `result` and `config`; `dlrun.Run.open(entry)` reads all of one.

    Args:
        runs_dir: The folder; one that is not there holds no runs.
        name: Only runs whose experiment is called so: a part of the name, or a pattern with `*`.
        status: Only runs with this status, `changed` and `damaged` included.
        data: Only runs on this data: a part of the source's or the file's name, a pattern with
            `*`, or the beginning of the fingerprint in `data.json`.
        sort: `time` (newest first), `score` (best first; runs of the most frequent measure
            before those of others), `name`, or `seconds` (longest first).
        limit: How many at most; None for all.

    Raises:
        RunError: The folder cannot be read.
    """
    folder = Path(runs_dir)
    tests: list[Callable[[RunEntry], bool]] = []
    if status is not None:
        tests.append(lambda entry: entry.status == status)
    if name is not None:
        tests.append(lambda entry: matches(name, entry.name))
    if data is not None:
        tests.append(lambda entry: _is_on(data, entry))
    found: Iterable[RunEntry] = run_entries(folder)
    if status is not None:
        # Whether a run was changed takes longer to see than how it ended.
        maybe = (entry for entry in found if status in (entry.status, "changed"))
        found = map(checked, maybe)
    found = (entry for entry in found if all(test(entry) for test in tests))
    if sort != "time":
        found = _sorted(found, sort)
    if limit is None:
        return RunListing(folder, tuple(map(checked, found)), more=False)
    # Those beyond the limit are not even read where the newest come first.
    first = tuple(islice(found, limit + 1))
    return RunListing(folder, tuple(map(checked, first[:limit])), more=len(first) > limit)


def removable_runs(runs: Sequence[str | Path], *, runs_dir: str | Path = "runs") -> list[RunEntry]:
    """Return the runs that may be removed.

    Args:
        runs: Run directories, or the unique beginnings of their names.
        runs_dir: Where to look for runs that are given by name.

    Raises:
        RunError: One is not a run, or still runs; nothing was removed.
    """
    entries = []
    for given in runs:
        path = find_run(Path(given), Path(runs_dir)).absolute()
        entry = read_entry(path)
        if entry is None or path.is_symlink():
            raise RunError(f"{display_path(path)} is a link to a run; remove the run itself")
        if entry.status == "running":
            process = entry.facts.get("process") or {}
            raise RunError(
                f"{path.name} is still running (process {process.get('pid')} on "
                f"{process.get('host')}); stop it first"
            )
        if entry.problem and not RUN_NAME.fullmatch(path.name):
            raise RunError(
                f"{display_path(path)} may be something else than a run: {entry.problem}"
            )
        entries.append(entry)
    return list({entry.path: entry for entry in entries}.values())


def remove_runs(entries: Sequence[RunEntry]) -> list[Path]:
    """Remove runs with everything in them.

    Args:
        entries: What `removable_runs` returned.

    Returns:
        Their directories.

    Raises:
        RunError: The disk refused.
    """
    from dlrun.store.removal import remove_run

    for entry in entries:
        remove_run(entry.path)
    return [entry.path for entry in entries]


def matches(wanted: str, text: str) -> bool:
    """Whether a text contains what is wanted, or matches it as a pattern."""
    wanted, text = wanted.casefold(), text.casefold()
    if any(sign in wanted for sign in "*?["):
        return fnmatchcase(text, wanted)
    return wanted in text


def _is_on(wanted: str, entry: RunEntry) -> bool:
    dataset = entry.config.get("dataset")
    if isinstance(dataset, dict):
        paths = dataset.get("path") or []
        paths = paths if isinstance(paths, list) else [paths]
        files = [PurePath(str(path)).name for path in paths]
        texts = [dataset.get("source"), dataset.get("name"), *files]
        if any(matches(wanted, str(text)) for text in texts if text is not None):
            return True
    wanted = wanted.lower()
    is_hex = set(wanted) <= set("0123456789abcdef")
    if len(wanted) < SHORTEST_FINGERPRINT or not is_hex:
        return False
    return _fingerprint(entry).startswith(wanted)


def _fingerprint(entry: RunEntry) -> str:
    from dlrun.store.run_directory import RunDirectory

    try:
        return str(RunDirectory(entry.path).read_data().get("fingerprint"))
    except RunError:
        return ""


def _sorted(entries: Iterable[RunEntry], order: Order) -> Iterator[RunEntry]:
    """Sort; what has nothing to sort by comes last, and equals stay newest first.

    Of each run only what it sorts by is kept, and those that are shown are read again: thousands
    of parsed files in memory cost Python more time than that.
    """
    keyed = [(*_key(entry, order), entry.path) for entry in entries]
    frequency = Counter(group for _, group, _, _ in keyed)
    keyed.sort(key=lambda run: (run[0], -frequency[run[1]], run[1], run[2]))
    read = (read_entry(path) for *_, path in keyed)
    return (entry for entry in read if entry is not None)


def _key(entry: RunEntry, order: Order) -> tuple[bool, str, float | str]:
    """What a run sorts by: whether it has nothing to sort by, its group, and its place in that."""
    if order == "name":
        return False, "", entry.name.casefold()
    if order == "seconds":
        return entry.seconds is None, "", -(entry.seconds or 0.0)
    if not (score := entry.score):
        return True, "", 0.0
    value: float = score["value"]
    return False, str(score.get("name")), value if score.get("direction") == "min" else -value


@dataclass(frozen=True)
class ShownRun:
    """One run.

    Args:
        files: What it holds.
        summary: As at the end of training.
    """

    files: RunFiles
    summary: Summary

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        entry = self.files.entry
        return {
            "run": entry.path.name,
            "path": entry.path,
            **entry.facts,
            "status": entry.status,
            "problem": entry.problem,
            "result": self.files.result or None,
            "data": self.files.data or None,
            "evaluations": self.files.evaluations,
        }


@dataclass(frozen=True)
class RunDiff:
    """Two runs side by side.

    Args:
        names: Of their directories.
        config: Where their configs differ.
        lines: Their results, and what of data, machine and versions differs: a label and a
            text for each run.
        next_command: Compares the runs, to see whether one is better by more than chance.
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
    """Read what is known of a run. What a damaged file held is left out.

    Args:
        run: The run directory, or the unique beginning of its name.
        runs_dir: Where to look for a run that is given by name.

    Raises:
        RunError: There is no such run.
    """
    files = RunFiles(RunDirectory.open(run, Path(runs_dir)))
    where = display_path(files.entry.path)
    if files.result:
        following, found = files.result.get("next"), open_findings(files.directory)
        return ShownRun(files, run_summary(files.result, where, following, open_findings=found))
    lines = [SummaryLine("status", files.entry.status), SummaryLine("run", where)]
    if cause := files.entry.facts.get("error"):
        lines.insert(1, SummaryLine("error", str(cause)))
    if can_go_on(files.entry.status, files.entry.facts):
        lines.append(SummaryLine("next", resume_command(files.directory)))
    return ShownRun(files, Summary(tuple(lines), None))


def diff_runs(first: str | Path, second: str | Path, *, runs_dir: str | Path = "runs") -> RunDiff:
    """Compare two runs side by side.

    Args:
        first: A run directory, or the unique beginning of its name.
        second: The other.
        runs_dir: Where to look for a run that is given by name.

    Raises:
        RunError: There is no such run, or one of them is damaged.
    """
    runs = [RunFiles(RunDirectory.open(run, Path(runs_dir))) for run in (first, second)]
    for run in runs:
        if run.changed:
            raise RunError("\n".join(run.changed))
        if run.entry.problem:
            raise RunError(f"{run.directory.name} is {run.entry.status}: {run.entry.problem}")
        if not run.entry.config:
            raise RunError(f"{display_path(run.directory.run)} does not hold the run's config")
    one, other = map(result_lines, runs)
    lines = []
    for label in dict.fromkeys([*one, *other]):
        texts = one.get(label, ""), other.get(label, "")
        # Facts of machine and data are worth a line only where they differ.
        if label in _ALWAYS or texts[0] != texts[1]:
            lines.append((label, *texts))
    return RunDiff(
        (runs[0].directory.name, runs[1].directory.name),
        tuple(differences([run.entry.config for run in runs])),
        tuple(lines),
        shlex.join(["dlrun", "compare", *(display_path(run.entry.path) for run in runs)]),
    )


_ALWAYS = ("status", "score", "baseline", "best epoch", "parameters", "time")
