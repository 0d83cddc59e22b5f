"""The first config that is shipped trains as its header says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.slow
def test_digits_reaches_what_its_header_promises(call: Any, tmp_path: Path) -> None:
    shutil.copy(CONFIGS / "digits.yaml", tmp_path)
    result = call("train", "digits.yaml", "--json").json
    assert result["score"]["value"] >= 0.94
    assert result["score"]["value"] > result["baseline"]["value"] + 0.8
    assert call("evaluate", result["run"], "--json").json["score"]["value"] >= 0.94
