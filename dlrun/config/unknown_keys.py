"""What to say about a key that does not belong where it is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dlrun.config.document import Reporter
from dlrun.config.model_schema import Architecture
from dlrun.config.schema import Config, Evaluation, Training
from dlrun.errors import KeyPath
from dlrun.registry.families import PROTOCOLS, SOURCES, Family
from dlrun.registry.names import closest
from dlrun.text import listed, quoted

_MODEL = "the model is described under 'architecture', as a list of 'layers'"
_RATE = "it is an argument of the optimizer: `optimizer: {rmsprop: {learning_rate: 0.001}}`"
_MOMENTUM = "it is an argument of the optimizer: `optimizer: {SGD: {momentum: 0.9}}`"
_HOLD_OUT = "the hold-out is set by `evaluation: {validation: {fraction: 0.2}}`"
_EARLY = "it is a callback: `callbacks: [{EarlyStopping: {patience: 10}}]` under 'training'"
_SEED = "the seed of everything random is the top-level key 'seed'"

OTHER_WORDS = {
    "model": ("architecture", _MODEL),
    "network": ("architecture", _MODEL),
    "lr": ("optimizer", _RATE),
    "learning_rate": ("optimizer", _RATE),
    "momentum": ("optimizer", _MOMENTUM),
    "validation_split": ("evaluation", _HOLD_OUT),
    "validation_data": ("evaluation", _HOLD_OUT),
    "patience": ("training", _EARLY),
    "early_stopping": ("training", _EARLY),
    "random_state": ("seed", _SEED),
    "random_seed": ("seed", _SEED),
}
"""What other tools call things: the key of a config that it is about, and what to write."""


@dataclass(frozen=True)
class UnknownKeys:
    """Reports the unknown keys of one section.

    Args:
        report: Takes the problems.
        section: The section's name; None at the top level.
        known: The keys that may appear there.
        family: The family whose member the section is, if any.
        member: The member's name.
    """

    report: Reporter
    section: str | None
    known: Iterable[str]
    family: Family | None = None
    member: str | None = None

    def __call__(self, key: str | int) -> set[str]:
        """Report a key.

        Returns:
            The top-level keys or options that it may have been meant for: that one of them is
            missing as well is the same mistake.
        """
        path: KeyPath = (key,) if self.section is None else (self.section, key)
        word, known = str(key), list(self.known)
        place = f" in '{self.section}'" if self.section else ""
        message, expected, hint, meant = f"unknown key '{word}'{place}", None, None, set[str]()
        if self.section is not None and word in Config.options():
            message = f"'{word}' belongs at the top level, not under '{self.section}'"
        elif owners := self._owners(word, _sections()):
            message, meant = self._belongs(word, owners), set(owners)
        elif near := closest(word, known):
            message, meant = f"{message}; did you mean '{near}'?", {near}
        elif word in OTHER_WORDS:
            about, hint = OTHER_WORDS[word]
            meant = {about}
        elif members := self._members_with(word):
            message = f"'{word}' belongs to {self._titled(members)}, not to '{self.member}'"
            hint = self._choosing(members)
        elif near := self._near_option(word):
            members = self._members_with(near)
            message = f"{message}; did you mean '{near}'? It belongs to {self._titled(members)}"
            hint = self._choosing(members)
        elif owners := self._owners(word, _sections_with_options()):
            message, meant = self._belongs(word, owners), set(owners)
        elif found := self._near_elsewhere(word):
            section, near = found
            message = f"unknown key '{word}'; did you mean '{near}' under '{section}'?"
            meant = {section}
        else:
            expected = listed(known, "or")
        self.report(path, message, expected=expected, hint=hint, on_key=True)
        return meant

    def _titled(self, members: list[str]) -> str:
        """Members of the section's family, with what they are called."""
        title = self.family.title if self.family else ""
        return f"the {title}{'s' if len(members) > 1 else ''} {quoted(members)}"

    def _choosing(self, members: list[str]) -> str | None:
        """How another protocol is named, whose default may appear there unseen."""
        if self.family is not PROTOCOLS:
            return None
        return f"add for example `protocol: {min(members, key=len)}`"

    def _near_option(self, word: str) -> str | None:
        """The option of another member of the family that a misspelt word may mean."""
        if self.family is None:
            return None
        members = (name for name in self.family.names() if name != self.member)
        options = {key for name in members for key in self.family.get(name).options()}
        # A typing error, not another word: the members have many options together.
        return closest(word, {key for key in options if abs(len(key) - len(word)) < 2})

    def _owners(self, word: str, sections: dict[str, set[str]]) -> list[str]:
        """The sections in which there is such a key."""
        return [name for name, keys in sections.items() if word in keys and name != self.section]

    def _belongs(self, word: str, owners: list[str]) -> str:
        here = f", not under '{self.section}'" if self.section else ""
        return f"'{word}' belongs under {quoted(owners, 'or')}{here}"

    def _near_elsewhere(self, word: str) -> tuple[str, str] | None:
        for name, keys in _sections_with_options().items():
            if name != self.section and (near := closest(word, keys)):
                return name, near
        return None

    def _members_with(self, word: str) -> list[str]:
        if self.family is None:
            return []
        names = (name for name in self.family.names() if name != self.member)
        return [name for name in names if word in self.family.get(name).options()]


def _sections() -> dict[str, set[str]]:
    """The keys of every section."""
    return {
        "training": set(Training.options()),
        "architecture": set(Architecture.options()),
        "evaluation": set(Evaluation.options()),
        "dataset": {"source"},
    }


def _sections_with_options() -> dict[str, set[str]]:
    """The same with the options of all data sources and protocols, which imports them."""
    sections = _sections()
    sections["evaluation"] |= _options(PROTOCOLS)
    sections["dataset"] |= _options(SOURCES)
    return sections


def _options(family: Family) -> set[str]:
    return {option for name in family.names() for option in family.get(name).options()}
