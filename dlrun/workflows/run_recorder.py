"""What a training writes into its run directory while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.config.schema import Config
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Dataset
from dlrun.models.files import save_model
from dlrun.protocols.protocol import Protocol
from dlrun.protocols.result import FoldResult
from dlrun.stages import stage
from dlrun.store.features import FeatureStore
from dlrun.store.run_directory import RunDirectory
from dlrun.store.training_folder import TrainingFolder
from dlrun.training.choice import Choice
from dlrun.workflows.results import arrays_of, fold_facts, places_in_series
from dlrun.workflows.statistics import rows_of, units_of

Splits = Mapping[str, np.ndarray]
"""Row numbers, (k,) int64, by the name of the split."""

Begin = Callable[[Splits, Choice], RunDirectory]


class RunRecorder:
    """Writes splits, epochs and folds into a run directory.

    The directory is made when the first model is ready to train, so that a config, data or
    model that cannot be used leaves none behind.

    Args:
        config: The experiment.
        dataset: The rows.
        runs_dir: Where the run directory is made.
        begin: Called with the row numbers, (k,) int64, of every split by its name, and the chosen
            engine; makes the run directory, with what is known before training.
    """

    def __init__(self, config: Config, dataset: Dataset, runs_dir: Path, begin: Begin) -> None:
        self._config = config
        self._dataset = dataset
        self._begin = begin
        self._protocol = Protocol.of(config)
        self._features = FeatureStore(runs_dir)
        self._splits: Splits = {}
        self.directory: RunDirectory | None = None

    def splits(self, splits: Splits) -> None:
        """Keep the row numbers of every split until there is a place for them."""
        self._splits = splits

    def training_begins(self, fold: int, choice: Choice) -> None:
        """Make the run directory, if this is the first fold."""
        if self.directory is None:
            self.directory = self._begin(self._splits, choice)

    def callback_folder(self, fold: int) -> Path:
        """Return the folder for the files of a fold's callbacks."""
        return self._place(fold).make_callbacks_folder()

    def feature_store(self) -> FeatureStore | None:
        """Return where the features of frozen bases are kept."""
        return self._features

    @stage("writing")
    def epoch(self, fold: int, epoch: int, logs: dict[str, float], seconds: float) -> None:
        """Add a row to the run's metrics, and to the fold's own."""
        self._run().append_metrics(fold, epoch, seconds, logs)
        if not self._protocol.one_model:
            self._place(fold).append_metrics(fold, epoch, seconds, logs)

    @stage("writing")
    def losses(self, fold: int, epoch: int, losses: Sequence[float]) -> None:
        """Keep the loss of each gradient step of an epoch."""
        self._place(fold).append_steps(epoch, losses)

    @stage("writing")
    def trained(self, fold: int, model: Any, pipeline: Pipeline) -> None:
        """Keep a fold's model and preprocessing."""
        place = self._place(fold)
        place.save_model(lambda path: save_model(model, path))
        place.write_preprocess(*pipeline.to_state())
        place.write_vocabularies({n: v.lines() for n, v in pipeline.vocabularies.items()})

    @stage("writing")
    def fold(self, result: FoldResult) -> None:
        """Keep a fold's predictions and result."""
        place = self._place(result.index)
        if not self._protocol.one_model:
            place.write_result(fold_facts(result))
        if result.rows.size:
            arrays = {
                "rows": result.rows,
                **arrays_of(result.main, result.outputs),
            }
            samples = rows_of(self._dataset, result.rows)
            units = units_of(self._protocol, samples)
            if units is not None:
                arrays["units"] = units.places
            place.write_predictions(arrays | places_in_series(samples))

    def _run(self) -> RunDirectory:
        assert self.directory is not None
        return self.directory

    def _place(self, fold: int) -> TrainingFolder:
        return self._run() if self._protocol.one_model else self._run().fold(fold)
