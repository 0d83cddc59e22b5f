"""`--set` and `--seed`: where a value goes, in whatever spelling the config is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from spellings import assert_holds

from dlrun.config.document import Place, Reporter
from dlrun.config.grammar import canonical_config
from dlrun.config.load import load_config
from dlrun.config.overrides import apply_overrides
from dlrun.config.yaml_reader import read_yaml

CONFIG = """
dataset: {source: csv, path: a.csv, target: y, test: {path: test.csv}, types: {a: numeric}}
preprocess:
  - standardize
  - rescale: 0.5
  - targets: standardize
architecture:
  layers:
    - Flatten
    - Dense: 64
    - Dense: {units: 32, kernel_regularizer: {L2: 0.01}}
    - Bidirectional: {LSTM: 8}
    - {Dense: 1, name: out}
loss: mse
optimizer: rmsprop
metrics: [mae, mse]
training:
  class_weight: {0: 1.0, cat: 2.0}
evaluation: {protocol: kfold, folds: 4, groups: g}
"""


def overridden(*overrides: str, seed: int | None = None, config: str = CONFIG) -> Any:
    """The config as plain data after the overrides."""
    report = Reporter()
    root = read_yaml(config, lambda line, column: Place("f", (0, 0, 0), folder=Path()), report)
    assert root is not None
    root = apply_overrides(canonical_config(root), overrides, seed, report)
    assert report.problems() == []
    return root.plain()


@pytest.mark.parametrize(
    ("override", "path", "expected"),
    [
        # Plain values are YAML; nothing is a null.
        ("training.epochs=5", ["training"], {"class_weight": {0: 1.0, "cat": 2.0}, "epochs": 5}),
        ("training.epochs=1e-3", ["training", "epochs"], 0.001),
        ("name=no", ["name"], "no"),
        ("name=a=b", ["name"], "a=b"),
        ("metrics=[acc, mae]", ["metrics"], ["acc", "mae"]),
        ("metrics=", ["metrics"], None),
        ("training={epochs: 3}", ["training"], {"epochs": 3}),
        ("training.class_weight.0=9", ["training", "class_weight"], {0: 9, "cat": 2.0}),
        ("training.class_weight.1=9", ["training", "class_weight", 1], 9),
        ("training.class_weight.cat=9", ["training", "class_weight", "cat"], 9),
        ("dataset.types.a=categorical", ["dataset", "types"], {"a": "categorical"}),
        # Lists by number.
        ("metrics.1=acc", ["metrics"], ["mae", "acc"]),
        ("architecture.layers.4=Flatten", ["architecture", "layers", 4], "Flatten"),
        # Components in any spelling, and whatever their name's spelling.
        ("optimizer.rmsprop.rho=0.5", ["optimizer"], {"rmsprop": {"rho": 0.5}}),
        ("optimizer.RMSprop.rho=0.5", ["optimizer"], {"rmsprop": {"rho": 0.5}}),
        ("optimizer=adam", ["optimizer"], "adam"),
        ("optimizer={adam: 0.1}", ["optimizer"], {"adam": 0.1}),
        ("loss.mse.reduction=sum", ["loss"], {"mse": {"reduction": "sum"}}),
        ("metrics.0.mae.name=error", ["metrics", 0], {"mae": {"name": "error"}}),
        (
            "architecture.layers.1.Dense.units=32",
            ["architecture", "layers", 1],
            {"Dense": {"units": 32}},
        ),
        (
            "architecture.layers.1.Dense.activation=relu",
            ["architecture", "layers", 1],
            {"Dense": {"units": 64, "activation": "relu"}},
        ),
        ("architecture.layers.1.Dense=32", ["architecture", "layers", 1], {"Dense": 32}),
        (
            "architecture.layers.0.Flatten.data_format=channels_last",
            ["architecture", "layers", 0],
            {"Flatten": {"data_format": "channels_last"}},
        ),
        (
            "architecture.layers.0.name=flat",
            ["architecture", "layers", 0],
            {"Flatten": {}, "name": "flat"},
        ),
        (
            "architecture.layers.4.Dense.use_bias=false",
            ["architecture", "layers", 4],
            {"Dense": {"units": 1, "use_bias": False}, "name": "out"},
        ),
        (
            "architecture.layers.2.Dense.kernel_regularizer.L2.l2=0.5",
            ["architecture", "layers", 2, "Dense", "kernel_regularizer"],
            {"L2": {"l2": 0.5}},
        ),
        (
            "architecture.layers.3.Bidirectional.LSTM.dropout=0.5",
            ["architecture", "layers", 3],
            {"Bidirectional": {"LSTM": {"units": 8, "dropout": 0.5}}},
        ),
        (
            "architecture.layers.3.Bidirectional.layer.LSTM.units=9",
            ["architecture", "layers", 3],
            {"Bidirectional": {"layer": {"LSTM": {"units": 9}}}},
        ),
        (
            "architecture.layers.3.Bidirectional.merge_mode=sum",
            ["architecture", "layers", 3],
            {"Bidirectional": {"layer": {"LSTM": 8}, "merge_mode": "sum"}},
        ),
        (
            "preprocess.1.rescale.offset=1",
            ["preprocess", 1],
            {"rescale": {"scale": 0.5, "offset": 1}},
        ),
        ("preprocess.0.standardize=[a]", ["preprocess", 0], {"standardize": ["a"]}),
        ("preprocess.2.targets=one_hot", ["preprocess", 2], {"targets": "one_hot"}),
        # Another choice drops what belongs to the one before.
        ("evaluation.protocol=holdout", ["evaluation"], {"protocol": "holdout", "groups": "g"}),
        ("dataset.source=npz", ["dataset"], {"source": "npz"}),
        ("dataset.test.fraction=0.2", ["dataset", "test"], {"fraction": 0.2}),
    ],
)
def test_where_a_value_goes(override: str, path: list[str | int], expected: object) -> None:
    assert_holds(overridden(override), path, expected)


SEVERAL = """
blocks:
  two: {parameters: {units: 4, rate: 0.5}, layers: [{Dense: $units}, {Dropout: $rate}]}
