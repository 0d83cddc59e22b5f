"""The typed config: every key, its meaning, its unit and its default.

Values of components are objects already (`KerasComponent`, or an instance of a family's
class); `dlrun.config.load` turns YAML into this.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dlrun.errors import Path
from dlrun.registry.component import Component, Section
from dlrun.registry.keras_component import KerasComponent

Backend = Literal["tensorflow", "jax", "torch"]


class LayerEntry(Section):
    """One entry of `architecture.layers`."""

    layer: KerasComponent
    """The layer and its arguments."""

    name: str | None = None
    """Name of the layer and of its output."""

    path: Path = ()
    """Where the entry stands in the config."""


class Architecture(Section):
    """What is built: a list of layers is a Sequential model."""

    layers: list[LayerEntry]
    """Layers from input to output; the input's shape is inferred from the data."""


class Training(Section):
    """How the model is trained."""

    epochs: int = Field(default=10, ge=1)
    """Passes over the training rows."""

    batch_size: int = Field(default=32, ge=1)
    """Rows in one gradient step."""

    shuffle: bool = True
    """Whether the training rows are put in a new order in every epoch."""

    callbacks: list[KerasComponent] = []
    """Keras callbacks, in order."""

    class_weight: Literal["balanced"] | dict[str | int, float] | None = None
    """Weight of each class in the loss: `balanced` (inverse frequency in the training rows) or
    a mapping from class to weight."""

    sample_weight: str | None = None
    """Column that holds the weight of each row in the loss; it is then no feature."""

    engine: Literal["keras"] = "keras"
    """What runs the epochs: `keras` is Keras' own `fit`."""


class Evaluation(Section):
    """How the model is judged."""

    protocol: Component
    """The protocol with its options: `holdout`, `kfold`, `iterated_kfold` or `time_series`."""

    score: str | None = None
    """The measure of success: a metric of the config, or `loss`. Default: the first metric."""


class Config(Section):
    """One experiment."""

    name: str
    """Name of the run directory; default: the file's stem."""

    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """Seed of splits, initial weights, shuffling and random layers."""

    backend: Backend | None = None
    """What Keras computes with; default: KERAS_BACKEND, then tensorflow."""

    dataset: Component
    """Where the data comes from: `source` names the loader, the other keys are its options."""

    preprocess: list[Component] = []
    """Steps on features, in order, fitted on the training rows only."""

    target_steps: list[Component] = []
    """Steps on the target (`targets:` in `preprocess`), in order."""

    architecture: Architecture
    """What is built."""

    loss: KerasComponent
    """What training minimises."""

    optimizer: KerasComponent
    """How training minimises it."""

    metrics: list[KerasComponent] = []
    """What is measured at every epoch, besides the loss."""

    training: Training = Training()
    """How the model is trained."""

    evaluation: Evaluation
    """How the model is judged."""

    def as_given(self) -> dict[str, Any]:
        """The whole config as plain data, every default filled in: what `resolved.yaml` holds."""
        raise NotImplementedError
