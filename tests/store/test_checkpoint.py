"""What a run needs to go on: whole, in one file, and noticed when it is damaged."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from dlrun.errors import RunError
from dlrun.store.checkpoint import CheckpointFolder

FACTS = {"epochs": 3, "history": {"loss": [0.1, 1 / 3, math.nan, math.inf]}, "name": "ä"}
ARRAYS = {
    "model/dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "seed#2": np.array([1, 2], np.uint32),
    "half": np.arange(4).astype(ml_dtypes.bfloat16),
    "step": np.array(5, np.int64),
}


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    assert folder.read_state() is None
    folder.write_state({"epochs": 1}, {})
    folder.write_state(FACTS, ARRAYS)
    found = folder.read_state()
    assert found is not None
    facts, arrays = found
    assert repr(facts) == repr(FACTS)
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        assert arrays[name].tobytes() == array.tobytes()
    assert [path.name for path in folder.path.iterdir()] == ["state.zip"]


def test_facts_of_finished_fits_are_kept_by_fold(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.write_fit(1, FACTS)
    assert folder.read_fit(0) is None
    assert repr(folder.read_fit(1)) == repr(FACTS)
    folder.remove()
    folder.remove()
    assert not folder.path.exists()


def test_every_flipped_or_missing_byte_is_noticed(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.write_state(FACTS, ARRAYS)
    whole = folder.state.read_bytes()
    before = repr(folder.read_state())
    changed = [
        whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        for place in range(0, len(whole), 7)
    ]
    cut = [whole[:length] for length in range(0, len(whole), 101)]
    for content in changed + cut:
        folder.state.write_bytes(content)
        with suppress(RunError):
            # A flipped time stamp of the archive changes nothing.
            assert repr(folder.read_state()) == before
    folder.state.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=r"state\.zip is damaged: its SHA-256"):
        folder.read_state()
