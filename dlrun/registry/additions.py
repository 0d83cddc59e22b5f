"""What plugins add to Keras' classes and to the files of dlrun's families.

It is there from one load of a config to the next, so that two configs in one process know nothing
of each other's plugins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlrun.registry.keras_component import CatalogueEntry, KerasKind

if TYPE_CHECKING:
    from dlrun.registry.component import Component


@dataclass(frozen=True)
class Additions:
    """What the plugins of one config bring.

    Args:
        entries: Classes of Keras' kinds, by kind and name.
        members: Components of dlrun's families, by the family's package and name.
    """

    entries: Mapping[tuple[KerasKind, str], CatalogueEntry] = field(default_factory=dict)
    members: Mapping[tuple[str, str], type[Component]] = field(default_factory=dict)


_NOTHING = Additions()
_in_use = [_NOTHING]


def use(additions: Additions | None = None) -> None:
    """Make these names known, and forget those of other plugins; None for no plugins."""
    _in_use[0] = additions or _NOTHING


def entry(kind: KerasKind, name: str) -> CatalogueEntry | None:
    """Return the class that was added under a name, or None."""
    return _in_use[0].entries.get((kind, name))


def names(kind: KerasKind) -> list[str]:
    """Return the names of all classes of a kind that were added."""
    return [name for found, name in _in_use[0].entries if found == kind]


def members(package: str) -> dict[str, type[Component]]:
    """Return what plugins add to the family of a package, by name."""
    in_package = _in_use[0].members.items()
    return {name: member for (family, name), member in in_package if family == package}
