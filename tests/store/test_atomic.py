"""Files are whole or not there, and nothing is ever overwritten."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlrun.errors import RunError
from dlrun.store.files import (
    append_line,
    atomic_path,
    write_bytes,
    write_json,
    write_npz,
    write_text,
)
from dlrun.store.recorded_files import RecordedFiles

NPY = b"\x93NUMPY\x01\x00\x46\x00{'descr': '<i8', 'fortran_order': False, 'shape': (0,), }".ljust(
    80
)
WRITERS: dict[str, Callable[[Path], None]] = {
    "a.bin": lambda path: write_bytes(path, b"new"),
    "a.txt": lambda path: write_text(path, "new"),
    "a.json": lambda path: write_json(path, {"new": 1}),
    "a.npz": lambda path: write_npz(path, {"new": np.arange(3)}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_existing_file_is_never_overwritten(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(RunError, match=rf"{name} exists and is never overwritten"):
        WRITERS[name](path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_broken_link_is_not_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "elsewhere.txt")
    with pytest.raises(RunError, match="never overwritten"):
        write_text(tmp_path / "a.txt", "new")
    assert not (tmp_path / "elsewhere.txt").exists()


def test_file_that_appears_while_writing_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"

    def write_late() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("mine")
            path.write_text("somebody else's")

    with pytest.raises(RunError, match="never overwritten"):
        write_late()
    assert path.read_text() == "somebody else's"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [None, b"old"])
def test_failing_writer_leaves_things_as_they_were(
    tmp_path: Path, error: type[BaseException], before: bytes | None
) -> None:
    path = tmp_path / "model.keras"
    if before is not None:
        path.write_bytes(before)

    def fail() -> None:
        with atomic_path(path, replace=True) as temporary:
            temporary.write_bytes(b"half of")
            raise error

    with pytest.raises(error):
        fail()
    assert [file.read_bytes() for file in tmp_path.iterdir()] == (
        [] if before is None else [before]
    )


def test_writer_sees_a_hidden_name_of_the_same_suffix_and_readers_see_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "curves.png"
    with atomic_path(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".png")
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"picture")
        assert not path.exists()
    assert path.read_bytes() == b"picture"
    assert list(tmp_path.iterdir()) == [path]


def test_writer_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nothing was written for"), atomic_path(tmp_path / "a.png"):
        pass


def test_missing_folder_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot write .*gone/a.txt: No such file or directory"):
        write_text(tmp_path / "gone" / "a.txt", "text")
    assert not (tmp_path / "gone").exists()


def test_without_hard_links_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError("no links on this file system")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "a.txt"

    def write_late() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("second")
            write_text(path, "first")

    with pytest.raises(RunError, match="never overwritten"):
        write_late()
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX's")
@pytest.mark.parametrize("before", [None, "old"])
def test_killed_writer_leaves_the_previous_file_or_none(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "run.json"
    if before is not None:
        path.write_text(before)
    program = (
        "import sys; from pathlib import Path; from dlrun.store.files import atomic_path\n"
        f"with atomic_path(Path({str(path)!r}), replace=True) as temporary:\n"
        "    file = temporary.open('w'); file.write('half of'); file.flush()\n"
        "    print('writing', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert (path.read_text() if path.exists() else None) == before
    # The next one is not disturbed by what lies about.
    write_text(path, "new", replace=True)
    assert path.read_text() == "new"


def test_json_is_valid_for_every_reader(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    facts = {
        "z first": np.float32(0.5),
        "nan": float("nan"),
        "infinite": [np.inf, -np.inf, np.float64("nan")],
        "whole": np.int64(3),
        "yes": np.bool_(True),
        "array": np.arange(4).reshape(2, 2),
        "by class": {0: 12, np.int64(1): 30},
        "tuple": (1, "zwölf"),
        "path": Path("runs") / "one",
        "when": datetime(2026, 11, 21, 10, 15, 30),
        "not UTF-8": os.fsdecode(b"\xff.csv"),
    }
    write_json(path, facts)
    text = path.read_bytes().decode("utf-8")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(text, parse_constant=refuse) == {
        "z first": 0.5,
        "nan": None,
        "infinite": [None, None, None],
        "whole": 3,
        "yes": True,
        "array": [[0, 1], [2, 3]],
        "by class": {"0": 12, "1": 30},
        "tuple": [1, "zwölf"],
        "path": str(Path("runs") / "one"),
        "when": "2026-11-21T10:15:30",
        "not UTF-8": os.fsdecode(b"\xff.csv"),
    }
    assert text.startswith('{\n  "z first": 0.5,\n')
    assert text.endswith("}\n")
    assert "zwölf" in text


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"model": object()}, TypeError, "cannot write a object as JSON"),
        ({1: "a", "1": "b"}, ValueError, "two keys read '1'"),
        ({"x": 1j}, TypeError, "cannot write a complex as JSON"),
        ({"x": {1, 2}}, TypeError, "cannot write a set as JSON"),
    ],
)
def test_what_json_cannot_hold_is_refused_before_a_file_appears(
    tmp_path: Path, value: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        write_json(tmp_path / "a.json", value)
    assert list(tmp_path.iterdir()) == []


def test_npz_keeps_names_shapes_dtypes_and_values(tmp_path: Path) -> None:
    arrays = {
        "file": np.arange(6, dtype=np.int16).reshape(2, 3),
        "allow_pickle": np.array(0.1),
        "a/b c": np.array(["no", "yes"]),
        "none": np.empty((0, 4), np.float32),
        "reversed": np.arange(5)[::-1],
    }
    write_npz(tmp_path / "a.npz", arrays)
    for back in (
        RecordedFiles(tmp_path).read_npz(tmp_path / "a.npz"),
        np.load(tmp_path / "a.npz", allow_pickle=False),
    ):
        assert list(back) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(back[name], array, strict=True)
    back.close()


def test_npz_refuses_python_objects(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot write array 'words': it holds Python objects"):
        write_npz(tmp_path / "a.npz", {"words": np.array(["a", None], dtype=object)})
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", words=np.array(["a", None], dtype=object))
    with pytest.raises(RunError, match=r"a\.npz is damaged"):
        RecordedFiles(tmp_path).read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("damage", [b"", b"no zip", b"PK\x03\x04 torn", NPY])
def test_damaged_files_are_named(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(damage)
    with pytest.raises(RunError, match=r"a\.npz is damaged: not a readable npz file"):
        RecordedFiles(tmp_path).read_npz(tmp_path / "a.npz")
    (tmp_path / "a.json").write_text('{"a": 1,\n "b"')
    with pytest.raises(RunError, match=r"a\.json is damaged: not JSON at line 2"):
        RecordedFiles(tmp_path).read_json(tmp_path / "a.json")
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match=r"a\.yaml is damaged: not valid UTF-8"):
        RecordedFiles(tmp_path).read_text(tmp_path / "a.yaml")
    with pytest.raises(RunError, match=r"b\.json is missing$"):
        RecordedFiles(tmp_path).read_json(tmp_path / "b.json")
    with pytest.raises(RunError, match=r"b\.npz is missing$"):
        RecordedFiles(tmp_path).read_npz(tmp_path / "b.npz")


def test_lines_are_appended_whole_by_several_processes(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    program = (
        "import sys; from pathlib import Path; from dlrun.store.files import append_line\n"
        f"for i in range(200): append_line(Path({str(path)!r}), sys.argv[1] * 300)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, letter]) for letter in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    append_line(path, "ümlaut")
    lines = path.read_text("utf-8").split("\n")
    assert sorted(lines[:-2]) == sorted(letter * 300 for letter in "abc" for _ in range(200))
    assert lines[-2:] == ["ümlaut", ""]
