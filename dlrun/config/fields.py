"""Marks on the types of config fields, which say what may be written there: reading, `extends`,
`--set`, paths, `resolved.yaml`, the docs and the JSON Schema go by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

from dlrun.errors import KeyPath
from dlrun.registry.families import Family
from dlrun.registry.keras_component import KerasKind
from dlrun.text import seconds_of

Position = SkipJsonSchema[KeyPath]
"""Where a part of the config is written: filled in by the reader, not a key."""


@dataclass(frozen=True)
class Kind:
    """A component of Keras of this kind."""

    kind: KerasKind


@dataclass(frozen=True)
class Member:
    """A component of this family, named like one of Keras.

    Args:
        family: The family.
        default: The member where the key is missing; `resolved.yaml` does not name it.
    """

    family: Family
    default: str | None = None


@dataclass(frozen=True)
class ChosenBy:
    """A component of this family that one key names; its options are written beside that key.

    Args:
        key: The key that names it, such as `source`.
        family: Its family.
        default: The name where the key is missing.
        shares_options: Whether a config that chooses another member keeps the options of the config
            it extends that both members have.
    """

    key: str
    family: Family
    default: str | None = None
    shares_options: bool = False


@dataclass(frozen=True)
class FindingCode:
    """The code of a finding of `dlrun check`."""


@dataclass(frozen=True)
class OneOrMany:
    """A list of which one entry may be given alone.

    Args:
        noun: What an entry is, and several are, for messages.
        dumped_alone: Whether `resolved.yaml` holds a single entry without a list.
    """

    noun: tuple[str, str]
    dumped_alone: bool = False


@dataclass(frozen=True)
class ByOutput:
    """What every output of the model has: one for all, or a mapping from their names."""

    kind: KerasKind


@dataclass(frozen=True)
class IsPath:
    """A path that starts from the folder of the file that holds it."""


FilePath = Annotated[str, IsPath()]


def _is_duration(text: str) -> str:
    seconds_of(text)
    return text


Duration = Annotated[str, AfterValidator(_is_duration)]
"""A length of time, such as `90s`, `5m` or `1h30m`."""


def unpacked(metadata: Iterable[Any]) -> list[Any]:
    """The single constraints and marks in the metadata of an `Annotated` type."""
    constraints: list[Any] = []
    for item in metadata:
        constraints += item.metadata if isinstance(item, FieldInfo) else [item]
    return constraints
