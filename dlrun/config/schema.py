"""The typed config: every key, its meaning, its unit and its default.

Values of components are objects already (`KerasComponent`, or an instance of a family's
class); `dlrun.config.load` turns YAML into this.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Unpack

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from dlrun.config.document import Document
from dlrun.config.fields import (
    ByOutput,
    ChosenBy,
    Duration,
    FindingCode,
    Kind,
    Member,
    OneOrMany,
    Position,
)
from dlrun.config.model_schema import Architecture, Block
from dlrun.config.plugins import Plugins
from dlrun.config.search_schema import Search
from dlrun.errors import Details, KeyPath, Problem
from dlrun.registry.component import Component, Section
from dlrun.registry.families import PROTOCOLS, SOURCES, STEPS, TARGET_STEPS, TASKS, VIEWS
from dlrun.registry.keras_component import KerasComponent
from dlrun.text import seconds_of

CHOSEN_SOURCE = ChosenBy("source", SOURCES)
CHOSEN_PROTOCOL = ChosenBy("protocol", PROTOCOLS, "holdout", shares_options=True)

Callback = Annotated[KerasComponent, Kind("callback")]
Metric = Annotated[KerasComponent, Kind("metric")]
Optimizer = Annotated[KerasComponent, Kind("optimizer")]
RandomLayer = Annotated[KerasComponent, Kind("layer")]


Codes = Annotated[list[Annotated[str, FindingCode()]], OneOrMany(("code of a finding", "codes"))]
LayerPatterns = Annotated[list[str], OneOrMany(("name", "names"))]

Backend = Literal["tensorflow", "jax", "torch"]

FORBIDDEN_IN_NAMES = '/\\:*?"<>|'
"""Characters that some file system does not allow in the name of a folder."""


class Phase(Section):
    """One of several phases of training; what it does not say comes from `training` or the top
    level."""

    name: str | None = Field(default=None, min_length=1, max_length=40)
    """What curves and reports call the phase; default: `phase 1`, `phase 2`, ..."""

    epochs: int = Field(ge=1)
    """Passes over the training rows in this phase."""

    freeze: LayerPatterns = Field(default_factory=list)
    """Layers that keep their weights from this phase on: names or patterns such as
    `vgg16.block?_conv*`; a layer of a nested model is named after it and a dot, and a nested
    model's own name means all of it."""

    unfreeze: LayerPatterns = Field(default_factory=list)
    """Layers whose weights are trained from this phase on; comes after `freeze`. Frozen
    `BatchNormalization` layers inside a nested model stay frozen, unless they are named without
    `*` and `?`."""

    optimizer: Optimizer | None = None
    """The optimizer of this phase; default: a fresh one like that of the config."""

    learning_rate: float | None = Field(default=None, gt=0)
    """Takes the place of the optimizer's learning rate."""

    batch_size: int | None = Field(default=None, ge=1)
    """Rows in one gradient step; default: that of `training`."""

    callbacks: list[Callback] | None = None
    """Keras callbacks of this phase; default: those of `training`, created anew for each phase."""

    path: Position = ()
    """Where the phase is in the config."""


class Training(Section):
    """How the model is trained."""

    epochs: int = Field(default=10, ge=1)
    """Passes over the training rows; with `phases`, each has its own."""

    batch_size: int = Field(default=32, ge=1)
    """Rows in one gradient step."""

    shuffle: bool = True
    """Whether the training rows are put in a new order in every epoch."""

    callbacks: list[Callback] = Field(default_factory=list)
    """Keras callbacks, in order."""

    class_weight: Literal["balanced"] | dict[str | int, Annotated[float, Field(ge=0)]] | None = None
    """Weight of each class in the loss: `balanced` (inverse frequency in the training rows) or
    a mapping from class to weight."""

    sample_weight: str | None = None
    """Column that holds the weight of each row in the loss; it is then no feature."""

    engine: Literal["auto", "fused", "keras", "naive"] = "auto"
    """What runs the epochs: `fused` compiles whole epochs, `keras` is Keras' own `fit`, `auto`
    fuses where it can. `naive` is a loop to learn from, for `sgd` alone."""

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
    """Whether to run a frozen base once, where no augmentation comes before it, and keep its output
    in the folder of the runs for all epochs, folds and later runs."""

    checkpoint: Annotated[float, Field(gt=0)] | Duration | Literal[False] = 60.0
    """Seconds between two checkpoints, from which `dlrun resume` goes on with a run that was broken
    off; also a text such as `5m` or `1h30m`. `false` writes none."""

    @model_validator(mode="after")
    def _epochs_of_all_phases(self) -> Training:
        if self.phases:
            object.__setattr__(self, "epochs", sum(phase.epochs for phase in self.phases))
        return self

    @property
    def checkpoint_seconds(self) -> float | None:
        """Seconds between two checkpoints; None writes none."""
        every = self.checkpoint
        return None if every is False else seconds_of(str(every))

    def own_options(self) -> list[str]:
        """With phases, `epochs` is no option; without, there are none to write down."""
        left_out = "epochs" if self.phases else "phases"
        return [name for name in super().own_options() if name != left_out]

    @property
    def all_phases(self) -> list[Phase]:
        """The phases; a training without any is one phase."""
        return self.phases or [Phase(epochs=self.epochs)]

    @property
    def every_callback(self) -> list[KerasComponent]:
        """The callbacks that act in some phase."""
        own = [callback for phase in self.all_phases for callback in phase.callbacks or ()]
        taken_over = any(phase.callbacks is None for phase in self.all_phases)
        return [*self.callbacks, *own] if taken_over else own


