"""What one training leaves behind: the files that a run and each of its folds have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.store.atomic import atomic_path, make_folder, write_json, write_npz
from dlrun.store.metrics_csv import MetricsCsv
from dlrun.store.names import slug
from dlrun.store.reading import read_json, read_npz, read_object
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np

Arrays = Mapping[str, "np.ndarray"]
Save = Callable[[Path], object]
"""Writes one file to the path it is given, in the format that the path's suffix names."""


class TrainingFolder:
    """Metrics, model, curves, preprocessing, predictions and result of one training.

    Every file is written once and atomically; `metrics.csv` grows by whole rows. All writers
    raise RunError where the file exists already or the disk refuses, all readers where it is
    missing or damaged.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._metrics = MetricsCsv(self.metrics)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @property
    def metrics(self) -> Path:
        """A row an epoch: fold, epoch, seconds, every metric."""
        return self.path / "metrics.csv"

    @property
    def result(self) -> Path:
        """Score, best epoch, baseline and what else was found."""
        return self.path / "result.json"

    @property
    def model(self) -> Path:
        """The trained model in Keras' own format."""
        return self.path / "model.keras"

    @property
    def curves_png(self) -> Path:
        """Training and validation curves as pixels."""
        return self.path / "curves.png"

    @property
    def curves_svg(self) -> Path:
        """Training and validation curves as vectors."""
        return self.path / "curves.svg"

    @property
    def preprocess(self) -> Path:
        """What preprocessing learnt, without its arrays."""
        return self.path / "preprocess.json"

    @property
    def preprocess_arrays(self) -> Path:
        """The arrays that preprocessing learnt; not there where it learnt none."""
        return self.path / "preprocess.npz"

    @property
    def predictions(self) -> Path:
        """Validation or out-of-fold predictions with their row numbers."""
        return self.path / "predictions.npz"

    @property
    def callbacks(self) -> Path:
        """Folder for the files that Keras callbacks of the config write."""
        return self.path / "callbacks"

    def append_metrics(
        self,
        fold: int,
        epoch: int,
        seconds: float,
        metrics: Mapping[str, float],
        columns: Sequence[str] = (),
    ) -> None:
        """Add one epoch's row; see `MetricsCsv.append`."""
        self._make()
        self._metrics.append(fold, epoch, seconds, metrics, columns)

    def history(self, fold: int | None = None) -> dict[str, list[float]]:
        """Return `metrics.csv` by column; see `MetricsCsv.read`."""
        return self._metrics.read(fold)

    def write_result(self, facts: Mapping[str, Any], *, replace: bool = False) -> None:
        """Keep the result's facts as JSON; `replace` where a fuller one takes its place."""
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
            ValueError: `state` holds NaN, infinity or an array: those belong into `arrays`.
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
            with atomic_path(self.path / f"{name}.txt") as temporary:
                temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def copy_vocabularies(self, other: TrainingFolder) -> None:
        """Keep the words that stand in another folder."""
        self._make()
        for file in sorted(other.path.glob("vocabulary*.txt")):
            with atomic_path(self.path / file.name) as temporary:
                temporary.write_bytes(file.read_bytes())

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
        """Make the folder itself where writing to it is what calls it into being."""


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
