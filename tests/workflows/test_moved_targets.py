"""Training on pictures and targets that move together, by either engine."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import dlrun
from dlrun.errors import ConfigError

POINTS = """
dataset: {source: npz, path: rows.npz, inputs: x, targets: points, places: rel_xy}
augment: [{RandomFlip: horizontal}, {RandomTranslation: {height_factor: 0.1, width_factor: 0.1}}]
architecture: {layers: [Flatten, {Dense: 2}]}
loss: mse
optimizer: adam
metrics: [mae]
training: {epochs: 2, batch_size: 8, engine: ENGINE}
"""
TWO = """
dataset: {source: npz, path: two.npz, inputs: [left, right], targets: y}
augment: {left: [{RandomFlip: horizontal}], right: [{RandomFlip: vertical}]}
architecture:
  layers:
    - {Add: {}, from: [left, right]}
    - Flatten
    - Dense: 1
loss: mse
optimizer: adam
training: {epochs: 1}
"""
MASKS = """
dataset: {source: npz, path: rows.npz, inputs: x, targets: mask}
augment: [{RandomRotation: 0.2}, {GaussianNoise: 0.1}]
architecture: {layers: [{Conv2D: {filters: 2, kernel_size: 1, activation: softmax}}]}
loss: sparse_categorical_crossentropy
optimizer: adam
metrics: [accuracy]
training: {epochs: 2, batch_size: 8, engine: ENGINE}
"""


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    mask = np.zeros((40, 8, 8), "int32")
    points = np.zeros((40, 2), "float32")
    for number, (top, left) in enumerate(rng.integers(1, 6, (40, 2))):
        mask[number, top : top + 2, left : left + 2] = 1
        points[number] = (left + 1) / 8, (top + 1) / 8
    arrays = {"x": mask[..., None].astype("float32"), "mask": mask, "points": points}
    np.savez("rows.npz", **arrays)
    return arrays


@pytest.mark.slow
@pytest.mark.parametrize(("config", "target"), [(POINTS, "points"), (MASKS, "mask")])
def test_both_engines_train_alike_and_score_rows_as_they_are(
    rows: dict[str, np.ndarray], config: str, target: str
) -> None:
    histories = []
    for engine in ("fused", "keras"):
        Path("experiment.yaml").write_text(config.replace("ENGINE", engine))
        run = dlrun.train("experiment.yaml")
        scored = np.load(run.path / "splits.npz")["fold00_validation"]
        model = keras.models.load_model(run.path / "model.keras")
        loss, metric = model.evaluate(rows["x"][scored], rows[target][scored], verbose=0)
        measures = [each["value"] for each in run.result["measures"].values()]
        assert measures == pytest.approx([loss, metric], rel=1e-5)
        table = np.genfromtxt(run.path / "metrics.csv", delimiter=",", names=True)
        assert table["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
        histories.append([table["loss"], table["val_loss"]])
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-5)


def test_each_of_two_pictures_has_layers_of_its_own(rows: dict[str, np.ndarray]) -> None:
    np.savez("two.npz", left=rows["x"], right=rows["x"], y=rows["points"].sum(1))
    Path("two.yaml").write_text(TWO)
    assert dlrun.train("two.yaml").score is not None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "RandomRotation: 0.2",
            "RandomElasticTransform: 1.0",
            "RandomElasticTransform moves the picture, and Keras cannot move masks",
        ),
        (
            "augment: [{RandomRotation: 0.2}, {GaussianNoise: 0.1}]\narchitecture: {layers: [",
            "architecture: {layers: [{RandomFlip: vertical}, ",
            "RandomFlip among the layers moves the picture and not the target 'mask'",
        ),
    ],
)
def test_what_cannot_move_is_refused_before_training(
    rows: dict[str, np.ndarray], old: str, new: str, message: str
) -> None:
    assert old in MASKS
    Path("experiment.yaml").write_text(MASKS.replace("ENGINE", "auto").replace(old, new))
    with pytest.raises(ConfigError, match=message):
        dlrun.train("experiment.yaml")
