"""The typed sections that describe a model: layers, blocks, and what is built of them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from dlrun.config.fields import FilePath, Kind, OneOrMany, Position
from dlrun.errors import KeyPath
from dlrun.registry.component import Section
from dlrun.registry.keras_component import KerasComponent

Name = Annotated[str, Field(min_length=1)]
LayerName = Annotated[str, Field(pattern="^[^/]+$")]
Names = Annotated[list[Name], Field(min_length=1), OneOrMany(("name", "names"), dumped_alone=True)]


class RunLayer(Section):
    """The trained model of another run, used as a layer."""

    bare_option = "path"
    dumps_defaults = False

    path: Annotated[FilePath, Field(min_length=1)]
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
    """Word vectors that an Embedding starts from."""

    bare_option = "path"
    dumps_defaults = False

    path: Annotated[FilePath, Field(min_length=1)]
    """Text file in GloVe's format, a word and its numbers a line; relative to the config file."""

    column: str | None = None
    """Column of texts, or of word numbers, whose vocabulary it is; default: the only one, or what
    the layer is called with."""


class LayerEntry(Section):
    """One entry of `architecture.layers`: a layer, a block by its name, or one of `use`,
    `application` and `run`; and beside it what follows."""

    dumps_defaults = False
    models: ClassVar[tuple[str, ...]] = ("use", "application", "run")
    """Keys that take the place of a layer's or a block's name."""

    layer: SkipJsonSchema[KerasComponent | None] = None
    """The layer and its arguments."""

    block: SkipJsonSchema[BlockCall | None] = None
    """The block and its parameters."""

    use: Name | None = None
    """A layer, block or model from above that is called again, with the same weights."""

    application: Annotated[KerasComponent, Kind("application")] | None = None
    """A model of `keras.applications`, with its arguments."""

    run: RunLayer | None = None
    """The trained model of another run: its directory, or `path` and `until`."""

    name: LayerName | None = None
    """Name of the layer and of its output."""

    inputs: Names | dict[Name, Names] = Field(default_factory=list, alias="from")
    """What it is called with: one name, a list, or a mapping from the arguments of the call to
    names, such as `{query: x, value: y}`; default: the layer above. `lstm.h` is a further output
    of a layer, `x.positions` counts the steps of a sequence from 0."""

    call: dict[Name, Any] = Field(default_factory=dict)
    """Values that it is called with, such as `{use_causal_mask: true}`."""

    repeat: int = Field(default=1, ge=1)
    """How many copies are stacked one after the other, each with its own weights."""

    vectors: Vectors | None = None
    """Beside an `Embedding`: the word vectors that it starts from, a file in GloVe's format, or
    `path` and `column`. Words missing from the file start as zeros."""

    path: Position = ()
    """Where the entry is in the config."""

    file_at: Position = ()
    """Where in the config the run or the file of weights is named that it is made from."""

    @property
    def sources(self) -> list[str]:
        """All names in `from`."""
        if isinstance(self.inputs, list):
            return self.inputs
        return [name for names in self.inputs.values() for name in names]

    @classmethod
    def beside(cls) -> list[str]:
        """The keys that are written beside what an entry names."""
        return [key for key in cls.options() if key not in cls.models]


class Architecture(Section):
    """What is built: a list of layers is a Sequential model, names make it a graph."""

    dumps_defaults = False

    inputs: dict[LayerName, Names] = Field(default_factory=dict)
    """Names of the inputs, each with one column of the data or a list of them; default: one
    input of all columns, or where `from` names columns, an input for each."""

    layers: list[LayerEntry] = Field(min_length=1)
    """Layers from top to bottom; the shapes of inputs are inferred from the data."""

    outputs: Names = Field(default_factory=list)
    """Names of the layers that give the answers: one or a list; default: the last layer."""

    path: Position = ("architecture",)
    """Where it is in the config."""


class Block(Section):
    """A piece of a model that is used like a layer."""

    dumps_defaults = False

    parameters: dict[str, Any] = Field(default_factory=dict)
    """Parameters with their defaults; one without a value has to be given. Inside the block
    `$width` is replaced by the parameter `width`."""

    inputs: Names = Field(default_factory=lambda: ["input"])
    """Names of what it is called with, one or a list."""

    layers: list[Annotated[Any, Kind("layer")]] = Field(min_length=1)
    """Its layers, as under `architecture`."""

    outputs: Names = Field(default_factory=list)
    """Names of the layers whose outputs it gives: one or a list; default: the last layer."""

    path: Position = ()
    """Where the block is in the config."""
