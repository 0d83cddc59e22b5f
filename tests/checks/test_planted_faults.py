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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pages import Section, sections
from PIL import Image

from dlrun.checks.check import Check, checks, config_findings, data_findings
from dlrun.checks.finding import Findings
from dlrun.config.load import load_config
from dlrun.registry.families import finding_codes
from dlrun.workflows.check import check
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


def read_case(section: Section) -> Case:
    blocks = {block.info: block.body for block in section.blocks}
    columns, pictures = blocks.get("columns", ""), blocks.get("pictures", "")
    sound = SOUND_TABLE if columns else SOUND_PICTURES if pictures else SOUND_DIGITS
    return Case(section, columns, pictures, completed(blocks.get("yaml", ""), sound))


def completed(text: str, sound: Mapping[str, str]) -> str:
    """A config with the keys that it does not write."""
    text = text.rstrip() + "\n" if text else ""
    written = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    return text + "".join(f"{key}: {sound[key]}\n" for key in sound if key not in written)


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


CODES_OF_CONFIG = {example.code for example in checks("config")}


def findings_of(text: str, code: str = "", overrides: tuple[str, ...] = ()) -> Findings:
    """What is found in `experiment.yaml`, and in its rows where they are read without Keras.

    A code of the config needs no rows of a bundled data set, of which the config's checks know.
    """
    config = load_config("experiment.yaml", overrides)
    alone = config_findings(config)
    known = code in CODES_OF_CONFIG and "source: sklearn" in text
    if known or "source: keras" in text or "source: npz" in text or alone.count("error"):
        return alone
    return data_findings(config, load_rows(config), test_labels=True)


CASES = [read_case(section) for section in sections(Path(__file__).parent / "faults")]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_what_is_said_and_that_what_it_says_to_write_fixes_it(
    case: Case, assert_shown: Callable[[Section, str], None]
) -> None:
    write(case)
    found = findings_of(case.text).shown
    assert_shown(case.section, "\n".join(map(str, found)) or NOTHING)
    if case.code is None:
        return
    changes = [finding.overrides for finding in found if finding.code == case.code]
    assert changes
    if changes[0]:
        for overrides in changes:
            repaired = findings_of(case.text, case.code, overrides).shown
        assert len([f for f in repaired if f.code == case.code]) < len(changes)


EXAMPLES = [example for stage in ("config", "data") for example in checks(stage)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.code)
def test_the_example_of_a_check_has_the_fault_and_its_fix_has_not(example: Check[Any]) -> None:
    """What `docs/findings.md` shows; the rows are those of the first case of the same code, that
    have the columns which the example names."""
    cases = [case for case in CASES if case.code == example.code]
    sound = SOUND_DIGITS
    if "rows.csv" in example.fault:
        (case, *_) = [case for case in cases if case.columns and named_columns(example, case)]
        sound = SOUND_TABLE
        write(case)
    elif "image_folder" in example.fault:
        (case, *_) = [case for case in cases if "originals" in case.pictures]
        sound = SOUND_PICTURES
        write(case)
    assert example.code in codes_of(example.code, completed(example.fault, sound))
    assert example.code not in codes_of(example.code, completed(repaired(example), sound))


def repaired(example: Check[Any]) -> str:
    """The config of the fault with the keys of the fix."""
    return "".join((dict(chunks(example.fault)) | dict(chunks(example.fix))).values())


def chunks(text: str) -> list[tuple[str, str]]:
    """The top-level keys of a config, each with its lines."""
    return [(c.partition(":")[0], f"{c}\n") for c in re.split(r"\n(?=\w)", text)]


def named_columns(example: Check[Any], case: Case) -> bool:
    """Whether the rows of a case have the columns that the fix of an example names."""
    named = re.findall(r"(?:groups|time): (\w+)|(?:drop|columns): \[([\w, ]+)\]", example.fix)
    words = [word for pair in named for word in re.findall(r"\w+", " ".join(pair))]
    return all(re.search(rf"^{word} =", case.columns, re.MULTILINE) for word in words)


def codes_of(code: str, text: str) -> set[str]:
    Path("experiment.yaml").write_text(text, encoding="utf-8")
    return {finding.code for finding in findings_of(text, code).shown}


@pytest.mark.parametrize("example", checks("model"), ids=lambda example: example.code)
def test_the_example_of_a_check_of_the_model(example: Check[Any]) -> None:
    write(next(case for case in CASES if case.title == "DL106 reviews on both sides"))
    words = set(" ".join(pd.read_csv("rows.csv")["review"]).lower().split())
    vectors = "".join(f"{word} {len(word) * 20} -127\n" for word in sorted(words))
    Path("vectors.txt").write_text(vectors, encoding="utf-8-sig")
    sound = SOUND_TABLE if "rows.csv" in example.fault else SOUND_DIGITS
    for text, has_it in ((example.fault, True), (repaired(example), False)):
        Path("experiment.yaml").write_text(completed(text, sound), encoding="utf-8")
        found = check("experiment.yaml", with_data=True).findings
        assert (example.code in {finding.code for finding in found.shown}) == has_it


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
