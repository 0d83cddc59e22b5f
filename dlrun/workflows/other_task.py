"""The run of a task in which no model learns from data."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dlrun.config.dump import dump_experiment
from dlrun.config.schema import Experiment
from dlrun.config.yaml_writer import dump_yaml
from dlrun.errors import ComponentError, ConfigError, RunError, TrainingError, UsageError
from dlrun.registry import additions
from dlrun.reports.matplotlib_cache import use_temporary_cache
from dlrun.reports.tasks import draw_task
from dlrun.stages import begin_timing, current_stages, stage
from dlrun.store.environment import environment_facts, leave_run
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import brief
from dlrun.tasks import OtherTask
from dlrun.training.backend import device_facts, start_backend
from dlrun.workflows.run import Run, cause_of


def run_task(
    experiment: Experiment,
    runs_dir: Path,
    *,
    created: Callable[[RunDirectory], None] | None = None,
    force: bool = False,
    time_limit: object = None,
) -> Run:
    """Do what a config says whose task is none of a model, in a new run directory.

    Args:
        experiment: The config.
        runs_dir: Where the run directory is made.
        created: Called with the run directory when it is made.
        force: Refused: there are no checks to ignore.
        time_limit: Refused: what is done cannot be resumed.

    Raises:
        UsageError: The command has an option that only the training of a model has.
        ConfigError: Keras refused a part of the config; says where.
        TrainingError: It began and failed.
    """
    for option, given in (("force", force), ("time limit", time_limit is not None)):
        if given:
            name = experiment.task.member_name() if experiment.task is not None else ""
            raise UsageError(f"the task '{name}' knows no {option}; leave the option out")
    begin_timing()
    task, experiment = prepare_task(experiment)

    def begin(directory: RunDirectory) -> None:
        _begin(directory, experiment)

    directory = RunDirectory.create(runs_dir, experiment.name, write=begin)
    if created is not None:
        created(directory)
    try:
        with stage("training"):
            result = task.run(experiment, directory)
        result["seconds"] = current_stages().seconds()["training"]
        directory.write_result(result)
        use_temporary_cache()
        with stage("drawing"):
            draw_task(directory, experiment.name, result)
        stages = current_stages().seconds()
        directory.finish("finished", result=brief(result), stages=stages)
    except BaseException as error:
        # A full disk refuses this as well.
        with suppress(RunError, OSError):
            if directory.status != "running":
                pass
            elif isinstance(error, Exception):
                directory.finish("failed", error=f"{type(error).__name__}: {error}")
            else:
                directory.finish("interrupted", interrupted_by=cause_of(error))
        if isinstance(error, TrainingError):
            error.run = directory.path
        raise
    finally:
        leave_run(directory.path)
    return Run(directory.path, result, "finished")


def prepare_task(experiment: Experiment) -> tuple[OtherTask, Experiment]:
    """Start Keras, let it look at the components of a config, and return the task with the config
    that names the backend.

    Raises:
        ConfigError: Keras refused one of them; says where.
    """
    task = experiment.task
    if not isinstance(task, OtherTask):
        raise TypeError(f"a model learns from data in {experiment.name}")
    additions.use(experiment.own_code.additions)
    backend = start_backend(experiment.backend)
    try:
        task.prepare(experiment)
    except ComponentError as error:
        raise ConfigError([experiment.problem_at(error.path, str(error))]) from error
    return task, experiment.model_copy(update={"backend": backend})


@stage("writing")
def _begin(directory: RunDirectory, experiment: Experiment) -> None:
    config = dump_experiment(experiment)
    directory.start(
        {
            "name": experiment.name,
            "seed": experiment.seed,
            **device_facts(),
            **environment_facts(),
            "config": config,
        }
    )
    directory.write_config(experiment.given)
    directory.write_resolved(dump_yaml(config))
    directory.update_manifest()
