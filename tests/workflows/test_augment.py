"""Augmentation changes training rows, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import dlrun
from dlrun.config.sections import AUGMENTING
from dlrun.errors import ComponentError, ConfigError
from dlrun.models.augment import Augmentation, InputSpec
from dlrun.registry.keras_component import KerasComponent

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (40, 6, 6, 3)).astype("uint8")

ARGUMENTS: dict[str, dict[str, Any]] = {
    "GaussianDropout": {"rate": 0.3},
    "GaussianNoise": {"stddev": 1.0},
    "RandomBrightness": {"factor": 0.3},
    "RandomColorDegeneration": {"factor": 0.9},
    "RandomColorJitter": {"brightness_factor": 0.3},
    "RandomContrast": {"factor": 0.4},
    "RandomHue": {"factor": 0.5},
    "RandomPosterization": {"factor": 2},
    "RandomRotation": {"factor": 0.3},
    "RandomSaturation": {"factor": 0.9},
    "RandomSharpness": {"factor": 0.9},
    "RandomShear": {"x_factor": 0.4, "y_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3},
    "RandomZoom": {"height_factor": 0.3},
}

CONFIG = """
dataset: {source: npz, path: rows.npz, inputs: x, targets: y, test: {fraction: 0.2}}
augment:
  - RandomFlip: horizontal
  - RandomTranslation: {height_factor: 0.5, width_factor: 0.5}
architecture:
  layers:
    - Flatten
    - Dense: {units: 1, kernel_initializer: ones, bias_initializer: zeros}
loss: mse
optimizer: {sgd: {learning_rate: 1e-30}}
training: {epochs: 2, batch_size: 8, engine: ENGINE}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype"), [("RandomFlip", "float32"), *((name, "uint8") for name in AUGMENTING)]
)
def test_each_layer_acts_in_training_alone_on_numbers_of_every_type(name: str, dtype: str) -> None:
    component = KerasComponent("layer", name, name, ARGUMENTS.get(name, {}))
    entrance = keras.Input((6, 6, 3), dtype=dtype)
    _, tensor = Augmentation([component], seed=3).apply([component], entrance)
    model = keras.Model(entrance, tensor)
    rows = PICTURES.astype(dtype)
    np.testing.assert_array_equal(model(rows, training=False), PICTURES.astype("float32"))
    assert (np.asarray(model(rows, training=True)) != PICTURES).any()


def config(folder: Path, engine: str) -> Path:
    targets = PICTURES.astype("float32").sum(axis=(1, 2, 3)) + RANDOM.normal(size=len(PICTURES))
    np.savez(folder / "rows.npz", x=PICTURES, y=targets.astype("float32"))
    file = folder / "experiment.yaml"
    file.write_text(CONFIG.replace("ENGINE", engine), encoding="utf-8")
    return file


def history(run: dlrun.Run) -> dict[str, np.ndarray]:
    import pandas as pd

    table = pd.read_csv(run.path / "metrics.csv")
    return {name: table[name].to_numpy() for name in ("loss", "val_loss")}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_training_rows_are_changed_and_held_out_rows_are_not(tmp_path: Path, engine: str) -> None:
    """The model adds all pixels, and learns nothing: its loss tells whether any pixel changed."""
    file, runs = config(tmp_path, engine), tmp_path / "runs"
    with_it = dlrun.train(file, runs_dir=runs)
    without = dlrun.train(file, runs_dir=runs, overrides=["augment=null"])
    changed, plain = history(with_it), history(without)
    np.testing.assert_array_equal(changed["val_loss"], plain["val_loss"])
    assert plain["loss"].max() < 10
    # Pixels that are shifted out are replaced by others, in each epoch anew.
    assert changed["loss"].min() > 100
    assert changed["loss"][0] != changed["loss"][1]
    assert with_it.result["score"]["value"] == without.result["score"]["value"]
    ours, theirs = (dlrun.evaluate(run.path, runs_dir=runs) for run in (with_it, without))
    assert ours.facts["measures"] == theirs.facts["measures"]
    again = history(dlrun.train(file, runs_dir=runs))
    np.testing.assert_array_equal(changed["loss"], again["loss"])


