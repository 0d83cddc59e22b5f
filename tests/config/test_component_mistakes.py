"""What a config is told that names a component of Keras wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dlrun.config.document import Node, Place, Reporter
from dlrun.config.keras_components import read_component
from dlrun.config.shapes import KerasShape
from dlrun.errors import KeyPath, Problem
from dlrun.registry.keras_component import KerasKind


def mistakes(kind: KerasKind, value: Any) -> list[tuple[str, ...]]:
    """Everything reported: the place (`:` where a key is meant), the message, the details."""
    report = Reporter()
    root = KerasShape((kind,)).canonical(placed(value, ("here",)))
    report.root = Node({"here": root}, Place("", (0, 0, 0)), {"here": root.place})
    assert read_component(kind, value, ("here",), report) is None
    return [
        (problem.place, problem.message, *map(": ".join, details(problem)))
        for problem in report.problems()
    ]


def details(problem: Problem) -> Iterator[tuple[str, str]]:
    for name in ("expected", "found", "hint"):
        if (text := getattr(problem, name)) is not None:
            yield name, text


def placed(value: Any, path: KeyPath) -> Node:
    """Plain data as nodes, each placed at its path."""
    place = Place(".".join(map(str, path)), (0, 0, 0))
    if isinstance(value, dict):
        keys = {key: Place(f"{place.text}.{key}:", (0, 0, 0)) for key in value}
        return Node({k: placed(each, (*path, k)) for k, each in value.items()}, place, keys)
    if isinstance(value, list):
        return Node([placed(each, (*path, i)) for i, each in enumerate(value)], place)
    return Node(value, place)


MISTAKES: list[tuple[KerasKind, Any, list[tuple[str, ...]]]] = [
    ("layer", "Dens", [("here", "unknown layer 'Dens'; did you mean 'Dense'?")]),
    ("layer", {"dense": 3}, [("here.dense:", "unknown layer 'dense'; did you mean 'Dense'?")]),
    ("layer", "Adam", [("here", "'Adam' is an optimizer, not a layer")]),
    ("optimizer", "RMSProp", [("here", "unknown optimizer 'RMSProp'; did you mean 'RMSprop'?")]),
    ("optimizer", "mse", [("here", "'mse' is a loss, not an optimizer")]),
    ("metric", "crossentropy", [("here", "'crossentropy' is a loss, not a metric")]),
    (
        "regularizer",
        "L7",
        [
            (
                "here",
                "unknown regularizer 'L7'",
                "expected: L1, L1L2, L2 or OrthogonalRegularizer",
            )
        ],
    ),
    (
        "regularizer",
        {"l1": 0.1, "l2": 0.1},
        [
            (
                "here",
                "this is not a regularizer",
                "expected: the name of a regularizer, alone or with its arguments",
                "found: a mapping with l1 and l2",
                "hint: these are arguments: write L1L2: {...} around them",
            )
        ],
    ),
    (
        "layer",
        {"Dense": {"unit": 64}},
        [("here.Dense.unit:", "unknown argument 'unit' of Dense; did you mean 'units'?")],
    ),
    ("layer", "Dense", [("here", "Dense needs 'units'")]),
    ("layer", {"Dense": {}}, [("here.Dense:", "Dense needs 'units'")]),
    (
        "layer",
        {"Conv2D": 32},
        [("here.Conv2D:", "Conv2D needs 'kernel_size'")],
    ),
    ("layer", "Conv2D", [("here", "Conv2D needs 'filters' and 'kernel_size'")]),
    (
        "layer",
        {"Dropout": {"rate": 0.5, "sed": 1}},
        [
            (
                "here.Dropout.sed:",
                "unknown argument 'sed' of Dropout; did you mean 'seed'?",
                "expected: rate, noise_shape or seed",
            )
        ],
    ),
    (
        "layer",
        {"Dense": {"units": "64"}},
        [
            (
                "here.Dense.units",
                "wrong value for 'units' of Dense",
                "expected: an integer at least 1",
                "found: '64'",
            )
        ],
    ),
    (
        "layer",
        {"Dense": -3},
        [
            (
                "here.Dense",
                "wrong value for 'units' of Dense",
                "expected: an integer at least 1",
                "found: -3",
            )
        ],
    ),
    (
        "layer",
        {"Dropout": 1.5},
        [
            (
                "here.Dropout",
                "wrong value for 'rate' of Dropout",
                "expected: a number between 0 and 1",
                "found: 1.5",
            )
        ],
    ),
    (
        "layer",
        {"Dense": {"units": True, "use_bias": "yes"}},
        [
            (
                "here.Dense.units",
                "wrong value for 'units' of Dense",
                "expected: an integer at least 1",
                "found: true",
            ),
            (
                "here.Dense.use_bias",
                "wrong value for 'use_bias' of Dense",
                "expected: true or false",
                "found: 'yes'",
            ),
        ],
    ),
    (
        "layer",
        {"Conv1D": {"filters": 3, "kernel_size": 7, "padding": "smae"}},
        [
            (
                "here.Conv1D.padding",
                "unknown padding 'smae' of Conv1D; did you mean 'same'?",
                "expected: causal, same or valid",
                "found: 'smae'",
            )
        ],
    ),
    (
        "layer",
        {"Dense": {"units": 3, "activation": "rleu"}},
        [("here.Dense.activation", "unknown activation 'rleu'; did you mean 'relu'?")],
    ),
    (
        "layer",
        {"Dense": {"units": 3, "activation": {"leaky_relu": 0.1}}},
        [
            (
                "here.Dense.activation",
                "activation 'leaky_relu' takes no arguments",
                "hint: layers that do: ELU, LeakyReLU, ReLU, Softmax",
            )
        ],
    ),
    (
        "layer",
        {"Dense": {"units": 3, "kernel_regularizer": 0.001}},
        [
            (
                "here.Dense.kernel_regularizer",
                "wrong value for 'kernel_regularizer' of Dense",
                "expected: a regularizer",
                "found: 0.001",
                "hint: write kernel_regularizer: {L2: 0.001}",
            )
        ],
    ),
    (
        "layer",
        {"Dense": {"units": 3, "kernel_regularizer": {"L2": "weak"}}},
        [
            (
                "here.Dense.kernel_regularizer.L2",
                "wrong value for 'l2' of L2",
                "expected: a number",
                "found: 'weak'",
            )
        ],
    ),
    (
        "layer",
        {"Bidirectional": {"LTSM": 32}},
        [
            (
                "here.Bidirectional.LTSM:",
                "unknown argument 'LTSM' of Bidirectional; did you mean 'LSTM'?",
                "expected: layer, merge_mode, weights or backward_layer",
            )
        ],
    ),
    (
        "layer",
        {"Bidirectional": {"LSTM": 32, "merge_mode": "sum"}},
        [
            (
                "here.Bidirectional.LSTM:",
                "unknown argument 'LSTM' of Bidirectional",
                "expected: layer, merge_mode, weights or backward_layer",
                "hint: beside other arguments, write it as layer: {LSTM: ...}",
            )
        ],
    ),
    (
        "layer",
        {"StackedRNNCells": [{"LSTMCell": 8}, "GRUCell"]},
        [("here.StackedRNNCells.1", "GRUCell needs 'units'")],
    ),
    (
        "layer",
        {"Dense": None, "units": 64},
        [
            (
                "here.units:",
                "indent 'units' under 'Dense'",
                "hint: write Dense: {units: 64}",
            )
        ],
    ),
    (
        "loss",
        3,
        [
            (
                "here",
                "this is not a loss",
                "expected: the name of a loss, alone or with its arguments",
                "found: 3",
            )
        ],
    ),
    (
        "layer",
        {"Add": 3},
        [("here.Add", "'Add' takes no value", "found: 3", "hint: write Add alone")],
    ),
    (
        "layer",
        {"Dense": {"units": 3, "input_shape": [784]}},
        [
            (
                "here.Dense.input_shape:",
                "unknown argument 'input_shape' of Dense",
                "hint: leave it out: the input's shape is inferred from the data",
            )
        ],
    ),
    (
        "layer",
        "Input",
        [("here", "'Input' is not needed: the input's shape is inferred from the data")],
    ),
    (
        "optimizer",
        {"rmsprop": {"lr": 0.001}},
        [("here.rmsprop.lr:", "unknown argument 'lr' of rmsprop; did you mean 'learning_rate'?")],
    ),
    (
        "optimizer",
        {"adam": "0.001"},
        [
            (
                "here.adam",
                "wrong value for 'learning_rate' of adam",
                "expected: a number or a learning-rate schedule",
                "found: '0.001'",
            )
        ],
    ),
    (
        "optimizer",
        {"adam": {"learning_rate": {"ExponentialDecay": {"initial_learning_rate": 0.1}}}},
        [
            (
                "here.adam.learning_rate.ExponentialDecay:",
                "ExponentialDecay needs 'decay_steps' and 'decay_rate'",
            )
        ],
    ),
    (
        "metric",
        {"acc": {"threshold": 0.5}},
        [
            (
                "here.acc:",
                "'acc' takes no arguments: Keras chooses the kind of accuracy by itself",
                "hint: name the kind, such as binary_accuracy, to give it arguments",
            )
        ],
    ),
    (
        "layer",
        {"Lambda": "lambda x: x"},
        [("here.Lambda:", "'Lambda' takes Python code, which a config does not run")],
    ),
    (
        "callback",
        {"LambdaCallback": {"on_epoch_end": "print"}},
        [
            (
                "here.LambdaCallback:",
                "'LambdaCallback' takes Python code, which a config does not run; write it as a "
                "callback in a file under 'plugins'",
            )
        ],
    ),
    (
        "callback",
        {"EarlyStopping": {"patience": 2.5}},
        [
            (
                "here.EarlyStopping.patience",
                "wrong value for 'patience' of EarlyStopping",
                "expected: an integer",
                "found: 2.5",
            )
        ],
    ),
]


@pytest.mark.parametrize(("kind", "value", "told"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_told_exactly(
    kind: KerasKind, value: Any, told: list[tuple[str, ...]]
) -> None:
    assert mistakes(kind, value) == told


def test_all_mistakes_of_a_component_are_told_at_once() -> None:
    value = {"LSTM": {"units": 0, "droput": 0.1, "kernel_regularizer": {"L3": 1}, "unroll": 1}}
    assert [message for _, message, *_ in mistakes("layer", value)] == [
        "wrong value for 'units' of LSTM",
        "unknown argument 'droput' of LSTM; did you mean 'dropout'?",
        "unknown regularizer 'L3'",
        "wrong value for 'unroll' of LSTM",
    ]
