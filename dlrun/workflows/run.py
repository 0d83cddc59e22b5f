"""A run as Python sees it: what `dlrun.train` returns, and what a notebook reads."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.reports.summary import run_summary
from dlrun.reports.tasks import report_of
from dlrun.store.run_directory import RunDirectory
from dlrun.text import display_path
from dlrun.workflows.plugins import load_run_config

if TYPE_CHECKING:
    import pandas as pd

    from dlrun.workflows.look import Look


IN_REPR = ("score", "interval", "baseline", "verdict")
"""Lines of a run's summary."""


@dataclass(frozen=True, repr=False)
class Run:
    """One finished or interrupted run.

    Args:
        path: The run directory.
        result: What `result.json` holds.
        status: `finished` or `interrupted`.
    """

    path: Path
    result: dict[str, Any]
    status: str

    def __repr__(self) -> str:
        """Five lines: where it is and how it ended, and how good it is."""
        where = display_path(self.path)
        summary = run_summary(self.result, where).lines
        if report_of(self.result) is not None:
            width = max(len(line.label) for line in summary)
            ends = [f"{line.label:<{width}} {line.text}" for line in summary if line.label != "run"]
            return "\n".join([f"{'Run':<{width}} {where} ({self.status})", *ends])
        texts = {line.label: line.text for line in summary}
        lines = [f"{label:<9} {texts.get(label, 'none')}" for label in IN_REPR]
        return "\n".join([f"Run       {where} ({self.status})", *lines])

    def __fspath__(self) -> str:
        """The run directory: a run can be given wherever a path is expected."""
        return str(self.path)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, trust_plugins: bool = False) -> Run:
        """Read a run from its directory.

        Args:
            path: The directory.
            trust_plugins: Run the run's plugins, which its `model` needs where it has some.

        Raises:
            RunError: There is no run there, or it has no result yet.
        """
        directory = RunDirectory.open(Path(path))
        if trust_plugins:
            load_run_config(directory, trust_plugins=True)
        return cls(directory.path, directory.read_result(), directory.status)

    @property
    def score(self) -> float | None:
        """The measure of success: on the validation rows, or the mean over folds; None without."""
        value = (self.result.get("score") or {}).get("value")
        return None if value is None else float(value)

    @property
    def history(self) -> pd.DataFrame:
        """A row an epoch: fold, epoch, seconds and every metric."""
        import pandas as pd

        return pd.DataFrame(RunDirectory.open(self.path).history())

    @property
    def model(self) -> Any:
        """The trained `keras.Model`.

        Raises:
            RunError: The run has several folds and therefore no single model.
        """
        from dlrun.models.files import load_model

        directory = RunDirectory.open(self.path)
        if not directory.has_model:
            raise RunError(f"{self.path} has no single model: every fold trained its own")
        return directory.load_model(load_model)

    def look(self, view: str, **options: Any) -> Look:
        """Draw a view of the run and keep it in `look/`; a notebook shows its pictures.

        Args:
            view: Its name, such as `class_activation`.
            options: Its options, such as `rows=8`.

        Raises:
            UsageError: There is no such view.
            ConfigError: An option is wrong.
        """
        from dlrun.workflows.look import look

        given = [f"{name}={json.dumps(value, default=str)}" for name, value in options.items()]
        (drawn,) = look(self.path, [view], overrides=given)
        return drawn


def cause_of(error: BaseException) -> str | None:
    """Return what `run.json` names as the cause of a run's end that is no failure: a signal, the
    time limit, or the kind of error; None where it is not known."""
    cause = getattr(error, "cause", None)
    return cause or (None if isinstance(error, KeyboardInterrupt) else type(error).__name__)
