"""What a config optimises. A new task is one file in this package, found by its name."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from dlrun.config.schema import Config, Experiment
from dlrun.registry.component import Component
from dlrun.registry.families import TASKS

if TYPE_CHECKING:
    from dlrun.data.samples import Dataset
    from dlrun.protocols.observer import Observer, Recorder
    from dlrun.protocols.result import Outcome
    from dlrun.store.run_directory import RunDirectory


class Task(Component):
    """Base of all tasks. A config names its task, so import what trains inside `run`."""

    experiment: ClassVar[type[Experiment]] = Experiment
    """The sections of a config with this task."""


class LearningTask(Task):
    """A task in which a model learns from data, under a protocol."""

    experiment = Config

    @staticmethod
    def of(config: Config) -> LearningTask:
        """Return the task of a config."""
        task = TASKS.get("supervised")() if config.task is None else config.task
        if not isinstance(task, LearningTask):
            raise TypeError(f"{task.member_name()} does not learn from data")
        return task

    @abstractmethod
    def run(
        self, config: Config, dataset: Dataset, observer: Observer, recorder: Recorder
    ) -> Outcome:
        """Train what the config says.

        Args:
            config: The experiment.
            dataset: Its rows.
            observer: Notified of every fold and epoch.
            recorder: Keeps the results as they come.

        Raises:
            DataError: The rows cannot be used as the config says.
            ComponentError: Keras refused a layer, loss, optimizer, metric or callback.
            TrainingError: Training began and failed.
        """


class OtherTask(Task):
    """A task that optimises something else than a model's loss on data.

    A module of `dlrun.reports.tasks` with the name of the task draws and describes its result.
    """

    @abstractmethod
    def prepare(self, experiment: Any) -> None:
        """Look for what Keras refuses, before there is a run directory.

        Args:
            experiment: A config of the class `experiment`.

        Raises:
            ComponentError: Keras refused a component.
        """

    @abstractmethod
    def run(self, experiment: Any, directory: RunDirectory) -> dict[str, Any]:
        """Do what the config says, and return what `result.json` is to hold.

        Args:
            experiment: A config of the class `experiment`.
            directory: Where other files go.

        Raises:
            TrainingError: It failed.
        """
