"""Grad-CAM against Keras and a gradient tape, on models of every form."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from subjects import subject_of, write_pictures

import dlrun
from dlrun.errors import ComponentError
from dlrun.views.class_activation import ClassActivation
from dlrun.views.parts.sanity import rank_correlation, sanity_of

HEAD = """
dataset: {source: npz, path: pictures.npz, inputs: x, targets: y}
loss: {loss}
optimizer: adam
metrics: [accuracy]
architecture:
  layers:
"""

SEQUENTIAL = """
    - Conv2D: {filters: 4, kernel_size: 3, activation: relu, name: first}
    - MaxPooling2D
    - Conv2D: {filters: 6, kernel_size: 3, activation: relu, name: last}
    - Flatten
    - Dense: {units: 2, activation: softmax}
"""
SKIPPING = """
    - {Conv2D: {filters: 4, kernel_size: 3, padding: same}, name: first}
    - {Conv2D: {filters: 4, kernel_size: 3, padding: same, activation: relu}, name: last}
    - {Add: {}, from: [first, last]}
    - GlobalAveragePooling2D
    - Dense: {units: 1, activation: sigmoid}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pictures")
    write_pictures(made)
    return made


def by_hand(model: Any, layer: str, inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Grad-CAM as the book has it, of the sum of the weighed outputs of each row, row by row."""
    import keras
    import tensorflow as tf

    tap = keras.Model(model.inputs[0], [model.get_layer(layer).output, model.outputs[0]])
    maps = []
    for picture, weight in zip(inputs, weights, strict=True):
        with tf.GradientTape() as tape:
            channels, output = tap(picture[None])
            score = tf.reduce_sum(output * weight)
        slopes = tape.gradient(score, channels).numpy()[0]
        heat = (channels.numpy()[0] * slopes.mean(axis=(0, 1))).mean(axis=-1)
        heat = np.maximum(heat, 0)
        maps.append(heat / (heat.max() or 1))
    return np.array(maps)


@pytest.mark.parametrize("layer", [None, "first"])
@pytest.mark.parametrize(
    ("layers", "loss"),
    [
        (SEQUENTIAL, "sparse_categorical_crossentropy"),
        (SKIPPING, "binary_crossentropy"),
    ],
    ids=["sequential", "skipping"],
)
def test_maps_are_those_of_a_gradient_tape(
    folder: Path, layers: str, loss: str, layer: str | None
) -> None:
    subject = subject_of(folder, HEAD.replace("{loss}", loss) + layers)
    seen = ClassActivation(rows=4, layer=layer, sanity=False).look(subject)
    inputs = np.load(folder / "pictures.npz")["x"][seen.arrays["rows"]]
    outputs = subject.model.predict(inputs, verbose=0)
    if outputs.shape[1] == 1:
        weights = np.where(outputs > 0.5, 1.0, -1.0)
    else:
        weights = np.eye(2)[outputs.argmax(axis=1)]
    default = "last" if layers == SEQUENTIAL else "add"
    assert seen.facts["layer"] == (layer or default)
    expected = by_hand(subject.model, layer or default, inputs, weights)
    np.testing.assert_allclose(seen.arrays["maps"], expected, rtol=1e-3, atol=1e-5)
    assert seen.arrays["maps"].max() == 1


def test_the_logit_is_what_comes_before_the_softmax(folder: Path) -> None:
    import keras

    subject = subject_of(
        folder, HEAD.replace("{loss}", "sparse_categorical_crossentropy") + SEQUENTIAL
    )
    view = ClassActivation(rows=3, score="logit", **{"class": "right"}, sanity=False)
    seen = view.look(subject)
    inputs = np.load(folder / "pictures.npz")["x"][seen.arrays["rows"]]
    last = subject.model.layers[-1]
    assert last.activation.__name__ == "softmax"
    last.activation = keras.activations.linear
    weights = np.tile([0.0, 1.0], (3, 1))
    expected = by_hand(subject.model, "last", inputs, weights)
    np.testing.assert_allclose(seen.arrays["maps"], expected, rtol=1e-3, atol=1e-5)


def test_layers_of_nested_models_and_layers_that_are_used_twice(folder: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    base = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(4, 3, activation="relu", name="deep"),
            keras.layers.GlobalAveragePooling2D(),
        ],
        name="base",
    )
    whole = keras.Input((12, 12, 3))
    nested = keras.Model(whole, keras.layers.Dense(2, activation="softmax")(base(whole)))
    text = HEAD.replace("{loss}", "sparse_categorical_crossentropy") + SEQUENTIAL
    subject = subject_of(folder, text, nested)
    seen = ClassActivation(rows=3, sanity=False).look(subject)
    assert seen.facts["layer"] == "base.deep"
    flat = keras.Model(base.inputs[0], nested.layers[-1](base.outputs[0]))
    inputs = np.load(folder / "pictures.npz")["x"][seen.arrays["rows"]]
    weights = np.eye(2)[flat.predict(inputs, verbose=0).argmax(axis=1)]
    expected = by_hand(flat, "deep", inputs, weights)
    np.testing.assert_allclose(seen.arrays["maps"], expected, rtol=1e-3, atol=1e-5)
    # The same picture by two ways through the same layers.
    mirrored = base(keras.ops.flip(whole, axis=2))
    both = keras.layers.Concatenate()([base(whole), mirrored])
    twice = keras.Model(whole, keras.layers.Dense(2, activation="softmax")(both))
    seen = ClassActivation(rows=3, sanity=False).look(subject_of(folder, text, twice))
    assert seen.arrays["maps"].shape == (3, 2, 10, 10)


def test_a_map_does_not_depend_on_the_rows_beside_it(folder: Path) -> None:
    text = HEAD.replace("{loss}", "sparse_categorical_crossentropy") + SEQUENTIAL
    subject = subject_of(folder, text)
    several = ClassActivation(rows=[3, 9, 1], sanity=False).look(subject)
    alone = ClassActivation(rows=[9], sanity=False).look(subject)
    np.testing.assert_allclose(several.arrays["maps"][1], alone.arrays["maps"][0], atol=1e-5)


def test_maps_that_do_not_depend_on_the_weights_are_called_worthless(folder: Path) -> None:
    text = HEAD.replace("{loss}", "sparse_categorical_crossentropy") + SEQUENTIAL
    subject = subject_of(folder, text)
    before = subject.model.get_weights()
    seen = ClassActivation(rows=4).look(subject)
    stages = seen.facts["sanity"]["stages"]
    assert [one["layer"] for one in stages] == ["dense", "last", "first"]
    for now, weight in zip(subject.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, weight)
    assert len(seen.sheets[1].tiles) == 4
    # The pictures themselves as maps: they are the same whatever was learnt.
    pictures = np.load(folder / "pictures.npz")["x"][seen.arrays["rows"]].mean(axis=-1)
    sanity = sanity_of(subject, pictures, lambda: pictures)
    assert sanity.similarity == (1.0, 1.0, 1.0)
    assert not sanity.passed
    assert "worthless" in sanity.line


def test_rank_correlation_is_spearmans() -> None:
    from scipy.stats import spearmanr

    one, other = np.random.default_rng(0).normal(size=(2, 40))
    assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert rank_correlation(one, np.zeros(40)) == 0


def test_what_has_no_map_is_refused_at_its_option(folder: Path) -> None:
    text = HEAD.replace("{loss}", "sparse_categorical_crossentropy")
    subject = subject_of(folder, text + SEQUENTIAL).at(("look", 0, "class_activation"))
    for option, message in (
        ({"layer": "flatten"}, "'flatten' gives no channels of pictures"),
        ({"layer": "lost"}, "no layer 'lost'"),
        ({"class": "middle"}, "no class 'middle'; the classes are left, right"),
    ):
        with pytest.raises(ComponentError, match=message) as found:
            ClassActivation(**option).look(subject)
        assert found.value.path == ("look", 0, "class_activation", *option)
    flat = subject_of(
        folder, f"{text}    - Flatten\n    - Dense: {{units: 2, activation: softmax}}\n"
    )
    with pytest.raises(ComponentError, match="no convolution of pictures"):
        ClassActivation().look(flat)


IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
import numpy as np
from subjects import subject_of
from dlrun.training.backend import start_backend
from dlrun.views.class_activation import ClassActivation

start_backend(sys.argv[1])
folder = Path(sys.argv[2])
subject = subject_of(folder, (folder / "text.yaml").read_text())
seen = ClassActivation(rows=4, sanity=False).look(subject)
np.savez(folder / f"{sys.argv[1]}.npz", **seen.arrays)
"""


@pytest.mark.slow
def test_every_backend_gives_the_same_maps(folder: Path, tmp_path: Path) -> None:
    text = HEAD.replace("{loss}", "sparse_categorical_crossentropy") + SEQUENTIAL
    shutil.copy(folder / "pictures.npz", tmp_path)
    (tmp_path / "text.yaml").write_text(text)
    maps = {}
    for backend in ("tensorflow", "jax", "torch"):
        if importlib.util.find_spec(backend) is None:
            continue
        paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS, backend, str(tmp_path)],
            check=True,
            env={**os.environ, "PYTHONPATH": paths, "KERAS_BACKEND": backend},
        )
        maps[backend] = np.load(tmp_path / f"{backend}.npz")["maps"]
    assert len(maps) > 1
    for backend, others in maps.items():
        np.testing.assert_allclose(others, maps["tensorflow"], 1e-3, 1e-5, err_msg=backend)


