"""From a loaded config to a complete run directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlrun.config.schema import Config
from dlrun.config.yaml_writer import dump_yaml
from dlrun.data.samples import Dataset
from dlrun.errors import ComponentError, ConfigError
from dlrun.protocols.experiment import run_experiment
from dlrun.protocols.observer import Observer
from dlrun.protocols.protocol import Protocol
from dlrun.protocols.result import Outcome
from dlrun.reports.curves import draw_run_curves
from dlrun.store.environment import environment_facts
from dlrun.store.run_directory import Ending, RunDirectory
from dlrun.training.backend import device_facts
from dlrun.training.choice import Choice
from dlrun.workflows.data_facts import data_facts
from dlrun.workflows.loading import start_and_load
from dlrun.workflows.next_step import next_command
from dlrun.workflows.recorder import RunRecorder, Splits
from dlrun.workflows.results import out_of_fold, result_facts
from dlrun.workflows.run import Run
from dlrun.workflows.silence import Silence
from dlrun.workflows.transcript import Transcript


def execute(
    config: Config,
    runs_dir: Path,
    observer: Observer | None = None,
    transcript: Transcript | None = None,
) -> Run:
    """Train under the config's protocol and keep everything in a new run directory.

    Args:
        config: The experiment.
        runs_dir: Where the run directory is made.
        observer: Told of every fold and epoch; default: nobody.
        transcript: Lines for the run's log.

    Raises:
        ConfigError: Keras refused a part of the config; says where it stands.
        DataError: The data is missing or broken.
        TrainingError: Training began and failed.
    """
    observer = observer or Silence()
    protocol = config.evaluation.protocol
    assert isinstance(protocol, Protocol)
    with components_located(config):
        backend, dataset = start_and_load(config)
        for finding in dataset.findings:
            observer.note(finding)

        def create(splits: Splits, choice: Choice) -> RunDirectory:
            pinned = _pinned(config, backend, choice)
            directory = _new_run(pinned, dataset, splits, runs_dir, choice)
            if transcript is not None:
                transcript.attach(directory)
            return directory

        recorder = RunRecorder(create, one_model=protocol.one_model)
        try:
            outcome = run_experiment(config, dataset, observer, recorder)
            assert recorder.directory is not None
            return _complete(config, dataset, outcome, recorder.directory)
        except KeyboardInterrupt:
            if recorder.directory is not None:
                recorder.directory.finish("interrupted")
            raise
        except Exception as error:
            if recorder.directory is not None:
                recorder.directory.finish("failed", error=f"{type(error).__name__}: {error}")
            raise


@contextmanager
def components_located(config: Config) -> Iterator[None]:
    """Say where in the config a component stands that Keras refused."""
    try:
        yield
    except ComponentError as error:
        raise ConfigError([config.problem_at(error.path, str(error))]) from error


def _new_run(
    config: Config, dataset: Dataset, splits: Splits, runs_dir: Path, choice: Choice
) -> RunDirectory:
    directory = RunDirectory.create(runs_dir, config.name)
    directory.start(
        {
            "name": config.name,
            "seed": config.seed,
            "engine": choice.as_dict(),
            **device_facts(),
            **environment_facts(),
        }
    )
    directory.write_config(config.given)
    directory.write_resolved(dump_yaml(config.as_given()))
    directory.write_splits(splits)
    directory.write_data(data_facts(dataset, splits))
    return directory


def _pinned(config: Config, backend: str, choice: Choice) -> Config:
    """The same config with everything named that was chosen for it."""
    chosen = {"engine": choice.name, "xla": choice.xla if choice.name == "fused" else None}
    training = config.training.model_copy(update=chosen)
    return config.model_copy(update={"backend": backend, "training": training})


def _complete(config: Config, dataset: Dataset, outcome: Outcome, directory: RunDirectory) -> Run:
    """Write what only the end of the run can tell."""
    assert isinstance(config.evaluation.protocol, Protocol)
    result = result_facts(config.evaluation.protocol, dataset, outcome)
    result["next"] = next_command(config, directory, result, dataset.has_test)
    directory.write_result(result)
    predictions = out_of_fold(outcome.complete_folds)
    if predictions is not None and not directory.model.exists():
        directory.write_predictions(predictions)
    for folder in (directory, *directory.folds()):
        draw_run_curves(folder, config.name, directions={outcome.score_name: outcome.direction})
    status: Ending = "interrupted" if outcome.interrupted else "finished"
    directory.finish(status)
    return Run(directory.path, result, status)
