"""A search while it goes on: trials are proposed, trained as ordinary runs, and counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.checks.check import config_findings
from dlrun.checks.finding import refuse_errors
from dlrun.config.dump import dump_config
from dlrun.config.load import config_at
from dlrun.config.schema import Config
from dlrun.config.yaml_writer import dump_yaml
from dlrun.data.samples import Dataset
from dlrun.data.source import Source
from dlrun.errors import ConfigError, RunError, TrainingError
from dlrun.protocols.experiment import folds_of
from dlrun.protocols.observer import Observer
from dlrun.reports.matplotlib_cache import use_temporary_cache
from dlrun.reports.stored_curves import draw_curves
from dlrun.reports.tasks import draw_task
from dlrun.scoring.measures import measures_of, select_measure
from dlrun.searches.study import Proposal, Study, points
from dlrun.store.environment import environment_facts, leave_run
from dlrun.store.files import is_disk_error
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import brief
from dlrun.store.search_directory import SearchDirectory
from dlrun.text import counted, display_path, figure, seconds_of
from dlrun.training.backend import device_facts
from dlrun.training.interrupt import Interrupt, Interrupted, deferred_interrupt, end_if_asked
from dlrun.workflows.evaluate import refuse_changed_data
from dlrun.workflows.execute import execute
from dlrun.workflows.loading import components_located, rows_key, start_and_load
from dlrun.workflows.next_step import resume_command
from dlrun.workflows.plugins import keep_plugins, plugin_facts, with_kept_plugins
from dlrun.workflows.run import cause_of
from dlrun.workflows.search_results import (
    TrialRow,
    best_of,
    kept_row,
    reason,
    selection_facts,
    table_columns,
)
from dlrun.workflows.search_run import SearchObserver, SearchRun

if TYPE_CHECKING:
    pass

BEST = 3
"""The best trials, whose models are kept and whose curves are drawn."""


def run_search(
    config: Config,
    runs_dir: Path,
    observer: SearchObserver | None = None,
    *,
    created: Callable[[RunDirectory], None] = lambda directory: None,
    resumed: SearchDirectory | None = None,
    trust_plugins: bool = False,
    force: bool = False,
) -> SearchRun:
    """Search, given a config that is read. For the arguments see `search`; `created` is called with
    the run directory when it is made or goes on, and `resumed` is the search that goes on."""
    observer = observer or SearchObserver()
    backend, dataset, key = _rows_to_choose_by(config, force)
    if resumed is None:

        def write(directory: RunDirectory) -> None:
            _begin(SearchDirectory(directory.path), config, backend)

        made = SearchDirectory.create(runs_dir, f"{config.name}-search", write=write)
        directory = SearchDirectory(made.path)
    else:
        directory = resumed
        if (first := directory.trained(0)) is not None and first.data.exists():
            refuse_changed_data(first, dataset, "so the search cannot go on to the same trials")
        directory.restart({"trials": sum(1 for _ in directory.trials.glob("[0-9]*"))})
    created(directory)
    running = _RunningSearch(config, directory, observer, (backend, dataset, key), force)
    try:
        # A signal waits until what was reached of a trial is written.
        with deferred_interrupt() as interrupt:
            running.train(runs_dir, interrupt)
        return running.complete(trust_plugins=trust_plugins)
    except BaseException as error:
        _end_early(directory, error)
        raise
    finally:
        leave_run(directory.path)


def resume_search(
    directory: SearchDirectory,
    config: Config,
    observer: SearchObserver | None = None,
    *,
    created: Callable[[RunDirectory], None] = lambda directory: None,
    trust_plugins: bool = False,
) -> SearchRun:
    """Go on with a search that was broken off: its finished trials are kept, the one that was
    trained goes on from its checkpoint, and the others are those that it would have had."""
    return run_search(
        config,
        directory.runs_dir,
        observer,
        created=created,
        resumed=directory,
        trust_plugins=trust_plugins,
        # The search has begun with this config already.
        force=True,
    )


def _rows_to_choose_by(config: Config, force: bool) -> tuple[str, Dataset, str]:
    """Start Keras and read the rows; return them with the key by which others are told apart.
    Refuse a config that a search cannot begin with."""
    if config.search is None:
        problem = config.problem_at((), "the config has no 'search'", hint=EXAMPLE)
        raise ConfigError([problem])
    if not force:
        refuse_errors(config_findings(config))
    base, problems = config_at(config, [], {})
    if base is None:
        raise ConfigError(problems)
    with components_located(base):
        loaded = (*start_and_load(base), rows_key(base))
        if folds_of(base, loaded[1])[0].scored is None:
            problem = config.problem_at(("evaluation",), "no rows are held out to choose trials by")
            raise ConfigError([problem])
    return loaded


def kept_in(directory: SearchDirectory) -> str:
    """Return where the trials are kept, and how to go on."""
    where, command = display_path(directory.path), resume_command(directory)
    return f"the trials so far are kept in {where}; go on with: {command}"


def _end_early(directory: SearchDirectory, error: BaseException) -> None:
    """Record how the search ended."""
    failed = isinstance(error, Exception) and not is_disk_error(error)
    if not failed:
        # Whoever resumes the trial alone has not resumed the search.
        error.__notes__ = [kept_in(directory)]
    with suppress(RunError, OSError):
        if directory.status != "running":
            return
        if failed:
            directory.finish("failed", error=f"{type(error).__name__}: {error}")
        else:
            directory.finish("interrupted", interrupted_by=cause_of(error))


EXAMPLE = (
    "add for example `search: {trials: 20, space: {training.batch_size: [16, 32, 64]}}`; "
    "docs/search.md shows more"
)


def _begin(directory: SearchDirectory, config: Config, backend: str) -> None:
    directory.make_trials()
    pinned = Source.of(config).pinned(config.base)
    resolved = config.model_copy(update={"backend": backend, "dataset": pinned})
    directory.start(
        {
            "name": f"{config.name}-search",
            "seed": config.seed,
            **device_facts(),
            **environment_facts(),
            **plugin_facts(config),
            "config": dump_config(config),
            "search": {},
        }
    )
    directory.write_config(config.given)
    keep_plugins(directory, config)
    directory.write_resolved(dump_yaml(dump_config(with_kept_plugins(resolved))))
    directory.update_manifest()


class _RunningSearch:
    """One search while it goes on."""

    def __init__(
        self,
        config: Config,
        directory: SearchDirectory,
        observer: SearchObserver,
        loaded: tuple[str, Dataset, str],
        force: bool,
    ) -> None:
        search = config.search
        assert search is not None
        measure = select_measure(measures_of(config.outputs), config.evaluation.score)
        self._score, self._direction = measure.name, measure.direction
        self._config, self._search, self._directory = config, search, directory
        self._observer, self._force = observer, force
        self._study = Study(config, self._direction)
        self._paths = list(search.space)
        self._loaded, self._rows_key = loaded[:2], loaded[2]
        self.rows: list[TrialRow] = []
        self.began = time.monotonic()

    def train(self, runs_dir: Path, interrupt: Interrupt) -> None:
        """Train the trials, one after the other."""
        search, observer = self._search, self._observer
        most, size = search.most_trials, points(self._study.dimensions)
        if size is not None and most is not None and size + 1 < most:
            observer.note(f"the space has {counted(size, 'point')}, so there are fewer trials")
        observer.search_started(self._config.name, most, self._score, self._direction)
        end = None if search.time is None else self.began + seconds_of(search.time)
        while most is None or len(self.rows) < most:
            end_if_asked()
            if end is not None and self.rows and time.monotonic() >= end:
                break
            if (proposal := self._study.ask()) is None:
                observer.note("every point of the space was tried")
                break
            observer.trial_started(proposal.number, proposal.point)
            row = self._trial(proposal, runs_dir, interrupt)
            self._study.tell(proposal, row.score)
            self.rows.append(row)
            self._drop_models()
            self._directory.write_table(
                table_columns(self._paths), [row.cells(self._paths) for row in self.rows]
            )
            observer.trial_ended(row, self.rows)

    def _trial(self, proposal: Proposal, runs_dir: Path, interrupt: Interrupt) -> TrialRow:
        """Train one trial, or what is left of it; one that fails is a row with the reason."""
        earlier = self._directory.trained(proposal.number)
        if earlier is not None and earlier.read_run().get("trial") != _facts(proposal):
            raise RunError(
                f"{display_path(earlier.path)} has other values than this version of Optuna "
                "proposes for it; begin a new search"
            )
        row = None if earlier is None else kept_row(earlier, proposal.number, proposal.point)
        return row or self._trained(proposal, runs_dir, earlier, interrupt)

    def _trained(
        self,
        proposal: Proposal,
        runs_dir: Path,
        earlier: RunDirectory | None,
        interrupt: Interrupt,
    ) -> TrialRow:
        number, point, began = proposal.number, proposal.point, time.monotonic()

        def created(run: RunDirectory) -> None:
            interrupt.advice = kept_in(self._directory)

        def failed(error: Exception) -> TrialRow:
            return TrialRow(number, point, "failed", None, time.monotonic() - began, reason(error))

        dimensions = self._study.dimensions if number else []
        config, problems = config_at(self._config, dimensions, point)
        if config is None:
            return failed(ConfigError(problems))
        try:
            with nullcontext() if earlier is None else earlier.taken_over():
                run = execute(
                    config,
                    runs_dir,
                    # What the checks find is said once, of the config itself.
                    self._observer if number == 0 else Observer(),
                    facts={"trial": _facts(proposal)},
                    created=created,
                    # Trial 0 is the config, whose findings were shown and refused before.
                    force=self._force or number > 0,
                    place=self._directory.trial(number),
                    load=self._load,
                    draw=False,
                    resumed=earlier,
                )
        except Exception as error:
            if is_disk_error(error):
                raise
            return failed(error)
        if run.status == "interrupted":
            end_if_asked()
            raise Interrupted(str(RunDirectory(run.path).read_run().get("interrupted_by")))
        row = kept_row(RunDirectory(run.path), number, point)
        assert row is not None
        return row

    def _load(self, config: Config) -> tuple[str, Dataset]:
        """The rows of a trial, read once for all that have the same."""
        key = rows_key(config)
        if key != self._rows_key:
            # Whoever varies the data wants each in turn.
            self._loaded, self._rows_key = start_and_load(config), key
        return self._loaded

    def complete(self, *, trust_plugins: bool) -> SearchRun:
        """Write what was found."""
        directory, direction = self._directory, self._direction
        best = best_of(self.rows, direction)
        if best is None:
            raise TrainingError(
                f"none of {counted(len(self.rows), 'trial')} could be trained; the first: "
                f"{self.rows[0].reason}"
            )
        run = RunDirectory(directory.trial(best.number))
        trained = run.read_result()
        result = {
            "task": "search",
            "score": {**_without_folds(trained["score"]), "value": best.score},
            "baseline": trained.get("baseline"),
            **selection_facts(
                directory, self.rows, direction, self._config.seed, trust_plugins=trust_plugins
            ),
            "best": {"trial": best.number, "values": best.values, "run": f"trials/{run.name}"},
            "config_score": self.rows[0].score,
            "trials": {
                "planned": self._search.most_trials,
                "finished": sum(row.status == "finished" for row in self.rows),
                "failed": sum(row.status == "failed" for row in self.rows),
            },
            "protocol": trained["protocol"],
            "sampler": dump_config(self._config)["search"].get("sampler", "tpe"),
            "space": dump_config(self._config)["search"]["space"],
            "seed": self._config.seed,
            "seconds": time.monotonic() - self.began,
            "next": trained.get("next"),
        }
        directory.write_best(_best_config(directory, run, best, result))
        directory.write_result(result, replace=True)
        self._draw()
        directory.finish("finished", result=_listed(result), search=result["trials"])
        return SearchRun(directory.path, directory.read_result(), "finished")

    def _ranked(self) -> list[RunDirectory]:
        """The trials that were scored, the best first."""
        sign = -1.0 if self._direction == "max" else 1.0
        scored = [(sign * row.score, row.number) for row in self.rows if row.score is not None]
        return [RunDirectory(self._directory.trial(number)) for _, number in sorted(scored)]

    def _drop_models(self) -> None:
        """Remove the models of trials that are no longer among the best."""
        if self._search.keep == "all":
            return
        for run in self._ranked()[BEST:]:
            models = [folder.model for folder in (run, *run.folds()) if folder.model.exists()]
            if models:
                run.files.remove(*models)

    def _draw(self) -> None:
        """Draw the scores of all trials, and the curves of the best ones."""
        use_temporary_cache()
        try:
            draw_task(self._directory, self._config.name, self._directory.read_result())
            for run in self._ranked()[:BEST]:
                draw_curves(run)
        except (RunError, OSError) as error:
            self._observer.note(f"the charts could not be drawn: {error}")


def _facts(proposal: Proposal) -> dict[str, Any]:
    """What `run.json` says of a trial."""
    return {"number": proposal.number, "values": proposal.point}


def _without_folds(score: dict[str, Any]) -> dict[str, Any]:
    return {key: score.get(key) for key in ("name", "direction", "interval", "no_interval")}


def _listed(result: dict[str, Any]) -> dict[str, Any]:
    """What a list of runs shows: the corrected score, where there is one."""
    count = result["trials"]["finished"] + result["trials"]["failed"]
    score, corrected = result["score"], result["corrected"]
    if corrected is not None:
        score = {**score, "value": corrected["value"], "interval": corrected["interval"]}
    protocol = f"search of {counted(count, 'trial')}"
    return brief({**result, "score": score, "protocol": protocol})


def _best_config(
    directory: SearchDirectory, run: RunDirectory, best: TrialRow, result: dict[str, Any]
) -> str:
    """The config of the best trial, with a comment of where it came from."""
    score, corrected = result["score"], result["corrected"]
    worth = "" if corrected is None else f", {figure(corrected['value'])} corrected for the choice"
    return (
        f"# Trial {best.number} of {directory.name}, the best of "
        f"{counted(result['trials']['finished'], 'trial')}:\n"
        f"# {score['name']} {figure(score['value'])} on the rows it was chosen by{worth}.\n"
        f"{run.read_resolved()}"
    )
