"""Write `dlrun/registry/keras_catalogue.json` from the installed Keras.

    python scripts/build_catalogue.py            # write the file
    python scripts/build_catalogue.py --check    # exit 1 if the file differs for its own Keras

What an argument accepts is taken from its default, its name and the wording of Keras'
documentation, and only where these leave no doubt: an argument without a type accepts
anything, and Keras itself judges it when the model is built.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_documentation import accepted, argument_docs, first_sentence

from dlrun.registry import catalogue
from dlrun.registry.catalogue import KINDS, NAMESPACES, Argument
from dlrun.registry.keras_component import KerasKind

TARGET = Path(__file__).parents[1] / "dlrun" / "registry" / "keras_catalogue.json"

BASES: dict[KerasKind, str] = {
    "layer": "Layer",
    "optimizer": "Optimizer",
    "loss": "Loss",
    "metric": "Metric",
    "callback": "Callback",
    "regularizer": "Regularizer",
    "initializer": "Initializer",
    "constraint": "Constraint",
    "schedule": "LearningRateSchedule",
}

PYTHON = "takes Python code, which a config does not run"
REFUSED: dict[tuple[KerasKind, str], str] = {
    ("layer", "Lambda"): PYTHON,
    ("layer", "JaxLayer"): PYTHON,
    ("layer", "FlaxLayer"): PYTHON,
    ("layer", "TorchModuleWrapper"): PYTHON,
    ("layer", "TFSMLayer"): "runs a program from a file, which a config does not do",
    ("layer", "Wrapper"): "is the base class of wrappers; use one of them",
    ("layer", "InputLayer"): "is not needed: the input's shape is inferred from the data",
    ("optimizer", "MultiOptimizer"): PYTHON,
    ("metric", "Mean"): "averages numbers that Python code hands it, not predictions",
    ("metric", "Sum"): "adds up numbers that Python code hands it, not predictions",
    ("metric", "MeanMetricWrapper"): PYTHON,
    (
        "callback",
        "RemoteMonitor",
    ): "sends metrics to a server, which dlrun never does; metrics.csv in the run "
    "directory has a row for every epoch",
    ("callback", "CallbackList"): "is Keras' container of callbacks; write a list instead",
    ("callback", "ProgbarLogger"): "prints the progress of training, which dlrun already does",
    ("callback", "LambdaCallback"): f"{PYTHON}; write it as a callback in a file under 'plugins'",
}

RESOLVED_BY_COMPILE: dict[KerasKind, dict[str, tuple[str, str]]] = {
    "metric": {
        "accuracy": ("acc", "Binary, categorical or sparse categorical accuracy, as shapes tell"),
    },
    "loss": {
        "crossentropy": ("ce", "Binary, categorical or sparse crossentropy, as shapes tell"),
    },
}
"""Words that only `Model.compile` understands (keras/src/trainers/compile_utils.py)."""

ACT_AS_ACTIVATION = {"ELU", "LeakyReLU", "ReLU", "Softmax"}
"""Layers without weights that Keras takes where an activation is wanted."""

NOT_FOR_APPLICATIONS = {"input_tensor", "input_shape", "include_preprocessing", "name"}
"""Inferred from the data, said by `preprocess_input`, or given beside the model."""

OF_APPLICATIONS: dict[str, dict[str, Any]] = {
    "include_top": {"accepts": "boolean"},
    "weights": {"accepts": "string|null"},
    "pooling": {"accepts": "string|null", "choices": ["avg", "max"]},
    "classes": {"accepts": "integer", "minimum": 1},
    "classifier_activation": {"accepts": "string|null"},
    "alpha": {"accepts": "number", "minimum": 0},
    "depth_multiplier": {"accepts": "integer", "minimum": 1},
    "dropout": {"accepts": "number", "minimum": 0, "maximum": 1},
    "dropout_rate": {"accepts": "number", "minimum": 0, "maximum": 1},
    "minimalistic": {"accepts": "boolean"},
}
"""What the arguments of `keras.applications` accept."""

OF_APPLICATIONS_DOC = {
    "include_top": "Whether the last layers are there, which tell the 1,000 classes apart.",
    "weights": "`imagenet`, null for random weights, or the path of a file with weights.",
    "pooling": "Without the top: `avg` or `max` over all places, or null for the maps themselves.",
}

UNDOCUMENTED = {
    "activity_regularizer": "Regularizer of the layer's output.",
    "autocast": "Whether inputs are cast to the layer's compute dtype.",
    "data_format": '`"channels_last"` or `"channels_first"`.',
    "seed": "Random seed.",
}
"""Used where Keras documents nothing."""


def build() -> dict[str, Any]:
    """Return the whole catalogue as plain data."""
    keras = importlib.import_module("keras")
    common = dict(_described(keras.layers.Layer, "layer"))
    return {
        "keras": keras.__version__,
        "activations": sorted(_objects("activation")),
        "common": {"layer": common},
        "entries": {kind: _entries(kind) for kind in KINDS},
    }


def as_text(value: Any, indent: int = 0) -> str:
    """Return JSON with one line an argument, so that a change reads well in a diff."""
    if not isinstance(value, dict) or not any(isinstance(v, dict) and v for v in value.values()):
        return json.dumps(value, ensure_ascii=False)
    pad = " " * (indent + 1)
    items = (f"{pad}{json.dumps(key)}: {as_text(item, indent + 1)}" for key, item in value.items())
    return "{\n" + ",\n".join(items) + "\n" + " " * indent + "}"


def _applications() -> dict[str, Any]:
    """The models of `keras.applications`, which are functions."""
    namespace = importlib.import_module(NAMESPACES["application"])
    entries = {}
    for name in sorted(dir(namespace)):
        make = getattr(namespace, name)
        if not inspect.isfunction(make):
            continue
        docs = argument_docs(inspect.cleandoc(make.__doc__ or ""))
        arguments = {}
        for parameter in inspect.signature(make).parameters.values():
            if parameter.name in NOT_FOR_APPLICATIONS:
                continue
            facts = {"default": parameter.default, **OF_APPLICATIONS[parameter.name]}
            doc = OF_APPLICATIONS_DOC.get(parameter.name) or first_sentence(
                docs.get(parameter.name, "")
            )
            arguments[parameter.name] = {**facts, **({"doc": doc} if doc else {})}
        arguments["preprocess_input"] = {
            "default": True,
            "accepts": "boolean",
            "doc": "Whether the model itself prepares pixels from 0 to 255 as it wants them.",
        }
        summary = f"The model {name} of keras.applications"
        entries[name] = {"summary": summary, "arguments": arguments}
    return entries


def _entries(kind: KerasKind) -> dict[str, Any]:
    if kind == "application":
        return _applications()
    namespace = importlib.import_module(NAMESPACES[kind])
    base = getattr(namespace, BASES[kind])
    exported: dict[type, list[str]] = {}
    for name in dir(namespace):
        if inspect.isclass(value := getattr(namespace, name)) and issubclass(value, base):
            exported.setdefault(value, []).append(name)
    entries = {}
    for cls, names in exported.items():
        name = cls.__name__ if cls.__name__ in names else names[0]
        entries[name] = _entry(kind, name, cls, cls is base, _aliases(kind, cls, names) - {name})
    for word, (alias, summary) in RESOLVED_BY_COMPILE.get(kind, {}).items():
        entries[word] = {"summary": summary, "aliases": [alias], "resolved_by_compile": True}
    return dict(sorted(entries.items()))


def _entry(
    kind: KerasKind, name: str, cls: type, is_base: bool, aliases: set[str]
) -> dict[str, Any]:
    facts: dict[str, Any] = {"summary": catalogue.summary_of(cls)}
    refusal = REFUSED.get((kind, name))
    if is_base:
        refusal = "is an abstract base class; use one of its subclasses"
    if refusal:
        facts["refusal"] = refusal
    if aliases:
        facts["aliases"] = sorted(aliases)
    if kind == "layer" and name in ACT_AS_ACTIVATION:
        facts["act_as_activation"] = True
    if kind == "layer" and catalogue.takes_keywords(cls):
        facts["common"] = True
    if arguments := {} if is_base else dict(_described(cls, kind)):
        facts["arguments"] = arguments
    called = catalogue.call_arguments(cls) if kind == "layer" and not refusal else ()
    if len(called) > 1:
        facts["call"] = {
            argument.name: {"required": True}
            if argument.required
            else {"default": argument.default}
            for argument in called
        }
    return facts


def _aliases(kind: KerasKind, cls: type, exported: list[str]) -> set[str]:
    """Every other name by which Keras' `get` or its public modules know a class."""
    # `Input` is a function; its class says why a config does without it.
    aliases = {*exported, "Input"} if cls.__name__ == "InputLayer" else set(exported)
    for word, value in _objects(kind).items():
        if value is cls or (kind == "loss" and value is _function_of(cls)):
            aliases.add(word)
    reserved = {word for words in RESOLVED_BY_COMPILE.get(kind, {}).items() for word in words}
    return {alias for alias in aliases if alias not in reserved}


