"""What a training writes into its run directory while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dlrun.config.schema import Config
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Dataset
from dlrun.models.files import load_model, save_model
from dlrun.protocols.protocol import Protocol
from dlrun.protocols.result import FoldResult
from dlrun.stages import stage
from dlrun.store.features import FeatureStore
from dlrun.store.run_directory import RunDirectory
from dlrun.store.training_folder import TrainingFolder
from dlrun.training.checkpoint import FitState
from dlrun.training.choice import Choice
from dlrun.training.engine import FitResult, KeptWeights, PhaseResult
from dlrun.workflows.results import arrays_of, fold_facts, places_in_series
from dlrun.workflows.resumption import Resumption
from dlrun.workflows.statistics import rows_of, units_of

Splits = Mapping[str, np.ndarray]
"""Row numbers, (k,) int64, by the name of the split."""

Begin = Callable[["RunRecorder", Splits, Choice], None]

WRITING_SHARE = 0.02
"""Checkpoints take at most this share of the time between them."""


class RunRecorder:
    """Writes splits, epochs and folds into a run directory.

    The directory is made when the first model is ready to train, so that a config, data or
    model that cannot be used leaves none behind.

    Args:
        config: The experiment.
        dataset: The rows.
        runs_dir: Where the run directory is made.
        begin: Called with this recorder, the row numbers, (k,) int64, of every split by its name,
            and the chosen engine; makes the run directory, with what is known before training, and
            gives it to the recorder.
        resumption: The run that goes on, where there is one; none is made then.
    """

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        runs_dir: Path,
        begin: Begin,
        resumption: Resumption | None = None,
    ) -> None:
        self._config = config
        self._dataset = dataset
        self._begin = begin
        self._protocol = Protocol.of(config)
        self._features = FeatureStore(runs_dir)
        self._splits: Splits = {}
        self._resumption = resumption
        self.directory: RunDirectory | None = None
        if resumption is not None:
            self.directory = resumption.directory

    def splits(self, splits: Splits) -> None:
        """Keep the row numbers of every split until there is a place for them; a run that is
        resumed goes on."""
        self._splits = splits
        if self._resumption is not None:
            self._resumption.begin(splits)

    def training_begins(self, fold: int, choice: Choice) -> None:
        """Make the run directory, if this is the first fold."""
        if self.directory is None:
            self._begin(self, self._splits, choice)

    def callback_folder(self, fold: int) -> Path:
        """Return the folder for the files of a fold's callbacks."""
        return self._place(fold).make_callbacks_folder()

    def feature_store(self) -> FeatureStore | None:
        """Return where the features of frozen bases are kept."""
        return self._features

    def checkpoints(self, fold: int) -> SavedFit | None:
        """Return where a fold's fit is saved while it goes on; None if the config wants none."""
        every = self._config.training.checkpoint_seconds
        return None if every is None else SavedFit(self, fold, every, self._resumption)

    def epoch_seconds(self, fold: int) -> list[float]:
        """Return how long the epochs of a fold took that were trained before."""
        return [] if self._resumption is None else self._resumption.epoch_seconds(fold)

    def finished(self, fold: int) -> FitResult | None:
        """Return the outcome of a fold's fit that was finished before the run was resumed."""
        facts = None if self._resumption is None else self._resumption.fits.get(fold)
        if facts is None:
            return None
        kept = facts["kept"] and KeptWeights(**facts["kept"])
        phases = tuple(PhaseResult(**phase) for phase in facts["phases"])
        model = self._place(fold).load_model(load_model)
        return FitResult(model, facts["history"], False, phases=phases, kept=kept)

    @stage("writing")
    def epoch(self, fold: int, epoch: int, logs: dict[str, float], seconds: float) -> None:
        """Add a row to the run's metrics, and to the fold's own."""
        for folder in self._folders(fold):
            folder.append_metrics(fold, epoch, seconds, logs)

    @stage("writing")
    def losses(self, fold: int, epoch: int, losses: Sequence[float]) -> None:
        """Keep the loss of each gradient step of an epoch."""
        self._place(fold).append_steps(epoch, losses)

    @stage("writing")
    def save(self, fold: int, state: FitState) -> None:
        """Keep the state of a fold's fit in place of the one before."""
        for folder in self._folders(fold):
            folder.flush_metrics()
        facts = {
            "fold": fold,
            "epochs": state.facts["epochs"],
            "callbacks": self._place(fold).callback_sizes(),
            "fit": state.facts,
        }
        self._run().checkpoint.write_state(facts, state.arrays)
        self._run().update_manifest()

    @stage("writing")
    def trained(self, fold: int, fitted: FitResult, pipeline: Pipeline) -> None:
        """Keep a fold's model and preprocessing, and that it is trained to its end."""
        place = self._place(fold)
        place.save_model(lambda path: save_model(fitted.model, path))
        place.write_preprocess(*pipeline.to_state())
        place.write_vocabularies({n: v.lines() for n, v in pipeline.vocabularies.items()})
        if fitted.interrupted or fitted.diverged is not None:
            return
        for folder in self._folders(fold):
            folder.flush_metrics()
        facts = {
            "history": fitted.history,
            "kept": None if fitted.kept is None else vars(fitted.kept),
            "phases": [vars(phase) for phase in fitted.phases],
        }
        self._run().checkpoint.write_fit(fold, facts)

    @stage("writing")
    def fold(self, result: FoldResult) -> None:
        """Keep a fold's predictions and result, where they are not kept already."""
        place = self._place(result.index)
        if not self._protocol.one_model and not place.result.exists():
            place.write_result(fold_facts(result))
        if result.rows.size and not place.predictions.exists():
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

    def _folders(self, fold: int) -> list[TrainingFolder]:
        """The run, and the fold where it has a folder of its own."""
        return [self._run()] if self._protocol.one_model else [self._run(), self._place(fold)]


class SavedFit:
    """Where the fit of one fold is saved while it goes on.

    Args:
        recorder: Keeps the states.
        fold: Counted from 0.
        every: Seconds between two states.
        resumption: The run that goes on, where there is one.
    """

    def __init__(
        self, recorder: RunRecorder, fold: int, every: float, resumption: Resumption | None
    ) -> None:
        self._recorder = recorder
        self._fold = fold
        self._every = every
        self._resumption = resumption
        self._next = time.monotonic() + every

    def ready(self) -> bool:
        """Whether the fit can be saved now: always."""
        return True

    def due(self) -> bool:
        """Whether the time has come to save the fit again."""
        return time.monotonic() >= self._next

    def write(self, state: FitState) -> None:
        """Keep a state in place of the one before."""
        began = time.monotonic()
        self._recorder.save(self._fold, state)
        ended = time.monotonic()
        self._next = ended + max(self._every, (ended - began) / WRITING_SHARE)

    def saved(self) -> FitState | None:
        """Return the state to go on from; None if the fit begins."""
        return None if self._resumption is None else self._resumption.state(self._fold)