@pytest.mark.slow
def test_each_fold_augments_by_its_own_seed_and_the_first_as_a_plain_fit(tmp_path: Path) -> None:
    file, runs = config(tmp_path, "fused"), tmp_path / "runs"
    repeated = ["evaluation.protocol=repeated_holdout", "evaluation.repeats=2", "seed=5"]
    folds = dlrun.train(file, runs_dir=runs, overrides=repeated)
    plain = dlrun.train(file, runs_dir=runs, overrides=["seed=5"])
    seeds = [
        [
            layer.seed
            for layer in keras.saving.load_model(path).layers
            if isinstance(layer, layers.RandomFlip)
        ]
        for path in (*sorted(folds.path.glob("**/*.keras")), *plain.path.glob("*.keras"))
    ]
    assert seeds == [[5], [6], [5]]


@pytest.mark.slow
def test_a_model_keeps_its_initial_weights_and_is_saved_with_what_augments(tmp_path: Path) -> None:
    file = config(tmp_path, "auto")
    overrides = ["architecture.layers.1.Dense.kernel_initializer=glorot_uniform"]
    with_it = dlrun.train(file, runs_dir=tmp_path / "runs", overrides=overrides)
    without = dlrun.train(file, runs_dir=tmp_path / "runs", overrides=[*overrides, "augment=null"])
    ours, theirs = (keras.saving.load_model(run.path / "model.keras") for run in (with_it, without))
    for one, other in zip(ours.trainable_weights, theirs.trainable_weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6, atol=1e-6)
    assert any(isinstance(layer, layers.RandomFlip) for layer in ours.layers)
    np.testing.assert_allclose(
        ours.predict(PICTURES, verbose=0), theirs.predict(PICTURES, verbose=0), rtol=1e-6
    )
    facts = json.loads((with_it.path / "run.json").read_text("utf-8"))
    assert [next(iter(layer)) for layer in facts["config"]["augment"]] == [
        "RandomFlip",
        "RandomTranslation",
    ]


FLIP = KerasComponent("layer", "RandomFlip", "RandomFlip", {}, ("augment", 0))
PICTURE = InputSpec((6, 6, 3), "uint8")
NUMBERS = InputSpec((4,), "float32")


def test_of_several_inputs_that_of_pictures_is_meant_or_one_is_named() -> None:
    assert dict(Augmentation([FLIP]).on({"numbers": NUMBERS, "photo": PICTURE})) == {
        "photo": [FLIP]
    }
    named = Augmentation({"left": [FLIP]}).on({"left": PICTURE, "right": PICTURE})
    assert dict(named) == {"left": [FLIP]}


@pytest.mark.parametrize(
    ("layers", "inputs", "message"),
    [
        (
            [FLIP],
            {"left": PICTURE, "right": PICTURE},
            "the model has 2 inputs of pictures (left (6, 6, 3), right (6, 6, 3)); name the one "
            "you mean: `augment: {INPUT: [...]}`",
        ),
        (
            {"middle": [FLIP]},
            {"left": PICTURE, "right": PICTURE},
            "the model has no input 'middle'; its inputs are left, right",
        ),
        (
            {"left": [FLIP], "right": [FLIP]},
            {"left": PICTURE},
            "the model has no input 'right'; its inputs are left",
        ),
        (
            [FLIP],
            {"x": NUMBERS},
            "RandomFlip changes pictures (height, width, colours), but the input is (4)",
        ),
        (
            [FLIP],
            {"x": InputSpec((28, 28), "uint8")},
            "RandomFlip changes pictures (height, width, colours), but the input is (28, 28); a "
            "step `reshape: [28, 28, 1]` under `preprocess` adds the axis of colours",
        ),
    ],
)
def test_what_cannot_be_augmented_is_said(
    layers: Any, inputs: dict[str, InputSpec], message: str
) -> None:
    with pytest.raises(ComponentError) as caught:
        Augmentation(layers).on(inputs)
    assert str(caught.value) == message


def test_rows_that_are_no_pictures_are_told_with_the_line(tmp_path: Path) -> None:
    file = config(tmp_path, "auto")
    with pytest.raises(ConfigError, match=r"experiment.yaml:4:17: RandomFlip changes pictures"):
        dlrun.train(file, runs_dir=tmp_path / "runs", overrides=["preprocess=[flatten]"])
