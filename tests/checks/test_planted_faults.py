"""Planted faults and what `dlrun check` says of each, word for word.

The cases are in `faults/*.md`, to be read like a page: a config, and the findings. In a case,

- a `columns` block makes `rows.csv`: every array is a column;
- a `pictures` block makes the folder `photos`: every entry of `photos` is a file, its path and its
  pixels;
- a `yaml` block is `experiment.yaml`; keys that it does not write are those of a sound config;
- a `text` block holds all findings, or `nothing wrong found`;
- a title begins with the code that the fault must get, or with `missed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pages import Section, sections
from PIL import Image

from dlrun.checks.finding import Findings
from dlrun.checks.run import config_findings, data_findings
from dlrun.config.load import load_config
from dlrun.registry.families import finding_codes
from dlrun.workflows.loading import load_rows

SOUND_DIGITS = {
    "dataset": "{source: sklearn, name: digits}",
    "preprocess": "[{rescale: 1/16}]",
    "architecture": (
        "{layers: [{Dense: {units: 64, activation: relu}}, "
        "{Dense: {units: 10, activation: softmax}}]}"
    ),
    "loss": "sparse_categorical_crossentropy",
    "optimizer": "adam",
    "metrics": "[accuracy]",
}
SOUND_TABLE = SOUND_DIGITS | {
    "dataset": "{source: csv, path: rows.csv, target: y}",
    "preprocess": "[]",
    "architecture": (
        "{layers: [{Dense: {units: 16, activation: relu}}, "
        "{Dense: {units: 1, activation: sigmoid}}]}"
    ),
    "loss": "binary_crossentropy",
}
SOUND_PICTURES = SOUND_TABLE | {
    "dataset": "{source: image_folder, path: photos}",
    "preprocess": "[{rescale: 1/255}]",
    "architecture": (
        "{layers: [{Conv2D: {filters: 4, kernel_size: 3, activation: relu}}, "
        "GlobalAveragePooling2D, {Dense: {units: 1, activation: sigmoid}}]}"
    ),
    # The score of so few photos is known to a tenth.
    "ignore": "[DL113]",
}
NOTHING = "nothing wrong found"


@dataclass(frozen=True)
class Case:
    """One planted fault: its rows and its config."""

    section: Section
    columns: str
    pictures: str
    text: str

    @property
    def title(self) -> str:
        """What is planted."""
        return self.section.title

    @property
    def code(self) -> str | None:
        """The code that the fault must get, or None for a sound config or a miss."""
        first = self.title.split()[0]
        return first if first.startswith("DL") else None

    @property
    def reads_rows(self) -> bool:
        """Whether the rows are there to be read without Keras."""
        return "source: keras" not in self.text


def read_case(section: Section) -> Case:
    blocks = {block.info: block.body for block in section.blocks}
    text, sound = blocks.get("yaml", ""), SOUND_TABLE if "columns" in blocks else SOUND_DIGITS
    sound = SOUND_PICTURES if "pictures" in blocks else sound
    written = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    text += "".join(f"{key}: {sound[key]}\n" for key in sound if key not in written)
    return Case(section, blocks.get("columns", ""), blocks.get("pictures", ""), text)


def write(case: Case) -> None:
    Path("experiment.yaml").write_text(case.text, encoding="utf-8")
    if case.columns:
        names: dict[str, Any] = {"np": np, "rng": np.random.default_rng(0), "n": 1000}
        exec(case.columns, names)
        table = {name: value for name, value in names.items() if isinstance(value, np.ndarray)}
        pd.DataFrame(table).to_csv("rows.csv", index=False)
    if case.pictures:
        names = {"np": np, "rng": np.random.default_rng(0), "photo": photo, "photos": {}}
        exec(case.pictures, names)
        for name, pixels in names["photos"].items():
            file = Path("photos", name)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)


def photo(rng: np.random.Generator) -> np.ndarray:
    """A picture of 48 x 64 with soft patches of colour, as photos have them, and a little noise."""
    patches = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    soft = np.asarray(patches.resize((64, 48), Image.Resampling.BICUBIC)).astype(int)
    return np.clip(soft + rng.integers(-9, 10, soft.shape), 0, 255).astype(np.uint8)


def findings(case: Case, overrides: tuple[str, ...] = ()) -> Findings:
    config = load_config("experiment.yaml", overrides)
    alone = config_findings(config)
    if not case.reads_rows or alone.count("error"):
        return alone
    return data_findings(config, load_rows(config))


CASES = [read_case(section) for section in sections(Path(__file__).parent / "faults")]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_what_is_said(case: Case, assert_shown: Callable[[Section, str], None]) -> None:
    write(case)
    found = findings(case)
    assert_shown(case.section, "\n".join(map(str, found.shown)) or NOTHING)
    if case.code is not None:
        assert case.code in {finding.code for finding in found.shown}


@pytest.mark.parametrize("case", [case for case in CASES if case.code], ids=lambda case: case.title)
def test_what_it_says_to_write_mends_it(case: Case) -> None:
    write(case)
    changes = [f.overrides for f in findings(case).shown if f.code == case.code]
    if not changes or not changes[0]:
        pytest.skip("no single change mends it")
    for overrides in changes:
        mended = findings(case, overrides)
    assert len([f for f in mended.shown if f.code == case.code]) < len(changes)


def test_the_share_that_is_found() -> None:
    planted = [case for case in CASES if case.code or case.title.startswith("missed")]
    caught = [case for case in planted if case.code]
    assert len(planted) >= 60
    assert len(caught) >= 0.9 * len(planted)
    assert all(case.section.shown == NOTHING for case in CASES if case not in caught)
    assert len({case.title for case in CASES}) == len(CASES)


def test_every_check_of_config_and_rows_has_a_case() -> None:
    codes = {case.code for case in CASES}
    assert {code for code in finding_codes() if code < "DL2"} <= codes
