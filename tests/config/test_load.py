"""`load_config`: from a file to a typed config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlrun.config.dump import dump_config
from dlrun.config.load import load_config
from dlrun.config.schema import Config
from dlrun.data.preprocessing.rescale import Rescale
from dlrun.data.preprocessing.standardize import Standardize
from dlrun.data.sources.csv import Csv
from dlrun.data.targets.one_hot import OneHotTarget
from dlrun.errors import ConfigError
from dlrun.protocols.schemes.holdout import Holdout
from dlrun.protocols.schemes.kfold import KFold

SMALL = """
dataset: {source: sklearn, name: iris}
architecture: {layers: [{Dense: 3}]}
loss: mse
optimizer: adam
"""


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Load a config from text."""

    def load(text: str, *overrides: str, seed: int | None = None) -> Config:
        file = tmp_path / "experiment.yaml"
        file.write_text(text, encoding="utf-8")
        return load_config(file, overrides, seed)

    return load


def test_a_whole_config(load: Any, tmp_path: Path) -> None:
    config = load("""
name: houses
seed: 3
backend: jax
dataset: {source: csv, path: houses.csv, target: price, limit: {first: 10}}
preprocess:
  - standardize: {columns: [rooms]}
  - targets: [one_hot]
  - rescale: 1/255
architecture:
  layers:
    - {Dense: {units: 64, activation: relu}, name: hidden}
    - Dense: 1
loss: mae
optimizer: {rmsprop: {learning_rate: 1e-3}}
metrics: [mse]
training: {epochs: 80, class_weight: {0: 1, no: 2.5}, callbacks: [{EarlyStopping: val_loss}]}
evaluation: {protocol: kfold, folds: 4, score: mse}
""")
    assert (config.name, config.seed, config.backend) == ("houses", 3, "jax")
    assert isinstance(config.dataset, Csv)
    assert config.dataset.path == str(tmp_path / "houses.csv")
    assert config.preprocess == [Standardize(columns=["rooms"]), Rescale(scale="1/255")]
    assert config.target_steps == [OneHotTarget()]
    hidden, output = config.architecture.layers
    assert (hidden.name, hidden.layer.name) == ("hidden", "Dense")
    assert hidden.layer.arguments == {"units": 64, "activation": "relu"}
    assert (output.name, output.layer.arguments) == (None, {"units": 1})
    assert config.loss.name == "MeanAbsoluteError"
    assert config.optimizer.arguments == {"learning_rate": 0.001}
    assert [metric.alias for metric in config.metrics] == ["mse"]
    assert (config.training.epochs, config.training.batch_size) == (80, 32)
    assert config.training.class_weight == {0: 1.0, "no": 2.5}
    assert config.training.callbacks[0].arguments == {"monitor": "val_loss"}
    assert config.evaluation.protocol == KFold(folds=4)
    assert config.evaluation.score == "mse"


def test_what_is_not_said(load: Any) -> None:
    config = load(SMALL)
    assert (config.name, config.seed, config.backend) == ("experiment", 0, None)
    assert config.preprocess == config.target_steps == config.metrics == []
    assert config.evaluation.protocol == Holdout()
    assert config.evaluation.score == "loss"


def test_keys_with_nothing_under_them_say_nothing(load: Any) -> None:
    empty = "preprocess:\nmetrics:\ntraining:\nevaluation:\nbackend:\nextends:\n"
    assert dump_config(load(SMALL + empty)) == dump_config(load(SMALL))