class Evaluation(Section):
    """How the model is evaluated."""

    protocol: Annotated[Component, CHOSEN_PROTOCOL]
    """The protocol: `holdout` (the default), `repeated_holdout`, `kfold`, `iterated_kfold` or
    `time_series`; its options are written beside it."""

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


class Experiment(Section):
    """What every config has; each task has a class of its own with the sections that it needs."""

    name: str = Field(min_length=1, max_length=100)
    """Name of the run directory; default: the file's stem."""

    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """Seed of splits, initial weights, shuffling and random layers."""

    backend: Backend | None = None
    """What Keras computes with; default: KERAS_BACKEND, then tensorflow."""

    plugins: list[Annotated[str, Field(pattern=r"\.py$")]] = Field(default_factory=list)
    """Python files with layers, losses, metrics, callbacks, data sources and preprocessing steps
    of your own; they run only with `--trust-plugins`."""

    task: Annotated[Component, Member(TASKS, "supervised")] | None = None
    """What is optimised; default: `supervised`, the loss of the targets."""

    _document: Document | None = PrivateAttr(default=None)
    _plugins: Plugins = PrivateAttr(default=Plugins())

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
        on_key: bool = False,
        **details: Unpack[Details],
    ) -> Problem:
        """Return a problem with the value at `path` (or its key), for a `ConfigError`."""
        place = self.document.root.locate(path, on_key=on_key)
        return place.problem(message, **details)


class Config(Experiment):
    """One experiment in which a model learns from data."""

    dataset: Annotated[Component, CHOSEN_SOURCE]
    """Where the data comes from: `source` names the loader, the other keys are its options."""

    preprocess: list[Annotated[Component, Member(STEPS)]] = Field(default_factory=list)
    """Steps in order, fitted on the training rows only; an entry `targets:` holds steps on the
    target."""

    target_steps: SkipJsonSchema[list[Annotated[Component, Member(TARGET_STEPS)]]] = Field(
        default_factory=list
    )
    """Steps on the target (`targets:` in `preprocess`), in order."""

    augment: list[RandomLayer] | dict[str, list[RandomLayer]] = Field(default_factory=list)
    """Random layers of Keras that change only training rows, such as `RandomFlip`: a
    list for the one input of pictures, or a mapping from an input's name to a list."""

    blocks: dict[str, Block] = Field(default_factory=dict)
    """Pieces of models by name, to be used like layers."""

    architecture: Architecture
    """What is built."""

    loss: Annotated[KerasComponent, Kind("loss"), ByOutput("loss")]
    """What training minimises. Several outputs: a mapping from their names to losses, or one loss
    for all of them; training minimises the sum."""

    loss_weights: dict[str, float] = Field(default_factory=dict)
    """What the loss of each of several outputs counts in the sum, by its name; default: 1."""

    optimizer: Optimizer
    """How training minimises it."""

    metrics: Annotated[list[Metric], OneOrMany(("metric", "metrics")), ByOutput("metric")] = Field(
        default_factory=list
    )
    """What is measured at every epoch, besides the loss: one metric or a list. Several outputs: a
    mapping from their names to that, or the same for all of them."""

    training: Training = Training()
    """How the model is trained."""

    evaluation: Evaluation
    """How the model is evaluated."""

    search: Search | None = None
    """What `dlrun search` varies, and how; other commands take the config as it is."""

    look: Annotated[list[Annotated[Component, Member(VIEWS)]], OneOrMany(("view", "views"))] = (
        Field(default_factory=list)
    )
    """What `dlrun look` draws of the data and of what the model has learnt: one view or a list."""

    ignore: Codes = Field(default_factory=list)
    """Codes of findings to hide, such as `[DL012]`; suppressed findings are still counted."""

    _outputs: tuple[OutputEntry, ...] = PrivateAttr(default=())

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


class UnreadableSectionError(LookupError):
    """A section of a config was asked for that could not be read."""


class PartialConfig(Config):
    """A config with problems: the sections that could be read, and no others.

    Asking for another one raises `UnreadableSectionError`.
    """

    @classmethod
    def of(cls, values: Mapping[str, Any], unread: Collection[object]) -> PartialConfig:
        """Return the config of values that are checked already.

        Args:
            values: By the names of fields.
            unread: Sections that could not be read, and are to have no default either.
        """
        read = {key: value for key, value in values.items() if key not in unread}
        config = cls.model_construct(**{"ignore": [], **read})
        sections = [key for key in unread if key not in ("name", "seed", "backend", "ignore")]
        for section in [*sections, *(["target_steps"] if "preprocess" in unread else [])]:
            config.__dict__.pop(str(section), None)
        return config

    def require(self, section: str) -> None:
        """Check that a section could be read.

        Raises:
            UnreadableSectionError: It could not.
        """
        if section not in self.model_fields_set:
            raise UnreadableSectionError(section)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in Config.model_fields:
                raise UnreadableSectionError(name)
            return super().__getattr__(name)
