"""Everything that can be known to be wrong with a config without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlrun.config.load import load_config
from dlrun.config.schema import Config
from dlrun.data.source import Source
from dlrun.errors import ConfigError, DataError
from dlrun.errors import Path as KeyPath
from dlrun.protocols.protocol import Protocol


@dataclass(frozen=True)
class Built:
    """What building the experiment told.

    Args:
        data: What the data is.
        rows: Rows that may be used before the test.
        splits: Training and validation rows of every fold.
        input_shape: Shape of one row as the model sees it.
        output_shape: Shape of the model's output for one row.
        parameters: Weights of the model.
        findings: What the user should know, one sentence each.
    """

    data: str
    rows: int
    splits: tuple[tuple[int, int], ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    findings: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """A config in which nothing wrong was found.

    Args:
        config: Its name.
        layers: Number of layers.
        protocol: Name of the protocol.
        built: What building told, where it was asked for.
    """

    config: str
    layers: int
    protocol: str
    built: Built | None

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {"ok": True, **asdict(self)}

    def lines(self) -> list[str]:
        """The facts for a person to read."""
        lines = [f"{self.config}: nothing wrong found ({self.layers} layers, {self.protocol})"]
        if self.built is None:
            return [*lines, "not looked at without --data: the data's values, shapes, splits"]
        built = self.built
        train, validation = built.splits[0]
        each = f" in each of {len(built.splits)} folds" if len(built.splits) > 1 else ""
        lines += [
            f"data:   {built.data}",
            f"rows:   {built.rows}: {train} to train, {validation} to validate{each}",
            f"model:  {built.input_shape} -> {built.output_shape}, {built.parameters:,} parameters",
        ]
        return lines + [f"note:   {finding}" for finding in built.findings]


def check(
    config: str | Path,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    with_data: bool = False,
) -> Checked:
    """Check a config; nothing is trained and nothing is written.

    Args:
        config: The YAML file.
        overrides: `KEY=VALUE` changes to it.
        seed: Used instead of the config's.
        with_data: Also read the data, fit the preprocessing and build the model.

    Raises:
        ConfigError: Everything that is wrong, at once.
        DataError: The data cannot be used (with `with_data`).
    """
    loaded = load_config(Path(config), overrides, seed)
    _check_files(loaded)
    return Checked(
        config=str(config),
        layers=len(loaded.architecture.layers),
        protocol=loaded.evaluation.protocol.member_name(),
        built=_build(loaded) if with_data else None,
    )


def _check_files(config: Config) -> None:
    from dlrun.data.dataset import check_validation
    from dlrun.workflows.loading import extra_columns, refuse_leaking_test, validation_files

    refuse_leaking_test(config)
    source, validation, extra = config.dataset, validation_files(config), extra_columns(config)
    assert isinstance(source, Source)
    place: KeyPath = ("dataset",)
    try:
        source.check(config.base, extra)
        if validation is not None:
            place = ("evaluation", "validation", "path")
            check_validation(source, config.base, validation, extra)
    except DataError as error:
        raise ConfigError([config.problem_at(place, str(error))]) from error


def _build(config: Config) -> Built:
    from dlrun.data.pipeline import fit_pipeline
    from dlrun.protocols.compatibility import output_findings
    from dlrun.protocols.experiment import folds_of
    from dlrun.protocols.fold import fresh_model, prepare
    from dlrun.protocols.weights import class_weights
    from dlrun.training.callbacks import build_callbacks
    from dlrun.workflows.execute import components_located
    from dlrun.workflows.loading import start_and_load

    assert isinstance(config.evaluation.protocol, Protocol)
    with components_located(config):
        _, dataset = start_and_load(config)
        folds = folds_of(config, dataset)
        train = dataset.samples.take(folds[0].train)
        pipeline = fit_pipeline(config.preprocess, config.target_steps, dataset, train)
        rows = prepare(config, dataset.task, pipeline, train)
        model = fresh_model(config, rows.arrays, [], config.seed)
        names = pipeline.class_names
        class_weights(config.training.class_weight, rows.arrays.targets, dataset.task, names)
        build_callbacks(config.training.callbacks)
    sizes = [(len(f.train), 0 if f.scored is None else len(f.scored)) for f in folds]
    return Built(
        data=dataset.description,
        rows=len(dataset.samples),
        splits=tuple(sizes),
        input_shape=rows.arrays.inputs.shape[1:],
        output_shape=tuple(model.output_shape[1:]),
        parameters=model.count_params(),
        findings=(
            *dataset.findings,
            *output_findings(model.output_shape, config, dataset.task, names),
            *pipeline.findings(train),
        ),
    )
