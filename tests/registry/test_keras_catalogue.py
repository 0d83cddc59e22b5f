"""The catalogue says what the installed Keras says."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dlrun.config.document import Reporter
from dlrun.config.keras_components import read_component
from dlrun.models.objects import build_object
from dlrun.registry import catalogue
from dlrun.registry.catalogue import CatalogueEntry
from dlrun.registry.keras_component import KerasKind
from dlrun.registry.own_callbacks import own_callback_names

keras = pytest.importorskip("keras")

REPOSITORY = Path(__file__).parents[2]

SAME_VERSION = pytest.mark.skipif(
    keras.__version__ != catalogue.keras_version(),
    reason=f"Keras {keras.__version__} is installed; the catalogue is of another version",
)

REQUIRED: dict[str, Any] = {
    "activation": "relu", "axes": 1, "backup_dir": "backup", "boundaries": [1],
    "cell": {"LSTMCell": 4}, "cells": [{"LSTMCell": 4}], "decay_rate": 0.5, "decay_steps": 10,
    "dims": [2, 1], "equation": "ab,bc->ac", "factor": 0.2, "filename": "log.csv",
    "filepath": "model.keras", "filters": 4, "first_decay_steps": 10, "head_dim": 4, "height": 8,
    "height_factor": 0.1, "initial_learning_rate": 0.1, "inner_optimizer": "sgd", "input_dim": 10,
    "kernel_size": 3, "key_dim": 4, "layer": {"LSTM": 4}, "layers": [{"Rescaling": 0.5}],
    "max_number": 3, "n": 3, "num_bins": 4, "num_classes": 3, "num_heads": 2,
    "num_key_value_heads": 1, "num_query_heads": 2, "output_dim": 4, "output_shape": 4,
    "output_size": 2, "pool_size": 2, "precision": 0.5, "rate": 0.5, "recall": 0.5, "scale": 0.5,
    "sensitivity": 0.5, "specificity": 0.5, "stddev": 0.1, "target_class_ids": [0],
    "target_shape": [2, 2], "units": 4, "values": [0.1, 0.2], "width": 8, "width_factor": 0.1,
}  # fmt: skip
"""Arguments, by name, with which a class that requires them can be made."""

OF_CLASS: dict[str, dict[str, Any]] = {
    "CategoryEncoding": {"num_tokens": 4},
    "Discretization": {"num_bins": 4},
    "RandomPosterization": {"factor": 4},
    "SpectralNormalization": {"layer": {"Dense": 4}},
}
"""What these classes want besides, or instead."""

NOT_INSTALLED = {"OrbaxCheckpoint"}
"""Needs a package that dlrun does not depend on."""

EDGE_REFUSED = {("CategoricalGeneralizedCrossEntropy", "q"), ("VarianceScaling", "scale")}
"""Keras does not take the very edge of the range, which the catalogue leaves to Keras."""


def usable(kind: KerasKind) -> Iterator[CatalogueEntry]:
    for name in catalogue.names(kind):
        entry = catalogue.entry(kind, name)
        assert entry is not None
        if not entry.resolved_by_compile and name not in {*NOT_INSTALLED, *own_callback_names()}:
            yield entry


def make(entry: CatalogueEntry, arguments: dict[str, Any]) -> Any:
    """Make a class through the config's own way, with what it requires and `arguments`."""
    needed = {a.name: REQUIRED[a.name] for a in entry.arguments if a.required}
    # Without arguments a metric stays a word; here the object itself is wanted.
    named = {"name": "measure"} if entry.kind == "metric" else {}
    given = {**named, **needed, **OF_CLASS.get(entry.name, {}), **arguments}
    report = Reporter()
    component = read_component(entry.kind, {entry.name: given}, (), report)
    assert component is not None, report.problems()
    return build_object(component)


