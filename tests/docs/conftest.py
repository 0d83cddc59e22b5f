"""Reading the documents: their blocks of code, each with what stands around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Block:
    """One fenced block of a document.

    Args:
        place: File and line, for messages.
        language: The first word of the fence.
        broken: Whether the fence says so: what is wrong with it is the point.
        text: The lines between the fences.
    """

    place: str
    language: str
    broken: bool
    text: str


def _blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = []
    for match in re.finditer(r"^```(\w+)( broken)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start()) + 1
        blocks.append(Block(f"{page}:{line}", match[1], bool(match[2]), match[3]))
    return blocks


@pytest.fixture
def blocks() -> Callable[[str], list[Block]]:
    """Gives the blocks of a document, by its path from the root."""
    return _blocks


@pytest.fixture
def root() -> Path:
    """The root of the repository."""
    return ROOT
