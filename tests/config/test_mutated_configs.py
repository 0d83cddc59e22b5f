"""Shipped configs with mistakes: each is accepted, or refused with a short and harmless answer."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from dlrun.checks.check import config_findings
from dlrun.cli.console import print_error
from dlrun.config.dump import dump_config
from dlrun.config.load import load_config
from dlrun.config.yaml_writer import dump_yaml
from dlrun.errors import ConfigError
from dlrun.text import visible

SHIPPED = sorted(
    file
    for file in (Path(__file__).parents[2] / "configs").rglob("*.yaml")
    if "\nextends:" not in file.read_text("utf-8")
)
TEXTS = [file.read_text("utf-8") for file in SHIPPED]
TREES = [yaml.safe_load(text) for text in TEXTS]

ODD = [
    "\x1b[31m",
    "\u202egnp",
    "\x85",
    "\r\n",
    "\t",
    "é\u0301",
    "🦄" * 90,
    "\ufeff",
    "\x00",
    "ß",
    "²",
]
LONG = ["x" * 5_000, "a b" * 900, "9" * 300, "'quoted' " * 40, "k: v\n" * 30, "{" * 90, "{{x}}"]
WORDS = ["Dense", "adam", "mse", "csv", "extends", "name", "from", "use", "layers", "source", "<<"]
PLAIN = st.sampled_from([*ODD, *LONG, *WORDS, "", "~", "null", ".nan", "1e400", "0x10", "on", "/"])
SCALARS = PLAIN | st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
    max_leaves=6,
)


def entries(value: Any) -> dict[Any, Any]:
    """The entries of a mapping or list by key or number; none of a plain value."""
    if isinstance(value, list):
        return dict(enumerate(value))
    return value if isinstance(value, dict) else {}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every entry in plain data: what holds it, and its key or number."""
    for key, inner in entries(value).items():
        yield value, key
        yield from places(inner)


def remove(inside: Any, key: Any, value: Any) -> None:
    del inside[key]


def replace(inside: Any, key: Any, value: Any) -> None:
    inside[key] = value


def duplicate(inside: Any, key: Any, value: Any) -> None:
    if isinstance(inside, list):
        inside.insert(key, copy.deepcopy(inside[key]))
    else:
        inside[str(value)] = copy.deepcopy(inside[key])


def rename(inside: Any, key: Any, value: Any) -> None:
    """Change a letter, or all, of a key; of a text in a list likewise."""
    if isinstance(inside, list):
        inside[key] = f"{inside[key]}{value}"
        return
    new = str(key)[1:] if len(str(value)) % 2 else f"{key}{value}"
    renamed = {new if old == key else old: inner for old, inner in inside.items()}
    inside.clear()
    inside.update(renamed)


def wrap(inside: Any, key: Any, value: Any) -> None:
    """Put a list around a mapping or plain value, and take the first of a list."""
    inner = inside[key]
    inside[key] = inner[0] if isinstance(inner, list) and inner else [inner]


def as_text(inside: Any, key: Any, value: Any) -> None:
    inside[key] = str(inside[key])


def repeat(inside: Any, key: Any, value: Any) -> None:
    """Make the same mistake many times."""
    for number in range(15):
        if isinstance(inside, list):
            inside.append(value)
        else:
            inside[f"{value}{number}"] = value


Operation = Callable[[Any, Any, Any], None]
OPERATIONS: list[Operation] = [remove, replace, duplicate, rename, wrap, as_text, repeat]
CHANGES = st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 10_000), VALUES)


def changed_tree(number: int, changes: list[tuple[Operation, int, Any]]) -> str:
    """A shipped config with changes of its values and keys, as YAML."""
    tree = copy.deepcopy(TREES[number % len(TREES)])
    for operation, place, value in changes:
        found = list(places(tree))
        if found:
            operation(*found[place % len(found)], value)
    return dump_yaml(tree)


PIECES = st.sampled_from(
    [
        *ODD,
        ":",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "{",
        "}",
        "[",
        "]",
        "#",
        "*a",
        "&a ",
        "!",
        "'",
        '"',
        "|",
        "%",
    ]
)
EDITS = st.tuples(st.floats(0, 1), st.integers(0, 60), PIECES)


def changed_text(number: int, edits: list[tuple[float, int, str]]) -> str:
    """A shipped config with pieces of its text cut out and others put in."""
    text = TEXTS[number % len(TEXTS)]
    for share, length, piece in edits:
        start = int(share * len(text))
        text = text[:start] + piece + text[start + length :]
    return text


def refusal(file: Path) -> ConfigError | None:
    """What is wrong with a config; None for one that is accepted."""
    try:
        config = load_config(file)
        config_findings(config)
        dump_config(config)
    except ConfigError as error:
        return error
    return None


def check(text: str, file: Path) -> None:
    file.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    error = refusal(file)
    if error is None:
        return
    shown = io.StringIO()
    print_error(Console(file=shown, width=200), error)
    lines = shown.getvalue().splitlines()
    assert len(lines) < 25
    assert max(map(len, lines)) < 700
    assert shown.getvalue() == visible(shown.getvalue())
    for problem in error.problems:
        said = f"{problem.message} {problem.found}"
        for word in ("pydantic", "Input should", "x" * 70, "9" * 70, "🦄" * 70):
            assert word not in said


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutants") / "config.yaml"


def fuzz(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on so many mutants."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


NUMBERS = st.integers(0, len(SHIPPED) - 1)
OF_TREES = {"number": NUMBERS, "changes": st.lists(CHANGES, min_size=1, max_size=4)}
OF_TEXTS = {"number": NUMBERS, "edits": st.lists(EDITS, min_size=1, max_size=4)}


@fuzz(30)
@given(**OF_TREES)
def test_a_config_with_changed_values(number: int, changes: Any, file: Path) -> None:
    check(changed_tree(number, changes), file)


@fuzz(30)
@given(**OF_TEXTS)
def test_a_config_with_changed_text(number: int, edits: Any, file: Path) -> None:
    check(changed_text(number, edits), file)


@pytest.mark.slow
@fuzz(1000)
@given(**OF_TREES)
def test_many_configs_with_changed_values(number: int, changes: Any, file: Path) -> None:
    check(changed_tree(number, changes), file)


@pytest.mark.slow
@fuzz(1000)
@given(**OF_TEXTS)
def test_many_configs_with_changed_text(number: int, edits: Any, file: Path) -> None:
    check(changed_text(number, edits), file)
