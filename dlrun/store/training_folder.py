"""What one training leaves behind: the files that a run and each of its folds have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.store.files import (
    append_line,
    atomic_path,
    make_folder,
    read_bytes,
    read_json,
    read_npz,
    read_object,
    write_bytes,
    write_json,
    write_npz,
    write_text,
)
from dlrun.store.metrics_csv import MetricsCsv
from dlrun.store.names import slug
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np

Arrays = Mapping[str, "np.ndarray"]
Save = Callable[[Path], object]
"""Writes one file to the path it is given, in the format that the path's suffix names."""


class TrainingFolder:
    """Metrics, model, curves, preprocessing, predictions and result of one training.

    Every file is written once and atomically; `metrics.csv` grows by whole rows. All writers
    raise RunError if the file exists already or the disk refuses, all readers if it is missing
    or damaged.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = path / "metrics.csv"
        """A row an epoch: fold, epoch, seconds, every metric."""
        self.steps = path / "steps.csv"
        """A row a gradient step, of the naive engine alone: epoch, step and loss before it."""
        self.result = path / "result.json"
        """Score, best epoch, baseline and what else was found."""
        self.model = path / "model.keras"
        """The trained model in Keras' own format."""
        self.curves_png = path / "curves.png"
        """Training and validation curves as pixels."""
        self.curves_svg = path / "curves.svg"
        """Training and validation curves as vectors."""
        self.preprocess = path / "preprocess.json"
        """What preprocessing learnt, without its arrays."""
        self.preprocess_arrays = path / "preprocess.npz"
        """The arrays that preprocessing learnt; missing if it learnt none."""
        self.predictions = path / "predictions.npz"
        """Validation or out-of-fold predictions with their row numbers."""
        self.callbacks = path / "callbacks"
        """Folder for the files that Keras callbacks of the config write."""
        self._metrics_csv = MetricsCsv(self.metrics)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def append_metrics(
        self, fold: int, epoch: int, seconds: float, metrics: Mapping[str, float]
    ) -> None:
        """Add one epoch's row; see `MetricsCsv.append`."""
        self._make()
        self._metrics_csv.append(fold, epoch, seconds, metrics)

    def append_steps(self, epoch: int, losses: Sequence[float]) -> None:
        """Add the loss of each gradient step of an epoch; both are counted from 1."""
        self._make()
        lines = [] if self.steps.exists() else ["epoch,step,loss"]
        lines += [f"{epoch},{step},{loss!r}" for step, loss in enumerate(losses, start=1)]
        append_line(self.steps, "\n".join(lines))

    def history(self) -> dict[str, list[float]]:
        """Return `metrics.csv` by column; see `MetricsCsv.read`."""
        return self._metrics_csv.read()

    def write_result(self, facts: Mapping[str, Any], *, replace: bool = False) -> None:
        """Keep the result's facts as JSON; `replace` if a fuller one takes its place."""
        self._make()
        write_json(self.result, facts, replace=replace)

    def read_result(self) -> dict[str, Any]:
        """Return the result's facts; NaN comes back as None."""
        return read_object(self.result)

    def save_model(self, save: Save) -> None:
        """Keep the trained model.

        Args:
            save: Writes the model, such as `model.save`.
        """
        self._make()
        with atomic_path(self.model) as temporary:
            save(temporary)

    def save_curves(self, save: Save) -> None:
        """Keep the curves as PNG and as SVG.

        Args:
            save: Writes the figure, such as `figure.savefig`; called once for each format.
        """
        self._make()
        for path in (self.curves_png, self.curves_svg):
            with atomic_path(path) as temporary:
                save(temporary)

    def write_preprocess(
        self, state: Sequence[Mapping[str, Any]], arrays: Arrays | None = None
    ) -> None:
        """Keep what preprocessing learnt, so that it comes back exactly.

        Args:
            state: One mapping a step, of plain JSON values.
            arrays: What the steps learnt as arrays, by names that `state` refers to.

        Raises:
            ValueError: `state` holds NaN, infinity or an array: those belong in `arrays`.
        """
        self._make()
        if arrays:
            write_npz(self.preprocess_arrays, arrays)
        write_json(self.preprocess, list(state), exact=True)

    def write_vocabularies(self, words: Mapping[str, Sequence[str]]) -> None:
        """Keep the words that preprocessing learnt, one a line: those of the only column as
        `vocabulary.txt`, those of several as `vocabulary-COLUMN.txt`."""
        self._make()
        taken: set[str] = set()
        for column, lines in words.items():
            name = f"vocabulary-{slug(column)}" if len(words) > 1 else "vocabulary"
            while name in taken:
                name += "-2"
            taken.add(name)
            write_text(self.path / f"{name}.txt", "".join(f"{line}\n" for line in lines))

    def copy_vocabularies(self, other: TrainingFolder) -> None:
        """Keep the words of another folder."""
        self._make()
        for file in sorted(other.path.glob("vocabulary*.txt")):
            write_bytes(self.path / file.name, read_bytes(file))

    def read_preprocess(self) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
        """Return the state of every step and the arrays, as they were written."""
        state = read_json(self.preprocess)
        if not isinstance(state, list) or not all(isinstance(step, dict) for step in state):
            raise RunError(
                f"{display_path(self.preprocess)} is damaged: expected a list of objects"
            )
        found = self.preprocess_arrays.exists()
        return state, read_npz(self.preprocess_arrays) if found else {}

    def write_predictions(self, arrays: Arrays) -> None:
        """Keep predictions and their row numbers, by name."""
        self._make()
        write_npz(self.predictions, arrays)

    def read_predictions(self) -> dict[str, np.ndarray]:
        """Return predictions and their row numbers, by name."""
        return read_npz(self.predictions)

    def make_callbacks_folder(self) -> Path:
        """Make the folder for the files of Keras callbacks, and return it."""
        self._make()
        make_folder(self.callbacks)
        return self.callbacks

    def _make(self) -> None:
        """Make the folder itself, if the first file makes it."""


def make_phase_folder(callbacks: Path, number: int) -> Path:
    """Make the folder for the files of one phase's callbacks, apart from those of the same callback
    in another phase, and return it.

    Args:
        callbacks: From `make_callbacks_folder`.
        number: The phase, counted from 0.
    """
    path = callbacks / f"phase-{number + 1}"
    make_folder(path)
    return path


class FoldDirectory(TrainingFolder):
    """`folds/00` and so on: one fold of a run; made when the first file is written to it.

    Args:
        run: The run's directory.
        index: Counted from 0.
    """

    def __init__(self, run: Path, index: int) -> None:
        super().__init__(run / "folds" / f"{index:02d}")
        self.index = index

    def _make(self) -> None:
        make_folder(self.path.parent)
        make_folder(self.path)
