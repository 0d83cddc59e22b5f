"""The JSON Schema that editors use: what it accepts, and what it tells on hovering."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dlrun.config.document import Reporter
from dlrun.config.dump import dump_experiment
from dlrun.config.extends import read_files
from dlrun.config.json_schema import json_schema
from dlrun.config.load import KEYS, load_experiment
from dlrun.registry import catalogue
from dlrun.registry.families import PROTOCOLS, SOURCES, STEPS

SCHEMA = json_schema()
CONFIGS = sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))


@pytest.mark.slow
def test_it_is_a_schema_of_the_draft_that_it_names() -> None:
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(SCHEMA)


def test_every_reference_leads_somewhere() -> None:
    references = {part["$ref"] for part in parts(SCHEMA) if "$ref" in part}
    assert references
    assert references <= {f"#/$defs/{name}" for name in SCHEMA["$defs"]}


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_shipped_configs_are_valid_as_they_are_and_written_out(file: Path) -> None:
    validator, report = Draft202012Validator(SCHEMA), Reporter()
    root, _ = read_files(file, report)
    assert report.problems() == []
    assert root is not None
    for plain in (root.plain(), dump_experiment(load_experiment(file))):
        assert [error.message for error in validator.iter_errors(plain)] == []


@pytest.mark.parametrize(
    "child",
    [
        {"optimizer": "adam"},
        {"dataset": {"limit": 100}},
        {"dataset": {"source": "csv", "limit": 100}},
        {"evaluation": {"folds": 3}},
        {"training": {"epochs": 3}},
        {"architecture": {"layers": ["Flatten", {"Dense": 10}]}},
    ],
)
def test_a_config_that_extends_another_needs_only_what_differs(child: dict[str, Any]) -> None:
    validator = Draft202012Validator(SCHEMA)
    assert validator.is_valid({"extends": "base.yaml", **child})
    assert not validator.is_valid(child)
    assert not validator.is_valid({"extends": "base.yaml", "optimiser": "adam", **child})


def test_everything_that_can_be_written_is_explained() -> None:
    properties = SCHEMA["else"]["properties"]
    assert list(properties) == KEYS
    assert all(properties[key]["description"] for key in KEYS)
    sources = {
        case["const"]: case for case in properties["dataset"]["properties"]["source"]["anyOf"]
    }
    assert sorted(sources) == SOURCES.names()
    assert sources["sklearn"]["description"].startswith(
        "Small real data sets that come with scikit-learn"
    )
    cases = {
        case["if"]["properties"]["source"]["const"]: case["then"]
        for case in properties["dataset"]["allOf"]
    }
    for name in SOURCES.names():
        options = cases[name]["properties"]
        assert {"source", *SOURCES.get(name).model_fields} == set(options)
        assert all(schema["description"] for key, schema in options.items() if key != "source")
    protocols = SCHEMA["$defs"]["Evaluation"]["properties"]["protocol"]["anyOf"]
    assert [protocol["const"] for protocol in protocols] == PROTOCOLS.names()
    steps = properties["preprocess"]["anyOf"][0]["items"]["anyOf"][1]["properties"]
    assert set(steps) == {*STEPS.names(), "targets"}
    assert all(step["description"] for step in steps.values())


def test_layers_come_with_their_arguments_defaults_and_choices() -> None:
    spellings = SCHEMA["$defs"]["layer"]["anyOf"][1]["properties"]
    assert set(spellings) == set(catalogue.spellings("layer"))
    assert spellings["Conv2D"]["description"] == "2D convolution layer"
    arguments = SCHEMA["$defs"]["layer.Conv2D"]["anyOf"][0]
    assert arguments["required"] == ["filters", "kernel_size"]
    assert arguments["properties"]["padding"]["default"] == "valid"
    assert arguments["properties"]["padding"]["anyOf"][0]["enum"] == ["same", "valid"]


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """All schemas inside a schema."""
    if isinstance(schema, dict):
        yield schema
    inner = schema.values() if isinstance(schema, dict) else schema
    for part in inner if isinstance(schema, dict | list) else ():
        yield from parts(part)
