"""Graphs are the models that would be written by hand with Keras' functional API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import model_of

from dlrun.errors import ComponentError
from dlrun.models.precision import mixed_precision

keras = pytest.importorskip("keras")
L = keras.layers

Specs = dict[str, tuple[tuple[int | None, ...], str]]
IMAGE: Specs = {"x": ((8, 8, 3), "float32")}


def question_answering() -> Any:
    text, question = keras.Input((None,), dtype="int32"), keras.Input((6,), dtype="int32")
    coded = L.Embedding(50, 8)(text)
    coded = L.LSTM(8)(coded)
    asked = L.Embedding(50, 4)(question)
    asked = L.LSTM(4)(asked)
    both = L.Concatenate()([coded, asked])
    return keras.Model([text, question], L.Dense(5, activation="softmax")(both))


def inception() -> Any:
    x = keras.Input((8, 8, 3))
    a = L.Conv2D(4, 1, activation="relu", strides=2)(x)
    b = L.Conv2D(4, 1, activation="relu")(x)
    b = L.Conv2D(4, 3, activation="relu", strides=2, padding="same")(b)
    c = L.AveragePooling2D(3, strides=2, padding="same")(x)
    c = L.Conv2D(4, 3, activation="relu", padding="same")(c)
    return keras.Model(x, L.Concatenate(axis=-1)([a, b, c]))


def siamese() -> Any:
    left, right = keras.Input((None, 3)), keras.Input((None, 3))
    lstm = L.LSTM(6)
    merged = L.Concatenate(axis=-1)([lstm(left), lstm(right)])
    return keras.Model([left, right], L.Dense(1, activation="sigmoid")(merged))


def attention() -> Any:
    x, y = keras.Input((5, 4)), keras.Input((7, 4))
    several = L.MultiHeadAttention(2, 3)(x, y, y)
    plain = L.Attention()([several, y])
    state = L.GlobalAveragePooling1D()(y)
    return keras.Model([x, y], L.GRU(4)(plain, initial_state=state))


BY_HAND: list[tuple[str, Callable[[], Any], Specs]] = [
    (
        """
        architecture:
          layers:
            - {Embedding: {input_dim: 50, output_dim: 8}, from: text}
            - {LSTM: 8, name: text_code}
            - {Embedding: {input_dim: 50, output_dim: 4}, from: question}
            - {LSTM: 4, name: question_code}
            - {Concatenate: {}, from: [text_code, question_code]}
            - Dense: {units: 5, activation: softmax}
        """,
        question_answering,
        {"text": ((None,), "int32"), "question": ((6,), "int32")},
    ),
    (
        """
        architecture:
          layers:
            - {Conv2D: {filters: 4, kernel_size: 1, activation: relu, strides: 2}, name: a}
            - {Conv2D: {filters: 4, kernel_size: 1, activation: relu}, from: input}
            - Conv2D: {filters: 4, kernel_size: 3, activation: relu, strides: 2, padding: same}
              name: b
            - {AveragePooling2D: {pool_size: 3, strides: 2, padding: same}, from: input}
            - {Conv2D: {filters: 4, kernel_size: 3, activation: relu, padding: same}, name: c}
            - {Concatenate: {axis: -1}, from: [a, b, c]}
        """,
        inception,
        IMAGE,
    ),
    (
        """
        architecture:
          inputs: {left: [p, q, r], right: [s, t, u]}
          layers:
            - {LSTM: 6, name: code, from: left}
            - {use: code, from: right, name: other}
            - {Concatenate: {axis: -1}, from: [code, other]}
            - Dense: {units: 1, activation: sigmoid}
        """,
        siamese,
        {"left": ((None, 3), "float32"), "right": ((None, 3), "float32")},
    ),
    (
        """
        architecture:
          layers:
            - {MultiHeadAttention: {num_heads: 2, key_dim: 3}, from: [x, y, y], name: several}
            - {Attention: {}, from: [several, y], name: attended}
            - {GlobalAveragePooling1D: {}, from: y, name: state}
            - {GRU: 4, from: [attended, state]}
        """,
        attention,
        {"x": ((5, 4), "float32"), "y": ((7, 4), "float32")},
    ),
]


def rows_for(specs: Specs) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = {}
    for name, (shape, dtype) in specs.items():
        size = (4, *(9 if n is None else n for n in shape))
        drawn = rng.integers(0, 50, size) if dtype == "int32" else rng.normal(size=size)
        rows[name] = drawn.astype(dtype)
    return rows


@pytest.mark.parametrize(
    ("text", "by_hand", "specs"), BY_HAND, ids=["two inputs", "inception", "siamese", "attention"]
)
def test_a_graph_is_the_model_written_by_hand(
    text: str, by_hand: Callable[[], Any], specs: Specs
) -> None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(7)
    wanted = by_hand()
    keras.utils.set_random_seed(7)
    built = model_of(text, **specs)

    assert sorted(type(layer).__name__ for layer in built.layers) == sorted(
        type(layer).__name__ for layer in wanted.layers
    )
    assert built.count_params() == wanted.count_params()
    rows = rows_for(specs)
    ours = built(rows if len(rows) > 1 else rows["x"])
    theirs = wanted(list(rows.values()) if len(rows) > 1 else rows["x"])
    # The same weights: each layer drew its own when it was made, in the same order.
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_a_layer_that_is_used_again_has_one_set_of_weights() -> None:
    model = model_of(BY_HAND[2][0], **BY_HAND[2][2])
    assert model.count_params() == 4 * 6 * (3 + 6 + 1) + 12 + 1
    rows = rows_for(BY_HAND[2][2])
    swapped = {"left": rows["right"], "right": rows["left"]}
    code = keras.Model(model.inputs, model.get_layer("concatenate").output)
    one, other = np.asarray(code(rows)), np.asarray(code(swapped))
    np.testing.assert_array_equal(one[:, :6], other[:, 6:])


def test_a_block_is_made_anew_each_time_and_used_with_other_parameters() -> None:
    model = model_of(
        """
        blocks:
          residual:
            parameters: {filters: 4, activation: relu}
            layers:
              - Conv2D: {filters: $filters, kernel_size: 3, padding: same, activation: $activation}
              - {Conv2D: {filters: 3, kernel_size: 1}, name: back}
              - {Add: {}, from: [back, input]}
        architecture:
          layers:
            - {residual: {}, repeat: 2, name: tower}
            - residual: 6
            - {use: tower}
            - Flatten
            - Dense: 1
        """,
        **IMAGE,
    )

    def size(filters: int) -> int:
        return filters * (27 + 1) + 3 * (filters + 1)

    names = [layer.name for layer in model.layers]
    assert names == ["input_layer", "tower_1", "tower", "residual", "flatten", "dense"]
    assert model.count_params() == 2 * size(4) + size(6) + 8 * 8 * 3 + 1
    first, second = model.get_layer("tower_1"), model.get_layer("tower")
    assert not np.array_equal(first.get_weights()[0], second.get_weights()[0])
    rows = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    by_hand = first(rows)
    for name in ("tower", "residual", "tower"):
        by_hand = model.get_layer(name)(by_hand)
    wanted = model.get_layer("dense")(model.get_layer("flatten")(by_hand))
    np.testing.assert_allclose(model(rows), wanted, rtol=1e-5, atol=1e-6)


SEVERAL = """
    blocks:
      two_ways:
        inputs: [one, other]
        layers:
          - {Add: {}, from: [one, other], name: total}
          - {Subtract: {}, from: [one, other], name: difference}
        outputs: [total, difference]
    architecture:
      layers:
        - {two_ways: {}, from: [x, y]}
        - {Dense: 2, from: two_ways.difference, name: age}
        - {use: age, from: two_ways.total, name: income}
      outputs: [age, income, two_ways.total]
