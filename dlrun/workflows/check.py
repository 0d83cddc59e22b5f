"""Everything that can be known to be wrong with a config without training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.checks.check import config_findings, data_findings, model_findings
from dlrun.checks.finding import Findings
from dlrun.checks.views import ModelView
from dlrun.config.extends import NO_PATHS
from dlrun.config.layers import every_graph
from dlrun.config.load import completed, config_at, read_experiment
from dlrun.config.model_schema import LayerEntry
from dlrun.config.schema import Config, Experiment, PartialConfig
from dlrun.config.search_space import dimensions_of, smallest_and_largest
from dlrun.data.source import Loaded, Source
from dlrun.errors import ComponentError, ConfigError, DataError, KeyPath, Problem, RunError
from dlrun.store.run_directory import RunDirectory
from dlrun.text import counted
from dlrun.workflows.loading import with_place
from dlrun.workflows.plugins import runner

if TYPE_CHECKING:
    from dlrun.data.samples import Dataset


Shape = tuple[int | None, ...]
Shapes = Shape | dict[str, Shape]

ERRORS, WARNINGS = 2, 1
"""Exit status where there are errors, and of `--strict` where there are warnings."""

_QUICKLY_READ = ("csv", "npz")
"""Sources whose columns can be read without Keras and scikit-learn."""


@dataclass(frozen=True)
class Built:
    """What building the experiment showed.

    Args:
        data: What the data is.
        rows: Rows that may be used before the test.
        splits: Training and validation rows of every fold.
        input_shape: Shape of one row as the model sees it; of several inputs by their names.
        output_shape: Shape of the model's output for one row; of several by their names.
        parameters: Weights of the model.
        windows: Whether the rows are windows over a series.
        searched: Weights of the smallest and the largest model of a search; None without one.
    """

    data: str
    rows: int
    splits: tuple[tuple[int, int], ...]
    input_shape: Shapes
    output_shape: Shapes
    parameters: int
    windows: bool = False
    searched: tuple[int, int] | None = None

    def lines(self) -> list[str]:
        """The facts for a person to read."""
        train, validation = self.splits[0]
        each = f" in each of {len(self.splits)} folds" if len(self.splits) > 1 else ""
        windows, border = " windows" if self.windows else "", ""
        left = self.rows - train - validation
        if self.windows and left > 0 and len(self.splits) == 1:
            border = f", {left} left out between them, which share rows with both"
        few_to_many = " to ".join(f"{count:,}" for count in self.searched or ())
        searched = [f"search: models of {few_to_many} parameters"] if few_to_many else []
        rows = f"{self.rows}{windows}: {train} to train, {validation} to validate{each}{border}"
        return [
            f"data:   {self.data}",
            f"rows:   {rows}",
            f"model:  {_as_text(self.input_shape)} -> {_as_text(self.output_shape)}, "
            f"{self.parameters:,} parameters",
            *searched,
        ]


@dataclass(frozen=True)
class Checked:
    """A config that can be read, and what the checks found.

    Args:
        config: Its name.
        layers: Number of layers; None where the architecture cannot be read.
        protocol: Name of the protocol; None where the evaluation cannot be read.
        findings: What the checks found.
        built: What building showed; None where it was not asked for, or where errors are in
            the way.
        with_data: Whether it was asked for.
        problems: What makes the config unreadable; the findings are then those of the sections
            that can be read, and of the rows.
        task: Its task, where no model learns from data.
    """

    config: str
    layers: int | None
    protocol: str | None
    findings: Findings
    built: Built | None
    with_data: bool = False
    problems: tuple[Problem, ...] = ()
    task: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        return not self.problems and not self.findings.count("error")

    def exit_status(self, *, strict: bool = False) -> int:
        """Return 2 where there are errors, 1 where warnings count and there are some, else 0."""
        if not self.ok:
            return ERRORS
        return WARNINGS if strict and self.findings.count("warning") else 0

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        facts: dict[str, Any] = {
            "ok": self.ok,
            "config": self.config,
            "layers": self.layers,
            "protocol": self.protocol,
            "findings": self.findings.as_dicts(),
            "silenced": dict(self.findings.silenced),
            "built": None if self.built is None else asdict(self.built),
        }
        if self.problems:
            facts["error"] = ConfigError(self.problems).as_dict()
            facts["exit_status"] = ConfigError.exit_status
        return facts

    def raise_problems(self) -> None:
        """Raise what makes the config unreadable, if anything does.

        Raises:
            ConfigError: All of it.
        """
        if self.problems:
            raise ConfigError(self.problems)

    def lines(self) -> list[str]:
        """The facts for a person to read, the findings only counted."""
        layers = None if self.layers is None else counted(self.layers, "layer")
        facts = (self.task, layers, self.protocol)
        known = ", ".join(fact for fact in facts if fact is not None)
        counts = self.findings.counts()
        if self.problems:
            problems = counted(len(self.problems), "problem")
            counts = f"{problems}, {counts}" if self.findings.shown else problems
        lines = [f"{self.config}: {counts} ({known})" if known else f"{self.config}: {counts}"]
        if self.task is not None:
            return lines
        if self.built is not None:
            return lines + self.built.lines()
        if self.with_data:
            return [*lines, "not built: fix the errors first"]
        return [*lines, "not checked without --data: the data's values, shapes, splits"]


def check(
    config: str | Path,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    with_data: bool = False,
    trust_plugins: bool = False,
    allow_outside: bool = False,
) -> Checked:
    """Check a config; nothing is trained and nothing is written, and no test rows are read.

    Args:
        config: The YAML file.
        overrides: `KEY=VALUE` changes to it.
        seed: Used instead of the config's.
        with_data: Also read the data, fit the preprocessing and build the model.
        trust_plugins: Whether the Python files that `plugins` names may run.
        allow_outside: Whether the config may extend files outside its folder.

    Raises:
        ConfigError: Everything that makes the config unreadable, at once.
        DataError: The data cannot be used (with `with_data`).
    """
    path = Path(config)
    loaded, problems = read_experiment(
        path, overrides, seed, run_plugins=runner(trust_plugins), allow_outside=allow_outside
    )
    if problems and with_data and isinstance(loaded, PartialConfig):
        return _check_readable(str(config), loaded, problems)
    if problems or loaded is None:
        raise ConfigError(problems)
    if not isinstance(loaded, Config):
        if with_data:
            from dlrun.workflows.other_task import prepare_task

            prepare_task(loaded)
        nothing = Findings((), {})
        return Checked(str(config), None, None, nothing, None, task=_task_name(loaded))
    read = _check_files(loaded)
    findings, built = _with_data(loaded, read) if with_data else (config_findings(loaded), None)
    return Checked(
        config=str(config),
        layers=len(loaded.architecture.layers),
        protocol=loaded.evaluation.protocol.member_name(),
        findings=findings,
        built=built,
        with_data=with_data,
    )


def _task_name(experiment: Experiment) -> str:
    """Return the name of a config's task."""
    return "supervised" if experiment.task is None else experiment.task.member_name()


