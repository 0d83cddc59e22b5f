"""The typed config: every key, its meaning, its unit and its default.

Values of components are objects already (`KerasComponent`, or an instance of a family's
class); `dlrun.config.load` turns YAML into this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator

from dlrun.config.document import Document
from dlrun.config.plugins import Plugins
from dlrun.errors import KeyPath, Problem
from dlrun.registry.component import Component, Section
from dlrun.registry.keras_component import KerasComponent

Backend = Literal["tensorflow", "jax", "torch"]

FORBIDDEN_IN_NAMES = '/\\:*?"<>|'
"""Characters that some file system does not allow in the name of a folder."""


class TrainedRun(Section):
    """The trained model of another run, used as a layer."""

    path: str = Field(min_length=1)
    """The run directory, relative to the config file."""

    until: str | None = None
    """The layer whose output is taken; default: the last one."""


class BlockCall(Section):
    """A block, used as a layer."""

    name: str
    """The block's name."""

    parameters: dict[str, Any] = Field(default_factory=dict)
    """The value of each of its parameters, defaults included."""

    places: dict[str, KeyPath] = Field(default_factory=dict)
    """Where in the config each value is given."""


class Vectors(Section):
    """Word vectors that an Embedding begins with."""

    path: str
    """Text file in GloVe's format, a word and its numbers a line; relative to the config file."""

    column: str | None = None
    """Column of texts, or of word numbers, whose vocabulary it is; default: the only one, or what
    the layer is called with."""


class LayerEntry(Section):
    """One entry of `architecture.layers`: a layer, a block by its name, or one of `use`,
    `application` and `run`; and beside it what follows."""

    layer: KerasComponent | None = None
    """The layer and its arguments."""

    block: BlockCall | None = None
    """The block and its parameters."""

    use: str | None = None
    """A layer, block or model from above that is called again, with the same weights."""

    application: KerasComponent | None = None
    """A model of `keras.applications`, with its arguments."""

    run: TrainedRun | None = None
    """The trained model of another run: its directory, or `path` and `until`."""

    name: str | None = None
    """Name of the layer and of its output."""

    inputs: list[str] = Field(default_factory=list)
    """What it is called with: one name or a list; default: the layer above."""

    repeat: int = Field(default=1, ge=1)
    """How often it is written one after the other, each with weights of its own."""

    vectors: Vectors | None = None
    """Beside an `Embedding`: the word vectors that it begins with, a file in GloVe's format, or
    `path` and `column`. Words that the file has not begin as zeros."""

    path: KeyPath = ()
    """Where the entry stands in the config."""

    file_at: KeyPath = ()
    """Where in the config the run or the file of weights is named that it is made from."""


class Architecture(Section):
    """What is built: a list of layers is a Sequential model, names make it a graph."""

    inputs: dict[str, list[str]] = Field(default_factory=dict)
    """Names of the inputs, each with one column of the data or a list of them; default: one
    input of all columns, or where `from` names columns, an input for each."""

    layers: list[LayerEntry]
    """Layers from top to bottom; the shapes of inputs are inferred from the data."""

    outputs: list[str] = Field(default_factory=list)
    """Names of the layers that give the answers: one or a list; default: the last layer."""

    path: KeyPath = ("architecture",)
    """Where it stands in the config."""


class Block(Section):
    """A piece of a model that is used like a layer."""

    parameters: dict[str, Any] = Field(default_factory=dict)
    """Parameters with their defaults; one without a value has to be given. Inside the block the
    text `$width` stands for the parameter `width`."""

    inputs: list[str] = Field(default_factory=lambda: ["input"])
    """Names of what it is called with, one or a list."""

    layers: list[Any]
    """Its layers, as under `architecture`."""

    outputs: list[str] = Field(default_factory=list)
    """Names of the layers whose outputs it gives: one or a list; default: the last layer."""

    path: KeyPath = ()
    """Where the block stands in the config."""


