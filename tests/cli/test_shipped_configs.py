"""Every config that is shipped is sound, and the first one trains."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted(CONFIGS.rglob("*.yaml"))


def test_there_are_some() -> None:
    assert len(SHIPPED) >= 13


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_check_finds_nothing_wrong(config: Path, call: Any) -> None:
    answer = call("check", config)
    assert answer.status == 0, answer.err
    assert "nothing wrong found" in answer.out


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_the_header_says_what_to_run_and_to_expect(config: Path) -> None:
    header = "".join(
        line for line in config.read_text("utf-8").splitlines(keepends=True) if line[0] == "#"
    )
    assert "Expected: " in header
    assert "Time: " in header
    if config.parent.name == "book":
        assert "Deep Learning with Python, section " in header


def test_digits_reaches_what_its_header_promises(call: Any, tmp_path: Path) -> None:
    shutil.copy(CONFIGS / "digits.yaml", tmp_path)
    result = call("train", "digits.yaml", "--json").json
    assert result["score"]["value"] >= 0.94
    assert result["score"]["value"] > result["baseline"]["value"] + 0.8
    assert call("evaluate", result["run"], "--json").json["score"]["value"] >= 0.94
