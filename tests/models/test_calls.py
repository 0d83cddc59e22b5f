"""States, causal masks, places and named arguments give the model that is written by hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import model_of

from dlrun.config.plugins import PluginFile
from dlrun.errors import ComponentError
from dlrun.models.plugins import run_plugins
from dlrun.registry import additions

keras = pytest.importorskip("keras")
L, ops = keras.layers, keras.ops

Specs = dict[str, tuple[tuple[int | None, ...], str]]
PAIR: Specs = {"x": ((5, 3), "float32"), "y": ((7, 3), "float32")}
WORDS: Specs = {"x": ((6,), "int32")}


def lstm_states() -> Any:
    x, y = keras.Input((5, 3)), keras.Input((7, 3))
    code, h, c = L.LSTM(4, return_state=True)(x)
    decoded = L.LSTM(4, return_sequences=True)(y, initial_state=[h, c])
    both = L.Concatenate()([L.GlobalMaxPooling1D()(decoded), code])
    return keras.Model([x, y], L.Dense(2)(both))


def gru_state() -> Any:
    x, y = keras.Input((5, 3)), keras.Input((7, 3))
    _, h = L.GRU(4, return_sequences=True, return_state=True)(x)
    return keras.Model([x, y], L.GRU(4)(y, initial_state=h))


def bidirectional_states() -> Any:
    x, y = keras.Input((5, 3)), keras.Input((7, 3))
    code, *states = L.Bidirectional(L.LSTM(4, return_state=True))(x)
    decoded = L.Bidirectional(L.LSTM(4))(y, initial_state=states)
    return keras.Model([x, y], L.Concatenate()([decoded, code, states[1], states[2]]))


def cell_states() -> Any:
    x, y = keras.Input((5, 3)), keras.Input((7, 3))
    _, h, c = L.RNN(L.LSTMCell(4), return_state=True)(x)
    return keras.Model([x, y], L.LSTM(4)(y, initial_state=[h, c]))


def both_ways() -> Any:
    x, y = keras.Input((5, 3)), keras.Input((7, 3))
    forward, backward = L.Bidirectional(L.GRU(4), merge_mode=None)(x)
    return keras.Model([x, y], L.Concatenate()([forward, backward, L.GRU(2)(y)]))


def transformer() -> Any:
    x = keras.Input((6,), dtype="int32")
    places = ops.broadcast_to(ops.arange(6), (1, 6))
    tokens, table = L.Embedding(50, 8)(x), L.Embedding(6, 8)
    coded = L.Add()([tokens, table(ops.zeros_like(x) + places)])
    seen = L.MultiHeadAttention(2, 4)(query=coded, value=coded, key=tokens, use_causal_mask=True)
    mixed = L.Attention()([seen, coded], use_causal_mask=True)
    return keras.Model(x, L.Dense(3)(mixed))


def scores() -> Any:
    x, y = keras.Input((5, 3)), keras.Input((7, 3))
    seen, weights = L.Attention()([x, y], return_attention_scores=True)
    both = [L.GlobalAveragePooling1D()(seen), L.GlobalMaxPooling1D()(weights)]
    return keras.Model([x, y], L.Concatenate()(both))


def tied() -> Any:
    x = keras.Input((6,), dtype="int32")
    table = L.ReversibleEmbedding(50, 8)
    return keras.Model(x, table(L.GRU(8, return_sequences=True)(table(x)), reverse=True))


BY_HAND: dict[str, tuple[str, Callable[[], Any], Specs]] = {
    "states of an LSTM": (
        """
        - {LSTM: {units: 4, return_state: true}, from: x, name: encoder}
        - {LSTM: {units: 4, return_sequences: true}, from: [y, encoder.h, encoder.c]}
        - GlobalMaxPooling1D
        - {Concatenate: {}, from: [global_max_pooling1d, encoder]}
        - Dense: 2
        """,
        lstm_states,
        PAIR,
    ),
    "state of a GRU": (
        """
        - {GRU: {units: 4, return_sequences: true, return_state: true}, from: x, name: encoder}
        - {GRU: 4, from: {sequences: y, initial_state: encoder.1}}
        """,
        gru_state,
        PAIR,
    ),
    "states of both directions": (
        """
        - {Bidirectional: {LSTM: {units: 4, return_state: true}}, from: x, name: e}
        - Bidirectional: {LSTM: 4}
          from: [y, e.forward_h, e.forward_c, e.backward_h, e.backward_c]
          name: decoder
        - {Concatenate: {}, from: [decoder, e, e.forward_c, e.3]}
        """,
        bidirectional_states,
        PAIR,
    ),
    "states of a cell": (
        """
        - {RNN: {cell: {LSTMCell: 4}, return_state: true}, from: x, name: encoder}
        - {LSTM: 4, from: {sequences: y, initial_state: [encoder.h, encoder.c]}}
        """,
        cell_states,
        PAIR,
    ),
    "directions apart": (
        """
        - {Bidirectional: {layer: {GRU: 4}, merge_mode: null}, from: x, name: both}
        - {GRU: 2, from: y, name: other}
        - {Concatenate: {}, from: [both, both.backward, other]}
        """,
        both_ways,
        PAIR,
    ),
    "a transformer": (
        """
        - {Embedding: {input_dim: 50, output_dim: 8}, from: x, name: tokens}
        - {Embedding: {input_dim: 6, output_dim: 8}, from: x.positions, name: places}
        - {Add: {}, from: [tokens, places], name: coded}
        - MultiHeadAttention: {num_heads: 2, key_dim: 4}
          from: {query: coded, value: coded, key: tokens}
          call: {use_causal_mask: true}
          name: seen
        - {Attention: {}, from: [seen, coded], call: {use_causal_mask: true}}
        - Dense: 3
        """,
        transformer,
        WORDS,
    ),
    "scores of attention": (
        """
        - {Attention: {}, from: [x, y], call: {return_attention_scores: true}, name: seen}
        - {GlobalAveragePooling1D: {}, name: mean}
        - {GlobalMaxPooling1D: {}, from: seen.scores, name: most}
        - {Concatenate: {}, from: [mean, most]}
        """,
        scores,
        PAIR,
    ),
    "a table used both ways": (
        """
        - {ReversibleEmbedding: {input_dim: 50, output_dim: 8}, from: x, name: table}
        - GRU: {units: 8, return_sequences: true}
        - {use: table, call: {reverse: true}}
        """,
        tied,
        WORDS,
    ),
}

PLUGIN = """
import keras

