"""From a loaded config to a complete run directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from dlrun.config.schema import Config
from dlrun.config.yaml_writer import dump_yaml
from dlrun.data.samples import Dataset
from dlrun.errors import ComponentError, ConfigError, RunError
from dlrun.metrics.names import Direction
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

        def create() -> RunDirectory:
            directory = RunDirectory.create(runs_dir, config.name)
            if transcript is not None:
                transcript.attach(directory)
            return directory

        def begin(directory: RunDirectory, splits: Splits, choice: Choice) -> None:
            _begin(directory, _pinned(config, backend, choice), dataset, splits, choice)

        recorder = RunRecorder(create, begin, one_model=protocol.one_model)
        try:
            outcome = run_experiment(config, dataset, observer, recorder)
            assert recorder.directory is not None
            run = _complete(config, dataset, outcome, recorder.directory)
        except BaseException as error:
            if recorder.directory is not None:
                _end_early(recorder.directory, config, error)
            raise
    # The run is complete: what fails from here on costs nothing that was reached.
    try:
        _draw(recorder.directory, config, {outcome.score_name: outcome.direction})
    except (RunError, OSError) as error:
        observer.note(f"the curves could not be drawn: {error}")
    return run


def _end_early(directory: RunDirectory, config: Config, error: BaseException) -> None:
    """Say in the run how it ended, and draw what it reached."""
    if not directory.run.exists() or directory.status != "running":
        return
    if isinstance(error, KeyboardInterrupt):
        directory.finish("interrupted")
    else:
        directory.finish("failed", error=f"{type(error).__name__}: {error}")
        directory.log(f"error: {error}")
    with suppress(RunError, OSError):
        _draw(directory, config, {})


def _draw(directory: RunDirectory, config: Config, directions: Mapping[str, Direction]) -> None:
    """Draw the curves of the run and of each fold."""
    for folder in (directory, *directory.folds()):
        draw_run_curves(folder, config.name, directions=directions)


@contextmanager
def components_located(config: Config) -> Iterator[None]:
    """Say where in the config a component stands that Keras refused."""
    try:
        yield
    except ComponentError as error:
        raise ConfigError([config.problem_at(error.path, str(error))]) from error


def _begin(
    directory: RunDirectory, config: Config, dataset: Dataset, splits: Splits, choice: Choice
) -> None:
    """Write what is known before training."""
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
    status: Ending = "interrupted" if outcome.interrupted else "finished"
    directory.finish(status)
    return Run(directory.path, result, status)
