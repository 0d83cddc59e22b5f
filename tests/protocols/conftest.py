"""What tests of protocols share: an experiment from YAML text, run without a run directory."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlrun.config.load import load_config
from dlrun.config.schema import Config
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Dataset
from dlrun.protocols.experiment import run_experiment
from dlrun.protocols.fold import FoldTraining
from dlrun.protocols.observer import Observer
from dlrun.protocols.protocol import Fold
from dlrun.protocols.result import FoldResult, Outcome
from dlrun.training.choice import Choice
from dlrun.training.engine import FitResult
from dlrun.workflows.loading import start_and_load


@dataclass
class Memory:
    """A recorder that keeps everything in memory.

    Args:
        folder: For the files of callbacks.
    """

    folder: Path
    row_numbers: dict[str, np.ndarray] = field(default_factory=dict)
    epochs: list[tuple[int, int, dict[str, float]]] = field(default_factory=list)
    results: list[FoldResult] = field(default_factory=list)
    weights: list[list[np.ndarray]] = field(default_factory=list)

    def splits(self, splits: Mapping[str, np.ndarray]) -> None:
        self.row_numbers = dict(splits)

    def training_begins(self, fold: int, choice: Choice) -> None:
        """Nothing has to be made."""

    def callback_folder(self, fold: int) -> Path:
        return self.folder

    def feature_store(self) -> None:
        """No features are kept."""

    def epoch(self, fold: int, epoch: int, logs: dict[str, float], seconds: float) -> None:
        self.epochs.append((fold, epoch, logs))

    def losses(self, fold: int, epoch: int, losses: Sequence[float]) -> None:
        """The losses of steps are not kept."""

    def checkpoints(self, fold: int) -> None:
        """No fit is saved."""

    def epoch_seconds(self, fold: int) -> list[float]:
        return []

    def finished(self, fold: int) -> None:
        """No fold was trained before."""

    def trained(self, fold: int, fitted: FitResult, pipeline: Pipeline) -> None:
        # The next fold trains the same model object anew.
        self.weights.append(fitted.model.get_weights())

    def fold(self, result: FoldResult) -> None:
        self.results.append(result)


@dataclass(frozen=True)
class Ran:
    """An experiment that was run."""

    config: Config
    dataset: Dataset
    outcome: Outcome
    memory: Memory

    @property
    def weights(self) -> list[list[np.ndarray]]:
        """Every fold's trained weights."""
        return self.memory.weights


@dataclass(frozen=True)
class Learnt:
    """One fold, trained and scored, and its trained weights."""

    result: FoldResult
    weights: list[np.ndarray]


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Config]:
    """Reads a config from YAML text; keyword arguments are overrides, with `__` for a dot."""

    def read(text: str, **overrides: Any) -> Config:
        file = tmp_path / "experiment.yaml"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        changes = [f"{name.replace('__', '.')}={value}" for name, value in overrides.items()]
        return load_config(file, changes)

    return read


@pytest.fixture
def run(config: Callable[..., Config], tmp_path: Path) -> Callable[..., Ran]:
    """Runs an experiment from YAML text, on other rows where they are given."""

    def run_text(
        text: str,
        dataset: Dataset | None = None,
        executor: Executor | None = None,
        **overrides: Any,
    ) -> Ran:
        loaded = config(text, **overrides)
        dataset = dataset or start_and_load(loaded)[1]
        memory = Memory(tmp_path / "callbacks")
        outcome = run_experiment(loaded, dataset, Observer(), memory, executor)
        return Ran(loaded, dataset, outcome, memory)

    return run_text


@pytest.fixture
def learn(tmp_path: Path) -> Callable[[Config, Dataset, Fold], Learnt]:
    """Trains and scores one fold."""

    def learn_fold(config: Config, dataset: Dataset, fold: Fold) -> Learnt:
        memory = Memory(tmp_path / "callbacks")
        [result] = FoldTraining(config, dataset, Observer(), memory)([fold]).results
        return Learnt(result, memory.weights[0])

    return learn_fold
