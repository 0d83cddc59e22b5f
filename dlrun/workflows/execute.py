"""From a loaded config to a complete run directory."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

from dlrun.checks.check import data_findings
from dlrun.checks.finding import Findings, refuse_errors
from dlrun.config.dump import dump_config
from dlrun.config.schema import Config
from dlrun.config.yaml_writer import dump_yaml
from dlrun.data.samples import Dataset
from dlrun.data.source import Source
from dlrun.errors import DlrunError, RunError, TrainingError
from dlrun.models.precision import dtype_policy
from dlrun.protocols.observer import Observer
from dlrun.protocols.protocol import Protocol
from dlrun.protocols.result import Outcome
from dlrun.registry import additions
from dlrun.reports.diagnosis import suggestions_against_divergence
from dlrun.reports.matplotlib_cache import use_temporary_cache
from dlrun.reports.stored_curves import draw_curves
from dlrun.stages import begin_timing, current_stages, stage
from dlrun.store.environment import environment_facts, leave_run
from dlrun.store.files import is_disk_error
from dlrun.store.run_directory import Ending, RunDirectory
from dlrun.store.run_list import brief
from dlrun.tasks import LearningTask
from dlrun.text import display_path
from dlrun.training.backend import device_facts
from dlrun.training.choice import Choice
from dlrun.training.interrupt import (
    Interrupt,
    TimeLimit,
    deferred_interrupt,
    interrupt_cause,
)
from dlrun.training.reporting import DivergedError
from dlrun.workflows.clean_rows import clean_rows_facts
from dlrun.workflows.loading import components_located, start_and_load
from dlrun.workflows.next_step import next_command, resume_command
from dlrun.workflows.plugins import keep_plugins, mistakes_located, plugin_facts, with_kept_plugins
from dlrun.workflows.results import (
    data_facts,
    divergence_error,
    out_of_fold,
    phase_facts,
    places_in_series,
    run_result,
)
from dlrun.workflows.resumption import Resumption, lies_in_the_machine
from dlrun.workflows.run import Run, cause_of
from dlrun.workflows.run_recorder import RunRecorder, Splits
from dlrun.workflows.statistics import rows_of
from dlrun.workflows.worst_examples import worst_examples

SCORING_AND_DRAWING = (
    "scipy.stats",
    "sklearn.linear_model",
    "sklearn.preprocessing",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
)
"""What is imported while the first model compiles and trains."""


def execute(
    config: Config,
    runs_dir: Path,
    observer: Observer | None = None,
    *,
    facts: Mapping[str, Any] | None = None,
    inspect: Callable[[Dataset], None] | None = None,
    created: Callable[[RunDirectory], None] | None = None,
    scored: Callable[[Run], None] | None = None,
    force: bool = False,
    time_limit: TimeLimit | None = None,
    resumed: RunDirectory | None = None,
    place: Path | None = None,
    load: Callable[[Config], tuple[str, Dataset]] = start_and_load,
    draw: bool = True,
) -> Run:
    """Train under the config's protocol and keep everything in a new run directory.

    Args:
        config: The experiment.
        runs_dir: Where the run directory is made.
        observer: Called for every fold and epoch; default: none.
        facts: What else `run.json` holds, such as the `parent` of a final model.
        inspect: Called with the rows before anything is trained; may refuse them.
        created: Called with the run directory when it is made.
        scored: Called with the run when its result is complete, before its curves are drawn.
        force: Train although the checks find errors.
        time_limit: How long all of it may take.
        resumed: The run that goes on; no new one is made, and `created` is called with it.
        place: The run directory itself; default: a new name in `runs_dir`.
        load: Starts Keras and returns the backend and the rows.
        draw: Whether the curves are drawn.

    Raises:
        ConfigError: Keras refused a part of the config, or the checks found errors; says where.
        DataError: The data is missing or broken.
        TrainingError: Training began and failed. Where the loss was a number for some epochs,
            the run holds the model, the result and the curves up to there.
        Interrupted: Ctrl-C or another signal ended it before there was a result.
    """
    begin_timing()
    # Only `dlrun search` reads it.
    config = config.model_copy(update={"search": None})
    additions.use(config.own_code.additions)
    observer = observer or Observer()
    with ExitStack() as running:
        with components_located(config):
            backend, dataset = load(config)
            if inspect is not None:
                inspect(dataset)
            findings = _checked(config, dataset, observer, force)
            execution = _Execution(
                config=config,
                backend=backend,
                dataset=dataset,
                findings=findings,
                observer=observer,
                runs_dir=runs_dir,
                place=place,
                draw=draw,
                facts=facts or {},
                created=created or (lambda directory: None),
                defer_interrupt=lambda: running.enter_context(deferred_interrupt(time_limit)),
            )
            directory, outcome, run = execution.train(resumed)
        # The run is complete: a failure from here on loses nothing.
        try:
            if scored is not None and outcome.diverged is None:
                scored(run)
        finally:
            try:
                if draw:
                    _draw(directory)
            except (RunError, OSError) as error:
                observer.note(f"the curves could not be drawn: {error}")
        if outcome.diverged is not None:
            raise divergence_error(directory, outcome, outcome.diverged, run.result)
    return run


@dataclass(frozen=True)
class _Execution:
    """The training of one config, from its rows to a complete result.

    Args:
        config: The experiment.
        backend: What Keras computes with.
        dataset: The rows.
        findings: What the checks found.
        observer: Called for every fold and epoch.
        runs_dir: Where the run directory is made.
        place: The run directory itself, or None.
        draw: Whether the curves of a run that ends early are drawn.
        facts: What else `run.json` holds.
        created: Called with the run directory when it is made, or goes on.
        defer_interrupt: Makes interrupts wait until what was reached is written.
    """

    config: Config
    backend: str
    dataset: Dataset
    findings: Findings
    observer: Observer
    runs_dir: Path
    place: Path | None
    draw: bool
    facts: Mapping[str, Any]
    created: Callable[[RunDirectory], None]
    defer_interrupt: Callable[[], Interrupt]

    def train(self, resumed: RunDirectory | None) -> tuple[RunDirectory, Outcome, Run]:
        """Train, in a new run directory or one that goes on, and write the result."""
        resumption = None if resumed is None else self._resumption(resumed)
        recorder = RunRecorder(self.config, self.dataset, self.runs_dir, self._begin, resumption)
        try:
            with mistakes_located(self.config):
                task = LearningTask.of(self.config)
                outcome = task.run(self.config, self.dataset, self.observer, recorder)
            if resumption is not None:
                outcome = replace(outcome, seconds=outcome.seconds + resumption.seconds)
            assert recorder.directory is not None
            self._keep_examples(recorder.directory, outcome)
            return recorder.directory, outcome, self._complete(recorder.directory, outcome)
        except BaseException as error:
            if isinstance(error, DivergedError):
                # In the first epoch: there is no result, and only here the config is known.
                suggestions = suggestions_against_divergence(dump_config(self.config))
                error.result = {"suggestions": suggestions}
            # A run that goes on may be another process's until it is taken over.
            if recorder.directory is not None and (resumption is None or resumption.taken_over):
                _end_early(recorder.directory, error, draw=self.draw)
                if isinstance(error, TrainingError):
                    error.run = recorder.directory.path
            raise

    def _resumption(self, resumed: RunDirectory) -> Resumption:
        def goes_on() -> None:
            self._train_in(resumed, self.defer_interrupt())

        one_model = Protocol.of(self.config).one_model
        return Resumption(resumed, one_model, self.observer.note, goes_on)

    def _begin(self, recorder: RunRecorder, splits: Splits, choice: Choice) -> None:
        """Make the run directory."""
        interrupt = self.defer_interrupt()
        pinned = _pinned(self.config, self.backend, choice)

        def write(directory: RunDirectory) -> None:
            self._write_beginning(directory, pinned, splits, choice)

        directory = RunDirectory.create(
            self.runs_dir, self.config.name, write=write, place=self.place
        )
        recorder.directory = directory
        self._train_in(directory, interrupt)

    def _train_in(self, directory: RunDirectory, interrupt: Interrupt) -> None:
        interrupt.advice = _kept_in(directory)
        self.created(directory)
        use_temporary_cache()
        Thread(target=_import_ahead, daemon=True).start()

    @stage("writing")
    def _write_beginning(
        self, directory: RunDirectory, pinned: Config, splits: Splits, choice: Choice
    ) -> None:
        """Write what is known before training."""
        errors = self.findings.errors
        directory.start(
            {
                "name": pinned.name,
                "seed": pinned.seed,
                "engine": choice.as_dict(),
                "dtype_policy": dtype_policy(pinned.training.mixed_precision),
                **device_facts(),
                **environment_facts(),
                **plugin_facts(pinned),
                "config": dump_config(pinned),
                **({"forced": errors} if errors else {}),
                **self.facts,
            }
        )
        directory.write_config(pinned.given)
        keep_plugins(directory, pinned)
        directory.write_resolved(dump_yaml(dump_config(pinned)))
        directory.write_splits(splits)
        directory.write_data(data_facts(pinned, self.dataset, splits, self.findings))
        directory.update_manifest()

    @stage("writing")
    def _keep_examples(self, directory: RunDirectory, outcome: Outcome) -> None:
        """Keep the rows that were predicted worst, for the report."""
        try:
            if (examples := worst_examples(self.config, self.dataset, outcome)) is not None:
                directory.write_examples(examples)
        except (DlrunError, OSError) as error:
            self.observer.note(f"the rows predicted worst could not be kept: {error}")

    @stage("writing")
    def _complete(self, directory: RunDirectory, outcome: Outcome) -> Run:
        """Write what is known only at the end of the run."""
        result = self._result(directory, outcome)
        directory.write_result(result)
        predictions = out_of_fold(outcome.complete_folds)
        if predictions is not None and not directory.has_model:
            samples = rows_of(self.dataset, predictions["rows"])
            directory.write_predictions(predictions | places_in_series(samples))
        status: Ending = "interrupted" if outcome.interrupted else "finished"
        facts: dict[str, Any] = {"result": brief(result)}
        if outcome.interrupted:
            facts["interrupted_by"] = interrupt_cause()
        if phases := outcome.folds[-1].phases:
            facts["phases"] = phase_facts(phases)
        if outcome.diverged is not None:
            status, error = "failed", divergence_error(directory, outcome, outcome.diverged, result)
            facts["error"] = f"{type(error).__name__}: {error}"
            directory.log(f"error: {error}")
        facts["stages"] = current_stages().seconds()
        directory.finish(status, **facts)
        if status != "interrupted":
            directory.checkpoint.remove()
        return Run(directory.path, result, status)

    def _result(self, directory: RunDirectory, outcome: Outcome) -> dict[str, Any]:
        """Return what `result.json` holds."""
        splits = directory.read_splits()
        planned = [name for name in splits if re.fullmatch(r"fold\d+_train", name)]
        result = run_result(self.config, self.dataset, outcome, len(planned))
        try:
            clean = clean_rows_facts(self.dataset, outcome, splits, self.findings)
            if clean is not None:
                result["clean_rows"] = clean
        # Nothing that is found beside the score may cost it.
        except (DlrunError, OSError, MemoryError, ValueError) as fault:
            result["findings"].append(
                "the score on the rows that no training row repeats could not be computed "
                f"({type(fault).__name__}: {fault})"
            )
        result["next"] = None
        if outcome.interrupted:
            result["next"] = resume_command(directory)
        elif outcome.diverged is None:
            result["next"] = next_command(self.config, directory, self.dataset.has_test, result)
        return result


def _checked(config: Config, dataset: Dataset, observer: Observer, force: bool) -> Findings:
    """Return what the checks find, refuse errors unless forced, and show the rest."""
    with stage("checking"):
        findings = data_findings(config, dataset)
    if not force:
        refuse_errors(findings)
    for finding in findings.brief():
        observer.found(finding.headline, finding.severity)
    if findings.shown:
        observer.note(
            f"dlrun check {config.file} --data gives the reasons and what to write instead"
        )
    return findings


def _import_ahead() -> None:
    """Import what scoring and drawing need while the first model compiles and trains: most of that
    time Python has nothing to do."""
    for name in SCORING_AND_DRAWING:
        # The first use reports what is wrong.
        with suppress(Exception):
            import_module(name)


def _end_early(directory: RunDirectory, error: BaseException, *, draw: bool = True) -> None:
    """Record how the run ended, and draw its curves up to there."""
    # `SystemExit` is how the handler of a signal, in a user's program, ends it.
    stopped = not isinstance(error, Exception)
    broken_off = stopped or is_disk_error(error)
    if broken_off or lies_in_the_machine(error):
        error.add_note(_kept_in(directory))
    with ExitStack() as ending:
        # A full disk refuses what follows as well; the run is then one that has died.
        ending.callback(leave_run, directory.path)
        ending.enter_context(suppress(RunError, OSError))
        if directory.status != "running":
            return
        if stopped:
            directory.finish("interrupted", interrupted_by=cause_of(error))
        elif broken_off:
            directory.finish("interrupted", interrupted_by="disk", error=str(error))
            # What space there is, is needed to go on.
            return
        else:
            text, resumable = f"{type(error).__name__}: {error}", lies_in_the_machine(error)
            directory.finish("failed", error=text, resumable=resumable)
            directory.log(f"error: {error}")
        if isinstance(error, DivergedError):
            directory.checkpoint.remove()
        if draw:
            _draw(directory)


def _kept_in(directory: RunDirectory) -> str:
    where, command = display_path(directory.path), resume_command(directory)
    return f"the results so far are kept in {where}; go on with: {command}"


@stage("drawing")
def _draw(directory: RunDirectory) -> None:
    """Draw the curves; those of folds only if the run is not asked to end."""
    draw_curves(directory, every_fold=interrupt_cause() is None)


def _pinned(config: Config, backend: str, choice: Choice) -> Config:
    """The same config with everything named that was chosen for it."""
    training = config.training
    # What suits one phase may not suit another.
    if not training.phases:
        xla = choice.xla if choice.name == "fused" else None
        training = training.model_copy(update={"engine": choice.name, "xla": xla})
    dataset = Source.of(config).pinned(config.base)
    update = {"backend": backend, "training": training, "dataset": dataset}
    return with_kept_plugins(config.model_copy(update=update))
