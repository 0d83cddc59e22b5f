"""Views of the data that a model is trained on, before there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from subjects import subject_of, write_pictures

from dlrun.errors import ComponentError
from dlrun.views.augmented import Augmented
from dlrun.views.tensors import Tensors

PICTURES = """
dataset: {source: npz, path: pictures.npz, inputs: x, targets: y}
loss: sparse_categorical_crossentropy
optimizer: adam
metrics: [accuracy]
training: {epochs: 5, batch_size: 7}
architecture: {layers: [Flatten, {Dense: {units: 2, activation: softmax}}]}
"""


def test_tensors_have_the_shapes_ranges_and_updates_that_numpy_counts(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    subject = subject_of(tmp_path, PICTURES + "preprocess: [{rescale: 2}]\n")
    seen = Tensors().look(subject)
    x = np.load(tmp_path / "pictures.npz")["x"][subject.splits["train"]]
    found = {(one["of"], one["name"]): one for one in seen.facts["tensors"]}
    for of, scale in (("data", 1), ("model", 2)):
        facts = found[of, "x" if of == "data" else "input"]
        assert facts["rank"] == 4
        assert facts["dtype"] == "float32"
        assert facts["shape"] == f"({len(x)}, 12, 12, 3)"
        assert facts["least"] == pytest.approx(scale * x.min())
        assert facts["mean"] == pytest.approx(scale * x.mean(), rel=1e-5)
        assert facts["greatest"] == pytest.approx(scale * x.max())
        assert facts["bytes"] == x.nbytes
    assert found["batch", "input"]["shape"] == "(7, 12, 12, 3)"
    assert found["model", "target"]["dtype"] == "int32"
    steps = -(-len(x) // 7)
    assert (seen.facts["updates_per_epoch"], seen.facts["updates"]) == (steps, 5 * steps)
    assert f"{steps} updates an epoch" in seen.lines[0]


def test_tensors_of_a_table_with_texts_and_missing_values(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": [20.0, None, 40.0] * 8, "town": ["Bonn", "Köln", "Trier"] * 8})
    frame["y"] = range(24)
    frame.to_csv(tmp_path / "table.csv", index=False)
    text = """
dataset: {source: csv, path: table.csv, target: y}
preprocess: [impute, one_hot]
architecture: {layers: [{Dense: 1}]}
loss: mse
optimizer: adam
metrics: [mae]
evaluation: {validation: null}
"""
    found = {o["name"]: o for o in Tensors().look(subject_of(tmp_path, text)).facts["tensors"][:3]}
    assert found["town"]["dtype"] == "text"
    assert "mean" not in found["town"]
    assert found["age"]["missing"] == 8
    assert found["age"]["mean"] == 30


def test_copies_are_what_the_layers_of_augment_give(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    seen = Augmented(rows=3, times=6).look(
        subject_of(tmp_path, PICTURES + "augment: [{RandomFlip: horizontal}]\n")
    )
    pictures, copies = seen.arrays["pictures"], seen.arrays["copies"]
    assert copies.shape == (3, 6, 12, 12, 3)
    flipped = 0
    for picture, own in zip(pictures, copies, strict=True):
        for copy in own:
            same, mirrored = np.allclose(copy, picture), np.allclose(copy, picture[:, ::-1])
            assert same or mirrored
            flipped += mirrored
    assert 0 < flipped < 18
    assert len(seen.sheets[0].tiles) == 3 * 7


def test_what_cannot_be_augmented_says_why(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    seen = Augmented().look(subject_of(tmp_path, PICTURES))
    assert not seen.sheets
    assert "no `augment`" in seen.lines[0]
    flat = PICTURES + "augment: [{GaussianNoise: 0.1}]\npreprocess: [flatten]\n"
    with pytest.raises(ComponentError, match="needs pictures"):
        Augmented().look(subject_of(tmp_path, flat))
