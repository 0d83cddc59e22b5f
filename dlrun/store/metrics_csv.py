"""`metrics.csv`: a row an epoch, appended as training goes on."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlrun.errors import RunError
from dlrun.store.files import append_line, as_bytes, refuse_links_out
from dlrun.store.recorded_files import RecordedFiles
from dlrun.text import display_path

COUNTED = ("fold", "epoch", "seconds")

PHASE = "phase"
"""A column of whole numbers, from 1, if training has phases."""


class MetricsCsv:
    """One `metrics.csv`: columns `fold` (from 0), `epoch` (from 1), `seconds`, every metric;
    before the metrics `phase` (from 1) if training has phases.

    Args:
        path: The file; made by the first row.
        files: Of the run that it belongs to.
    """

    def __init__(self, path: Path, files: RecordedFiles) -> None:
        self._path = path
        self._files = files
        self._metrics: list[str] | None = None

    def append(self, fold: int, epoch: int, seconds: float, metrics: Mapping[str, float]) -> None:
        """Add one epoch. The first one fixes the columns; a metric left out stays empty.

        Args:
            fold: Counted from 0.
            epoch: Counted from 1.
            seconds: How long the epoch took.
            metrics: Values by metric name.

        Raises:
            RunError: The first row did not have a metric, or the disk refused.
        """
        if self._metrics is None:
            self._metrics = self._open(list(metrics))
        if unknown := [name for name in metrics if name not in self._metrics]:
            raise RunError(
                f"{display_path(self._path)} has no column for '{unknown[0]}': "
                f"its columns were fixed by its first row as {', '.join(self._metrics)}"
            )
        cells = [_cell(name, metrics.get(name)) for name in self._metrics]
        refuse_links_out(self._files.root, self._path)
        append_line(self._path, _row([str(fold), str(epoch), f"{seconds:.6f}", *cells]))

    def cut(self, epochs: Mapping[int, int]) -> None:
        """Keep the rows of the first epochs of each fold, and leave out a last line that was cut
        off in the middle; without any row the file goes.

        Args:
            epochs: How many, by fold; no row of other folds is kept.

        Raises:
            RunError: A row cannot be read, or the disk refused.
        """
        history = self.read()
        counted = zip(history.get("fold", ()), history.get("epoch", ()), strict=True)
        kept = [epoch <= epochs.get(int(fold), 0) for fold, epoch in counted]
        self._metrics = None
        if not any(kept):
            self._files.remove(self._path)
            return
        text = self._files.read_text(self._path)
        header, *rows = text.split("\n")[:-1]
        lines = [header, *(row for row, keep in zip(rows, kept, strict=True) if keep)]
        if (whole := "".join(f"{line}\n" for line in lines)) != text:
            self._files.replace(self._path, as_bytes(whole))

    def read(self) -> dict[str, list[float]]:
        """Return the columns by name, one value an epoch; empty if nothing was trained.

        A last line that was cut off in the middle is left out. A cell left empty is NaN.

        Raises:
            RunError: A row does not fit the header; names the line.
        """
        if not self._files.exists(self._path):
            return {}
        lines = self._files.read_text(self._path).split("\n")[:-1]
        if not lines:
            return {}
        header = next(csv.reader(lines))
        history: dict[str, list[float]] = {name: [] for name in header}
        for number, cells in enumerate(csv.reader(lines[1:]), start=2):
            values = self._values(header, cells, number)
            for name, value in zip(header, values, strict=True):
                history[name].append(value)
        return history

    def _open(self, metrics: list[str]) -> list[str]:
        """Write the header, or take it from an existing file."""
        if taken := [name for name in metrics if name in COUNTED]:
            raise RunError(f"a metric cannot be called '{taken[0]}': that column counts epochs")
        refuse_links_out(self._files.root, self._path)
        if self._path.is_file():
            with self._path.open(encoding="utf-8", newline="") as file:
                return next(csv.reader([file.readline().rstrip("\n")]))[len(COUNTED) :]
        append_line(self._path, _row([*COUNTED, *metrics]))
        return metrics

    def _values(self, header: list[str], cells: list[str], line: int) -> list[float]:
        try:
            values: list[float] = [float(cell) if cell else float("nan") for cell in cells]
            values[:2] = [int(cell) for cell in cells[:2]]
        except ValueError:
            values = []
        if len(values) != len(header):
            raise RunError(f"{display_path(self._path)} is damaged in line {line}")
        return values


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    # `repr` is the shortest text that gives the same float back.
    return str(int(value)) if name == PHASE else repr(float(value))


def _row(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()
