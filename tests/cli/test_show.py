"""`dlrun show`: against what Keras itself says of the same models built by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from conftest import Call, Experiments
from PIL import Image

from dlrun.models.summary import summary_of
from dlrun.workflows.show import graph_of

TABLE = "a,b,c,y\n" + "".join(f"{i},{i % 3},{i % 5},{i % 2}\n" for i in range(40))

GRAPH = """
dataset: {source: csv, path: rows.csv, target: y}
preprocess: [standardize]
architecture:
  inputs: {numbers: [a, b], other: c}
  layers:
    - {Dense: 8, name: code, from: numbers}
    - {Dense: 8, name: other_code, from: other}
    - {Add: , name: both, from: [code, other_code]}
    - {Dense: {units: 8, activation: relu}, name: again}
    - {use: again, name: twice}
    - {Dense: {units: 1, activation: sigmoid}, name: answer}
loss: binary_crossentropy
optimizer: adam
training: {batch_size: 16}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text(TABLE)
    (tmp_path / "graph.yaml").write_text(GRAPH)
    return tmp_path / "graph.yaml"


def by_hand() -> Any:
    numbers, other = keras.Input((2,), name="numbers"), keras.Input((1,), name="other")
    again = keras.layers.Dense(8, activation="relu", name="again")
    both = keras.layers.Add(name="both")(
        [
            keras.layers.Dense(8, name="code")(numbers),
            keras.layers.Dense(8, name="other_code")(other),
        ]
    )
    answer = keras.layers.Dense(1, activation="sigmoid", name="answer")(again(again(both)))
    return keras.Model([numbers, other], answer)


def test_a_graph_is_shown_as_keras_builds_it(call: Call, config: Path) -> None:
    facts = call("show", config, "--json").json
    model = by_hand()
    expected = {layer.name: layer for layer in model.layers}
    shown = {layer["name"]: layer for layer in facts["layers"]}
    assert shown.keys() == expected.keys()
    for name, layer in expected.items():
        assert shown[name]["kind"] == type(layer).__name__
        assert shown[name]["parameters"] == layer.count_params()
        [output] = shown[name]["outputs"]
        assert tuple(output) == tuple(layer.output.shape[1:]) if name != "again" else (8,)
    assert shown["both"]["calls"] == [["code", "other_code"]]
    assert shown["again"]["calls"] == [["both"], ["again"]]
    assert shown["numbers"]["calls"] == []
    assert facts["parameters"] == facts["trainable"] == model.count_params()
    assert facts["outputs"] == ["answer"]
    assert not (config.parent / "runs").exists()


def test_memory_is_counted_by_hand(call: Call, config: Path) -> None:
    facts = call("show", config, "--json").json
    weights = by_hand().count_params()
    memory = facts["memory"]
    assert memory["weights"] == 4 * weights
    # Adam keeps two numbers a weight; the learning rate and the step stand beside them.
    assert 0 <= memory["optimizer"] - 8 * weights <= 16
    # Two inputs, two codes, their sum, twice the shared layer, the answer.
    assert memory["activations"] == 16 * 4 * (2 + 1 + 8 + 8 + 8 + 2 * 8 + 1)


def test_the_table_says_where_inputs_come_from(call: Call, config: Path) -> None:
    answer = call("show", config)
    assert answer.status == 0, answer.err
    lines = {line.split()[0]: line.split() for line in answer.out.splitlines() if line.split()}
    assert lines["both"][:4] == ["both", "Add", "code,", "other_code"]
    assert lines["again"][2:4] == ["both;", "again"]
    assert lines["code"][-2:] == ["24", "yes"]
    assert "for a batch of 16" in lines["memory:"][0] + answer.out


def test_a_picture_is_drawn_once(call: Call, config: Path, tmp_path: Path) -> None:
    answer = call("show", config, "--plot", tmp_path / "graph.png")
    assert answer.status == 0, answer.err
    with Image.open(tmp_path / "graph.png") as picture:
        assert picture.height > 500
    answer = call("show", config, "--plot", tmp_path / "graph.png")
    assert answer.status == 1
    assert "graph.png exists" in answer.err
    answer = call("show", config, "--plot", tmp_path / "graph.pdf")
    assert answer.status == 2
    assert answer.err == ("error: the picture is written as .png or .svg, found 'graph.pdf'\n")


def test_a_run_shows_the_model_that_it_keeps(experiments: Experiments) -> None:
    facts = experiments("show", experiments.names["narrow"], "--json").json
    model = keras.saving.load_model(experiments.path("narrow") / "model.keras")
    assert facts["parameters"] == model.count_params()
    assert [layer["name"] for layer in facts["layers"]][1:] == [x.name for x in model.layers]


def test_a_run_of_folds_shows_the_first_ones(experiments: Experiments) -> None:
    answer = experiments("show", experiments.names["folds"])
    assert answer.status == 0, answer.err
    assert answer.out.endswith("the model of the first of 3 folds; the others are built alike\n")


def test_layers_within_models_are_shown_where_asked_for() -> None:
    base = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()], name="base"
    )
    base.trainable = False
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    joined = keras.layers.Concatenate(name="joined")([base(left), base(right)])
    model = keras.Model([left, right], keras.layers.Dense(1, name="answer")(joined))
    summary = summary_of(model, batch_size=1)
    shown = {layer.name: layer for layer in summary.layers}
    assert (shown["base"].parameters, shown["base"].trainable) == (15 + 12, 0)
    assert [layer.kind for layer in shown["base"].layers] == [
        "InputLayer", "Dense", "BatchNormalization",
    ]  # fmt: skip
    assert summary.trainable == 7
    # The base is used twice, each time with an input, 3 and 3 numbers.
    assert summary.memory.activations == 4 * (4 + 4 + 2 * (4 + 3 + 3) + 6 + 1)
    graph = graph_of(summary)
    boxes = {box.name: box for box in graph.boxes}
    assert boxes["base"].kind == "model"
    assert boxes["base"].lines == (
        "base", "Sequential, used 2 times", "(4) → (3)", "3 layers, 27 parameters, frozen",
    )  # fmt: skip
    assert boxes["joined"].lines[2] == "2 × (3) → (6)"
    assert set(graph.edges) == {
        ("left", "base"), ("right", "base"), ("base", "joined"), ("joined", "answer"),
    }  # fmt: skip


def test_lengths_that_vary_count_once() -> None:
    model = keras.Sequential(
        [keras.Input((None,)), keras.layers.Embedding(10, 4), keras.layers.LSTM(2)]
    )
    memory = summary_of(model, batch_size=3).memory
    assert memory.at_least
    assert memory.activations == 3 * 4 * (1 + 4 + 2)
    assert memory.weights == 4 * sum(np.prod(weight.shape) for weight in model.weights)