@pytest.mark.parametrize(
    "spellings",
    [
        [
            "preprocess: [standardize]",
            "preprocess: [standardize: ]",
            "preprocess: [standardize: {}]",
        ],
        ["preprocess: [rescale: 0.5]", "preprocess: [rescale: {scale: 0.5}]"],
        ["preprocess: [targets: one_hot]", "preprocess: [targets: [one_hot]]"],
        [
            "preprocess: [targets: [one_hot, standardize]]",
            "preprocess: [targets: one_hot, targets: {standardize: {}}]",
        ],
        ["metrics: mae", "metrics: [mae]"],
        ["evaluation: {}", "evaluation: {protocol: holdout}"],
        ["training: {epochs: 5}", "training: {epochs: 5, callbacks: []}"],
    ],
)
def test_spellings_that_mean_the_same(load: Any, spellings: list[str]) -> None:
    first, *others = [dump_config(load(f"{SMALL}{spelling}\n")) for spelling in spellings]
    assert all(other == first for other in others)


@pytest.mark.parametrize(
    ("metrics", "score", "expected"),
    [
        ("[mae, mse]", None, "mae"),
        ("[]", None, "loss"),
        ("[mae, mse]", "mse", "mse"),
        ("[mae]", "loss", "loss"),
        ("[mae]", "MeanAbsoluteError", "mae"),
        ("[mae]", "mean_absolute_error", "mae"),
        ("[accuracy]", "acc", "accuracy"),
        ("[{Precision: {thresholds: 0.3}}]", "precision", "precision"),
        ("[{Precision: {name: strict}}]", "strict", "strict"),
        ("[{Precision: {name: strict}}]", "Precision", "strict"),
    ],
)
def test_the_score_by_any_of_its_names(
    load: Any, metrics: str, score: str | None, expected: str
) -> None:
    named = f"{{score: {score}}}" if score else "{}"
    config = load(f"{SMALL}metrics: {metrics}\nevaluation: {named}\n")
    assert config.evaluation.score == expected


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("answer_accuracy", "accuracy"),
        ("answer_acc", "accuracy"),
        ("accuracy", "accuracy"),
        ("answer_loss", "loss"),
        ("answer_strict", "answer_strict"),
        ("answer_answer_strict", "answer_strict"),
    ],
)
def test_the_score_of_the_only_output_may_bear_its_name(
    load: Any, score: str, expected: str
) -> None:
    config = load(
        "dataset: {source: sklearn, name: iris}\noptimizer: adam\n"
        "architecture: {layers: [{Dense: 3}, {Dense: 3, name: answer}]}\n"
        "loss: {answer: sparse_categorical_crossentropy}\n"
        "metrics: {answer: [accuracy, {Precision: {name: answer_strict}}]}\n"
        f"evaluation: {{score: {score}}}\n"
    )
    assert config.evaluation.score == expected


@pytest.mark.parametrize(
    ("metrics", "monitor", "measured"),
    [
        ("[accuracy]", "val_accuracy", True),
        ("[accuracy]", "accuracy", True),
        ("[acc]", "val_acc", True),
        ("[acc]", "val_accuracy", False),
        ("[mae]", "val_loss", True),
        ("[mae]", "learning_rate", True),
        ("[{AUC: {name: area}}]", "val_area", True),
        ("[{AUC: {name: area}}]", "val_auc", False),
    ],
)
def test_what_a_callback_may_monitor(load: Any, metrics: str, monitor: str, measured: bool) -> None:
    text = (
        f"{SMALL}metrics: {metrics}\n"
        f"training: {{callbacks: [{{EarlyStopping: {{monitor: {monitor}}}}}]}}\n"
    )
    if measured:
        load(text)
    else:
        with pytest.raises(ConfigError, match=f"monitors '{monitor}', which is not measured"):
            load(text)


def test_the_file_and_what_it_held(load: Any, tmp_path: Path) -> None:
    text = "# Grüße\r\n" + SMALL
    (tmp_path / "experiment.yaml").write_bytes(text.encode())
    config = load_config(tmp_path / "experiment.yaml", ["seed=1"], seed=2)
    assert config.given == text.encode()
    assert config.file == tmp_path / "experiment.yaml"
    assert config.base == tmp_path
    assert config.seed == 2
    assert config.model_copy(update={"seed": 5}).given == text.encode()


