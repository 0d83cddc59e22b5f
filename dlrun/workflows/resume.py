"""Go on with a run that was broken off, to the digits it would have had."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dlrun.config.schema import Config
from dlrun.data.samples import Dataset
from dlrun.errors import RunError, UsageError
from dlrun.protocols.observer import Observer
from dlrun.reports.matplotlib_cache import use_temporary_cache
from dlrun.reports.stored_curves import draw_curves
from dlrun.store.environment import environment_facts
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import is_of_other_task
from dlrun.store.search_directory import SearchDirectory
from dlrun.text import display_path
from dlrun.training.backend import device_facts, start_backend
from dlrun.training.interrupt import TimeLimit, time_limit_of
from dlrun.workflows.evaluate import refuse_changed_data
from dlrun.workflows.execute import execute
from dlrun.workflows.next_step import resume_command
from dlrun.workflows.plugins import load_run_config
from dlrun.workflows.run import Run
from dlrun.workflows.search_run import SearchObserver, SearchRun
from dlrun.workflows.searching import resume_search

Created = Callable[[RunDirectory], None]


def resume(
    run: str | Path,
    *,
    force: bool = False,
    runs_dir: str | Path = "runs",
    observer: Observer | None = None,
    created: Created | None = None,
    scored: Callable[[Run], None] | None = None,
    trust_plugins: bool = False,
    time_limit: TimeLimit | str | float | None = None,
) -> Run:
    """Go on with a run that was killed, interrupted, or lost to a full disk or memory, in its
    directory, to the same digits as if nothing had happened.

    Finished folds are kept; the fold that was broken off goes on from its checkpoint, or begins
    anew where there is none. A finished run is returned as it is.

    Args:
        run: The run directory, or the unique beginning of its name.
        force: Go on although versions, device or settings differ from those that the run began
            with, or its test rows were seen; digits may differ.
        runs_dir: Where to look for a run that is given by name.
        observer: Called for every fold and epoch; default: none.
        created: Called with the run directory when training goes on.
        scored: Called with the run when its result is complete, before its curves are drawn.
        trust_plugins: Whether the run's plugins may run.
        time_limit: How long the command may take, such as `2h`; the run can be resumed again.

    Raises:
        RunError: There is no such run, it is still running, it failed in a way that would come
            again, its data changed, or it began with other versions; says what to do.
        DlrunError: As `dlrun.train`.
    """
    directory = RunDirectory.open(run, Path(runs_dir))
    if directory.trials.is_dir():
        return _resume_search(
            SearchDirectory(directory.path),
            observer if isinstance(observer, SearchObserver) else None,
            force=force,
            created=created,
            trust_plugins=trust_plugins,
            time_limit=time_limit,
        )
    with directory.taken_over():
        if directory.status == "finished":
            directory.checkpoint.remove()
            directory.remove_leftovers()
            use_temporary_cache()
            draw_curves(directory)
            return Run(directory.path, directory.read_result(), "finished")
        _refuse(directory, force)
        config = load_run_config(directory, trust_plugins=trust_plugins)
        observer = observer or Observer()
        _compare(directory, config, observer, force)

        def inspect(dataset: Dataset) -> None:
            refuse_changed_data(directory, dataset, "so it cannot go on to the same digits")

        return execute(
            config,
            directory.runs_dir,
            observer,
            inspect=inspect,
            created=created,
            scored=scored,
            # The run has been trained with these settings already.
            force=True,
            resumed=directory,
            time_limit=time_limit_of(time_limit),
        )


def _resume_search(
    directory: SearchDirectory,
    observer: SearchObserver | None,
    *,
    force: bool,
    created: Created | None,
    trust_plugins: bool,
    time_limit: TimeLimit | str | float | None,
) -> Run:
    if time_limit is not None:
        raise UsageError("a search has no time limit but its own, `search: {time: 30m}`")
    with directory.taken_over():
        if directory.status == "finished":
            return SearchRun(directory.path, directory.read_result(), "finished")
        _refuse(directory, force)
        config = load_run_config(directory, trust_plugins=trust_plugins)
        observer = observer or SearchObserver()
        _compare(directory, config, observer, force)
        return resume_search(
            directory,
            config,
            observer,
            created=created or (lambda directory: None),
            trust_plugins=trust_plugins,
        )


def _refuse(directory: RunDirectory, force: bool) -> None:
    """Refuse a run that cannot go on, or should not."""
    facts, status = directory.read_run(), directory.status
    if status == "running":
        process = facts.get("process") or {}
        pid, host = process.get("pid"), process.get("host")
        if host == platform.node():
            raise RunError(f"{directory.name} is still running (process {pid})")
        if not force:
            raise RunError(
                f"{directory.name} may still be running, as process {pid} on {host}; if that is "
                f"gone, go on with: {resume_command(directory)} --force"
            )
    if facts.get("ensemble"):
        raise RunError(
            f"{directory.name} is an ensemble, which nothing is trained for; make it again with "
            f"`dlrun finalize {facts.get('parent')} --ensemble`"
        )
    if is_of_other_task(facts):
        config = shlex.quote(display_path(directory.resolved))
        raise RunError(
            f"{directory.name} has a task that begins anew each time; train it again with: "
            f"dlrun train {config}"
        )
    if status == "failed" and not facts.get("resumable"):
        cause = str(facts.get("error", "")).partition("\n")[0]
        diverged = cause.startswith(("DivergedError", "TrainingError: the loss became"))
        if diverged or not force:
            advice = (
                "; change the config and train again"
                if diverged
                else "; train again, or add --force if the cause is gone"
            )
            raise RunError(f"{directory.name} failed and would fail again: {cause}{advice}")
    if directory.evaluation_numbers() and not force:
        raise RunError(
            f"{directory.name} was scored on the test data as it was when it was interrupted; a "
            "run that goes on after that is chosen by its test rows. Add --force to go on all the "
            "same; its test evaluations are kept and counted"
        )


SETTINGS = ("python", "keras", "devices", "device_names", "cpus", "cpu", "numerics")
"""Facts of `run.json`, beside the versions of packages, that decide digits."""


def _compare(directory: RunDirectory, config: Config, observer: Observer, force: bool) -> None:
    """Compare versions, device and settings with those that the run began with.

    Raises:
        RunError: They are others, and `force` is not given.
    """
    start_backend(config.backend)
    before = directory.read_run()
    now = {**device_facts(), **environment_facts()}
    differing = _differences(before, now)
    if not differing:
        return
    texts = "; ".join(f"{name} was {was}, is {now}" for name, was, now in differing)
    if not force:
        raise RunError(
            f"digits may differ from those of the run so far: {texts}. Go on where they are the "
            f"same, or all the same with: {resume_command(directory)} --force"
        )
    observer.note(f"digits may differ from those of the run so far: {texts}")


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> list[tuple[str, object, object]]:
    def flat(facts: Mapping[str, Any]) -> dict[str, Any]:
        own = {name: facts[name] for name in SETTINGS if name in facts}
        settings = own.pop("numerics", {})
        return own | dict(facts.get("packages") or {}) | settings

    # What an earlier version has not written is no difference.
    was, found = flat(before), flat({name: now[name] for name in now if name in before})
    return [
        (name, was.get(name, "not set"), found.get(name, "not set"))
        for name in dict.fromkeys([*was, *found])
        if was.get(name) != found.get(name)
    ]