PLANTED = """
name: planted
dataset: {source: npz, path: planted.npz, inputs: x, targets: y}
architecture:
  layers:
    - Conv2D: {filters: 16, kernel_size: 3, activation: relu}
    - MaxPooling2D
    - Conv2D: {filters: 32, kernel_size: 3, activation: relu}
    - MaxPooling2D
    - Conv2D: {filters: 32, kernel_size: 3, activation: relu}
    - GlobalMaxPooling2D
    - Dropout: 0.3
    - Dense: {units: 2, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: {adam: {learning_rate: 0.003}}
metrics: [accuracy]
training: {epochs: 30}
"""


def write_planted(folder: Path) -> np.ndarray:
    """A disc or a square somewhere on noise; returns the box of each: top, left, bottom, right."""
    random = np.random.default_rng(0)
    x = random.normal(0.2, 0.08, (400, 48, 48, 1)).clip(0, 1).astype(np.float32)
    y, boxes = random.integers(0, 2, 400), []
    down, across = np.mgrid[:48, :48]
    for row, square in enumerate(y):
        top, left = random.integers(8, 40, 2)
        inside = np.hypot(down - top, across - left) <= 7
        if square:
            inside = np.maximum(abs(down - top), abs(across - left)) <= 6
        x[row, inside, 0] = random.normal(0.9, 0.05, inside.sum()).clip(0, 1)
        boxes.append((top - 7, left - 7, top + 7, left + 7))
    np.savez(folder / "planted.npz", x=x, y=np.array(["disc", "square"])[y])
    return np.array(boxes)


