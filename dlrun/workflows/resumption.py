"""What a run that was broken off has left, brought to where it can go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from dlrun.errors import RunError
from dlrun.store.run_directory import RunDirectory
from dlrun.store.training_folder import TrainingFolder
from dlrun.text import display_path
from dlrun.training.checkpoint import FitState


class Resumption:
    """A run that goes on: the fits that are finished, and the state of the one that is not.

    Args:
        directory: The run.
        one_model: Whether the model lies in the run directory itself, not in folders of folds.
        note: Called with a sentence that the user should read.
        goes_on: Called when the run has been found to be one that can go on, before anything in its
            directory is changed.
    """

    def __init__(
        self,
        directory: RunDirectory,
        one_model: bool,
        note: Callable[[str], None],
        goes_on: Callable[[], None],
    ) -> None:
        self.directory = directory
        self._one_model = one_model
        self._note = note
        self._goes_on = goes_on
        self.taken_over = False
        """Whether the run is this process's from now on; before that, nothing in it is changed."""
        self.fits: dict[int, dict[str, Any]] = {}
        """The facts of each fold's finished fit."""
        self._saved: tuple[int, int, FitState] | None = None
        self._callbacks: dict[str, int] = {}

    def begin(self, splits: Mapping[str, np.ndarray]) -> None:
        """Let the run go on, if it has the same rows.

        Raises:
            RunError: The rows are dealt in another way than they were.
        """
        directory = self.directory
        before = directory.read_splits()
        other = sorted(before.keys() ^ splits.keys()) or [
            name for name, rows in splits.items() if not np.array_equal(rows, before[name])
        ]
        if other:
            raise RunError(
                f"the split '{other[0]}' holds other rows than {directory.name} was trained "
                f"with (see {display_path(directory.splits)}); restore the data, or train again"
            )
        self._read(splits)
        self._goes_on()
        if self._saved is not None:
            fold, epoch, _ = self._saved
        else:
            fold, epoch = len(self.fits), 0
        self.taken_over = True
        directory.remove_leftovers()
        directory.restart({"fold": fold, "epoch": epoch})
        self._clear()

    @property
    def seconds(self) -> float:
        """How long the run lasted before it goes on now."""
        return float(sum(one["seconds"] for one in self.directory.read_run()["resumed"]))

    def state(self, fold: int) -> FitState | None:
        """Return the state that a fold's fit goes on from; None if it begins."""
        if self._saved is None or self._saved[0] != fold:
            return None
        return self._saved[2]

    def epoch_seconds(self, fold: int) -> list[float]:
        """Return how long the epochs of a fold took that are kept."""
        return self._seconds.get(fold, [])

    @cached_property
    def _seconds(self) -> dict[int, list[float]]:
        seconds: dict[int, list[float]] = {}
        history = self.directory.history()
        columns = (history.get(name, ()) for name in ("fold", "seconds"))
        for fold, lasted in zip(*columns, strict=True):
            seconds.setdefault(int(fold), []).append(lasted)
        return seconds

    def _read(self, splits: Mapping[str, np.ndarray]) -> None:
        """Find the fits that are finished, and the state of the one that is not."""
        checkpoint, trained = self.directory.checkpoint, self._epochs_written()
        groups = _groups(splits, self.directory.read_run()["engine"].get("folds_together", 1))
        try:
            for group in groups:
                found = {fold: checkpoint.read_fit(fold) for fold in group}
                fits = {fold: facts for fold, facts in found.items() if facts is not None}
                # Folds that are trained in the same calls begin again together.
                if len(fits) < len(group) or not all(map(self._has_model, group)):
                    break
                self.fits |= fits
            if (state := checkpoint.read_state()) is None:
                return
        except RunError as error:
            self._note(f"{error}; what it held is trained again, to the same digits")
            return
        facts, arrays = state
        fold, epochs = int(facts["fold"]), int(facts["epochs"])
        if fold in self.fits:
            return
        if trained.get(fold, 0) < epochs:
            name = display_path(self.directory.metrics)
            self._note(f"{name} lacks epochs of fold {fold}, which is trained again from the first")
            return
        self._saved = fold, epochs, FitState(facts["fit"], arrays)
        self._callbacks = facts["callbacks"]

    def _epochs_written(self) -> dict[int, int]:
        return {fold: len(seconds) for fold, seconds in self._seconds.items()}

    def _has_model(self, fold: int) -> bool:
        place = self.directory if self._one_model else self.directory.fold(fold)
        return place.has_model and place.files.exists(place.preprocess)

    def _clear(self) -> None:
        """Remove what is written anew, and the epochs that are trained again."""
        directory = self.directory
        folders: Mapping[int, TrainingFolder] = {0: directory}
        if not self._one_model:
            folders = {folder.index: folder for folder in directory.folds()}
        epochs = {
            fold: len(next(iter(facts["history"].values()), ()))
            for fold, facts in self.fits.items()
        }
        if self._saved is not None:
            epochs[self._saved[0]] = self._saved[1]
        directory.cut_metrics(epochs)
        del self._seconds
        directory.files.remove(directory.result, *directory.examples_files, *directory.curves)
        if not self._one_model:
            directory.files.remove(directory.predictions)
        for fold, folder in folders.items():
            if fold in self.fits:
                folder.files.remove(*folder.curves)
                continue
            if not self._one_model:
                folder.cut_metrics(epochs)
            folder.discard_training(callbacks=self.state(fold) is None)
            folder.cut_steps(epochs.get(fold, 0))
            folder.cut_callbacks(self._callbacks)


def _groups(splits: Mapping[str, np.ndarray], together: int) -> list[list[int]]:
    """The folds in order, as they are trained in the same calls: those of the same numbers of
    rows, so many at most."""
    groups: list[list[int]] = []
    sizes: list[tuple[int, ...]] = []
    for fold in range(sum(name.endswith("_train") for name in splits)):
        parts = (splits.get(f"fold{fold:02d}_{part}", ()) for part in ("train", "validation"))
        sizes.append(tuple(map(len, parts)))
        if groups and sizes[-1] == sizes[groups[-1][0]] and len(groups[-1]) < together:
            groups[-1].append(fold)
        else:
            groups.append([fold])
    return groups


OUT_OF_MEMORY = re.compile(
    r"out of memory|\bOOM\b|RESOURCE_EXHAUSTED|failed to allocate", re.IGNORECASE
)


def lies_in_the_machine(error: BaseException) -> bool:
    """Whether a training failed because the disk or the memory was full, or a file could not be
    read: it can go on where there is room."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return any(
        isinstance(one, OSError | MemoryError) or OUT_OF_MEMORY.search(str(one)) for one in seen
    )