def _objects(kind: str) -> dict[str, Any]:
    """What Keras' `get` of a kind knows, by every accepted name."""
    if kind in ("layer", "callback", "schedule"):
        return {}
    plural = "losses" if kind == "loss" else f"{kind}s"
    return dict(importlib.import_module(f"keras.src.{plural}").ALL_OBJECTS_DICT)


def _function_of(cls: type) -> Any:
    """The function of a loss that does no more than wrap one, or None."""
    if any(argument.required for argument in catalogue.signature_arguments(cls, "loss")):
        return None
    return getattr(cls(), "fn", None)


def _described(cls: type, kind: KerasKind) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each argument of a class with all that is known of it."""
    common = _common_to_optimizers() if kind == "optimizer" else ""
    docs: dict[str, str] = argument_docs(
        f"Args:\n{textwrap.indent(inspect.cleandoc(common), '  ')}"
    )
    for ancestor in reversed(cls.__mro__):
        docs.update(argument_docs((ancestor.__doc__ or "").replace(common or "\0", "")))
    for argument in _arguments(cls, kind):
        text = docs.get(argument.name) or UNDOCUMENTED.get(argument.name, "")
        facts: dict[str, Any] = {}
        if argument.required:
            facts["required"] = True
        elif argument.has_plain_default:
            facts["default"] = argument.default
        facts |= accepted(cls.__name__, argument, text)
        if text:
            facts["doc"] = first_sentence(text)
        yield argument.name, facts


def _arguments(cls: type, kind: KerasKind) -> Iterator[Argument]:
    """Yield the arguments of the signature, and those of `RNN` that its `**kwargs` lead to."""
    own = list(catalogue.signature_arguments(cls, kind))
    yield from own
    recurrent = importlib.import_module("keras.layers").RNN
    if issubclass(cls, recurrent) and cls is not recurrent:
        inherited = catalogue.signature_arguments(recurrent, kind)
        yield from (argument for argument in inherited if argument.name == "zero_output_for_mask")


def _common_to_optimizers() -> str:
    """The text on the arguments of all optimizers, as Keras puts it into their docstrings.

    It is read apart from the rest of a docstring: Python 3.13 takes the indentation off the one
    and not off the other, and Muon does without it.
    """
    module = importlib.import_module("keras.src.optimizers.base_optimizer")
    text: str = module.base_optimizer_keyword_args
    return text


def main() -> int:
    """Write or check the file; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit 1 if the file differs, though it is of the installed Keras",
    )
    arguments = parser.parse_args()
    built = build()
    text = as_text(built) + "\n"
    if not arguments.check:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    written = TARGET.read_text(encoding="utf-8") if TARGET.exists() else "{}"
    if written == text:
        return 0
    described = json.loads(written).get("keras", built["keras"])
    if described != built["keras"]:
        print(
            f"not compared: {TARGET.name} is of Keras {described}, and {built['keras']} is "
            "installed"
        )
        return 0
    print(f"{TARGET.name} is not what the installed Keras gives: run {__file__}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
