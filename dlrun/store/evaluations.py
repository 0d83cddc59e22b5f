"""The test evaluations that a run keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.store.files import (
    make_folder,
    refuse_links_out,
    remove_leftovers,
    write_json,
    write_npz,
)
from dlrun.store.json_types import EVALUATION, expect_types
from dlrun.store.manifest import TRIALS
from dlrun.store.names import EVALUATIONS, MARKER
from dlrun.store.training_folder import FOLDS, Arrays, TrainingFolder
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np

ATTEMPTS = 100
"""Names that are tried before giving up."""


class UnlistedEvaluationError(RunError):
    """A test evaluation is kept, but the run's manifest does not list it.

    Args:
        path: Its JSON file.
        cause: Why not.
    """

    def __init__(self, path: Path, cause: RunError) -> None:
        super().__init__(str(cause))
        self.path = path


class EvaluatedRun(TrainingFolder):
    """A run directory's test evaluations.

    Args:
        path: The run directory.
    """

    PLUGINS = "plugins"
    """Name of the folder with copies of the config's plugins."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.evaluations = path / EVALUATIONS
        """Folder of the test evaluations, numbered from 001."""

    @property
    def runs_dir(self) -> Path:
        """Where the run is kept; that of a trial is where its search is kept."""
        folder = self.path.parent
        is_trial = folder.name == TRIALS and (folder.parent / MARKER).is_file()
        return folder.parent.parent if is_trial else folder

    def add_evaluation(self, facts: Mapping[str, Any]) -> Path:
        """Keep one test evaluation under the next free number, and return its JSON file.

        Safe with several writers: each gets another number.

        Raises:
            UnlistedEvaluationError: It is kept, but the manifest could not be written.
            RunError: It is not kept.
        """
        self.remove_leftovers()
        refuse_links_out(self.path, self.evaluations)
        make_folder(self.evaluations)
        for _ in range(ATTEMPTS):
            number = max(self.evaluation_numbers(), default=0) + 1
            path = self.evaluations / f"{number:03d}.json"
            try:
                write_json(path, facts)
            except RunError:
                if path.exists():
                    continue
                raise
            try:
                self.files.take_in(path)
            except RunError as error:
                raise UnlistedEvaluationError(path, error) from error
            return path
        raise RunError(f"too many writers in {display_path(self.evaluations)}")

    def add_evaluation_arrays(self, evaluation: Path, arrays: Arrays) -> None:
        """Keep the arrays of a test evaluation, as `.npz` beside its JSON file."""
        with self.files.writing(beside := evaluation.with_suffix(".npz")):
            write_npz(beside, arrays)

    def evaluation_numbers(self) -> list[int]:
        """Return the numbers of the test evaluations, in order: also of those of which only one of
        their files, or a line in the manifest, is left."""
        refuse_links_out(self.path, self.evaluations)
        manifest = self.files.manifest()
        names = [f"{EVALUATIONS}/{path.name}" for path in self.evaluations.glob("*")]
        names += [] if manifest is None else manifest.files
        pattern = re.compile(rf"{EVALUATIONS}/(\d{{3,}})\.(json|npz)")
        return sorted({int(match[1]) for name in names if (match := pattern.fullmatch(name))})

    def read_evaluation(self, number: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the facts and the arrays of one test evaluation."""
        path = self.evaluations / f"{number:03d}.json"
        facts, beside = self.files.read_object(path), path.with_suffix(".npz")
        known = expect_types(facts, path, EVALUATION)
        return known, self.files.read_npz(beside) if self.files.exists(beside) else {}

    def remove_leftovers(self) -> None:
        """Remove what killed processes have not finished writing; see `remove_leftovers`."""
        folders = self.path.glob(f"{FOLDS}/*")
        for folder in (self.path, *folders, self.evaluations, self.path / self.PLUGINS):
            remove_leftovers(folder, unsigned=True)
