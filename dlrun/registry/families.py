"""Families of dlrun's own components, found by the names of their files.

A member of a family is one file in the family's package, and the one class in it that
derives from the family's base. Nothing else has to be edited to add one.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlrun.registry import additions
from dlrun.registry.component import Component
from dlrun.registry.names import did_you_mean


class UnknownMemberError(LookupError):
    """No member of the family has that name. The text is a message for the user."""


@dataclass(frozen=True)
class Family:
    """One family of components.

    Args:
        title: What a member is called in messages, such as `data source`.
        package: The package whose modules are the members.
        base: The class that every member derives from: its module and name, with a dot between.
    """

    title: str
    package: str
    base: str

    def names(self) -> list[str]:
        """The members' names, sorted, those of plugins included, without importing any of them."""
        return sorted({*self.own_names(), *additions.members(self.package)})

    def own_names(self) -> tuple[str, ...]:
        """The names of the members that are files of dlrun, sorted."""
        return _modules(self.package)

    def base_class(self) -> type[Component]:
        """Import and return the class that every member derives from."""
        module, _, name = self.base.rpartition(".")
        base: type[Component] = getattr(importlib.import_module(module), name)
        return base

    def get(self, name: str) -> type[Component]:
        """Import and return the member's class.

        Raises:
            UnknownMemberError: No member has that name.
        """
        if (added := additions.members(self.package).get(name)) is not None:
            return added
        if name not in self.own_names():
            raise UnknownMemberError(
                f"unknown {self.title} '{name}'{did_you_mean(name, self.names())}"
            )
        return _component_in(f"{self.package}.{name}")


@cache
def _component_in(name: str) -> type[Component]:
    """The one component that a module defines."""
    module = importlib.import_module(name)
    members = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Component)
        and value.__module__ == name
        and not value.__name__.startswith("_")
    ]
    if len(members) != 1:
        raise TypeError(f"{name} must define one component, has {members}")
    return members[0]


@cache
def _modules(package: str) -> tuple[str, ...]:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise LookupError(f"no package {package}")
    modules = pkgutil.iter_modules(spec.submodule_search_locations)
    return tuple(sorted(module.name for module in modules if not module.ispkg))


SOURCES = Family("data source", "dlrun.data.sources", "dlrun.data.source.Source")
STEPS = Family("preprocessing step", "dlrun.data.preprocessing", "dlrun.data.step.Step")
TARGET_STEPS = Family(
    "target preprocessing step", "dlrun.data.targets", "dlrun.data.step.TargetStep"
)
PROTOCOLS = Family("protocol", "dlrun.protocols.schemes", "dlrun.protocols.protocol.Protocol")

TASKS = Family("task", "dlrun.tasks", "dlrun.tasks.Task")

SAMPLERS = Family("sampler", "dlrun.searches.samplers", "dlrun.searches.sampler.Sampler")

VIEWS = Family("view", "dlrun.views", "dlrun.views.View")

CHECKS = "dlrun.checks.subjects"
"""The package whose modules hold the checks, each a function decorated with its code."""

_CHECK = re.compile(r'^@check\(\s*"(DL\d{3})"', re.MULTILINE)


@cache
def codes_by_module() -> dict[str, list[str]]:
    """Return the codes of the checks in each module, read from its text: importing the checks of
    rows would import NumPy."""
    spec = importlib.util.find_spec(CHECKS)
    if spec is None or spec.submodule_search_locations is None:
        raise LookupError(f"no package {CHECKS}")
    (folder,) = spec.submodule_search_locations
    return {
        name: _CHECK.findall(Path(folder, f"{name}.py").read_text(encoding="utf-8"))
        for name in _modules(CHECKS)
    }


def finding_codes() -> list[str]:
    """Return the codes of all checks, sorted."""
    return sorted(code for codes in codes_by_module().values() for code in codes)
