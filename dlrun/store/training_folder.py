"""What one training leaves behind: the files that a run and each of its folds have in common."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dlrun.errors import RunError
from dlrun.store.files import (
    append_line,
    as_bytes,
    atomic_path,
    make_folder,
    os_errors_named,
    refuse_links_out,
    write_bytes,
    write_json,
    write_npz,
    write_text,
)
from dlrun.store.json_text import to_json
from dlrun.store.json_types import RESULT, expect_types
from dlrun.store.metrics_csv import MetricsCsv
from dlrun.store.names import slug
from dlrun.store.recorded_files import RecordedFiles
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np

Arrays = Mapping[str, "np.ndarray"]
Save = Callable[[Path], object]
"""Writes one file to the path it is given, in the format that the path's suffix names."""

T = TypeVar("T")


MODELS = (".keras", ".h5")
"""How the names of files end that a callback writes anew each time."""

FOLDS = "folds"
"""Folder of the folds of a run."""


class TrainingFolder:
    """Metrics, model, curves, preprocessing, predictions and result of one training.

    Every file is written once and atomically; `metrics.csv` grows by whole rows. All writers
    raise RunError if the file exists already or the disk refuses, all readers if it is missing
    or damaged, or another one than the run's manifest lists.

    Args:
        path: The folder.
        files: Of the run that it belongs to; default: those of the folder itself.
    """

    def __init__(self, path: Path, files: RecordedFiles | None = None) -> None:
        self.path = path
        self.files = files or RecordedFiles(path)
        """Readers and writers of the run's files."""
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
        self._metrics_csv = MetricsCsv(self.metrics, self.files)

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
        refuse_links_out(self.files.root, self.steps)
        lines = [] if self.steps.exists() else ["epoch,step,loss"]
        lines += [f"{epoch},{step},{loss!r}" for step, loss in enumerate(losses, start=1)]
        append_line(self.steps, "\n".join(lines))

    def cut_metrics(self, epochs: Mapping[int, int]) -> None:
        """Keep the first epochs of each fold alone; see `MetricsCsv.cut`."""
        self._metrics_csv.cut(epochs)

    def cut_steps(self, epochs: int) -> None:
        """Keep the losses of the first epochs alone; a line that was cut off goes, too."""
        if not self.files.exists(self.steps):
            return
        header, *rows = self.files.read_text(self.steps).split("\n")[:-1]
        kept = [row for row in rows if int(row.partition(",")[0]) <= epochs]
        self.files.replace(self.steps, as_bytes("\n".join([header, *kept, ""])))

    def flush_metrics(self) -> None:
        """Make the rows so far last through a power cut."""
        if self.metrics.is_file():
            with os_errors_named("write", self.metrics), self.metrics.open("rb+") as file:
                os.fsync(file.fileno())

    @property
    def curves(self) -> tuple[Path, ...]:
        """The drawn curves."""
        return self.curves_png, self.curves_svg

    def discard_training(self, *, callbacks: bool) -> None:
        """Remove what a training that was broken off has left, but for its metrics.

        Args:
            callbacks: Whether also the files of callbacks, and the losses of steps.
        """
        trained = (self.model, self.preprocess, self.preprocess_arrays, self.predictions)
        words = self.path.glob("vocabulary*.txt")
        self.files.remove(self.result, *trained, *words, *self.curves)
        if not callbacks:
            return
        self.files.remove(self.steps)
        with os_errors_named("remove", self.callbacks):
            if self.callbacks.is_dir() and not self.callbacks.is_symlink():
                shutil.rmtree(self.callbacks)

    def history(self) -> dict[str, list[float]]:
        """Return `metrics.csv` by column; see `MetricsCsv.read`."""
        return self._metrics_csv.read()

    def write_result(self, facts: Mapping[str, Any], *, replace: bool = False) -> None:
        """Keep the result's facts as JSON; `replace` if a fuller one takes its place."""
        self._make()
        if replace:
            self.files.replace(self.result, as_bytes(to_json(facts)))
            return
        with self.files.writing(self.result):
            write_json(self.result, facts)

    def read_result(self) -> dict[str, Any]:
        """Return the result's facts; NaN comes back as None."""
        return expect_types(self.files.read_object(self.result), self.result, RESULT)

    def save_model(self, save: Save) -> None:
        """Keep the trained model.

        Args:
            save: Writes the model, such as `model.save`.
        """
        self._make()
        with self.files.writing(self.model), atomic_path(self.model) as temporary:
            save(temporary)

    def load_model(self, load: Callable[[Path, bool], T]) -> T:
        """Return what `load` makes of the trained model: of the very file that the manifest lists.

        Args:
            load: Gets its path, and whether a manifest has vouched for it.

        Raises:
            RunError: There is none, or it is another.
        """
        with self.files.open(self.model):
            return load(self.model, self.files.manifest() is not None)

    @property
    def has_model(self) -> bool:
        """Whether there is a trained model; raises RunError if it was lost."""
        return self.files.exists(self.model)

    @property
    def has_result(self) -> bool:
        """Whether there is a result; raises RunError if it was lost."""
        return self.files.exists(self.result)

    def save_curves(self, save: Save) -> None:
        """Keep the curves as PNG and as SVG, each unless it is there already.

        Args:
            save: Writes the figure, such as `figure.savefig`; called once for each format.
        """
        self.save_picture(self.curves_png.stem, save)

    def save_picture(self, name: str, save: Save) -> None:
        """Keep a picture as PNG and as SVG; see `save_curves`."""
        self._make()
        for path in (self.path / f"{name}.png", self.path / f"{name}.svg"):
            if path.exists():
                continue
            with self.files.writing(path), atomic_path(path) as temporary:
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
        with self.files.writing(self.preprocess, self.preprocess_arrays):
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
            with self.files.writing(path := self.path / f"{name}.txt"):
                write_text(path, "".join(f"{line}\n" for line in lines))

    def copy_vocabularies(self, other: TrainingFolder) -> None:
        """Keep the words of another folder."""
        self._make()
        for file in sorted(other.path.glob("vocabulary*.txt")):
            with self.files.writing(self.path / file.name):
                write_bytes(self.path / file.name, other.files.read_bytes(file))

    def read_preprocess(self) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
        """Return the state of every step and the arrays, as they were written."""
        state = self.files.read_json(self.preprocess)
        if not isinstance(state, list) or not all(isinstance(step, dict) for step in state):
            raise RunError(
                f"{display_path(self.preprocess)} is damaged: expected a list of objects"
            )
        arrays = self.preprocess_arrays
        return state, self.files.read_npz(arrays) if self.files.exists(arrays) else {}

    def write_predictions(self, arrays: Arrays) -> None:
        """Keep predictions and their row numbers, by name."""
        self._make()
        with self.files.writing(self.predictions):
            write_npz(self.predictions, arrays)

    def read_predictions(self) -> dict[str, np.ndarray]:
        """Return predictions and their row numbers, by name."""
        return self.files.read_npz(self.predictions)

    def make_callbacks_folder(self) -> Path:
        """Make the folder for the files of Keras callbacks, and return it."""
        self._make()
        refuse_links_out(self.files.root, self.callbacks)
        make_folder(self.callbacks)
        return self.callbacks

    def callback_sizes(self) -> dict[str, int]:
        """Return the sizes of the files that callbacks have written, by name."""
        files = (path for path in self.callbacks.rglob("*") if path.is_file())
        return {path.relative_to(self.callbacks).as_posix(): path.stat().st_size for path in files}

    def cut_callbacks(self, sizes: Mapping[str, int]) -> None:
        """Bring the files of callbacks to where they were: those that grow are cut back, those that
        came later are removed. Models stay: the epochs that follow write them again.

        Args:
            sizes: What `callback_sizes` returned then.
        """
        refuse_links_out(self.files.root, self.callbacks)
        with os_errors_named("write", self.callbacks):
            for name, size in self.callback_sizes().items():
                path = self.callbacks / name
                refuse_links_out(self.files.root, path)
                if name not in sizes:
                    path.unlink()
                elif size > sizes[name] and path.suffix not in MODELS:
                    os.truncate(path, sizes[name])

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
        run: The files of the run.
        index: Counted from 0.
    """

    def __init__(self, run: RecordedFiles, index: int) -> None:
        super().__init__(run.root / FOLDS / f"{index:02d}", run)
        self.index = index

    def _make(self) -> None:
        refuse_links_out(self.files.root, self.path)
        make_folder(self.path.parent)
        make_folder(self.path)