class Phase(Section):
    """One of several phases of training; what it does not say stands in `training` or at the top
    level."""

    name: str | None = Field(default=None, min_length=1, max_length=40)
    """What curves and reports call the phase; default: `phase 1`, `phase 2`, ..."""

    epochs: int = Field(ge=1)
    """Passes over the training rows in this phase."""

    freeze: list[str] = Field(default_factory=list)
    """Layers that keep their weights from this phase on: names or patterns such as
    `vgg16.block?_conv*`; a layer of a nested model is named after it and a dot, and a nested
    model's own name means all of it."""

    unfreeze: list[str] = Field(default_factory=list)
    """Layers whose weights are trained from this phase on; comes after `freeze`. Frozen
    `BatchNormalization` layers inside a nested model stay frozen, unless they are named without
    `*` and `?`."""

    optimizer: KerasComponent | None = None
    """The optimizer of this phase; default: a fresh one like that of the config."""

    learning_rate: float | None = Field(default=None, gt=0)
    """Takes the place of the optimizer's learning rate."""

    batch_size: int | None = Field(default=None, ge=1)
    """Rows in one gradient step; default: that of `training`."""

    callbacks: list[KerasComponent] | None = None
    """Keras callbacks of this phase; default: those of `training`, made anew for each phase."""

    path: KeyPath = ()
    """Where the phase stands in the config."""

    def own_options(self) -> list[str]:
        """All but its place."""
        return [name for name in super().own_options() if name != "path"]


class Training(Section):
    """How the model is trained."""

    epochs: int = Field(default=10, ge=1)
    """Passes over the training rows; with `phases`, each has its own."""

    batch_size: int = Field(default=32, ge=1)
    """Rows in one gradient step."""

    shuffle: bool = True
    """Whether the training rows are put in a new order in every epoch."""

    callbacks: list[KerasComponent] = Field(default_factory=list)
    """Keras callbacks, in order."""

    class_weight: Literal["balanced"] | dict[str | int, Annotated[float, Field(ge=0)]] | None = None
    """Weight of each class in the loss: `balanced` (inverse frequency in the training rows) or
    a mapping from class to weight."""

    sample_weight: str | None = None
    """Column that holds the weight of each row in the loss; it is then no feature."""

    engine: Literal["auto", "fused", "keras"] = "auto"
    """What runs the epochs: `fused` compiles whole epochs, `keras` is Keras' own `fit`, `auto`
    fuses where it can."""

    mixed_precision: bool = False
    """Whether hidden layers compute with 16 bits (float16 on a GPU, bfloat16 elsewhere); weights
    and the output layer keep 32."""

    xla: bool | None = None
    """Whether XLA compiles fused epochs; default: where a fixed rule expects it to be faster and
    to differ in nothing but rounding."""

    phases: list[Phase] = Field(default_factory=list)
    """Phases of training, one after the other on the same weights: feature extraction, then
    fine-tuning."""

    cache_features: bool = True
    """Whether a frozen base that no augmentation comes before is run once, and what it gives is
    kept in the folder of the runs for all epochs, folds and later runs."""

    def own_options(self) -> list[str]:
        """With phases, `epochs` is no option; without, there are none to write down."""
        left_out = "epochs" if self.phases else "phases"
        return [name for name in super().own_options() if name != left_out]

    @property
    def every_callback(self) -> list[KerasComponent]:
        """The callbacks that act in some phase."""
        own = [callback for phase in self.phases for callback in phase.callbacks or ()]
        taken_over = not self.phases or any(phase.callbacks is None for phase in self.phases)
        return [*self.callbacks, *own] if taken_over else own


class Evaluation(Section):
    """How the model is judged."""

    protocol: Component
    """The protocol: `holdout` (the default), `repeated_holdout`, `kfold`, `iterated_kfold` or
    `time_series`; its options stand beside it."""

    score: str | None = None
    """The measure of success: a metric of the config, or `loss`; that of one of several outputs
    as Keras names it, such as `age_mae`. Default: the first metric."""


class OutputEntry(Section):
    """One output of the model, and how it is judged."""

    name: str | None = None
    """Its name, where there are several."""

    loss: KerasComponent
    """What it is compared with its target by."""

    weight: float = 1.0
    """What its loss counts in the sum over all outputs, which training minimises."""

    metrics: list[KerasComponent] = Field(default_factory=list)
    """What is measured of it."""