def config_of(instance: Any) -> Any:
    """What Keras would save of an object, without the parts that differ from one to the next."""
    chance = {"name", "seed"}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items() if key not in chance}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    return plain(instance.get_config()) if hasattr(instance, "get_config") else None


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    """The script that writes the catalogue, imported as a module."""
    path = REPOSITORY / "scripts" / "build_catalogue.py"
    spec = importlib.util.spec_from_file_location("build_catalogue", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path.parent)
        spec.loader.exec_module(module)
    return module


def test_a_catalogue_of_another_keras_is_not_compared(
    builder: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["build_catalogue.py", "--check"])
    ours = catalogue.keras_version()
    monkeypatch.setattr(builder, "build", lambda: {"keras": ours})
    assert builder.main() == 1
    assert "is not what the installed Keras gives" in capsys.readouterr().err
    monkeypatch.setattr(builder, "build", lambda: {"keras": "99.0"})
    assert builder.main() == 0
    assert capsys.readouterr().out == (
        f"not compared: keras_catalogue.json is of Keras {ours}, and 99.0 is installed\n"
    )


@SAME_VERSION
def test_the_file_is_what_the_installed_keras_gives(builder: ModuleType) -> None:
    text = builder.as_text(builder.build()) + "\n"
    assert text == builder.TARGET.read_text(encoding="utf-8"), (
        "run `python scripts/build_catalogue.py`"
    )
    assert len(text) < 400_000
    assert json.loads(text)["keras"] == keras.__version__


@SAME_VERSION
@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_every_public_class_is_known_with_the_arguments_of_its_signature(kind: KerasKind) -> None:
    namespace = importlib.import_module(catalogue.NAMESPACES[kind])
    base = {"schedule": "LearningRateSchedule"}.get(kind, kind.capitalize())
    for name, cls in vars(namespace).items():
        if not inspect.isclass(cls) or not issubclass(cls, getattr(namespace, base)):
            continue
        entry = catalogue.entry(kind, name)
        assert entry is not None, name
        if cls is getattr(namespace, base):
            assert entry.refusal
            continue
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        own = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        listed = [a for a in entry.arguments if not a.common and a.name != "zero_output_for_mask"]
        if name != "RNN":
            assert [a.name for a in listed] == [p.name for p in own], name
        assert {a.name for a in entry.arguments if a.required} == {
            p.name for p in own if p.default is p.empty
        }, name


@SAME_VERSION
@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_plain_defaults_given_explicitly_change_nothing(kind: KerasKind) -> None:
    for entry in usable(kind):
        explicit = {
            a.name: a.default
            for a in entry.arguments
            if a.default is not None and not a.required and not a.common and a.name != "name"
        }
        assert config_of(make(entry, explicit)) == config_of(make(entry, {})), entry.name


@SAME_VERSION
def test_every_layer_takes_the_arguments_common_to_all_layers() -> None:
    for entry in usable("layer"):
        layer = make(entry, {a.name: a.default for a in entry.arguments if a.name == "trainable"})
        assert layer.trainable, entry.name
        if entry.argument("name"):
            assert make(entry, {"name": "chosen"}).name == "chosen"


@SAME_VERSION
@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_keras_takes_every_choice_and_bound_that_the_catalogue_allows(kind: KerasKind) -> None:
    for entry in usable(kind):
        for argument in entry.arguments:
            bounds = [b for b in (argument.minimum, argument.maximum) if b is not None]
            if (entry.name, argument.name) in EDGE_REFUSED:
                bounds = []
            for value in (*argument.choices, *bounds):
                make(entry, {argument.name: value})


@SAME_VERSION
@pytest.mark.parametrize("kind", ["optimizer", "loss", "metric", "initializer", "constraint"])
def test_keras_understands_every_alias(kind: KerasKind) -> None:
    namespace = importlib.import_module(catalogue.NAMESPACES[kind])
    for entry in usable(kind):
        for alias in entry.aliases:
            if any(a.required for a in entry.arguments) or entry.name == "Constant":
                continue
            found = namespace.get(alias)
            cls = getattr(namespace, entry.name)
            assert isinstance(found, cls) or found is cls().fn, alias