def _check_readable(name: str, config: PartialConfig, problems: Sequence[Problem]) -> Checked:
    """Check the rows, and the sections that can be read, of a config with problems."""
    from dlrun.workflows.loading import load_rows

    read, found = config.model_fields_set, list(problems)
    findings = config_findings(config)
    if "dataset" in read:
        whole = completed(config)
        try:
            rows = load_rows(whole, _check_files(whole))
            findings = data_findings(config, rows, test_labels=True)
        except ConfigError as error:
            found += [problem for problem in error.problems if problem not in found]
        except DataError as error:
            # Without these sections it may be the mistake of their stand-ins.
            if {"evaluation", "training"} <= read:
                found.append(config.problem_at(error.path or ("dataset",), str(error)))
    return Checked(
        config=name,
        layers=len(config.architecture.layers) if "architecture" in read else None,
        protocol=config.evaluation.protocol.member_name() if "evaluation" in read else None,
        findings=findings,
        built=None,
        with_data=True,
        problems=ConfigError(found).problems,
    )


def _check_files(config: Config) -> Loaded | None:
    """Check the files that a config names, and return the rows of its source if that read them."""
    from dlrun.data.dataset import check_validation
    from dlrun.workflows.loading import (
        extra_columns,
        refuse_folds_of_a_series,
        refuse_leaking_test,
        validation_files,
    )

    refuse_leaking_test(config)
    refuse_folds_of_a_series(config)
    check_model_files(config)
    source, validation, extra = Source.of(config), validation_files(config), extra_columns(config)
    place: KeyPath = ("dataset",)
    try:
        loaded = source.check(config.base, extra)
        quick = source.member_name() in _QUICKLY_READ
        if loaded is not None and quick and config.architecture.inputs:
            _check_inputs(config, list(loaded.features))
        if validation is not None:
            place = ("evaluation", "validation", "path")
            check_validation(source, config.base, validation, extra)
    except DataError as error:
        named = with_place(config, error) if place == ("dataset",) else None
        raise named or ConfigError([config.problem_at(place, str(error))]) from error
    return loaded


