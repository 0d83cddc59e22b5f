"""The model that is built is the one that would be written by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dlrun.config.document import Reporter
from dlrun.config.keras_components import dump_component, read_component
from dlrun.config.load import load_config
from dlrun.config.model_schema import Architecture, LayerEntry
from dlrun.errors import ComponentError
from dlrun.models.augment import InputSpec
from dlrun.models.build import build_model
from dlrun.models.compiling import compile_model
from dlrun.registry.keras_component import KerasComponent, KerasKind

keras = pytest.importorskip("keras")
L = keras.layers


def component(kind: KerasKind, value: Any, path: tuple[str | int, ...] = ()) -> KerasComponent:
    report = Reporter()
    found = read_component(kind, value, path, report)
    assert found is not None, report.problems()
    return found


def entries(text: str) -> list[LayerEntry]:
    """Layer entries as the config's loader makes them."""
    read = []
    for index, given in enumerate(yaml.safe_load(text)):
        path = ("architecture", "layers", index)
        name = given.pop("name", None) if isinstance(given, dict) else None
        read.append(LayerEntry(layer=component("layer", given, path), name=name, path=path))
    return read


def model_of(layers: list[LayerEntry], shape: tuple[int | None, ...], dtype: str) -> Any:
    return build_model(Architecture(layers=layers), {}, {"x": InputSpec(shape, dtype)})


def dense() -> list[Any]:
    return [
        L.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L2(0.001)),
        L.Dropout(0.5),
        L.Dense(64, activation="relu", kernel_initializer="he_normal"),
        L.Dense(1, kernel_initializer=keras.initializers.RandomNormal(stddev=0.1)),
    ]


def convnet() -> list[Any]:
    return [
        L.Conv2D(8, 3, activation="relu"),
        L.MaxPooling2D(2),
        L.Conv2D(16, (3, 3), activation="relu"),
        L.BatchNormalization(),
        L.Flatten(),
        L.Dense(10, activation="softmax"),
    ]


def recurrent() -> list[Any]:
    return [
        L.Embedding(100, 8),
        L.LSTM(16, recurrent_initializer="random_normal", dropout=0.2, return_sequences=True),
        L.Bidirectional(L.GRU(4)),
        L.Dense(1, activation="sigmoid"),
    ]


BY_HAND: list[tuple[str, Callable[[], list[Any]], tuple[int | None, ...], str]] = [
    (
        """
        - Dense: {units: 64, activation: relu, kernel_regularizer: {L2: 0.001}}
        - Dropout: 0.5
        - Dense: {units: 64, activation: relu, kernel_initializer: he_normal}
        - Dense: {units: 1, kernel_initializer: {RandomNormal: {stddev: 0.1}}}
        """,
        dense,
        (13,),
        "float32",
    ),
    (
        """
        - Conv2D: {filters: 8, kernel_size: 3, activation: relu}
        - MaxPooling2D: 2
        - Conv2D: {filters: 16, kernel_size: [3, 3], activation: relu}
        - BatchNormalization
        - Flatten
        - Dense: {units: 10, activation: softmax}
        """,
        convnet,
        (28, 28, 1),
        "float32",
    ),
    (
        """
        - Embedding: {input_dim: 100, output_dim: 8}
        - LSTM: {units: 16, recurrent_initializer: random_normal, dropout: 0.2,
            return_sequences: true}
        - Bidirectional: {GRU: 4}
        - Dense: {units: 1, activation: sigmoid}
        """,
        recurrent,
        (None,),
        "int32",
    ),
]

IDS = ["dense", "convnet", "recurrent"]


@pytest.mark.parametrize(("text", "by_hand", "shape", "dtype"), BY_HAND, ids=IDS)
def test_the_model_is_the_one_written_by_hand(
    text: str, by_hand: Callable[[], list[Any]], shape: tuple[int | None, ...], dtype: str
) -> None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(7)
    wanted = keras.Sequential([keras.Input(shape, dtype=dtype), *by_hand()])
    keras.utils.set_random_seed(7)
    built = model_of(entries(text), shape, dtype)

    assert isinstance(built, keras.Sequential)
    assert built.input_shape == wanted.input_shape
    assert built.inputs[0].dtype == dtype
    assert [type(layer) for layer in built.layers] == [type(layer) for layer in wanted.layers]
    assert [layer.name for layer in built.layers] == [layer.name for layer in wanted.layers]
    assert [layer.output.shape for layer in built.layers] == [
        layer.output.shape for layer in wanted.layers
    ]
    assert built.count_params() == wanted.count_params()
    for ours, theirs in zip(built.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("text", "by_hand", "shape", "dtype"), BY_HAND, ids=IDS)