def test_later_failures_can_be_located(load: Any, tmp_path: Path) -> None:
    config = load(SMALL)
    layer = config.architecture.layers[0].layer
    problem = config.problem_at((*layer.path, "units"), "too few", hint="take more")
    assert str(problem) == (
        f"{tmp_path}/experiment.yaml:3:33: too few\n"
        "    architecture: {layers: [{Dense: 3}]}\n"
        "                                    ^\n"
        "    hint: take more"
    )


def test_written_out_a_config_can_be_run_from_anywhere(load: Any, tmp_path: Path) -> None:
    config = load(
        SMALL.replace(
            "{source: sklearn, name: iris}",
            "{source: csv, path: [a.csv, b.csv], target: y, test: {path: t.csv}}",
        )
    )
    dataset = dump_config(config)["dataset"]
    assert dataset["path"] == [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    assert dataset["test"] == {"path": str(tmp_path / "t.csv")}


def test_written_out_a_config_says_everything_that_holds(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    plain = dump_config(load(SMALL + "metrics: [mae]\n"))
    assert list(plain) == [
        "name", "seed", "backend", "dataset", "preprocess", "architecture", "loss", "optimizer",
        "metrics", "training", "evaluation",
    ]  # fmt: skip
    assert plain["backend"] == "jax"
    assert plain["training"] == {
        "epochs": 10, "batch_size": 32, "shuffle": True, "callbacks": [],
        "mixed_precision": False, "engine": "auto", "cache_features": True, "checkpoint": 60.0,
    }  # fmt: skip
    assert plain["evaluation"] == {
        "protocol": "holdout", "shuffle": True, "validation": 0.2, "score": "mae",
    }  # fmt: skip


def test_written_out_a_section_says_only_what_means_something_there(load: Any) -> None:
    def dataset(text: str) -> Any:
        return dump_config(load(SMALL.replace("{source: sklearn, name: iris}", text)))["dataset"]

    assert dataset("{source: keras, name: mnist}") == {"source": "keras", "name": "mnist"}
    assert dataset("{source: keras, name: boston_housing}") == {
        "source": "keras", "name": "boston_housing", "test_split": 0.2, "seed": 113,
    }  # fmt: skip
    table = "{source: csv, path: /a.csv, target: y, test: "
    assert dataset(table + "{path: /t.csv}}")["test"] == {"path": "/t.csv"}
    assert dataset(table + "{fraction: 0.3}}")["test"] == {"fraction": 0.3, "shuffle": True}


def test_a_null_that_is_not_the_default_is_kept(load: Any) -> None:
    config = load(SMALL + "evaluation: {validation: null}\n")
    assert dump_config(config)["evaluation"]["validation"] is None


def test_an_environment_that_names_no_backend(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(ConfigError) as caught:
        load(SMALL)
    assert str(caught.value) == (
        "KERAS_BACKEND: unknown backend 'theano'\n"
        "    expected: tensorflow, jax or torch\n"
        "    hint: change or unset the environment variable"
    )
    assert load(SMALL + "backend: torch\n").backend == "torch"


@given(name=st.text(min_size=1, max_size=30))
def test_a_name_is_one_that_can_name_a_folder(name: str, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("name")
    file = folder / "experiment.yaml"
    file.write_text(SMALL, encoding="utf-8")
    try:
        config = load_config(file, [f"name={ascii_quoted(name)}"])
    except ConfigError:
        return
    (folder / config.name).mkdir()
    assert [path.name for path in folder.iterdir() if path.is_dir()] == [name]


def ascii_quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'


def test_the_place_of_a_wrapped_layer_is_that_of_the_file(load: Any) -> None:
    config = load(
        SMALL.replace("[{Dense: 3}]", "[{TimeDistributed: {CenterCrop: {height: 3, width: 4}}}]")
    )
    inner = config.architecture.layers[0].layer.arguments["layer"]
    root = config.document.root
    assert root.locate(inner.path, on_key=True).text.endswith("experiment.yaml:3:44")
    assert root.locate((*inner.path, "height")).text.endswith("experiment.yaml:3:65")
