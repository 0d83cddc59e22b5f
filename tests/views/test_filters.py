"""Patterns of filters: they raise the response, and point along a kernel that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from subjects import subject_of, write_pictures

from dlrun.errors import ComponentError
from dlrun.views.filters import Filters

TEXT = """
dataset: {source: npz, path: pictures.npz, inputs: x, targets: y}
loss: sparse_categorical_crossentropy
optimizer: adam
metrics: [accuracy]
architecture:
  layers:
    - Conv2D: {filters: 4, kernel_size: 3, activation: relu, name: first}
    - MaxPooling2D
    - Conv2D: {filters: 12, kernel_size: 3, activation: relu, name: last}
    - Flatten
    - Dense: {units: 2, activation: softmax}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pictures")
    write_pictures(made)
    return made


def test_the_response_rises_for_nearly_every_live_filter(folder: Path) -> None:
    import keras

    subject = subject_of(folder, TEXT)
    kernel, bias = subject.model.get_layer("last").get_weights()
    kernel[..., 3], bias[3] = 0, -1
    subject.model.get_layer("last").set_weights([kernel, bias])
    seen = Filters(steps=10).look(subject)
    for facts in seen.facts["layers"]:
        live = [one for one in facts["filters"] if one["live"]]
        assert np.mean([one["end"] > one["start"] for one in live]) >= 0.9
        name = facts["layer"]
        tap = keras.Model(subject.model.inputs[0], subject.model.get_layer(name).output)
        given = tap.predict(seen.arrays[name], verbose=0).mean(axis=(1, 2))
        ends = [one["end"] for one in facts["filters"]]
        np.testing.assert_allclose(np.diag(given), ends, rtol=1e-4, atol=1e-6)
    assert not seen.facts["layers"][-1]["filters"][3]["live"]
    assert "of 12 respond to neither grey nor training rows" in seen.lines[-1]
    live = np.mean([one["live"] for one in seen.facts["layers"][-1]["filters"]])
    assert live > 0.5
    assert [sheet.name for sheet in seen.sheets] == ["first", "last"]


def test_the_pattern_of_a_sobel_kernel_points_along_its_axis(folder: Path) -> None:
    import keras

    picture = keras.Input((12, 12, 3))
    layer = keras.layers.Conv2D(1, 3, activation="relu", name="sobel")
    channels = layer(picture)
    flat = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(channels))
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
    layer.set_weights([np.repeat(kernel[:, :, None, None], 3, axis=2), np.zeros(1)])
    seen = Filters().look(subject_of(folder, TEXT, keras.Model(picture, flat)))
    pattern = seen.arrays["sobel"][0].mean(axis=-1)
    across, down = (np.square(np.diff(pattern, axis=axis)).sum() for axis in (1, 0))
    assert across >= 4 * down
    (facts,) = seen.facts["layers"]
    assert facts["filters"][0]["end"] > 3 * facts["filters"][0]["start"]


def test_a_layer_without_channels_is_refused(folder: Path) -> None:
    with pytest.raises(ComponentError, match="'dense' gives no channels of pictures"):
        Filters(layers=["dense"]).look(subject_of(folder, TEXT))