@SAME_VERSION
def test_activations_are_those_that_keras_understands() -> None:
    assert {"relu", "softmax", "sigmoid", "tanh", "swish"} <= set(catalogue.activations())
    for name in catalogue.activations():
        assert callable(keras.activations.get(name))


@pytest.mark.parametrize(
    ("kind", "alias", "name"),
    [
        ("optimizer", "rmsprop", "RMSprop"),
        ("loss", "mse", "MeanSquaredError"),
        ("loss", "binary_crossentropy", "BinaryCrossentropy"),
        ("metric", "mae", "MeanAbsoluteError"),
        ("metric", "acc", "accuracy"),
        ("loss", "ce", "crossentropy"),
        ("regularizer", "l2", "L2"),
        ("initializer", "he_normal", "HeNormal"),
        ("layer", "Convolution2D", "Conv2D"),
        ("constraint", "max_norm", "MaxNorm"),
    ],
)
def test_an_alias_gives_the_class(kind: KerasKind, alias: str, name: str) -> None:
    entry = catalogue.entry(kind, alias)
    assert entry is not None
    assert entry.name == name
    assert alias in catalogue.spellings(kind)


def test_words_that_compile_resolves_are_understood_by_compile() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(loss="crossentropy", metrics=["accuracy", "acc"])
    x, y = np.array([[0.0, 1.0]]), np.array([1])
    assert {"accuracy", "acc"} <= model.evaluate(x, y, verbose=0, return_dict=True).keys()


@pytest.fixture
def newer_keras(monkeypatch: pytest.MonkeyPatch) -> type:
    """A Keras newer than the catalogue, with one more layer and one more argument of `Dense`."""

    class Sparkle(keras.layers.Layer):
        """Adds sparkle.

        More of it.
        """

        def __init__(self, glitter: int, kernel_initializer: str = "zeros", **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.glitter = glitter

    class Dense(keras.layers.Dense):
        def __init__(self, units: int, use_bias: bool = False, *, shine: float = 1.0) -> None:
            super().__init__(units, use_bias=use_bias)

    monkeypatch.setattr(catalogue, "_installed_version", lambda: "99.0")
    monkeypatch.setattr(keras.layers, "Sparkle", Sparkle, raising=False)
    monkeypatch.setattr(keras.layers, "Dense", Dense)
    return Sparkle


def test_a_newer_keras_is_asked_for_what_the_catalogue_does_not_know(newer_keras: type) -> None:
    entry = catalogue.entry("layer", "Sparkle")
    assert entry is not None
    assert entry.summary == "Adds sparkle"
    assert [a.name for a in entry.arguments if a.required] == ["glitter"]
    initializer = entry.argument("kernel_initializer")
    assert initializer is not None
    assert initializer.component_kinds == ("initializer",)
    assert entry.argument("dtype") is not None
    assert catalogue.entry("layer", "Sparkles") is None

    report = Reporter()
    component = read_component("layer", {"Sparkle": 3}, (), report)
    assert report.problems() == []
    assert component is not None
    assert isinstance(build_object(component), newer_keras)


def test_a_newer_keras_may_have_a_new_argument(newer_keras: type) -> None:
    report = Reporter()
    assert read_component("layer", {"Dense": {"units": 3, "shine": 2}}, (), report) is not None
    assert report.problems() == []
    assert read_component("layer", {"Dense": {"units": "3", "shin": 2}}, (), report) is None
    assert [problem.message for problem in report.problems()] == [
        "wrong value for 'units' of Dense",
        "unknown argument 'shin' of Dense; did you mean 'shine'?",
    ]


def test_a_name_that_nobody_knows_costs_no_import_of_keras() -> None:
    code = (
        "import sys\n"
        "from dlrun.registry import catalogue\n"
        "assert catalogue.entry('layer', 'Dense').first.name == 'units'\n"
        "assert catalogue.keras_version() != catalogue._installed_version() or ("
        "catalogue.entry('layer', 'Dens') is None)\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & sys.modules.keys(), sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
