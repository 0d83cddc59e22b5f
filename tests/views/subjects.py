"""What views look at in tests: a config, its rows, and a model that need not be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlrun.config.load import load_config
from dlrun.protocols.phases import fresh_model
from dlrun.protocols.preparation import prepare
from dlrun.views.parts.subject import Subject
from dlrun.workflows.look import _of_config

EVALUATED = """
loss: {loss}
optimizer: adam
metrics: [{metric}]
training: {{epochs: 1}}
"""


def subject_of(folder: Path, text: str, model: Any = None) -> Subject:
    """Return what views see of a config and of a model; default: one with its initial weights.

    Args:
        folder: Where the config is written.
        text: The config without what training needs.
        model: Takes the place of the config's.
    """
    file = folder / "config.yaml"
    file.write_text(text)
    config = load_config(file)
    subject = _of_config(config, file)

    def built() -> Any:
        few = prepare(config, subject.pipeline, subject.part("train").take(slice(0, 4)))
        return fresh_model(config, subject.pipeline, few.arrays, [], config.seed)

    subject._loaders = (*subject._loaders[:3], built if model is None else lambda: model)
    return subject


def write_pictures(folder: Path, count: int = 24, size: int = 12, seed: int = 0) -> None:
    """`pictures.npz`: noise with a bright half, and which half it is."""
    random = np.random.default_rng(seed)
    x = random.uniform(0, 0.4, (count, size, size, 3)).astype(np.float32)
    y = random.integers(0, 2, count)
    for row, side in enumerate(y):
        half = slice(0, size // 2) if side == 0 else slice(size // 2, size)
        x[row, :, half] += 0.5
    np.savez(folder / "pictures.npz", x=x, y=np.array(["left", "right"])[y])
