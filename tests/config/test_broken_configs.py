"""Broken configs and the exact message that each one gets.

The cases are in `broken/*.md`, to be read like a page: a config, and what `load_config` says.
In a case,

- a `yaml` block is `experiment.yaml`; keys that every config needs and the case does not
  write are added below it, so that a case shows its mistake and nothing else;
- `yaml as is` adds nothing;
- `yaml NAME` is another file beside it, as it is;
- an `sh` block holds the overrides of the command line; a case without a `yaml` block has a
  config without a mistake;
- a `text` block is the whole message, with `<data sources>` for the names of all of them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pages import Section, sections

from dlrun.config.document import Reporter
from dlrun.config.extends import read_files
from dlrun.config.json_schema import json_schema
from dlrun.config.load import load_config
from dlrun.errors import ConfigError
from dlrun.registry.families import SOURCES
from dlrun.text import listed

NEEDED = {
    "dataset": "{source: sklearn, name: digits}",
    "architecture": "{layers: [{Dense: 64}, {Dense: 10}]}",
    "loss": "mse",
    "optimizer": "adam",
}


@dataclass
class Case:
    """One broken config: its files and its overrides."""

    section: Section
    files: dict[str, str] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    seed: int | None = None

    @property
    def title(self) -> str:
        """The page and the mistake."""
        return f"{self.section.page.stem}: {self.section.title}"


def completed(text: str) -> str:
    written = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    return text + "".join(f"{key}: {NEEDED[key]}\n" for key in NEEDED if key not in written)


def read_case(section: Section) -> Case:
    case = Case(section, {"experiment.yaml": completed("")})
    for block in section.blocks:
        kind, _, name = block.info.partition(" ")
        if kind == "sh":
            words = shlex.split(block.body)
            options = list(zip(words[::2], words[1::2], strict=True))
            case.overrides = [value for option, value in options if option == "--set"]
            case.seed = next((int(value) for option, value in options if option == "--seed"), None)
        elif kind == "yaml" and name in ("", "as is"):
            case.files["experiment.yaml"] = block.body if name else completed(block.body)
        elif kind == "yaml":
            case.files[name] = block.body
    return case


CASES = [read_case(section) for section in sections(Path(__file__).parent / "broken")]


def test_the_cases_cover_every_level() -> None:
    assert len(CASES) >= 120
    assert len({case.title for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_broken_config(
    case: Case,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_shown: Callable[[Section, str], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    for name, text in case.files.items():
        Path(name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config("experiment.yaml", case.overrides, case.seed)
    sources = listed(SOURCES.names(), "or")
    assert_shown(case.section, str(caught.value).replace(sources, "<data sources>"))


def test_what_cases_are_completed_with_is_sound(tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(completed(""), encoding="utf-8")
    assert load_config(file).optimizer.name == "Adam"


BEYOND_A_SCHEMA = {
    "descent: a curve that begins at two numbers",
    "descent: a function both ways",
    "engines: an optimizer that the naive engine does not know",
    "engines: options of SGD and of training that it does not know",
    "engines: another optimizer in a later phase",
    "components: two layers of one name",
    "components: a score that is not measured",
    "components: a misspelt score",
    "components: a callback that watches a metric by another name",
    "data_and_protocols: two options that exclude each other",
    "data_and_protocols: a test both ways",
    "data_and_protocols: a hold-out both ways",
    "data_and_protocols: a hold-out that is dealt anew, of the first rows",
    "data_and_protocols: a test file that is shuffled",
    "keys_and_values: a name that no folder can have",
}
"""Mistakes that lie between values, and names of folders."""

PAGES = ("keys_and_values", "components", "data_and_protocols")
ALONE = [case for case in CASES if case.title.split(":")[0] in PAGES]


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    return Draft202012Validator(json_schema())


@pytest.mark.parametrize("case", ALONE, ids=lambda case: case.title)
def test_an_editor_sees_it_too(case: Case, schema: Draft202012Validator, tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(case.files["experiment.yaml"], encoding="utf-8")
    root, _ = read_files(file, Reporter())
    assert root is not None
    assert schema.is_valid(root.plain()) == (case.title in BEYOND_A_SCHEMA)
