"""What a run trained: one model, or several whose outputs are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from dlrun.config.schema import Config
from dlrun.data.inputs import Inputs
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Array, Samples
from dlrun.errors import RunError
from dlrun.metrics.cuts import as_outputs, as_probabilities, meaning_by_loss
from dlrun.models.files import load_model
from dlrun.protocols.phases import scoring_batch_size
from dlrun.registry.keras_component import KerasComponent
from dlrun.store.members import ensemble_members
from dlrun.store.run_directory import RunDirectory
from dlrun.store.training_folder import TrainingFolder
from dlrun.training.prediction import ModelOutput, predict
from dlrun.workflows.next_step import finalize_command, what_helps
from dlrun.workflows.plugins import load_run_config

LEAST_SHARE = 1e-7
"""Probabilities are cut off here before they become logits again, as Keras does."""


@dataclass(frozen=True)
class TrainedRun:
    """The model of a run, or the models of an ensemble. Each is loaded when it is needed, and
    only one at a time.

    Args:
        directory: The run.
        config: Of the run, with everything filled in.
        members: Where the models are, each with its own preprocessing.
    """

    directory: RunDirectory
    config: Config
    members: tuple[TrainingFolder, ...]

    @classmethod
    def open(
        cls,
        run: str | Path,
        runs_dir: str | Path,
        overrides: Sequence[str] = (),
        *,
        trust_plugins: bool = False,
    ) -> TrainedRun:
        """Find what a run trained.

        Args:
            run: The run directory, or the unique beginning of its name.
            runs_dir: Where to look for a run that is given by name.
            overrides: `KEY=VALUE` changes to the run's config.
            trust_plugins: Whether its plugins may run.

        Raises:
            RunError: There is no such run, or it has no single model and is no ensemble; says what
                to do instead.
        """
        directory = RunDirectory.open(run, Path(runs_dir))
        members = _members(directory)
        config = load_run_config(directory, overrides, trust_plugins=trust_plugins)
        return cls(directory, config, members)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The preprocessing of the first model; what all have in common can be read from it."""
        return _pipeline_of(self.members[0])

    def output(self, samples: Samples, inputs: Inputs | None = None) -> ModelOutput:
        """Return the model's predictions for rows; for an ensemble the mean.

        Probabilities are averaged as probabilities, also where the model gives logits, and
        quantities in the target's own unit; other outputs as they are. The mean comes in the
        form that the loss takes, quantities as the first model's preprocessing scales them.

        Args:
            samples: The rows; targets are ignored.
            inputs: The rows as `pipeline` prepares them, where that is done already.
        """
        first = self.pipeline.inputs(samples) if inputs is None else inputs
        outputs, batch_size = self.config.outputs, scoring_batch_size(self.config)
        if len(self.members) == 1:
            return predict(self.members[0].load_model(load_model), first, batch_size)
        totals: dict[str | None, Array | float] = {output.name: 0.0 for output in outputs}
        given: list[ModelOutput] = []
        for member in self.members:
            pipeline = self.pipeline if member is self.members[0] else _pipeline_of(member)
            model = member.load_model(load_model)
            prepared = first if pipeline is self.pipeline else pipeline.inputs(samples)
            given.append(predict(model, prepared, batch_size))
            for output in outputs:
                values = given[-1].values[output.name].astype(np.float64)
                own = pipeline.of_output(output.name)
                totals[output.name] += _comparable(values, own, output.loss)
        means = {}
        for output in outputs:
            mean = np.asarray(totals[output.name]) / len(self.members)
            own = self.pipeline.of_output(output.name)
            if own.target_pipeline.task == "regression":
                rows = samples.of_target(output.name) if samples.targets else samples
                mean = _scaled(mean, own, rows)
            elif (meaning := meaning_by_loss(output.loss)).endswith("logits"):
                mean = as_outputs(mean, meaning, LEAST_SHARE)
            means[output.name] = mean.astype(np.float32)
        penalty = float(np.mean([one.penalty for one in given]))
        return replace(given[0], values=means, penalty=penalty)


def _members(directory: RunDirectory) -> tuple[TrainingFolder, ...]:
    if directory.status in ("running", "died"):
        raise RunError(f"{directory.name} is not complete: {what_helps(directory)}")
    if directory.has_model:
        return (directory,)
    folds = directory.folds()
    if (members := ensemble_members(directory)) is not None:
        return members
    if folds and directory.has_result:
        raise RunError(
            f"{directory.name} has {len(folds)} models, one for each fold, and no single one "
            "to use. Train one on all non-test rows, then use that:\n  "
            + finalize_command(directory)
        )
    raise RunError(f"{directory.name} has no model: {what_helps(directory)}")


def _pipeline_of(folder: TrainingFolder) -> Pipeline:
    return Pipeline.from_state(*folder.read_preprocess())


def _comparable(values: Array, pipeline: Pipeline, loss: KerasComponent) -> Array:
    """Outputs in a form in which those of several models may be averaged."""
    if pipeline.target_pipeline.task == "regression":
        return pipeline.invert(values)
    meaning = meaning_by_loss(loss)
    return as_probabilities(values, meaning) if meaning.endswith("logits") else values


def _scaled(mean: Array, pipeline: Pipeline, samples: Samples) -> Array:
    """Quantities in their own unit, as the steps on the target make them."""
    targets = pipeline.target_pipeline.targets
    widths = [fitted.width for fitted in targets.values()]
    parts = np.split(mean.reshape(len(mean), -1), np.cumsum(widths)[:-1], axis=1)
    columns = {
        name: part[:, 0] if part.shape[1] == 1 else part
        for name, part in zip(targets, parts, strict=True)
    }
    return pipeline.targets(replace(samples, targets=columns)).reshape(mean.shape)
