"""What tests of data share: writing files, and refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.source import Source
from dlrun.errors import DataError


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Writes files by name into a folder, and returns it."""

    def write_files(files: dict[str, Any]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            if isinstance(content, str):
                path.write_text(content, encoding="utf-8")
            elif isinstance(content, bytes):
                path.write_bytes(content)
            elif isinstance(content, pd.DataFrame):
                content.to_parquet(path)
            elif isinstance(content, dict):
                np.savez(path, **content)
            else:
                np.save(path, content, allow_pickle=True)
        return tmp_path

    return write_files


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[..., str]:
    """Loads a source that must be refused, and returns the message, with `{d.csv}` where the
    path of `d.csv` in the test's folder stands."""

    def refused(source: Source, *, test: bool = False, **options: Any) -> str:
        function = load_test if test else load_dataset
        with pytest.raises(DataError) as error:
            function(source, tmp_path, 0, regression=False, **options)
        folder = re.escape(str(tmp_path))
        return re.sub(
            rf"{folder}(?:/([\w./*]+\w))?", lambda m: f"{{{m[1] or '.'}}}", str(error.value)
        )

    return refused
