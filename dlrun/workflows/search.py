"""Search: many trainings of one config, each an ordinary run, and the best of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.checks.check import config_findings
from dlrun.checks.finding import refuse_errors
from dlrun.config.dump import dump_config
from dlrun.config.load import config_at, load_config
from dlrun.config.schema import Config
from dlrun.config.search_schema import Search
from dlrun.config.yaml_writer import dump_yaml
from dlrun.data.samples import Dataset
from dlrun.data.source import Source
from dlrun.errors import ConfigError, TrainingError
from dlrun.metrics.names import Direction
from dlrun.protocols.experiment import folds_of
from dlrun.protocols.observer import Observer
from dlrun.reports.matplotlib_cache import use_temporary_cache
from dlrun.reports.stored_curves import draw_curves
from dlrun.scoring.measures import measures_of, select_measure
from dlrun.searches.study import Proposal, Study, points
from dlrun.store.environment import environment_facts, leave_run
from dlrun.store.files import is_disk_error
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import brief
from dlrun.store.search_directory import SearchDirectory
from dlrun.text import counted, display_path, figure, seconds_of
from dlrun.training.backend import device_facts
from dlrun.training.interrupt import Interrupted
from dlrun.workflows.execute import execute
from dlrun.workflows.loading import components_located, rows_key, start_and_load
from dlrun.workflows.plugins import keep_plugins, plugin_facts, runner, with_kept_plugins
from dlrun.workflows.run import Run, cause_of
from dlrun.workflows.search_results import (
    TrialRow,
    best_of,
    score_of,
    selection_facts,
    table_columns,
)

if TYPE_CHECKING:
    import pandas as pd

DRAWN = 3
"""The best trials, of which the curves are drawn."""


class SearchObserver(Observer):
    """Shows nothing; a display of the search's progress overrides what it shows. It is notified of
    the epochs of every trial, too."""

    def search_started(self, name: str, trials: int | None, score: str, direction: str) -> None:
        """Trials are about to be trained; None: as many as fit into the time."""

    def trial_started(self, number: int, values: dict[str, Any]) -> None:
        """A trial is about to be trained."""

    def trial_ended(self, row: TrialRow, rows: Sequence[TrialRow]) -> None:
        """A trial has ended; `rows` are all so far."""


@dataclass(frozen=True, repr=False)
class SearchRun(Run):
    """A search that has ended: `result` is what `search.json` holds."""

    @property
    def best(self) -> Run:
        """The run of the best trial."""
        return Run.open(self.path / str(self.result["best"]["run"]))

    @property
    def corrected(self) -> float | None:
        """The best score, corrected for having been chosen; None where that is unknown."""
        found = self.result.get("corrected")
        return None if found is None else float(found["value"])

    @property
    def trials(self) -> pd.DataFrame:
        """A row a trial: number, values, score, status, seconds and the reason of a failure."""
        import pandas as pd

        return pd.read_csv(SearchDirectory(self.path).table, keep_default_na=True)


def search(
    config: str | Path,
    *,
    trials: int | None = None,
    time: str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    runs_dir: str | Path = "runs",
    observer: SearchObserver | None = None,
    trust_plugins: bool = False,
    allow_outside: bool = False,
    force: bool = False,
) -> SearchRun:
    """Train a config at many points of its `search: {space: ...}` and find the best.

    Args:
        config: The YAML file.
        trials: How many trainings, instead of the config's number.
        time: How long it goes on starting trainings, such as `"30m"`, instead of the config's.
        overrides: `KEY=VALUE` changes to the config.
        seed: Used instead of the config's.
        runs_dir: Where the run directory is made.
        observer: Called for every trial; default: none.
        trust_plugins: Whether the Python files that `plugins` names may run.
        allow_outside: Whether the config may extend files outside its folder.
        force: Train although `dlrun check` finds errors.

    Returns:
        The search, with `score` (of the best trial), `corrected`, `trials`, `best` and `path`.

    Raises:
        ConfigError: The config or its space is wrong; nothing was trained.
        DataError: The data is missing or broken.
        TrainingError: No trial could be trained.
    """
    loaded = load_config(
        Path(config),
        [*overrides, *limits(trials, time)],
        seed,
        run_plugins=runner(trust_plugins),
        allow_outside=allow_outside,
    )
    return run_search(loaded, Path(runs_dir), observer, trust_plugins=trust_plugins, force=force)


def limits(trials: int | None, time: str | None) -> list[str]:
    """Return the overrides that say how many trials there are, and how long they may take."""
    given = {"trials": trials, "time": time}
    return [f"search.{key}={value}" for key, value in given.items() if value is not None]


def run_search(
    config: Config,
    runs_dir: Path,
    observer: SearchObserver | None = None,
    *,
    created: Callable[[RunDirectory], None] = lambda directory: None,
    trust_plugins: bool = False,
    force: bool = False,
) -> SearchRun:
    """Search, given a config that is read. For the arguments see `search`; `created` is called with
    the run directory when it is made."""
    observer = observer or SearchObserver()
    if config.search is None:
        problem = config.problem_at((), "the config has no 'search'", hint=EXAMPLE)
        raise ConfigError([problem])
    if not force:
        refuse_errors(config_findings(config))
    base, problems = config_at(config, [], {})
    if base is None:
        raise ConfigError(problems)
    with components_located(base):
        backend, dataset = start_and_load(base)
        if folds_of(base, dataset)[0].scored is None:
            problem = config.problem_at(("evaluation",), "no rows are held out to choose trials by")
            raise ConfigError([problem])
    began = time.monotonic()

    def write(directory: RunDirectory) -> None:
        _begin(SearchDirectory(directory.path), config, backend)

    made = SearchDirectory.create(runs_dir, f"{config.name}-search", write=write)
    directory = SearchDirectory(made.path)
    created(directory)
    running = _RunningSearch(config, config.search, directory, observer, backend, dataset, force)
    running.began = began
    try:
        running.train(runs_dir)
        return running.complete(trust_plugins=trust_plugins)
    except BaseException as error:
        if directory.status == "running":
            if isinstance(error, Exception) and not is_disk_error(error):
                directory.finish("failed", error=f"{type(error).__name__}: {error}")
            else:
                directory.finish("interrupted", interrupted_by=cause_of(error))
        if isinstance(error, Interrupted):
            error.add_note(f"the trials so far are kept in {display_path(directory.path)}")
        raise
    finally:
        leave_run(directory.path)


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
        search: Search,
        directory: SearchDirectory,
        observer: SearchObserver,
        backend: str,
        dataset: Dataset,
        force: bool,
    ) -> None:
        measure = select_measure(measures_of(config.outputs), config.evaluation.score)
        self._score, self._direction = measure.name, measure.direction
        self._config, self._search, self._directory = config, search, directory
        self._observer, self._force = observer, force
        self._study = Study(config, self._direction)
        self._paths = list(search.space)
        self._loaded = backend, dataset
        self._rows_key: str | None = None
        self.rows: list[TrialRow] = []
        self.began = time.monotonic()

    def train(self, runs_dir: Path) -> None:
        """Train the trials, one after the other."""
        search, observer = self._search, self._observer
        most, size = search.most_trials, points(self._study.dimensions)
        if size is not None and most is not None and size + 1 < most:
            observer.note(f"the space has {counted(size, 'point')}, so there are fewer trials")
        observer.search_started(self._config.name, most, self._score, self._direction)
        end = None if search.time is None else self.began + seconds_of(search.time)
        while most is None or len(self.rows) < most:
            if end is not None and self.rows and time.monotonic() >= end:
                break
            if (proposal := self._study.ask()) is None:
                observer.note("every point of the space was tried")
                break
            observer.trial_started(proposal.number, proposal.point)
            row = self._trial(proposal, runs_dir)
            self._study.tell(proposal, row.score)
            self.rows.append(row)
            self._directory.write_table(
                table_columns(self._paths), [row.cells(self._paths) for row in self.rows]
            )
            observer.trial_ended(row, self.rows)

    def _trial(self, proposal: Proposal, runs_dir: Path) -> TrialRow:
        """Train one trial; one that fails is a row with the reason."""
        number, point, began = proposal.number, proposal.point, time.monotonic()

        def failed(error: Exception) -> TrialRow:
            seconds = time.monotonic() - began
            reason = " ".join(str(error).split("\n", 1)[0].split()) or type(error).__name__
            return TrialRow(number, point, "failed", None, seconds, reason)

        dimensions = self._study.dimensions if number else []
        config, problems = config_at(self._config, dimensions, point)
        if config is None:
            return failed(ConfigError(problems))
        try:
            run = execute(
                config,
                runs_dir,
                self._observer,
                facts={"trial": {"number": number, "values": point}},
                # Trial 0 is the config, whose findings were shown and refused before.
                force=self._force or number > 0,
                place=self._directory.trial(number),
                load=self._load,
                draw=False,
            )
        except Exception as error:
            if is_disk_error(error):
                raise
            return failed(error)
        if run.status == "interrupted":
            raise Interrupted(str(RunDirectory(run.path).read_run().get("interrupted_by")))
        score = score_of(RunDirectory(run.path))
        if score is None:
            return failed(ValueError("the score is not a number"))
        return TrialRow(number, point, "finished", score, time.monotonic() - began)

    def _load(self, config: Config) -> tuple[str, Dataset]:
        """The rows of a trial, read once for all that have the same."""
        key = rows_key(config)
        if self._rows_key is None:
            self._rows_key = key
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
        self._draw(direction)
        directory.finish("finished", result=_listed(result), search=result["trials"])
        return SearchRun(directory.path, directory.read_result(), "finished")

    def _draw(self, direction: Direction) -> None:
        """Draw the curves of the best trials."""
        use_temporary_cache()
        sign = -1.0 if direction == "max" else 1.0
        scored = [(sign * row.score, row.number) for row in self.rows if row.score is not None]
        for _, number in sorted(scored)[:DRAWN]:
            draw_curves(RunDirectory(self._directory.trial(number)))


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
