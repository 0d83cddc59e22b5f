"""Architectures as text, for the tests of graphs."""

from __future__ import annotations

from typing import Any

import yaml

from dlrun.config.blocks import read_blocks
from dlrun.config.document import NOWHERE, Reporter, node_of
from dlrun.config.grammar import canonical_config
from dlrun.config.layers import check_blocks, read_architecture
from dlrun.config.model_schema import Architecture, Block
from dlrun.models.augment import InputSpec
from dlrun.models.build import build_model


def read(text: str) -> tuple[Architecture, dict[str, Block]]:
    """`architecture` and `blocks` as the config's loader reads them."""
    given = canonical_config(node_of(yaml.safe_load(text), NOWHERE)).plain()
    report = Reporter()
    blocks = read_blocks(given.get("blocks"), report)
    check_blocks(blocks, report)
    architecture = read_architecture(given["architecture"], blocks, report)
    assert report.problems() == []
    assert architecture is not None
    return architecture, blocks


def model_of(architecture_text: str, /, **inputs: tuple[tuple[int | None, ...], str]) -> Any:
    """The model of an architecture, for inputs of these shapes and dtypes."""
    architecture, blocks = read(architecture_text)
    specs = {name: InputSpec(*spec) for name, spec in inputs.items()}
    return build_model(architecture, blocks, specs)
