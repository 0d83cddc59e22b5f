"""What a run that was broken off needs to go on: `checkpoint/`, gone when the run is finished."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.store.files import as_bytes, atomic_path, make_folder, os_errors_named
from dlrun.store.manifest import CHECKPOINT
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np

FACTS = "facts.json"
DIGEST = "sha256"
"""Members of a checkpoint's archive beside its arrays, `0.npy` and so on."""


class CheckpointFolder:
    """The newest state of the fit that goes on, and the facts of the fits that are finished.

    Args:
        run: The run directory.
    """

    def __init__(self, run: Path) -> None:
        self.path = run / CHECKPOINT
        self.state = self.path / "state.zip"
        """The newest state; replaced by the next one at once."""

    def write_state(self, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Keep a state in place of the one before.

        Args:
            facts: Plain data with text as keys; NaN and infinity come back as they are.
            arrays: Of any dtype without Python objects, by name.

        Raises:
            RunError: The disk refused.
        """
        make_folder(self.path)
        _write(self.state, facts, arrays)

    def read_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return the newest state; None if there is none.

        Raises:
            RunError: It is damaged.
        """
        return _read(self.state) if self.state.exists() else None

    def write_fit(self, fold: int, facts: Mapping[str, Any]) -> None:
        """Keep the facts of a fit that is finished, whose model has been written."""
        make_folder(self.path)
        _write(self._fit(fold), facts, {})

    def read_fit(self, fold: int) -> dict[str, Any] | None:
        """Return the facts of a finished fit; None if the fold's fit is not finished.

        Raises:
            RunError: They are damaged.
        """
        path = self._fit(fold)
        return _read(path)[0] if path.exists() else None

    def remove(self) -> None:
        """Remove everything, if there is something."""
        with os_errors_named("remove", self.path):
            if self.path.is_dir() and not self.path.is_symlink():
                shutil.rmtree(self.path)

    def _fit(self, fold: int) -> Path:
        return self.path / f"fold-{fold:02d}.zip"


def _write(path: Path, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    import numpy as np

    values = [np.asanyarray(array) for array in arrays.values()]
    names = [[name, str(one.dtype)] for name, one in zip(arrays, values, strict=True)]
    text = json.dumps({"facts": facts, "arrays": names}, ensure_ascii=True)
    digest = hashlib.sha256()
    with (
        atomic_path(path, replace=True) as temporary,
        zipfile.ZipFile(temporary, "x", zipfile.ZIP_STORED) as archive,
    ):
        with archive.open(FACTS, "w") as member:
            _Hashed(member, digest).write(as_bytes(text))
        for number, value in enumerate(values):
            with archive.open(f"{number}.npy", "w", force_zip64=True) as member:
                # Those that NumPy does not know, such as bfloat16, are kept as plain bytes.
                plain = value if value.dtype.isbuiltin else value.view(f"u{value.itemsize}")
                np.lib.format.write_array(_Hashed(member, digest), plain, allow_pickle=False)
        archive.writestr(DIGEST, digest.hexdigest())


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    import numpy as np

    damaged = RunError(f"{display_path(path)} is damaged: its SHA-256 does not fit its content")
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(path) as archive:

            def content(name: str) -> bytes:
                data = archive.read(name)
                digest.update(data)
                return data

            head = json.loads(content(FACTS))
            members = [content(f"{number}.npy") for number in range(len(head["arrays"]))]
            if archive.read(DIGEST).decode() != digest.hexdigest():
                raise damaged
    # What a damaged archive raises is not limited to what `zipfile` names.
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zlib.error) as error:
        raise damaged from error
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise damaged from error
    arrays = {}
    for (name, dtype), data in zip(head["arrays"], members, strict=True):
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        arrays[name] = array if str(array.dtype) == dtype else array.view(_dtype(dtype))
    return head["facts"], arrays


def _dtype(name: str) -> Any:
    import ml_dtypes
    import numpy as np

    return np.dtype(getattr(ml_dtypes, name))


class _Hashed:
    """A file that is written, and counted in a digest."""

    def __init__(self, file: IO[bytes], digest: Any) -> None:
        self._file, self._digest = file, digest

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._file.write(data)