"""


def test_several_inputs_and_outputs_go_by_name() -> None:
    model = model_of(SEVERAL, x=((3,), "float32"), y=((3,), "float32"))
    rng = np.random.default_rng(0)
    rows = {name: rng.normal(size=(4, 3)).astype("float32") for name in ("x", "y")}
    answer = {name: np.asarray(value) for name, value in model(rows).items()}
    kernel, bias = model.get_layer("age").get_weights()
    assert set(answer) == {"age", "income", "two_ways.total"}
    np.testing.assert_allclose(answer["two_ways.total"], rows["x"] + rows["y"], rtol=1e-6)
    np.testing.assert_allclose(answer["age"], (rows["x"] - rows["y"]) @ kernel + bias, rtol=1e-5)
    np.testing.assert_allclose(answer["income"], (rows["x"] + rows["y"]) @ kernel + bias, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        *((text, specs) for text, _, specs in BY_HAND),
        (SEVERAL, dict.fromkeys("xy", ((3,), "float32"))),
    ],
    ids=["two inputs", "inception", "siamese", "attention", "several outputs"],
)
def test_a_saved_graph_loads_in_plain_keras(text: str, specs: Specs, tmp_path: Path) -> None:
    model, rows = model_of(text, **specs), rows_for(specs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    given = rows if len(rows) > 1 else rows["x"]
    ours, theirs = model(given), loaded(given)
    for name in ours if isinstance(ours, dict) else [...]:
        np.testing.assert_allclose(
            np.asarray(ours[name]), np.asarray(theirs[name]), rtol=1e-6, atol=1e-6
        )


def test_the_outputs_of_a_mixed_graph_compute_float32() -> None:
    with mixed_precision(True):
        model = model_of(SEVERAL, x=((3,), "float32"), y=((3,), "float32"))
    assert model.get_layer("age").compute_dtype == "float32"
    with mixed_precision(True):
        model = model_of(BY_HAND[0][0], **BY_HAND[0][2])
    assert model.get_layer("text_code").compute_dtype in ("bfloat16", "float16")
    assert model.get_layer("dense").compute_dtype == "float32"


FLAT: Specs = {"x": ((3,), "float32"), "y": ((5,), "float32")}


@pytest.mark.parametrize(
    ("layers", "specs", "message", "path"),
    [
        (
            "[{Dense: 4, name: a, from: x}, {Dense: 5, name: b, from: y}, {Add: {}, from: [a, b]}]",
            FLAT,
            "layer 3 (Add) cannot take the shapes (4) from layer 1 (Dense) and (5) from layer 2 "
            "(Dense): Inputs have incompatible shapes. Received shapes (4,) and (5,)",
            2,
        ),
        (
            "[{Flatten: {}, from: x, name: flat}, {Conv2D: {filters: 2, kernel_size: 3}}, "
            "{Dense: 1, from: flat}]",
            IMAGE,
            "layer 2 (Conv2D) cannot take the shape (192) that layer 1 (Flatten) gives: it wants "
            "at least 3 axes a row",
            1,
        ),
        (
            "[{Dense: 4, from: x, name: a}, {use: a, from: y}, {Dense: 1, from: a}]",
            FLAT,
            "layer 2 (use: a) cannot take the shape (5) that the input 'y' gives: Input 0 with "
            "name 'None' of layer 'a' is incompatible with the layer: expected axis -1 of input "
            "shape to have value 3, but received input with shape (None, 5)",
            1,
        ),
    ],
)
def test_shapes_that_do_not_fit_name_the_layers(
    layers: str, specs: Specs, message: str, path: int
) -> None:
    with pytest.raises(ComponentError) as caught:
        model_of(f"architecture: {{layers: {layers}}}", **specs)
    assert str(caught.value) == message
    assert caught.value.path == ("architecture", "layers", path)


def test_outputs_of_a_block_that_do_not_fit_name_the_block_used_again() -> None:
    text = """
        blocks:
          two: {layers: [{Dense: 4, name: wide}, {Dense: 3, name: narrow}], outputs: [wide, narrow]}
        architecture:
          layers:
            - {two: {}, from: x, name: first}
            - {use: first, from: x, name: second}
            - {Add: {}, from: [second.wide, second.narrow]}
    """
    gives = r"the shapes \(4\) from layer 2 \(use: first\) and \(3\) from layer 2 \(use: first\)"
    with pytest.raises(ComponentError, match=gives):
        model_of(text, x=((3,), "float32"))


def test_a_shape_that_does_not_fit_inside_a_block_is_shown_there() -> None:
    text = """
        blocks:
          odd:
            layers:
              - {Conv2D: {filters: 2, kernel_size: 3}, name: c}
              - {Add: {}, from: [c, input]}
        architecture: {layers: [odd, {Dense: 1}]}
    """
    with pytest.raises(ComponentError, match=r"layer 2 of the block 'odd' \(Add\)") as caught:
        model_of(text, **IMAGE)
    assert caught.value.path == ("blocks", "odd", "layers", 1)
