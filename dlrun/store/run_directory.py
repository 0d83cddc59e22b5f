"""The run directory: everything that happened in one run, and the only owner of its file names."""

from __future__ import annotations

import contextlib
import csv
import io
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlrun.errors import RunError
from dlrun.store.checkpoint import CheckpointFolder
from dlrun.store.environment import enter_run, process_facts, process_is_gone, was_left
from dlrun.store.evaluations import ATTEMPTS, EvaluatedRun
from dlrun.store.examples import Examples, read_examples, write_examples
from dlrun.store.files import (
    append_line,
    as_bytes,
    is_disk_error,
    locked,
    make_folder,
    move_folder,
    os_errors_named,
    refuse_links_out,
    remove_leftovers,
    temporary_path,
    write_bytes,
    write_json,
    write_npz,
    write_once,
    write_text,
)
from dlrun.store.json_text import to_json
from dlrun.store.json_types import DATA_TYPES, RUN, expect_types
from dlrun.store.manifest import FORMAT, TRIALS, ChangedFileError, advice
from dlrun.store.names import DATA, MARKER, directory_name, find_run, slug
from dlrun.store.reading import read_object
from dlrun.store.recorded_files import Fault
from dlrun.store.training_folder import FOLDS, Arrays, FoldDirectory
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np


Ending = Literal["finished", "failed", "interrupted"]
Status = Literal["running", "finished", "failed", "interrupted", "died"]

RUNS_DIR = Path("runs")
"""Where runs are kept, unless the user says otherwise."""