class Scaled(keras.layers.Layer):
    def build(self, a_shape, b_shape=None):
        self.w = self.add_weight(shape=(a_shape[-1],), initializer="ones", name="w")
    def call(self, a, b, shift=0.0):
        return a * self.w + 2 * b + shift
    def compute_output_shape(self, a_shape, b_shape=None):
        return a_shape

class Halves(keras.layers.Layer):
    def call(self, inputs):
        return inputs[:, :2], inputs[:, 2:]

class ByName(keras.layers.Layer):
    def call(self, inputs):
        return {"low": inputs - 1, "high": inputs + 1}

class Listed(keras.layers.Layer):
    def call(self, inputs):
        return inputs[0] - inputs[1]
    def compute_output_shape(self, shapes):
        return shapes[0]
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[None]:
    file = tmp_path / "pieces.py"
    additions.use(run_plugins([PluginFile(file, PLUGIN.encode())]))
    yield
    additions.use(None)


def layers(text: str) -> str:
    return (
        f"architecture: {{layers: {text}}}"
        if text[0] == "["
        else f"architecture:\n  layers:\n{text}"
    )


def rows_for(specs: Specs) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        name: rng.integers(0, 50, (4, *shape)).astype(dtype)
        if dtype == "int32"
        else rng.normal(size=(4, *shape)).astype(dtype)
        for name, (shape, dtype) in specs.items()
    }


BY_DEFAULT = ("states of an LSTM", "a transformer")


@pytest.mark.parametrize(
    "case",
    [
        case if case in BY_DEFAULT else pytest.param(case, marks=pytest.mark.slow)
        for case in BY_HAND
    ],
)
def test_a_graph_is_the_model_written_by_hand(case: str, tmp_path: Path) -> None:
    text, by_hand, specs = BY_HAND[case]
    keras.utils.set_random_seed(7)
    wanted = by_hand()
    keras.utils.set_random_seed(7)
    built = model_of(layers(text), **specs)
    rows = rows_for(specs)
    given = rows if len(rows) > 1 else rows["x"]
    theirs = wanted(list(rows.values()) if len(rows) > 1 else rows["x"])
    assert built.count_params() == wanted.count_params()
    # The same weights: each layer drew its own when it was made, in the same order.
    np.testing.assert_allclose(np.asarray(built(given)), np.asarray(theirs), rtol=1e-6, atol=1e-6)

    built.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(np.asarray(loaded(given)), np.asarray(theirs), rtol=1e-6, atol=1e-6)


def test_a_causal_model_does_not_look_ahead() -> None:
    text, _, specs = BY_HAND["a transformer"]
    model, rows = model_of(layers(text), **specs), rows_for(specs)["x"]
    changed = rows.copy()
    changed[:, 4:] = (changed[:, 4:] + 1) % 50
    one, other = np.asarray(model(rows)), np.asarray(model(changed))
    np.testing.assert_allclose(one[:, :4], other[:, :4], rtol=1e-5, atol=1e-6)
    assert not np.allclose(one[:, 4:], other[:, 4:])