def test_a_resolved_config_gives_the_same_weights(
    text: str, by_hand: Callable[[], list[Any]], shape: tuple[int | None, ...], dtype: str
) -> None:
    first = entries(text)
    resolved = yaml.safe_dump([dump_component(entry.layer) for entry in first])
    weights = []
    for layers in (first, entries(resolved)):
        keras.utils.set_random_seed(3)
        weights.append(model_of(layers, shape, dtype).get_weights())
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_training_is_that_of_a_model_written_by_hand() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)).astype("float32"), rng.normal(size=(40, 1)).astype("float32")
    losses = []
    for ours in (True, False):
        keras.utils.set_random_seed(1)
        if ours:
            model = model_of(
                entries("[Dense: {units: 8, activation: relu}, Dropout: 0.3, Dense: 1]"),
                (5,),
                "float32",
            )
            compile_model(
                model,
                component("loss", "mse"),
                component("optimizer", {"rmsprop": 0.01}),
                [component("metric", "mae")],
            )
        else:
            model = keras.Sequential(
                [keras.Input((5,)), L.Dense(8, activation="relu"), L.Dropout(0.3), L.Dense(1)]
            )
            model.compile("rmsprop", "mse", metrics=["mae"])
            model.optimizer.learning_rate = 0.01
        losses.append(model.fit(x, y, epochs=3, batch_size=8, verbose=0).history)
    assert losses[0] == losses[1]


def test_names_are_the_same_in_every_fold_and_given_names_hold() -> None:
    text = "[{Dense: 4, name: dense_1}, Dense: 4, Dense: {units: 3, name: third}, Dense: 2]"
    for _ in range(2):
        model = model_of(entries(text), (3,), "float32")
        assert [layer.name for layer in model.layers] == ["dense_1", "dense", "third", "dense_2"]
        assert model.name == "sequential"


@pytest.mark.parametrize(
    ("text", "shape", "position", "message"),
    [
        (
            "[Flatten, Conv2D: {filters: 8, kernel_size: 3}, Dense: 3]",
            (28, 28, 1),
            1,
            "layer 2 (Conv2D) cannot take the shape (784) that layer 1 (Flatten) gives: "
            "it wants at least 3 axes a row",
        ),
        (
            "[LSTM: 8, LSTM: 4]",
            (None, 5),
            1,
            "layer 2 (LSTM) cannot take the shape (8) that layer 1 (LSTM) gives: "
            "it wants 2 axes a row; layer 1 may need return_sequences: true",
        ),
        (
            "[LSTM: 4]",
            (13,),
            0,
            "layer 1 (LSTM) cannot take the shape (13) that the data gives: it wants 2 axes a row",
        ),
        (
            "[Reshape: [5, 5]]",
            (24,),
            0,
            "layer 1 (Reshape) cannot take the shape (24) that the data gives: The total size of "
            "the tensor must be unchanged. Received: input_shape=(24,), target_shape=(5, 5)",
        ),
    ],
)
def test_a_shape_that_does_not_fit_names_the_layer(
    text: str, shape: tuple[int | None, ...], position: int, message: str
) -> None:
    with pytest.raises(ComponentError) as caught:
        model_of(entries(text), shape, "float32")
    assert str(caught.value) == message
    assert caught.value.path == ("architecture", "layers", position)


def test_a_convolution_larger_than_its_input_is_refused() -> None:
    with pytest.raises(ComponentError, match=r"layer 1 \(Conv2D\) cannot take the shape \(4, 4, 1"):
        model_of(entries("[Conv2D: {filters: 2, kernel_size: 9}]"), (4, 4, 1), "float32")


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ComponentError, match="two layers are named 'head'") as caught:
        model_of(entries("[{Dense: 4, name: head}, {Dense: 4, name: head}]"), (3,), "float32")
    assert caught.value.path == ("architecture", "layers", 1, "name")


def test_a_block_below_a_rescaling_gets_its_fractions(tmp_path: Path) -> None:
    """Keras casts what a nested model is called with to the type of its input."""
    file = tmp_path / "experiment.yaml"
    file.write_text(
        "dataset: {source: sklearn, name: digits}\n"
        "blocks: {tower: {layers: [GlobalAveragePooling2D]}}\n"
        "architecture: {layers: [{Rescaling: 0.001}, tower]}\n"
        "loss: mse\n"
        "optimizer: sgd\n",
        encoding="utf-8",
    )
    config = load_config(file)
    inputs = {"x": InputSpec((4, 4, 3), "uint8")}
    model = build_model(config.architecture, config.blocks, inputs)
    pixels = np.full((1, 4, 4, 3), 200, np.uint8)
    np.testing.assert_allclose(model.predict(pixels, verbose=0), [[0.2, 0.2, 0.2]], rtol=1e-5)