class Config(Section):
    """One experiment."""

    name: str = Field(min_length=1, max_length=100)
    """Name of the run directory; default: the file's stem."""

    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """Seed of splits, initial weights, shuffling and random layers."""

    backend: Backend | None = None
    """What Keras computes with; default: KERAS_BACKEND, then tensorflow."""

    plugins: list[str] = Field(default_factory=list)
    """Python files with layers, losses, metrics, callbacks, data sources and preprocessing steps
    of your own; they run only with `--trust-plugins`."""

    dataset: Component
    """Where the data comes from: `source` names the loader, the other keys are its options."""

    preprocess: list[Component] = Field(default_factory=list)
    """Steps in order, fitted on the training rows only; an entry `targets:` holds steps on the
    target."""

    target_steps: list[Component] = Field(default_factory=list)
    """Steps on the target (`targets:` in `preprocess`), in order."""

    augment: list[KerasComponent] | dict[str, list[KerasComponent]] = Field(default_factory=list)
    """Random layers of Keras that change training rows and no others, such as `RandomFlip`: a
    list for the one input of pictures, or a mapping from an input's name to a list."""

    blocks: dict[str, Block] = Field(default_factory=dict)
    """Pieces of models by name, to be used like layers."""

    architecture: Architecture
    """What is built."""

    loss: KerasComponent
    """What training minimises. Several outputs: a mapping from their names to losses, or one loss
    for all of them; training minimises the sum."""

    loss_weights: dict[str, float] = Field(default_factory=dict)
    """What the loss of each of several outputs counts in the sum, by its name; default: 1."""

    optimizer: KerasComponent
    """How training minimises it."""

    metrics: list[KerasComponent] = Field(default_factory=list)
    """What is measured at every epoch, besides the loss: one metric or a list. Several outputs: a
    mapping from their names to that, or the same for all of them."""

    training: Training = Training()
    """How the model is trained."""

    evaluation: Evaluation
    """How the model is judged."""

    ignore: list[str] = Field(default_factory=list)
    """Codes of findings that are not shown, such as `[DL012]`; their number is."""

    _document: Document | None = PrivateAttr(default=None)
    _outputs: tuple[OutputEntry, ...] = PrivateAttr(default=())
    _plugins: Plugins = PrivateAttr(default=Plugins())

    @property
    def outputs(self) -> tuple[OutputEntry, ...]:
        """The outputs of the model: of several each with its name, of one without; `loss` and
        `metrics` are those of the output that gives the score."""
        return self._outputs or (OutputEntry(loss=self.loss, metrics=self.metrics),)

    def of_output(self, name: str | None) -> Config:
        """Return the same with loss and metrics of one of several outputs; None: as it is."""
        for output in self._outputs:
            if output.name == name:
                return self.model_copy(update={"loss": output.loss, "metrics": output.metrics})
        return self

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        bad = [c for c in name if c in FORBIDDEN_IN_NAMES or not c.isprintable()]
        if bad:
            raise ValueError(f"the run directory is named after it, so leave out {bad[0]!r}")
        if name.strip(" .") != name:
            raise ValueError("it must not begin or end with a space or a dot")
        return name

    @property
    def document(self) -> Document:
        """The files and overrides that this config was read from.

        Raises:
            LookupError: It was made in Python and not by `load_config`.
        """
        if self._document is None:
            raise LookupError("this config was not read from a file")
        return self._document

    @property
    def own_code(self) -> Plugins:
        """The plugins, as they were read and run."""
        return self._plugins

    @property
    def file(self) -> Path:
        """The config file, as it was named."""
        return self.document.file

    @property
    def base(self) -> Path:
        """Folder of the config file."""
        return self.file.parent

    @property
    def given(self) -> bytes:
        """The config file, byte for byte."""
        return self.document.content

    def problem_at(
        self,
        path: KeyPath,
        message: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
        on_key: bool = False,
    ) -> Problem:
        """Return a problem with the value at `path` (or its key), for a `ConfigError`."""
        place = self.document.root.locate(path, on_key=on_key)
        return place.problem(message, expected=expected, found=found, hint=hint)

    def dump(self) -> dict[str, Any]:
        """The whole config as plain data, every default filled in: what `resolved.yaml` holds.

        Paths are absolute, so that it can be run from anywhere; `null` options that are null
        by default are left out.
        """
        from dlrun.config.dump import dump_config

        return dump_config(self)
