"""The trained model of another run is a layer with what it has learnt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import model_of

from dlrun.errors import ComponentError

keras = pytest.importorskip("keras")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "20260101-000000-base-0000"
    folder.mkdir()
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, activation="relu", name="code"),
            keras.layers.Dense(2, name="answer"),
        ],
        name="sequential",
    )
    model.compile("sgd", "mse")
    model.save(folder / "model.keras")
    return folder


def architecture(run: str) -> str:
    return f"architecture: {{layers: [{{run: {run}, name: base}}, {{Dense: 1}}]}}"


def test_a_run_is_used_whole_or_up_to_a_layer(run: Path, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    kept = keras.saving.load_model(run / "model.keras")
    whole = model_of(architecture(str(run)), x=((4,), "float32"))
    until = model_of(architecture(f"{{path: {run}, until: code}}"), x=((4,), "float32"))
    code, bias = kept.layers[0].get_weights()
    np.testing.assert_allclose(np.asarray(whole.layers[0](rows)), np.asarray(kept(rows)))
    np.testing.assert_allclose(
        np.asarray(until.layers[0](rows)), np.maximum(rows @ code + bias, 0), rtol=1e-5, atol=1e-6
    )
    assert [layer.name for layer in until.layers] == ["base", "dense"]
    until.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(np.asarray(again(rows)), np.asarray(until(rows)), rtol=1e-6)


@pytest.mark.parametrize(("until", "units"), [("base", 3), ("base.wide", 5)])
def test_a_run_is_used_up_to_a_model_in_it_or_a_layer_of_that(
    run: Path, until: str, units: int
) -> None:
    # As in a run of a block or an application: the inputs of both models have the same name.
    entrance = keras.Input((4,), name="input_layer")
    wide = keras.layers.Dense(5, activation="tanh", name="wide")(entrance)
    base = keras.Model(entrance, keras.layers.Dense(3, name="narrow")(wide), name="base")
    scaled = keras.layers.Rescaling(2.0)
    model = keras.Sequential(
        [keras.Input((4,), name="input_layer"), scaled, base, keras.layers.Dense(2, name="answer")]
    )
    model.save(run / "model.keras")
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    text = f"architecture: {{layers: [{{run: {{path: {run}, until: {until}}}, name: old}}]}}"
    expected = np.tanh(2 * rows @ base.get_layer("wide").get_weights()[0])
    if until == "base":
        expected = expected @ base.get_layer("narrow").get_weights()[0]
    built = model_of(text, x=((4,), "float32"))
    assert built.output_shape == (None, units)
    np.testing.assert_allclose(np.asarray(built(rows)), expected, rtol=1e-5, atol=1e-6)


def test_a_run_with_layers_of_plugins_says_that_it_needs_them(run: Path) -> None:
    class Own(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    keras.Sequential([keras.Input((4,)), Own()]).save(run / "model.keras")
    facts = {"plugins": [{"file": "plugins/my_layers.py", "sha256": "0" * 64}]}
    (run / "run.json").write_text(json.dumps(facts))
    with pytest.raises(ComponentError, match=r"needs its plugins/my_layers.py; name them under"):
        model_of(architecture(str(run)), x=((4,), "float32"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{path: RUN, until: cod}", "the run's model has no layer 'cod'; did you mean 'code'?"),
        ("{path: RUN, until: conv}", "the run's model has no layer 'conv'; it has code and answer"),
        ("RUN-not-there", "there is no run directory RUN-not-there"),
    ],
)
def test_what_cannot_be_had_of_a_run(run: Path, given: str, message: str) -> None:
    with pytest.raises(ComponentError) as caught:
        model_of(architecture(given.replace("RUN", str(run))), x=((4,), "float32"))
    assert str(caught.value) == message.replace("RUN", str(run))
