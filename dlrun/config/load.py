"""Reading a config: from files and overrides to a checked `Config`, or all that is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from dlrun.config.blocks import read_blocks
from dlrun.config.components import read_dataset, read_steps, with_own_validation
from dlrun.config.document import NOWHERE, Document, Node, Place, Reporter, node_of
from dlrun.config.extends import read_files, with_absolute_paths
from dlrun.config.grammar import (
    canonical_config,
    experiment_of,
    output_names,
    shapes_of,
    task_of,
)
from dlrun.config.layers import check_blocks, read_architecture
from dlrun.config.measures import check_naive_engine, check_optimizer
from dlrun.config.model_schema import Block
from dlrun.config.outputs import (
    declared_targets,
    history_metrics,
    read_loss,
    read_metrics,
    read_outputs,
    refuse_class_weight,
    refuse_loss_weights,
    scored_fields,
)
from dlrun.config.overrides import apply_overrides
from dlrun.config.plugins import Plugins, RunPlugins, read_plugins
from dlrun.config.schema import Backend, Config, Experiment, OutputEntry, PartialConfig
from dlrun.config.search_space import (
    Dimension,
    Point,
    dimensions_of,
    read_search,
    root_at,
    single_values,
    smallest_and_largest,
)
from dlrun.config.sections import (
    SectionReader,
    read_augment,
    read_evaluation,
    read_ignore,
    read_training,
)
from dlrun.config.unknown_keys import UnknownKeys
from dlrun.config.validation import validate
from dlrun.errors import ConfigError, Problem
from dlrun.registry import additions
from dlrun.registry.names import did_you_mean
from dlrun.text import listed

KEYS = ["name", "extends", *(key for key in Config.options() if key != "name")]
"""The keys of a config file, in their order."""

READ_BY_THEMSELVES = {
    "plugins",
    "dataset",
    "preprocess",
    "augment",
    "blocks",
    "architecture",
    "loss",
    "loss_weights",
    "metrics",
    "training",
    "evaluation",
    "search",
    "ignore",
}
"""Keys that depend on each other, or that there is more to say about than their types do."""

EXAMPLES = {
    "dataset": "dataset: {source: sklearn, name: digits}",
    "architecture": "architecture: {layers: [{Dense: 10}]}",
    "loss": "loss: mse",
    "optimizer": "optimizer: rmsprop",
}


def load_config(
    path: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    seed: int | None = None,
    *,
    run_plugins: RunPlugins | None = None,
    allow_outside: bool = False,
) -> Config:
    """Read and check the config of a model that learns from data; see `load_experiment`.

    Raises:
        ConfigError: Everything that is wrong, at once; also a task without such a model.
    """
    config, problems = read_config(
        path, overrides, seed, run_plugins=run_plugins, allow_outside=allow_outside
    )
    if problems or config is None:
        raise ConfigError(problems)
    return config


def load_experiment(
    path: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    seed: int | None = None,
    *,
    run_plugins: RunPlugins | None = None,
    allow_outside: bool = False,
) -> Experiment:
    """Read and check a config file of any task. Its paths to data become absolute.

    Args:
        path: The file.
        overrides: `KEY=VALUE` texts, see `dlrun.config.overrides`.
        seed: Takes the place of the config's seed.
        run_plugins: Runs the config's plugins; None where the user has not said that they may run,
            which is a problem where there are some. What they define is known until the next
            config is read.
        allow_outside: Whether the config may extend files outside its own folder.

    Raises:
        ConfigError: Everything that is wrong, at once: in the order of the files, then of the
            overrides.
    """
    experiment, problems = read_experiment(
        path, overrides, seed, run_plugins=run_plugins, allow_outside=allow_outside
    )
    if problems or experiment is None:
        raise ConfigError(problems)
    return experiment


def read_config(
    path: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    seed: int | None = None,
    *,
    run_plugins: RunPlugins | None = None,
    allow_outside: bool = False,
) -> tuple[Config | None, list[Problem]]:
    """Read as much as can be read of the config of a model that learns from data.

    Returns:
        As `read_experiment`; None also where the task has no such model, which is a problem.
    """
    experiment, problems = read_experiment(
        path, overrides, seed, run_plugins=run_plugins, allow_outside=allow_outside
    )
    if experiment is None or isinstance(experiment, Config):
        return experiment, problems
    name = "" if experiment.task is None else experiment.task.member_name()
    message = f"the task '{name}' has no model that learns from data, which this command needs"
    hint = "`dlrun train` runs it, and `dlrun report` shows its run"
    problem = experiment.problem_at(("task",), message, hint=hint, on_key=True)
    return None, [*problems, problem]


def read_experiment(
    path: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    seed: int | None = None,
    *,
    run_plugins: RunPlugins | None = None,
    allow_outside: bool = False,
) -> tuple[Experiment | None, list[Problem]]:
    """Read as much of a config file as can be read; for the arguments see `load_experiment`.

    Returns:
        The config, and everything that is wrong with it. Where something is, it is a
        `PartialConfig`, or None for another task than `supervised`; None also where the file itself
        cannot be read.
    """
    file, report = Path(path), Reporter()
    root, content = read_files(file, report, allow_outside=allow_outside)
    if root is None:
        return None, report.problems()
    additions.use(None)
    chosen = [text for text in overrides if text.lstrip().startswith(("plugins", "backend"))]
    plugins = _plugins(apply_overrides(root, chosen, None, Reporter()), run_plugins, report)
    additions.use(plugins.additions)
    if plugins.files:
        # What plugins define has a canonical form only now.
        root = canonical_config(root)
    root = with_absolute_paths(apply_overrides(root, overrides, seed, report))
    report.root = root
    given = root.plain()
    config: Experiment | None
    experiment = experiment_of(task_of(given.get("task")))
    if experiment is Config:
        config = _read(given, file.stem, plugins, report)
    else:
        config = _read_other(experiment, given, file.stem, plugins, report)
    if config is not None:
        config._document = Document(file, content, root)
        config._plugins = plugins
    if isinstance(config, Config) and not report.problems():
        _check_space(config, report)
    return config, report.problems()


def config_at(
    config: Config, dimensions: Sequence[Dimension], point: Point
) -> tuple[Config | None, list[Problem]]:
    """Return a config with the values of a point of its search, which it has no more; and all that
    is wrong with it, at its place in the space."""
    report = Reporter()
    changed = _read_at(config, dimensions, point, report)
    problems = report.problems()
    return (None if problems else changed), problems


def _read_at(
    config: Config, dimensions: Sequence[Dimension], point: Point, report: Reporter
) -> Config:
    root = with_absolute_paths(root_at(config.document.root, dimensions, point, report))
    report.root = root
    changed = _read(root.plain(), config.file.stem, config.own_code, report)
    changed._document = Document(config.file, config.given, root)
    changed._plugins = config.own_code
    return changed


def _check_space(config: Config, report: Reporter) -> None:
    """Try every value that the space of a search lists, and both ends of ranges."""
    if config.search is None:
        return
    dimensions, score = dimensions_of(config.search, config.document), config.evaluation.score
    measured_by_loss = score == "loss" or (score is None and not config.metrics)
    for dimension in dimensions:
        if dimension.parts[0] in ("loss", "loss_weights") and measured_by_loss:
            message = f"the loss is the score, so a search cannot vary '{dimension.path}'"
            hint = "name a metric under 'metrics', which then is the score"
            report.at(dimension.place, message, hint=hint)
    for points in (single_values(dimensions), smallest_and_largest(dimensions)):
        for point in points:
            tried = Reporter()
            _read_at(config, dimensions, point, tried)
            report.take(tried)
        if report.problems():
            return


def completed(config: PartialConfig) -> Config:
    """Return a config with stand-ins for the sections that could not be read: those of a small
    network, and defaults. Its rows can be read; nothing is to be trained with it."""
    stand_ins = node_of(yaml.safe_load("\n".join(EXAMPLES.values())), NOWHERE)
    whole = _read(
        canonical_config(stand_ins).plain(), config.file.stem, config.own_code, Reporter()
    )
    read = {key: getattr(config, key) for key in config.model_fields_set}
    whole = whole.model_copy(update=read)
    whole._document, whole._plugins = config.document, config.own_code
    whole._outputs = config._outputs
    return whole


def _plugins(root: Node, run: RunPlugins | None, report: Reporter) -> Plugins:
    """The plugins, run: what they define is in the names that everything else is checked by."""
    backend = (root.mapping or {}).get("backend")
    known = backend is not None and backend.value in get_args(Backend)
    return read_plugins(root, str(backend.value) if backend and known else None, run, report)


def _read(given: dict[Any, Any], stem: str, plugins: Plugins, report: Reporter) -> Config:
    values: dict[str, Any] = {"name": stem, "plugins": [str(f.path) for f in plugins.files]}
    reported = _report_unknown(given, report)
    if "backend" not in given:
        _check_environment(report)

    def read(key: str, reader: Callable[..., Any], *arguments: Any, needed: bool = False) -> Any:
        if key not in given and needed:
            return None
        before = len(report)
        value = reader(*arguments, report)
        if len(report) > before or (value is None and key in READ_BY_THEMSELVES):
            reported.add(key)
            return None
        values[key] = value
        return value

    for key in shapes_of(Config).keys() & given.keys() - READ_BY_THEMSELVES:
        read(key, _read_typed, key, given[key])
    filled_in: dict[str, Any] = {}
    read("dataset", read_dataset, given.get("dataset"), needed=True)
    if (steps := read("preprocess", read_steps, given.get("preprocess"))) is not None:
        values["preprocess"], filled_in["target_steps"] = steps
    read("augment", read_augment, given.get("augment"))
    if (blocks := _read_blocks(given.get("blocks"), report)) is None:
        reported |= {"blocks", "architecture"}
    else:
        values["blocks"] = blocks
        read("architecture", read_architecture, given.get("architecture"), blocks, needed=True)
    names, outputs = output_names(given.get("architecture")), tuple[OutputEntry, ...]()
    if len(names) > 1:
        outputs = read_outputs(given, names, values.get("dataset"), report)
        reported |= set() if outputs else {"loss", "metrics"} & given.keys()
        metrics = history_metrics(outputs) if outputs else None
    else:
        targets = declared_targets(values.get("dataset"))
        read("loss", read_loss, given.get("loss"), targets, needed=True)
        read("loss_weights", refuse_loss_weights, given.get("loss_weights"))
        metrics = read("metrics", read_metrics, given.get("metrics"), targets)
    if "metrics" in reported:  # misspelt, perhaps
        metrics = None
    read("training", read_training, given.get("training"), metrics)
    evaluation = with_own_validation(given.get("evaluation"), values.get("dataset"))
    only = names[0] if len(names) == 1 else None
    read("evaluation", read_evaluation, evaluation, metrics, only)

    if {"training", "optimizer"} <= values.keys():
        check_optimizer(values["training"].callbacks, values["optimizer"], report)
        if values["training"].engine == "naive":
            check_naive_engine(values["training"], values["optimizer"], report)
    if given.get("search") is not None:
        read("search", read_search, given["search"], report.root)
    read("ignore", read_ignore, given.get("ignore"))
    if len(names) > 1:
        refuse_class_weight(values.get("training"), names, report)
    if outputs:
        values |= scored_fields(getattr(values.get("evaluation"), "score", None), outputs)
    config = validate(
        Config, values, (), report, reported=reported, examples=EXAMPLES, filled_in=filled_in
    )
    if config is None or report.problems():
        config = PartialConfig.of(values | filled_in, reported)
    if "loss" not in reported:
        config._outputs = outputs
    return config


def _read_other(
    experiment: type[Experiment],
    given: dict[Any, Any],
    stem: str,
    plugins: Plugins,
    report: Reporter,
) -> Experiment | None:
    """Read a config whose task has sections of its own."""
    if "backend" not in given:
        _check_environment(report)
    keys, task = list(experiment.options()), task_of(given.get("task"))
    unknown = UnknownKeys(report, None, keys)

    def report_unknown(key: str | int) -> None:
        if key in KEYS:
            message = f"the task '{task}' has no '{key}'"
            report((key,), message, expected=listed(keys, "or"), on_key=True)
        else:
            unknown(key)

    values = {"name": stem, **given, "plugins": [str(file.path) for file in plugins.files]}
    return SectionReader(report).section(experiment, values, (), unknown=report_unknown)


def _read_typed(key: str, value: Any, report: Reporter) -> Any:
    """Read a key as its type says."""
    return SectionReader(report).value(shapes_of(Config)[key], value, (key,))


def _read_blocks(value: Any, report: Reporter) -> dict[str, Block] | None:
    """The blocks; None where it is not known which there are."""
    before = len(report)
    blocks = read_blocks(value, report)
    if len(report) > before:
        return None
    check_blocks(blocks, report)
    return blocks


def _report_unknown(given: dict[Any, Any], report: Reporter) -> set[str | int]:
    """Report the unknown top-level keys; return what they were meant for."""
    unknown, reported = UnknownKeys(report, None, KEYS), set[str | int]()
    for key in given:
        if key == "target_steps":
            hint = "write steps on the target under `targets:` in 'preprocess'"
            report((key,), f"unknown key '{key}'", hint=hint, on_key=True)
        elif key not in KEYS:
            reported |= unknown(key)
    return reported


def _check_environment(report: Reporter) -> None:
    backend = os.environ.get("KERAS_BACKEND")
    known = get_args(Backend)
    if backend and backend not in known:
        report.at(
            Place("KERAS_BACKEND", NOWHERE.order),
            f"unknown backend '{backend}'{did_you_mean(backend, known)}",
            expected=listed(known, "or"),
            hint="change or unset the environment variable",
        )
