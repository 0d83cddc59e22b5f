"""Learning targets from features, scored under the config's protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.tasks import LearningTask

if TYPE_CHECKING:
    from dlrun.config.schema import Config
    from dlrun.data.samples import Dataset
    from dlrun.protocols.observer import Observer, Recorder
    from dlrun.protocols.result import Outcome


class Supervised(LearningTask):
    """Minimise the loss between the model's outputs and the targets of the training rows, and
    score it on rows that did not train it."""

    def run(
        self, config: Config, dataset: Dataset, observer: Observer, recorder: Recorder
    ) -> Outcome:
        from dlrun.protocols.experiment import run_experiment

        return run_experiment(config, dataset, observer, recorder)
