"""Properties of every config that `load_config` accepts, and of everything it does not."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dlrun.config.dump import dump_config
from dlrun.config.graph import wrong_count
from dlrun.config.json_schema import json_schema
from dlrun.config.load import load_config
from dlrun.config.yaml_writer import dump_yaml
from dlrun.errors import ConfigError
from dlrun.registry import catalogue
from dlrun.registry.catalogue import Argument
from dlrun.registry.keras_component import KerasComponent, KerasKind

SCHEMA = Draft202012Validator(json_schema())

PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "string": st.sampled_from(["x", "no", "1e-3"]),
    "list": st.lists(st.integers(1, 3), min_size=1, max_size=2),
    "null": st.none(),
    "activation": st.sampled_from(["relu", "softmax", {"LeakyReLU": 0.1}]),
    "layers": st.just([{"LSTMCell": 3}]),
    "table": st.dictionaries(st.integers(0, 9), st.sampled_from([0, 0.1]), min_size=1),
}
NESTED: dict[str, Any] = {
    "layer": {"LSTM": 3},
    "optimizer": "adam",
    "loss": "mse",
    "metric": "mae",
    "regularizer": {"L2": 0.01},
    "initializer": "zeros",
    "constraint": {"MaxNorm": 2},
    "schedule": {
        "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 9, "decay_rate": 0.5}
    },
}


def values(argument: Argument) -> st.SearchStrategy[Any]:
    """Values that the catalogue says an argument takes."""
    if argument.choices:
        return st.sampled_from(argument.choices)
    low = 1 if argument.minimum is None else argument.minimum
    high = low + 1 if argument.maximum is None else argument.maximum
    numbers = {
        "integer": st.integers(int(low), max(int(low), int(high))),
        "number": st.sampled_from([low, high, (low + high) / 2]),
    }
    branches = [
        st.just(NESTED[accepted]) if accepted in NESTED else (PLAIN | numbers)[accepted]
        for accepted in argument.accepts
        if accepted != "python"
    ]
    return st.one_of(branches) if branches else st.none()


def in_a_chain(kind: KerasKind, word: str) -> bool:
    """Layers that merge several inputs have no place in a plain list of layers."""
    entry = catalogue.entry(kind, word)
    return kind != "layer" or (
        entry is not None and wrong_count(KerasComponent(kind, entry.name, word), 1) is None
    )


@st.composite
def components(draw: st.DrawFn, kind: KerasKind) -> Any:
    """Any component of a kind that fits into a plain list, in any of its spellings."""
    words = [word for word in catalogue.spellings(kind) if in_a_chain(kind, word)]
    entry = catalogue.entry(kind, draw(st.sampled_from(words)))
    assert entry is not None
    word = draw(st.sampled_from([entry.name, *entry.aliases]))
    if entry.resolved_by_compile:
        return word
    usable = [a for a in entry.arguments if "python" not in a.accepts and a.name != "name"]
    given = {a.name: draw(values(a)) for a in usable if a.required or draw(st.integers(0, 4)) == 0}
    if not given:
        return draw(st.sampled_from([word, {word: None}, {word: {}}]))
    first = entry.first
    alone = first is not None and list(given) == [first.name]
    if alone and not isinstance(given[first.name], dict | None) and draw(st.booleans()):
        return {word: given[first.name]}
    return {word: given}


DATASETS = st.sampled_from(
    [
        {"source": "sklearn", "name": "digits", "images": True, "limit": 5},
        {"source": "sklearn", "name": "iris", "test": {"fraction": 0.2}, "limit": {"random": 9}},
        {"source": "csv", "path": "a.csv", "target": ["y", "z"], "types": {"no": "categorical"}},
        {"source": "csv", "path": ["a.csv"], "target": "y", "header": False, "columns": ["x", "y"]},
        {"source": "keras", "name": "imdb", "num_words": 1000},
    ]
)
STEPS = st.lists(
    st.sampled_from(
        [
            "standardize",
            {"standardize": {"columns": ["a"]}},
            {"rescale": "1/255"},
            {"rescale": {"scale": 2, "offset": 1}},
            {"targets": "standardize"},
            {"targets": ["one_hot", {"label_index": None}]},
            {"clip": {"min": 0, "max": 1.5}},
        ]
    ),
    max_size=3,
)
EVALUATIONS = st.sampled_from(
    [
        None,
        {"score": "loss"},
        {"validation": {"first": 5}, "stratify": False},
        {"validation": None},
        {"protocol": "kfold", "folds": 3, "validation": "fold", "groups": "no"},
        {"protocol": "iterated_kfold", "iterations": 2},
        {"protocol": "time_series", "gap": 1, "time": "when"},
    ]
)
TRAININGS = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(1, 9),
        "shuffle": st.booleans(),
        "class_weight": st.sampled_from(["balanced", {0: 1, "no": 2.5}, None]),
        "callbacks": st.lists(
            st.sampled_from(["TerminateOnNaN", {"EarlyStopping": {"patience": 3}}]), max_size=2
        ),
    },
)
LAYERS = components("layer").flatmap(
    lambda layer: st.sampled_from(
        [layer, {**({layer: None} if isinstance(layer, str) else layer), "name": "no"}]
    )
)
CONFIGS = st.fixed_dictionaries(
    {
        "dataset": DATASETS,
        "architecture": st.fixed_dictionaries(
            {"layers": st.tuples(LAYERS, components("layer")).map(list)}
        ),
        "loss": components("loss"),
        "optimizer": components("optimizer"),
    },
    optional={
        "name": st.sampled_from(["no", "1e-3", "a b"]),
        "seed": st.integers(0, 2**32 - 1),
        "backend": st.sampled_from(["jax", None]),
        "preprocess": STEPS,
        "metrics": st.lists(components("metric"), max_size=2) | components("metric"),
        "training": TRAININGS | st.none(),
        "evaluation": EVALUATIONS,
    },
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configs")


@settings(max_examples=20)
@given(config=CONFIGS)
def test_an_accepted_config_survives_being_written_out(config: Any, folder: Path) -> None:
    text = dump_yaml(config)
    (folder / "given.yaml").write_text(text, encoding="utf-8")
    first = dump_config(load_config(folder / "given.yaml"))
    (folder / "resolved.yaml").write_text(dump_yaml(first), encoding="utf-8")
    assert repr(dump_config(load_config(folder / "resolved.yaml"))) == repr(first)
    for plain in (config, first):
        assert [error.message for error in SCHEMA.iter_errors(plain)] == []


SOUND: dict[str, Any] = {
    "dataset": {"source": "csv", "path": "a.csv", "target": "y", "limit": {"first": 3}},
    "preprocess": ["standardize", {"rescale": 0.5}, {"targets": ["one_hot"]}],
    "architecture": {
        "layers": ["Flatten", {"Dense": {"units": 3, "kernel_regularizer": {"L2": 0.1}}}]
    },
    "loss": "mse",
    "optimizer": {"adam": {"learning_rate": NESTED["schedule"]}},
    "metrics": ["mae", {"Precision": {"name": "p"}}],
    "training": {"class_weight": {0: 1.0}, "callbacks": [{"EarlyStopping": "val_mae"}]},
    "evaluation": {"protocol": "kfold", "folds": 3, "score": "mae"},
}
WORDS = "mae Dense adam L2 csv path targets name source kfold rescale from units layers / extends"
LEAVES = st.sampled_from(WORDS.split()) | st.text(max_size=3) | st.integers() | st.floats()
RUBBISH = st.recursive(
    LEAVES | st.none() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(WORDS.split()) | st.integers(0, 2), inner, max_size=2)
    ),
    max_leaves=5,
)


def entries(value: Any) -> dict[Any, Any]:
    """The entries of a mapping or list by key or number; none of a plain value."""
    if isinstance(value, list):
        return dict(enumerate(value))
    return value if isinstance(value, dict) else {}


def paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path in plain data."""
    for key, inner in entries(value).items():
        yield (*above, key)
        yield from paths(inner, (*above, key))


def put(config: Any, path: tuple[Any, ...], value: Any) -> None:
    """Replace what stands at a path, if something still does."""
    for part in path[:-1]:
        config = entries(config).get(part)
    if path[-1] in entries(config):
        config[path[-1]] = value


PATHS = st.sampled_from(list(paths(SOUND)))


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.lists(st.tuples(PATHS, RUBBISH), max_size=2),
    overrides=st.lists(st.tuples(PATHS | st.just(("x", "y")), RUBBISH), max_size=2),
)
def test_rubbish_is_reported_and_nothing_else_happens(
    changes: list[Any], overrides: list[Any], folder: Path
) -> None:
    config = copy.deepcopy(SOUND)
    for path, rubbish in changes:
        put(config, path, rubbish)
    file = folder / "rubbish.yaml"
    file.write_text(dump_yaml(config), encoding="utf-8")
    texts = [f"{'.'.join(map(str, path))}={dump_yaml(rubbish)}" for path, rubbish in overrides]
    try:
        load_config(file, texts)
    except ConfigError as error:
        for problem in error.problems:
            assert problem.place.startswith((str(file), "--set "))
            assert "pydantic" not in str(problem)
            assert "Input should" not in str(problem)