class RunDirectory(EvaluatedRun):
    """One run. `create` makes a new one, `open` finds an existing one."""

    @classmethod
    def create(
        cls,
        runs_dir: Path,
        name: str,
        now: datetime | None = None,
        *,
        write: Callable[[RunDirectory], None] = lambda directory: None,
        place: Path | None = None,
    ) -> RunDirectory:
        """Make a directory with a new name: `YYYYMMDD-HHMMSS-name-xxxx`.

        It is there with all that it begins with, or not at all: until then its name is hidden.

        Args:
            runs_dir: Where runs are kept; made where it is missing.
            name: The experiment's name; see `dlrun.store.names.slug`.
            now: Time for the name; default: the clock's.
            write: Writes what the run begins with into the directory that it is given.
            place: The directory itself, instead of a new name in `runs_dir`.

        Raises:
            RunError: The directory cannot be made.
        """
        runs_dir = runs_dir if place is None else place.parent
        now = now or datetime.now()
        hint = "; choose another folder with --runs-dir"
        with os_errors_named("make a run in", runs_dir, hint):
            runs_dir.mkdir(parents=True, exist_ok=True)
            remove_leftovers(runs_dir)
            hidden = temporary_path(runs_dir.absolute() / slug(name))
            hidden.mkdir()
        try:
            try:
                write(cls(hidden))
            except RunError as error:
                if not is_disk_error(error):
                    raise
                with os_errors_named("make a run in", runs_dir, hint):
                    raise error.__cause__ from None  # type: ignore[misc]  # an OSError
            with os_errors_named("make a run in", runs_dir, hint):
                for _ in range(ATTEMPTS):
                    free = directory_name(name, now, secrets.token_hex(2))
                    path = runs_dir.absolute() / (free if place is None else place.name)
                    if move_folder(hidden, path):
                        return cls(path)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        raise RunError(f"no free name for a run '{name}' in {display_path(runs_dir)}")

    @classmethod
    def open(cls, given: str | Path, runs_dir: Path = RUNS_DIR) -> RunDirectory:
        """Find a run.

        Args:
            given: Its directory, or a unique beginning of its name in `runs_dir`.
            runs_dir: Where runs are kept.

        Raises:
            RunError: There is no such run, or several; names what there is.
        """
        return cls(find_run(Path(given), runs_dir).absolute())

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.name = path.name
        """The directory's own name."""
        self.config = path / "config.yaml"
        """The config as it was given."""
        self.resolved = path / "resolved.yaml"
        """The config with every default and override filled in."""
        self.run = path / MARKER
        """Status, command, times, seed, versions, machine."""
        self.data = path / DATA
        """Fingerprints, shapes, dtypes, class counts, findings."""
        self.splits = path / "splits.npz"
        """Row numbers of every split and fold."""
        self.log_file = path / "log.txt"
        """What the terminal showed."""
        self.steps_path = path / "path.csv"
        """Where each optimizer of a descent was at every step."""
        self.examples = path / "examples.json"
        """The rows that were predicted worst, as they came from the source."""
        self.examples_files = self.examples, self.examples.with_suffix(".npz")
        """The same with what has axes."""
        self.trials = path / TRIALS
        """The runs of a search, each a run directory of its own with a number."""
        if self.trials.is_dir():
            self.result = path / "search.json"
        self.checkpoint = CheckpointFolder(path)
        """What the run needs to go on after it was broken off."""

    def write_config(self, data: bytes) -> None:
        """Keep the config, byte for byte."""
        with self.files.writing(self.config):
            write_bytes(self.config, data)

    def read_config(self) -> bytes:
        """Return the config, byte for byte."""
        return self.files.read_bytes(self.config)

    def write_resolved(self, text: str) -> None:
        """Keep the config with everything filled in."""
        with self.files.writing(self.resolved):
            write_text(self.resolved, text)

    def read_resolved(self) -> str:
        """Return the config with everything filled in."""
        return self.files.read_text(self.resolved)

    def write_plugin(self, name: str, content: bytes) -> None:
        """Keep a copy of one of the config's plugins, byte for byte."""
        path = self.path / self.PLUGINS / name
        with self.files.writing(path):
            make_folder(path.parent)
            write_bytes(path, content)

    def read_plugin(self, name: str) -> bytes:
        """Return a plugin that the run keeps; its name is relative to the run."""
        return self.files.read_bytes(self.path / name)

    def start(self, facts: Mapping[str, Any]) -> None:
        """Write `run.json`: the run is running, in this process, from now on.

        Args:
            facts: What else is known: command, seed, backend, engine, versions.
        """
        times = {"status": "running", "started": _now(), "ended": None, "seconds": None}
        with self.files.writing(self.run):
            write_json(self.run, {**times, **facts, "process": process_facts()})

    def finish(self, status: Ending, **facts: Any) -> None:
        """Write in `run.json` how the run ended, and when, and in `manifest.json` what is in it.

        Args:
            status: How.
            facts: What is to be added, such as the error's text.

        Raises:
            RunError: The run was not started, or has ended already.
        """
        before = self.read_run()
        if before.get("status") != "running":
            raise RunError(f"{display_path(self.path)} is {before.get('status')} already")
        ended, earlier = _now(), list(before.get("resumed") or ())
        began = earlier[-1]["at"] if earlier else before["started"]
        seconds = _seconds_between(began, ended) + sum(one["seconds"] for one in earlier)
        times = {"status": status, "ended": ended, "seconds": seconds}
        self.rewrite({**before, **times, **facts})

    def rewrite(self, facts: Mapping[str, Any]) -> None:
        """Write `run.json` anew. The manifest takes in what was written since, and is complete
        unless the run is running (again).

        Args:
            facts: All that the file is to hold.
        """
        ended = facts["status"] != "running"
        data = to_json({**facts, "manifest": FORMAT} if ended else facts)
        self.files.replace(self.run, as_bytes(data), ended=ended)

    def restart(self, facts: Mapping[str, Any]) -> None:
        """Write in `run.json` that the run goes on, in this process, from now on.

        Args:
            facts: What is known of where it goes on; `resumed` lists them.
        """
        before = self.read_run()
        earlier = list(before.get("resumed") or ())
        began = earlier[-1]["at"] if earlier else before["started"]
        ended = before["ended"] or self._last_written()
        seconds = max(0.0, _seconds_between(began, ended))
        resumed = [*earlier, {"at": _now(), "seconds": seconds, **facts}]
        gone = ("error", "result", "phases", "resumable", "interrupted_by")
        kept = {name: value for name, value in before.items() if name not in gone}
        times = {"status": "running", "ended": None, "seconds": None}
        again = {**kept, **times, "resumed": resumed, "process": process_facts()}
        enter_run(self.path)
        self.rewrite(again)
        # While a run trains, they are written over and over.
        self.files.forget(*(folder.callbacks for folder in (self, *self.folds())))

    def _last_written(self) -> str:
        """When a run that died wrote something, at the latest."""
        times = [
            path.stat().st_mtime
            for path in (self.run, self.log_file, self.metrics, self.checkpoint.state)
            if path.is_file()
        ]
        return datetime.fromtimestamp(max(times)).astimezone().isoformat(timespec="milliseconds")

    @contextlib.contextmanager
    def taken_over(self) -> Iterator[None]:
        """Keep other processes from resuming the run while the body does; the system lets go of it
        when the process ends.

        Raises:
            RunError: Another one is resuming it.
        """
        with locked(self.config, wait=False) as alone:
            if not alone:
                raise RunError(f"another process is resuming {self.name}")
            yield

    def read_run(self) -> dict[str, Any]:
        """Return what `run.json` holds."""
        return expect_types(self.files.read_object(self.run), self.run, RUN)

    def update_manifest(self) -> None:
        """Record in `manifest.json` every file that was written since the last time: to be called
        at the beginning of a training and after each checkpoint. `finish` does so itself."""
        self.files.update()

    def seal(self) -> list[Fault]:
        """Accept the files as they are now: write `manifest.json` anew, and return what did not
        fit the one before.

        Raises:
            RunError: The run is still running.
        """
        if self._status_of(read_object(self.run)) == "running":
            raise RunError(f"{self.name} is still running; seal it when it has ended")
        return self.files.seal()

    @property
    def status(self) -> Status:
        """The run's status; `died` if it says `running` but its process is gone."""
        return self._status_of(self.read_run())

    def _status_of(self, facts: Mapping[str, Any]) -> Status:
        status = facts.get("status")
        process = facts.get("process") or {}
        if status == "running" and (process_is_gone(process) or was_left(self.path, process)):
            return "died"
        if status not in ("running", "finished", "failed", "interrupted"):
            raise RunError(f"{display_path(self.run)} is damaged: unknown status {status!r}")
        return status

    def write_data(self, facts: Mapping[str, Any]) -> None:
        """Keep the facts about the data."""
        with self.files.writing(self.data):
            write_json(self.data, facts)

    def read_data(self) -> dict[str, Any]:
        """Return the facts about the data."""
        return expect_types(self.files.read_object(self.data), self.data, DATA_TYPES)

    def write_splits(self, splits: Arrays) -> None:
        """Keep row numbers, as int64.

        Args:
            splits: (k,) integers by the split's name, such as `test` or `fold00_train`.

        Raises:
            TypeError: An array is not a list of integers.
        """
        for name, rows in splits.items():
            if rows.ndim != 1 or rows.dtype.kind not in "iu":
                raise TypeError(f"split '{name}' is not a list of row numbers")
        whole = {name: rows.astype("int64") for name, rows in splits.items()}
        with self.files.writing(self.splits):
            write_npz(self.splits, whole, compress=True)

    def read_splits(self) -> dict[str, np.ndarray]:
        """Return (k,) int64 row numbers by the split's name."""
        return self.files.read_npz(self.splits)

    def write_path(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Keep where each optimizer of a descent was, a row a step, by the columns' names."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        with self.files.writing(self.steps_path):
            write_text(self.steps_path, text.getvalue())

    def read_path(self) -> dict[str, list[str]]:
        """Return the columns of `path.csv` as texts, by their names."""
        header, *rows = csv.reader(io.StringIO(self.files.read_text(self.steps_path)))
        return {name: [row[index] for row in rows] for index, name in enumerate(header)}

    def write_examples(self, examples: Examples) -> None:
        """Keep a few rows as examples."""
        write_examples(self.files, self.examples, examples)

    def read_examples(self) -> Examples | None:
        """Return the rows that were kept as examples, or None if there are none."""
        found = self.files.exists(self.examples)
        return read_examples(self.files, self.examples) if found else None

    def add_report(self, html: str) -> tuple[Path, bool]:
        """Keep a report as `report.html`, or as the next `report-2.html` that is free, unless one
        of them says the same; return the file, and whether it was written now."""
        self.remove_leftovers()
        path, written = write_once(self.path, "report", ".html", as_bytes(html))
        if written:
            self.files.take_in(path)
        return path, written

    def fold(self, index: int) -> FoldDirectory:
        """Return the directory of one fold, counted from 0; made when something is written."""
        return FoldDirectory(self.files, index)

    def folds(self) -> list[FoldDirectory]:
        """Return the folds that have left something, in order.

        Raises:
            ChangedFileError: One that the manifest lists is missing, or one is there that it does
                not list.
        """
        refuse_links_out(self.path, self.path / FOLDS)
        names = {path.name for path in self.path.glob(f"{FOLDS}/*") if path.name.isdecimal()}
        if (manifest := self.files.manifest()) is not None:
            listed = {name.split("/")[1] for name in manifest.files if name.startswith(FOLDS + "/")}
            lost, added = sorted(listed - names), sorted(names - listed)
            if lost or (added and manifest.ended):
                what = "is missing" if lost else "is not a fold of the run"
                where = self.path / FOLDS / (lost or added)[0]
                raise ChangedFileError(where, what, advice(self.path))
        return [self.fold(index) for index in sorted(map(int, names))]

    def log(self, line: str) -> None:
        """Add a line to `log.txt`."""
        refuse_links_out(self.path, self.log_file)
        append_line(self.log_file, line)

    def end_log(self) -> None:
        """Record the log of a run that has ended as it is now."""
        self.files.take_in(self.log_file)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def _seconds_between(began: str, ended: str) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
