"""A search as Python sees it, and what is notified while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlrun.protocols.observer import Observer
from dlrun.store.search_directory import SearchDirectory
from dlrun.workflows.run import Run
from dlrun.workflows.search_results import TrialRow

if TYPE_CHECKING:
    import pandas as pd


class SearchObserver(Observer):
    """Shows nothing; a display of the search's progress overrides what it shows. It is notified of
    the training of trial 0, too."""

    def search_started(self, name: str, trials: int | None, score: str, direction: str) -> None:
        """Trials are about to be trained; None: as many as fit into the time."""

    def trial_started(self, number: int, values: dict[str, Any]) -> None:
        """A trial is about to be trained."""

    def trial_ended(self, row: TrialRow, rows: Sequence[TrialRow]) -> None:
        """A trial has ended; `rows` are all so far."""


@dataclass(frozen=True, repr=False)
class SearchRun(Run):
    """A search that has ended: `result` is what `search.json` holds."""

    @property
    def best(self) -> Run:
        """The run of the best trial."""
        return Run.open(self.path / str(self.result["best"]["run"]))

    @property
    def corrected(self) -> float | None:
        """The best score, corrected for having been chosen; None where that is unknown."""
        found = self.result.get("corrected")
        return None if found is None else float(found["value"])

    @property
    def trials(self) -> pd.DataFrame:
        """A row a trial: number, values, score, status, seconds and the reason of a failure."""
        import pandas as pd

        return pd.read_csv(SearchDirectory(self.path).table, keep_default_na=True)
