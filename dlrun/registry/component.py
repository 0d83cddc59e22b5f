"""What all of dlrun's own components have in common: typed, documented options."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

_NO_KEY: type = SkipJsonSchema


class Section(BaseModel):
    """A typed part of the config: unknown keys are errors, each field is documented beneath it."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        arbitrary_types_allowed=True,
        populate_by_name=True,
        # A config that says `epochs: "5"` is mistaken, and is told so.
        strict=True,
    )

    bare_option: ClassVar[str | None] = None
    """The option that a bare text sets: `run: DIRECTORY` is `run: {path: DIRECTORY}`."""

    alternatives: ClassVar[frozenset[str]] = frozenset()
    """Options of which one takes the place of another where a config extends another one."""

    dumps_defaults: ClassVar[bool] = True
    """Whether `resolved.yaml` spells out options that have their default."""

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        """The keys that a config may hold, each with its field. A field marked `SkipJsonSchema` is
        filled in by the reader, and is none of them."""
        return {
            field.alias or name: field
            for name, field in cls.model_fields.items()
            if _NO_KEY not in map(type, field.metadata)
        }

    def own_options(self) -> list[str]:
        """The options that mean something beside the values of the others: what is written
        into `resolved.yaml`."""
        return list(self.options())


class Component(Section):
    """A named thing of one family (a data source, a preprocessing step, a protocol).

    The fields of a subclass are its options, in order; the first one may be given bare
    in the config (`rescale: 0.5` is `rescale: {scale: 0.5}`).
    """

    plugin_name: ClassVar[str | None] = None
    """Its name in the config where a plugin brings it, whose file may hold several."""

    @classmethod
    def member_name(cls) -> str:
        """Its name in the config: that of its file."""
        return cls.plugin_name or cls.__module__.rpartition(".")[2]

    @classmethod
    def first_option(cls) -> str | None:
        """The option that a bare value sets, or None for a component without options."""
        return next(iter(cls.model_fields), None)