@pytest.mark.slow
def test_a_model_with_places_loads_where_dlrun_is_not(tmp_path: Path) -> None:
    text, _, specs = BY_HAND["a transformer"]
    model_of(layers(text), **specs).save(tmp_path / "model.keras")
    code = (
        "import sys, keras; keras.saving.load_model('model.keras'); "
        "sys.exit(any(name.startswith('dlrun') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True)


def test_places_are_counted_along_any_sequence() -> None:
    text = "[{Dense: 2, from: x, name: a}, {Embedding: {input_dim: 9, output_dim: 1}, "
    text += "from: a.positions, name: b}]"
    model = model_of(f"architecture: {{layers: {text}, outputs: [a, b]}}", x=((None, 3), "float32"))
    model.get_layer("b").set_weights([np.arange(9.0).reshape(9, 1)])
    found = np.asarray(model(np.zeros((2, 4, 3), "float32"))["b"])
    np.testing.assert_array_equal(found[..., 0], [[0, 1, 2, 3]] * 2)


def test_states_leave_a_block_by_name() -> None:
    text = """
        blocks:
          encoder:
            layers: [{LSTM: {units: 4, return_state: true}, name: code}]
            outputs: [code.h, code.c]
          decoder:
            inputs: [sequence, h, c]
            layers: [{LSTM: 4, from: [sequence, h, c]}]
        architecture:
          layers:
            - {encoder: {}, from: x, name: e}
            - {decoder: {}, from: {h: e.code.h, c: e.code.c, sequence: y}}
    """
    keras.utils.set_random_seed(3)
    model, rows = model_of(text, **PAIR), rows_for(PAIR)
    keras.utils.set_random_seed(3)
    _, h, c = L.LSTM(4, return_state=True)(rows["x"])
    wanted = L.LSTM(4)(rows["y"], initial_state=[h, c])
    np.testing.assert_allclose(np.asarray(model(rows)), np.asarray(wanted), rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("given", ["[x, y]", "{a: x, b: y}", "{b: y, a: x}"])
def test_a_layer_of_a_plugin_is_called_with_its_arguments(given: str) -> None:
    specs: Specs = dict.fromkeys("xy", ((4,), "float32"))
    model = model_of(layers(f"[{{Scaled: {{}}, from: {given}, call: {{shift: 3}}}}]"), **specs)
    rows = rows_for(specs)
    np.testing.assert_allclose(np.asarray(model(rows)), rows["x"] + 2 * rows["y"] + 3, rtol=1e-6)


@pytest.mark.usefixtures("plugin")
def test_outputs_of_a_plugin_go_by_number_or_key() -> None:
    text = """
        - {Halves: {}, name: halves}
        - {ByName: {}, from: halves.1, name: levels}
        - {Listed: {}, from: [levels.high, levels.low], name: two}
        - {Add: {}, from: [two, halves]}
    """
    model, rows = model_of(layers(text), x=((4,), "float32")), np.ones((3, 4), "float32")
    np.testing.assert_allclose(np.asarray(model(rows)), np.full((3, 2), 3.0))
    chain = model_of("architecture: {layers: [Halves, {Dense: 1}]}", x=((4,), "float32"))
    assert chain.get_layer("dense").kernel.shape == (2, 1)


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[{ByName: {}, name: levels}, {Dense: 1, from: levels.hihg}]",
            "'levels' gives no 'hihg'; did you mean 'levels.high'",
        ),
        ("[{ByName: {}, name: levels}, {Dense: 1}]", "expected levels.low or levels.high"),
        ("[{Halves: {}, name: halves}, {Dense: 1, from: halves.7}]", "gives no '7'"),
        ("[{Embedding: {input_dim: 2, output_dim: 1}, from: x.positions}]", "4 steps"),
    ],
)
def test_what_a_built_layer_does_not_give_is_refused(text: str, message: str) -> None:
    with pytest.raises(ComponentError, match=message):
        model_of(layers(text), x=((4,), "float32"))


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        ("{LSTM: 3, from: [y, code.h, code.c]}", "'code.h' has 4 values, and LSTM has 3 units"),
        ("{GRU: 5, from: [y, code.c]}", "'code.c' has 4 values, and GRU has 5 units"),
        (
            "{Bidirectional: {LSTM: 2}, from: [y, code.h, code.c, code.h, code.c]}",
            "'code.h' has 4 values, and Bidirectional has 2 units",
        ),
    ],
)
def test_states_of_another_size_are_refused(decoder: str, message: str) -> None:
    encoder = "{LSTM: {units: 4, return_state: true}, from: x, name: code}"
    with pytest.raises(ComponentError, match=message) as refusal:
        model_of(layers(f"[{encoder}, {decoder}]"), **PAIR)
    assert refusal.value.path == ("architecture", "layers", 1, "from")
