"""A config key that nothing reads is a bug."""

from __future__ import annotations

import ast
from pathlib import Path

from dlrun.config import model_schema, schema, search_schema
from dlrun.config.model_schema import Architecture, Block, BlockCall, LayerEntry, RunLayer, Vectors
from dlrun.config.schema import Config, Evaluation, Experiment, OutputEntry, Phase, Training
from dlrun.config.search_schema import Choices, Range, Search
from dlrun.registry.component import Section

PACKAGE = Path(schema.__file__).parents[1]


def attributes_read_outside_config() -> set[str]:
    """Every name `x` in an expression `something.x`, in all rooms but `config`."""
    return {
        node.attr
        for file in PACKAGE.rglob("*.py")
        if file.relative_to(PACKAGE).parts[0] != "config"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


SECTIONS = (
    Experiment,
    Config,
    Block,
    BlockCall,
    LayerEntry,
    RunLayer,
    Vectors,
    Architecture,
    OutputEntry,
    Phase,
    Training,
    Evaluation,
    Search,
    Choices,
    Range,
)


def test_something_reads_every_option() -> None:
    read = attributes_read_outside_config()
    dead = [
        f"{section.__name__}.{field}"
        for section in SECTIONS
        for field in section.model_fields
        if field not in read
    ]
    assert dead == []


def has_options_of_its_own(section: type[Section]) -> bool:
    inherited = {key for base in section.__bases__ for key in getattr(base, "model_fields", ())}
    return not section.model_fields.keys() <= inherited


def test_the_sections_are_all_there() -> None:
    """A section added to the schema is to be added above; `PartialConfig` has the options of
    `Config`."""
    sections = {
        value
        for module in (model_schema, schema, search_schema)
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Section)
        and value.__module__ == module.__name__
        and has_options_of_its_own(value)
    }
    assert sections == set(SECTIONS)
