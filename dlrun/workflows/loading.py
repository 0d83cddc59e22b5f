"""From a config to its rows: the same for training, evaluation and checking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from dlrun.checks.architecture import output_of
from dlrun.config.outputs import scored_output
from dlrun.config.schema import Config, OutputEntry
from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.rows import ReadOptions
from dlrun.data.samples import Dataset, Samples
from dlrun.data.source import Loaded, Source
from dlrun.data.targets.label_index import LabelIndex
from dlrun.data.task import Asked
from dlrun.data.timestamps import TimeColumns
from dlrun.errors import ComponentError, ConfigError, DataError, KeyPath
from dlrun.metrics.cuts import Meaning, meaning_by_loss
from dlrun.metrics.names import LOSSES_OF_QUANTITIES
from dlrun.protocols.protocol import Protocol, Validation
from dlrun.protocols.schemes.iterated_kfold import IteratedKFold
from dlrun.protocols.schemes.kfold import KFold
from dlrun.stages import stage
from dlrun.training.backend import start_backend
from dlrun.workflows.plugins import mistakes_located


def start_and_load(config: Config, read: Loaded | None = None) -> tuple[str, Dataset]:
    """Start Keras and read every row that may be used before the test.

    Rows that need no Keras are read first: what is wrong with them is reported at once, and not
    after the seconds that its import takes.

    Args:
        config: The experiment.
        read: What its source gave before, where it was read to check it.

    Returns:
        The backend that is in use, and the rows.
    """
    source, _ = _arguments(config)
    if source.needs_keras:
        return start_backend(config.backend), load_rows(config)
    dataset = load_rows(config, read)
    return start_backend(config.backend), dataset


def load_rows(config: Config, read: Loaded | None = None) -> Dataset:
    """Read every row that may be used before the test.

    Args:
        config: The experiment.
        read: What its source gave before, where it was read to check it.

    Raises:
        ConfigError: The config names a column that the data lacks; says where.
        DataError: The data is missing or broken.
    """
    try:
        return _load_rows(config, read)
    except DataError as error:
        # A column that is not there may be missing in either of two files.
        if validation_files(config) is None or error.path:
            raise with_place(config, error) or error from error
        raise


def rows_key(config: Config) -> str:
    """Return what tells the rows of a config from those of another one."""
    source, options = _arguments(config)
    validation, any_labels = validation_files(config), _has_label_index(config)
    return repr((source, str(config.base), config.seed, validation, any_labels, options))


def _has_label_index(config: Config) -> bool:
    return any(isinstance(step, LabelIndex) for step in config.target_steps)


@stage("data")
def _load_rows(config: Config, read: Loaded | None) -> Dataset:
    source, options = _arguments(config)
    return load_dataset(
        source,
        config.base,
        config.seed,
        validation=validation_files(config),
        read=read,
        any_labels=_has_label_index(config),
        **options,
    )


def load_test_rows(config: Config) -> Samples:
    """Read the sealed test rows; only `evaluate` does."""
    source, options = _arguments(config)
    return load_test(source, config.base, config.seed, **options)


def extra_columns(config: Config) -> list[str]:
    """Columns that are neither features nor targets: groups, time and row weights."""
    protocol = Protocol.of(config)
    times = () if protocol.time_columns is None else protocol.time_columns.columns
    named = (protocol.groups, *times, config.training.sample_weight)
    return list(dict.fromkeys(name for name in named if name is not None))


def refuse_leaking_test(config: Config) -> None:
    """Keep test rows out of the past that a model in time order is trained on.

    Raises:
        ConfigError: They would be drawn at random from all times.
    """
    source, protocol = Source.of(config), Protocol.of(config)
    if not protocol.in_time_order or protocol.time is not None or source.test is None:
        return
    if source.in_time_order:
        # Its test rows are the last ones, however they are asked for.
        return
    if source.test.fraction is None or not source.test.shuffle:
        return
    problem = config.problem_at(
        ("dataset", "test"),
        f"under {protocol.member_name()}, test rows drawn at random would lie in the past of rows "
        "that the model has seen",
        hint="add `shuffle: false` to `fraction`, for the last rows, or name the column of "
        "the times: `time` under `evaluation`",
    )
    raise ConfigError([problem])


def refuse_folds_of_a_series(config: Config) -> None:
    """Refuse a protocol that would score windows over a series by models trained on their future.

    Raises:
        ConfigError: The config names one.
    """
    source, protocol = Source.of(config), Protocol.of(config)
    evaluation = config.document.root.plain().get("evaluation") or {}
    name = protocol.member_name()
    # `dlrun kfold` brings a protocol that the config does not name.
    named = evaluation.get("protocol") == name
    if not (source.in_time_order and isinstance(protocol, KFold | IteratedKFold) and named):
        return
    if protocol.groups is not None:
        # Whole series are dealt.
        return
    hint, series = "use the protocol `time_series`, or `holdout`", getattr(source, "series", None)
    if isinstance(series, str):
        hint += f"; `groups: {series}` deals whole series"
    problem = config.problem_at(
        ("evaluation", "protocol"),
        f"the folds of {name} would train on the future of the series that they score",
        hint=hint,
    )
    raise ConfigError([problem])


def validation_files(config: Config) -> str | list[str] | None:
    """Files with validation rows of their own, where the hold-out names them."""
    validation = getattr(config.evaluation.protocol, "validation", None)
    return validation.path if isinstance(validation, Validation) else None


def _arguments(config: Config) -> tuple[Source, ReadOptions]:
    refuse_leaking_test(config)
    refuse_folds_of_a_series(config)
    source, protocol = Source.of(config), Protocol.of(config)
    asked = _asked(config, config.outputs[0])
    return source, {
        "regression": asked.regression,
        "labels": asked.labels,
        "outputs": _outputs(config),
        "extra": extra_columns(config),
        "groups": protocol.groups,
        "time": protocol.time,
        "in_time_order": protocol.in_time_order,
    }


def _outputs(config: Config) -> dict[str, Asked]:
    """What each of several outputs takes its target for; the one that is scored comes first."""
    if len(config.outputs) == 1:
        return {}
    scored = scored_output(config.evaluation.score, config.outputs)
    ordered = sorted(config.outputs, key=lambda output: output is not scored)
    return {str(output.name): _asked(config, output) for output in ordered}


def _asked(config: Config, output: OutputEntry) -> Asked:
    loss, steps = output.loss.name, {step.member_name() for step in config.target_steps}
    last = output_of(config, output.name)
    labels: Literal["indices", "flags"] | None = None
    if loss.startswith("Sparse") or steps & {"label_index", "one_hot"}:
        labels = "indices"
    elif last is not None and last.units == 1:
        labels = "flags"
    return Asked(loss in LOSSES_OF_QUANTITIES, labels)


SPLITS = (
    ("dataset", "test"),
    ("evaluation", "folds"),
    ("evaluation", "validation"),
    ("evaluation", "validation", "path"),
)
"""Where a config asks for a split."""

IN_DATASET = ("target", "features", "drop", "types", "series", "time")
IN_EVALUATION = ("groups", "time")


@contextmanager
def components_located(config: Config) -> Iterator[None]:
    """Say which part of the config Keras, or the data, refused."""
    try:
        with mistakes_located(config):
            yield
    except ComponentError as error:
        raise ConfigError([config.problem_at(error.path, str(error))]) from error
    except DataError as error:
        raise with_place(config, error) or error from error


def with_place(config: Config, error: DataError) -> ConfigError | None:
    """Return an error of the data as one of the config, at the place that asks for what is not
    there, such as a column; None where the config has no such place."""
    place = _place(config, error)
    if place is None:
        return None
    return ConfigError([config.problem_at(place, str(error), on_key=place in SPLITS)])


def _place(config: Config, error: DataError) -> KeyPath | None:
    if error.column is not None:
        return next(_places(config, error.column), None)
    if error.step is not None:
        return _place_of_step(config, error.step, error.path)
    if error.path == ("dataset", "lookback"):
        # Either makes a window and its target reach too far; the longer one does more so.
        delay, lookback = (getattr(config.dataset, key, 0) for key in ("delay", "lookback"))
        return ("dataset", "delay" if delay > lookback else "lookback")
    return error.path or None


def _place_of_step(config: Config, number: int, path: KeyPath) -> KeyPath | None:
    """The place of a step on features, counted without those on targets."""
    entries = config.document.root.plain().get("preprocess")
    steps = [
        (index, entry)
        for index, entry in enumerate(entries if isinstance(entries, list) else ())
        if not (isinstance(entry, dict) and "targets" in entry)
    ]
    if number >= len(steps):
        return None
    index, entry = steps[number]
    name = next(iter(entry)) if isinstance(entry, dict) and len(entry) == 1 else None
    return ("preprocess", index) if name is None else ("preprocess", index, name, *path)


def _places(config: Config, column: str) -> Iterator[KeyPath]:
    for section, component, options in (
        ("dataset", config.dataset, IN_DATASET),
        ("evaluation", config.evaluation.protocol, IN_EVALUATION),
        ("training", config.training, ("sample_weight",)),
    ):
        for option in options:
            value: Any = getattr(component, option, None)
            place: KeyPath = (section, option)
            if isinstance(value, TimeColumns):
                value, place = value.column, (*place, "column")
            if value == column:
                yield place
            elif isinstance(value, Mapping) and column in value:
                yield (*place, column)
            elif isinstance(value, list) and column in value:
                yield (*place, value.index(column))


def meaning_of_output(config: Config, output: OutputEntry) -> Meaning:
    """Return what the numbers of a classifier's output are, such as probabilities."""
    found = output_of(config, output.name)
    return meaning_by_loss(output.loss, found.activation if found else None)
