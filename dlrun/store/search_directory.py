"""The run directory of a search: what came out of it, and the run of every trial."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from dlrun.store.files import as_bytes, make_folder
from dlrun.store.names import MARKER
from dlrun.store.run_directory import RunDirectory


class SearchDirectory(RunDirectory):
    """One search. Its trials are runs with manifests of their own."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.table = path / "trials.csv"
        """A row a trial: number, values, score, status, seconds."""
        self.best = path / "best.yaml"
        """The config of the best trial."""

    def make_trials(self) -> None:
        """Make the folder of the trials, which makes the run a search."""
        make_folder(self.trials)

    def trial(self, number: int) -> Path:
        """Return where the run of a trial is, counted from 0."""
        return self.trials / f"{number:03d}"

    def trained(self, number: int) -> RunDirectory | None:
        """Return the run of a trial; None if it left none."""
        place = self.trial(number)
        return RunDirectory(place) if (place / MARKER).is_file() else None

    def trained_runs(self) -> list[Path]:
        """Return where the runs of the trials are, in their order; none if this is no search."""
        return sorted(marker.parent for marker in self.trials.glob(f"[0-9]*/{MARKER}"))

    def write_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Keep a row for every trial, in place of the table before."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        self.files.replace(self.table, as_bytes(text.getvalue()))

    def read_table(self) -> list[dict[str, str]]:
        """Return the rows of `trials.csv` by the names of its columns."""
        return list(csv.DictReader(io.StringIO(self.files.read_text(self.table))))

    def write_best(self, text: str) -> None:
        """Keep the config of the best trial."""
        self.files.replace(self.best, as_bytes(text))
