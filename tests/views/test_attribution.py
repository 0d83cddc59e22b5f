"""Integrated gradients against what is known of linear models, and against themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from subjects import subject_of, write_pictures

from dlrun.errors import ComponentError
from dlrun.views.attribution import Attribution


def test_of_a_linear_model_each_column_adds_its_weighed_distance(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(80, 4)).round(4), columns=list("abcd"))
    frame["y"] = frame["a"] * 2 - frame["b"]
    frame.to_csv(tmp_path / "table.csv", index=False)
    text = """
dataset: {source: csv, path: table.csv, target: y}
architecture: {layers: [{Dense: 1}]}
loss: mse
optimizer: adam
metrics: [mae]
evaluation: {validation: {fraction: 0.25}}
"""
    subject = subject_of(tmp_path, text)
    weights = np.array([2.0, -1.0, 0.0, 0.5], np.float32)
    subject.model.set_weights([weights[:, None], np.zeros(1)])
    seen = Attribution(steps=4).look(subject)
    columns = frame[list("abcd")].to_numpy()
    mean = columns[subject.splits["train"]].mean(axis=0)
    expected = (columns[seen.arrays["rows"]] - mean) * weights
    np.testing.assert_allclose(seen.arrays["maps"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(seen.facts["sums"], seen.facts["differences"], atol=1e-5)
    assert [sheet.name for sheet in seen.sheets] == ["attribution", "deletion"]


PICTURES = """
dataset: {source: npz, path: pictures.npz, inputs: x, targets: y}
loss: sparse_categorical_crossentropy
optimizer: adam
metrics: [accuracy]
architecture:
  layers:
    - Conv2D: {filters: 4, kernel_size: 3, activation: relu}
    - Flatten
    - Dense: {units: 2, activation: softmax}
"""


def test_parts_of_a_picture_add_up_and_are_those_of_a_gradient_tape(tmp_path: Path) -> None:
    import tensorflow as tf

    write_pictures(tmp_path)
    subject = subject_of(tmp_path, PICTURES)
    view = Attribution(rows=3, steps=200, **{"class": "right"}, compared_with="zero", sanity=False)
    seen = view.look(subject)
    inputs = np.load(tmp_path / "pictures.npz")["x"][seen.arrays["rows"]]
    scores = subject.model.predict(inputs, verbose=0)[:, 1]
    nothing = subject.model.predict(np.zeros_like(inputs), verbose=0)[:, 1]
    np.testing.assert_allclose(seen.facts["differences"], scores - nothing, rtol=1e-4)
    np.testing.assert_allclose(seen.facts["sums"], scores - nothing, rtol=1e-2, atol=1e-3)
    total = np.zeros_like(inputs)
    for share in (np.arange(200) + 0.5) / 200:
        at = tf.constant((share * inputs).astype(np.float32))
        with tf.GradientTape() as tape:
            tape.watch(at)
            score = tf.reduce_sum(subject.model(at)[:, 1])
        total += tape.gradient(score, at).numpy() / 200
    np.testing.assert_allclose(seen.arrays["maps"], inputs * total, rtol=1e-3, atol=1e-6)
    deletion = seen.facts["deletion"]
    assert deletion["ordered"][0] == pytest.approx(scores.mean(), rel=1e-5)
    assert deletion["ordered"][-1] == pytest.approx(nothing.mean(), rel=1e-5)
    assert np.mean(deletion["ordered"]) < np.mean(deletion["by_chance"])


def test_words_add_up_through_their_vectors(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.integers(1, 20, (30, 6)).astype(np.int32)
    np.savez(tmp_path / "words.npz", x=x, y=(x[:, 0] > 9).astype(int))
    text = """
dataset: {source: npz, path: words.npz, inputs: x, targets: y}
loss: binary_crossentropy
optimizer: adam
metrics: [accuracy]
architecture:
  layers:
    - Embedding: {input_dim: 20, output_dim: 3}
    - GlobalAveragePooling1D
    - Dense: {units: 1, activation: sigmoid}
"""
    subject = subject_of(tmp_path, text)
    table = random.normal(size=(20, 3)).astype(np.float32)
    kernel = random.normal(size=(3, 1)).astype(np.float32)
    subject.model.set_weights([table, kernel, np.zeros(1, np.float32)])
    view = Attribution(rows=3, score="logit", **{"class": "1"})
    seen = view.look(subject)
    words = x[seen.arrays["rows"]]
    np.testing.assert_allclose(seen.arrays["maps"], (table @ kernel)[words, 0] / 6, rtol=1e-3)
    assert seen.sheets[0].texts[0][1] == [str(word) for word in words[0]]


def test_several_inputs_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(40, 3)), columns=["a", "b", "y"])
    frame.to_csv(tmp_path / "table.csv", index=False)
    text = """
dataset: {source: csv, path: table.csv, target: y}
architecture:
  layers:
    - {Dense: 2, from: a, name: one}
    - {Dense: 2, from: b, name: other}
    - {Concatenate: {}, from: [one, other]}
    - Dense: 1
loss: mse
optimizer: adam
metrics: [mae]
"""
    with pytest.raises(ComponentError, match="a model with one input"):
        Attribution().look(subject_of(tmp_path, text))