def _check_inputs(config: Config, features: Sequence[str]) -> None:
    from dlrun.protocols.preparation import refuse_missing_columns

    try:
        refuse_missing_columns(config, features)
    except ComponentError as error:
        raise ConfigError([config.problem_at(error.path, str(error))]) from error


def _with_data(config: Config, read: Loaded | None) -> tuple[Findings, Built | None]:
    from dlrun.workflows.loading import components_located, start_and_load

    with components_located(config):
        _, dataset = start_and_load(config, read)
        findings = data_findings(config, dataset, test_labels=True)
        if findings.count("error"):
            return findings, None
        built, of_model = _build(config, dataset)
    if config.search is not None:
        built = replace(built, searched=_searched(config, dataset))
    return findings + of_model, built


def _searched(config: Config, dataset: Dataset) -> tuple[int, int]:
    """Build the smallest and the largest model of a search, and return their parameters."""
    from dlrun.workflows.loading import components_located

    assert config.search is not None
    dimensions = dimensions_of(config.search, config.document)
    counts = []
    for point in smallest_and_largest(dimensions):
        changed, problems = config_at(config, dimensions, point)
        if changed is None:
            raise ConfigError(problems)
        with components_located(changed):
            counts.append(_build(changed, dataset)[0].parameters)
    return min(counts), max(counts)


def _build(config: Config, dataset: Dataset) -> tuple[Built, Findings]:
    from dlrun.data.inputs import parts_of
    from dlrun.protocols.experiment import folds_of
    from dlrun.protocols.outputs import output_shapes, targets_of
    from dlrun.protocols.phases import fresh_model
    from dlrun.protocols.preparation import class_weights, pipeline_of, prepare
    from dlrun.protocols.word_vectors import set_word_vectors
    from dlrun.training.callbacks import build_callbacks

    folds = folds_of(config, dataset)
    train = dataset.samples.take(folds[0].train)
    pipeline = pipeline_of(config, dataset, train)
    rows = prepare(config, pipeline, train)
    model = fresh_model(config, pipeline, rows.arrays, [], config.seed)
    coverage = set_word_vectors(config, model, pipeline, lambda: train)
    names = pipeline.class_names
    targets = targets_of(rows.arrays, None)
    class_weights(config.training.class_weight, targets, dataset.task, names)
    build_callbacks(config.training.callbacks, model=model)
    sizes = [(len(f.train), 0 if f.scored is None else len(f.scored)) for f in folds]
    built = Built(
        data=dataset.description,
        rows=len(dataset.samples),
        splits=tuple(sizes),
        input_shape=_by_name({n: p.shape[1:] for n, p in parts_of(rows.arrays.inputs).items()}),
        output_shape=_by_name({n: shape[1:] for n, shape in output_shapes(model).items()}),
        parameters=model.count_params(),
        windows=dataset.samples.windows is not None,
    )
    findings = (*rows.findings, *coverage)
    return built, model_findings(ModelView(config, model, len(train), findings))


def _by_name(shapes: Mapping[str | None, Shape] | Mapping[str, Shape]) -> Shapes:
    if len(shapes) == 1:
        return next(iter(shapes.values()))
    return {str(name): shape for name, shape in shapes.items()}


def _as_text(shapes: Shapes) -> str:
    if isinstance(shapes, tuple):
        return str(shapes)
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def check_model_files(config: Config) -> None:
    """Look for files that the architecture names and that are not there.

    Raises:
        ConfigError: All of them.
    """
    graphs = list(every_graph(config.architecture, config.blocks))
    entries = {
        (node.entry.path, node.entry.file_at): node.entry
        for graph in graphs
        for node in graph.nodes
    }
    problems = [problem for entry in entries.values() for problem in _problems(config, entry)]
    if problems:
        raise ConfigError(problems)


def _problems(config: Config, entry: LayerEntry) -> Iterator[Problem]:
    if entry.application is not None:
        weights = entry.application.arguments.get("weights")
        if weights is not None and weights not in NO_PATHS and not Path(weights).is_file():
            yield config.problem_at(
                entry.file_at,
                f"there is no file {weights}",
                expected="imagenet, null for random weights, or the path of a file with weights",
            )
    if entry.run is not None:
        folder, place = RunDirectory(Path(entry.run.path)), entry.file_at
        if not folder.path.is_dir():
            yield config.problem_at(place, f"there is no run directory {folder.path}")
            return
        try:
            if not folder.has_model:
                message = f"the run {folder.path} has no trained model"
                hint = "`dlrun finalize` trains one on all rows" if folder.folds() else None
                yield config.problem_at(place, message, hint=hint)
        except RunError as error:
            yield config.problem_at(place, str(error))
