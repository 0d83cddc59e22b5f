"""What a config optimises. A new task is one file in this package, found by its name."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from dlrun.registry.component import Component
from dlrun.registry.families import TASKS

if TYPE_CHECKING:
    from dlrun.config.schema import Config
    from dlrun.data.samples import Dataset
    from dlrun.protocols.observer import Observer, Recorder
    from dlrun.protocols.result import Outcome


class Task(Component):
    """Base of all tasks. A config names its task, so import what trains inside `run`."""

    @staticmethod
    def of(config: Config) -> Task:
        """Return the task of a config."""
        task = TASKS.get("supervised")() if config.task is None else config.task
        if not isinstance(task, Task):
            raise TypeError(f"{task.member_name()} is not a task")
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