architecture:
  layers: [{two: 6}, two, {Dense: 1, name: y, from: two}, {Dense: 1, name: z, from: two}]
  outputs: [y, z]
loss: mse
metrics: {y: [mae, mse]}
"""


@pytest.mark.parametrize(
    ("override", "path", "expected"),
    [
        # What holds for every output still does so for the others.
        ("loss.y=mae", ["loss"], {"y": "mae", "z": "mse"}),
        ("metrics.z=mse", ["metrics"], {"y": ["mae", "mse"], "z": "mse"}),
        ("metrics.y.1=mape", ["metrics"], {"y": ["mae", "mape"]}),
        # A bare value is the block's first parameter.
        ("architecture.layers.0.two.units=9", ["architecture", "layers", 0], {"two": {"units": 9}}),
        (
            "architecture.layers.0.two.rate=0.1",
            ["architecture", "layers", 0],
            {"two": {"units": 6, "rate": 0.1}},
        ),
        (
            "architecture.layers.1.two.rate=0.1",
            ["architecture", "layers", 1],
            {"two": {"rate": 0.1}},
        ),
    ],
)
def test_outputs_and_blocks(override: str, path: list[str | int], expected: object) -> None:
    assert_holds(overridden(override, config=SEVERAL), path, expected)


def test_metrics_may_be_given_to_outputs_that_have_none() -> None:
    config = SEVERAL.replace("metrics: {y: [mae, mse]}", "metrics:")
    assert overridden("metrics.z=mse", config=config)["metrics"] == {"z": [{"mse": {}}]}


def test_choices_do_not_depend_on_the_order_of_overrides() -> None:
    one = overridden("evaluation.protocol=time_series", "evaluation.gap=2", "evaluation.folds=9")
    other = overridden("evaluation.gap=2", "evaluation.folds=9", "evaluation.protocol=time_series")
    assert one["evaluation"] == other["evaluation"]
    expected = {"protocol": "time_series", "groups": "g", "gap": 2, "folds": 9}
    assert one["evaluation"] == expected


def test_a_later_override_wins_and_the_seed_comes_last() -> None:
    plain = overridden("training.epochs=1", "training.epochs=2", "seed=3", seed=4)
    assert plain["training"]["epochs"] == 2
    assert plain["seed"] == 4


def test_an_override_inside_an_alias_changes_one_place_only(tmp_path: Path) -> None:
    file = tmp_path / "shared.yaml"
    file.write_text(
        "dataset: {source: sklearn, name: iris}\n"
        "architecture: {layers: [&hidden {Dense: {units: 8}}, *hidden, {Dense: 3}]}\n"
        "loss: mse\noptimizer: adam\n",
        encoding="utf-8",
    )
    config = load_config(file, ["architecture.layers.1.Dense.units=4"])
    units = [entry.layer.arguments["units"] for entry in config.architecture.layers]
    assert units == [8, 4, 3]


def test_later_failures_are_located_at_the_override(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "dataset: {source: sklearn, name: iris}\narchitecture: {layers: [{Dense: 3}]}\n"
        "loss: mse\noptimizer: adam\n",
        encoding="utf-8",
    )
    config = load_config(file, ["architecture.layers.0.Dense.activation=relu"])
    path = config.architecture.layers[0].layer.path
    where = "--set architecture.layers.0.Dense.activation"
    assert config.problem_at((*path, "activation"), "no").place == f"{where}=relu"
    assert config.problem_at((*path, "activation"), "no", on_key=True).place == where
    assert config.problem_at((*path, "units"), "no").place == f"{file}:2:33"