def shares_inside(maps: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The share of each map within its box, enlarged by a place of the map."""
    stride = 48 / maps.shape[1]
    middle = (np.arange(maps.shape[1]) + 0.5) * stride
    shares = []
    for heat, (top, left, bottom, right) in zip(maps, boxes, strict=True):
        rows = (middle >= top - stride) & (middle <= bottom + stride)
        columns = (middle >= left - stride) & (middle <= right + stride)
        shares.append(heat[np.ix_(rows, columns)].sum() / max(heat.sum(), 1e-9))
    return np.array(shares)


@pytest.mark.slow
def test_planted_objects_are_found_and_random_weights_find_none(tmp_path: Path) -> None:
    boxes = write_planted(tmp_path)
    (tmp_path / "planted.yaml").write_text(PLANTED)
    run = dlrun.train(tmp_path / "planted.yaml", runs_dir=tmp_path / "runs")
    drawn = run.look("class_activation", rows=80)
    right = [one["class"] == one["label"] for one in drawn.facts["pictures_of"]]
    assert np.mean(right) > 0.9
    rows = drawn.arrays["rows"][right]
    assert np.mean(shares_inside(drawn.arrays["maps"][right], boxes[rows]) >= 0.7) >= 0.9
    assert drawn.facts["sanity"]["passed"]
    untrained = subject_of(tmp_path, PLANTED)
    chance = ClassActivation(rows=rows.tolist(), sanity=False).look(untrained)
    assert np.mean(shares_inside(chance.arrays["maps"], boxes[rows]) >= 0.7) < 0.5
