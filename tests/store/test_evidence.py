"""Every change of a run's files is noticed by whoever reads them, and named."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from dlrun.errors import RunError
from dlrun.reports.run_record import RunRecord
from dlrun.store import recorded_files
from dlrun.store.evaluations import UnlistedEvaluationError
from dlrun.store.examples import Examples
from dlrun.store.ledger import NAME as LEDGER
from dlrun.store.ledger import LedgerEntry, read_ledger, record_evaluation
from dlrun.store.manifest import NAME, ChangedFileError, parse_manifest
from dlrun.store.members import ensemble_members, member_hashes, verify_run
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import checked, kept_evaluations, read_entry, run_entries
from dlrun.workflows.verification import seal_run, verify_runs

FLIPS = 20

FEW = 6
"""Damages that everything looks at: the first flip is among them."""


def write_run(runs: Path, seed: int, folds: int = 0, **facts: object) -> RunDirectory:
    """A run with every kind of file, of which another seed gives others."""
    draw = np.random.default_rng(seed)
    run = RunDirectory.create(runs, f"run-{seed}")
    run.start({"name": f"run-{seed}", "seed": seed, **facts})
    run.write_config(f"seed: {seed}\n".encode())
    run.write_resolved(f"seed: {seed}\nloss: mse\n")
    run.write_splits({"fold00_train": draw.integers(0, 99, 9)})
    run.write_data({"fingerprint": f"{seed:064}", "rows": 9, "splits": {}})
    run.update_manifest()
    for folder in [run.fold(index) for index in range(folds)] or [run]:
        folder.append_metrics(0, 1, 0.1, {"loss": draw.random()})
        content = draw.bytes(3000)
        folder.save_model(lambda path, content=content: path.write_bytes(content))
        folder.write_preprocess([{"seed": seed}], {"mean": draw.random(3)})
        folder.write_vocabularies({"text": [f"word{seed}"]})
        folder.write_predictions({"rows": draw.integers(0, 9, 9), "predictions": draw.random(9)})
    if folds:
        run.append_metrics(0, 1, 0.1, {"loss": draw.random()})
    run.write_result({"score": {"name": "mae", "value": draw.random()}, "folds": []})
    hashes = {"members": member_hashes(run)} if facts.get("ensemble") else {}
    run.finish("finished", result={}, **hashes)
    run.save_curves(lambda path: path.write_bytes(draw.bytes(200)))
    run.write_examples(Examples((1,), {"x": [seed]}, {"image": draw.random((1, 4))}))
    run.log(f"the score of {seed}")
    run.end_log()
    run.add_report(f"<html>{seed}</html>")
    path = run.add_evaluation({"score": {"name": "mae", "value": draw.random()}})
    run.add_evaluation_arrays(path, {"rows": draw.integers(0, 9, 3)})
    return run


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, RunDirectory]:
    """A run, and another one whose files are all others."""
    runs = tmp_path_factory.mktemp("runs")
    return write_run(runs, 1), write_run(runs, 2)


@pytest.fixture
def run(pair: tuple[RunDirectory, RunDirectory], tmp_path: Path) -> RunDirectory:
    """A copy of the first."""
    shutil.copytree(pair[0].path, tmp_path / "runs" / pair[0].name)
    return RunDirectory(tmp_path / "runs" / pair[0].name)


READERS: dict[str, Callable[[RunDirectory], object]] = {
    NAME: RunDirectory.read_run,
    "run.json": RunDirectory.read_run,
    "config.yaml": RunDirectory.read_config,
    "resolved.yaml": RunDirectory.read_resolved,
    "data.json": RunDirectory.read_data,
    "splits.npz": RunDirectory.read_splits,
    "metrics.csv": RunDirectory.history,
    "result.json": lambda run: run.has_result and run.read_result(),
    "model.keras": lambda run: run.has_model and run.load_model(lambda path, _: path),
    "preprocess.json": RunDirectory.read_preprocess,
    "preprocess.npz": RunDirectory.read_preprocess,
    "predictions.npz": RunDirectory.read_predictions,
    "examples.json": RunDirectory.read_examples,
    "examples.npz": RunDirectory.read_examples,
    "evaluations/001.json": lambda run: run.read_evaluation(1),
    "evaluations/001.npz": lambda run: run.read_evaluation(1),
}
"""Files that something is computed from, and who reads them."""

REPORTED = READERS.keys() - {"model.keras", "splits.npz"}
"""Those that a report is made from."""


def read_all(run: RunDirectory) -> None:
    for read in READERS.values():
        read(run)
    RunRecord(run)


KEPT = {"curves.png", "curves.svg", "log.txt", "report.html", "vocabulary.txt"}
"""Files that no command computes from."""


def test_every_file_is_listed_and_nothing_is_wrong_with_an_untouched_run(run: RunDirectory) -> None:
    read_all(run)
    assert verify_run(run) == []
    manifest = run.files.manifest()
    assert manifest is not None
    assert {*manifest.files, NAME} == READERS.keys() | KEPT


def damages(data: bytes, other: bytes) -> Iterator[bytes | None]:
    draw = random.Random(len(data))
    yield None
    yield b""
    yield data[:-1]
    yield data[: len(data) // 2]
    yield other
    for _ in range(FLIPS):
        changed = bytearray(data)
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        yield bytes(changed)


@pytest.mark.parametrize("name", sorted(READERS.keys() | KEPT))
def test_every_damage_of_every_file_is_noticed(
    name: str, run: RunDirectory, pair: tuple[RunDirectory, RunDirectory]
) -> None:
    path = run.path / name
    data, other = path.read_bytes(), (pair[1].path / name).read_bytes()
    assert data != other
    for number, changed in enumerate(damages(data, other)):
        if changed is None:
            path.unlink()
        else:
            path.write_bytes(changed)
        again = RunDirectory(run.path)
        # Another run's manifest fits none of the files.
        named = run.path.name if (name, changed) == (NAME, other) else Path(name).name
        readers = [READERS.get(name, lambda run: run.files.read_bytes(path))]
        readers += [RunRecord] if name in REPORTED and number < FEW else []
        for read in readers:
            with pytest.raises(RunError) as caught:
                read(again)
            assert named in str(caught.value)
            if (name, changed) != ("run.json", None):
                assert f"dlrun runs seal {run.path}" in str(caught.value)
        if number < FEW:
            faults = verify_run(again)
            assert faults
            assert changed == other or [fault.name for fault in faults] == [name]


def test_a_change_that_keeps_size_and_time_is_noticed_too(run: RunDirectory) -> None:
    facts = run.model.stat()
    data = bytearray(run.model.read_bytes())
    data[1500] ^= 1
    run.model.write_bytes(bytes(data))
    os.utime(run.model, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(ChangedFileError, match=r"model\.keras is not the file that the run wrote"):
        run.load_model(lambda path, verified: path)


def test_a_file_that_is_exchanged_while_it_is_loaded_is_noticed(run: RunDirectory) -> None:
    def load(path: Path, verified: bool) -> None:
        assert verified
        other = path.with_name("other")
        other.write_bytes(b"another model")
        other.replace(path)

    with pytest.raises(ChangedFileError, match=r"model\.keras was changed while it was read"):
        run.load_model(load)


def test_a_file_that_was_added_is_not_taken_for_one_of_the_run(run: RunDirectory) -> None:
    (run.path / "notes.txt").write_text("mine")
    assert [fault.name for fault in verify_run(run)] == ["notes.txt"]
    read_all(run)
    shutil.copytree(run.path / "evaluations", run.path / "folds" / "00")
    with pytest.raises(ChangedFileError, match="folds/00 is not a fold of the run"):
        run.folds()


def test_a_run_sealed_by_hand_is_accepted_as_it_is(run: RunDirectory) -> None:
    run.result.write_text('{"epochs": 7}')
    run.examples.unlink()
    sealed = seal_run(run.path)
    assert {fault.name for fault in sealed.faults} == {"result.json", "examples.json"}
    assert run.read_result() == {"epochs": 7}
    assert verify_runs([run.path]).runs[0].faults == ()
    assert verify_runs([run.path]).runs[0].sealed is not None
    # What is written later is still taken in.
    run.add_report("<p>another</p>")
    assert verify_run(run) == []


# Lists of runs.


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("run.json", "its run.json is not the one that its manifest.json lists"),
        ("model.keras", "model.keras was changed"),
        (NAME, "its manifest.json was changed"),
    ],
)
def test_lists_mark_a_run_that_was_changed(name: str, problem: str, run: RunDirectory) -> None:
    (entry,) = run_entries(run.path.parent)
    assert checked(entry).status == "finished"
    path = run.path / name
    data = path.read_bytes()
    path.write_bytes(data.replace(b"true", b"null") if name == NAME else data + b"\n")
    (entry,) = map(checked, run_entries(run.path.parent))
    assert (entry.status, entry.problem) == ("changed", problem)
    path.unlink()
    (entry,) = map(checked, run_entries(run.path.parent))
    assert entry.status == ("damaged" if name == "run.json" else "changed")
    assert str(entry.problem).endswith(f"{MISSING.get(name, f'{name} is missing')}")


MISSING = {"run.json": "it has no run.json"}


# While a run trains.


def test_files_that_grow_are_known_by_their_beginning(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "x")
    run.start({})
    run.append_metrics(0, 1, 0.1, {"loss": 1.0})
    run.log("first")
    run.update_manifest()
    run.append_metrics(0, 2, 0.1, {"loss": 0.5})
    run.log("second")
    assert run.history()["loss"] == [1.0, 0.5]
    assert verify_run(run) == []
    content = run.metrics.read_text()
    run.metrics.write_text(content.replace("1.0", "1.5"))
    with pytest.raises(ChangedFileError, match=r"metrics\.csv is not the file"):
        run.history()
    # What was changed is not taken in at the next checkpoint, or at the end.
    run.update_manifest()
    run.finish("finished")
    assert [fault.name for fault in verify_run(run)] == ["metrics.csv"]
    run.metrics.write_text(content)
    assert verify_run(run)[0].name == "metrics.csv"


def test_a_run_that_ends_or_goes_on_fits_its_manifest_at_every_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory.create(tmp_path, "x")
    run.start({})
    run.append_metrics(0, 1, 0.1, {"loss": 1.0})
    run.update_manifest()
    run.make_callbacks_folder()
    (run.callbacks / "log.csv").write_text("1")
    found: list[tuple[str, int]] = []
    link = os.replace

    def replaced(source: Path, target: Path) -> None:
        link(source, target)
        again = RunDirectory(run.path)
        found.append((Path(target).name, len(verify_run(again))))

    monkeypatch.setattr(Path, "replace", lambda self, target: replaced(self, target))
    run.finish("interrupted")
    assert found == [(NAME, 0), ("run.json", 0)]
    assert run.status == "interrupted"
    run.restart({})
    # Callbacks write their files again.
    (run.callbacks / "log.csv").write_text("1,2")
    run.append_metrics(0, 2, 0.1, {"loss": 0.9})
    run.files.replace(run.metrics, run.metrics.read_bytes()[:-5])
    run.finish("finished")
    assert {faults for _, faults in found} == {0}


def test_a_reader_that_another_process_overtakes_sees_no_change(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = run.read_run()
    reader, opened = RunDirectory(run.path), recorded_files.open_regular

    def overtaken(path: Path) -> BinaryIO:
        monkeypatch.setattr(recorded_files, "open_regular", opened)
        run.rewrite({**facts, "name": "first"})
        run.rewrite({**facts, "name": "second"})
        return opened(path)

    reader.read_run()
    monkeypatch.setattr(recorded_files, "open_regular", overtaken)
    assert reader.read_run()["name"] == "second"


def test_an_evaluation_that_the_manifest_cannot_list_is_kept_all_the_same(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RunError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(run.files, "take_in", full)
        with pytest.raises(UnlistedEvaluationError) as raised:
            run.add_evaluation({"rows": 3})
    assert raised.value.path.name == "002.json"
    assert run.read_evaluation(2) == ({"rows": 3}, {})
    assert run.files.faults() == []


def test_processes_that_add_files_at_once_lose_none(run: RunDirectory) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from dlrun.store.run_directory import RunDirectory\n"
        "run = RunDirectory(Path(sys.argv[1]))\n"
        "for i in range(10): run.add_report(f'{sys.argv[2]} {i}')\n"
    )
    call = [sys.executable, "-c", program, str(run.path)]
    writers = [subprocess.Popen([*call, who]) for who in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(list(run.path.glob("report*.html"))) == 21
    manifest = run.files.manifest()
    assert manifest is not None
    assert sum(name.startswith("report") for name in manifest.files) == 21
    assert verify_run(run) == []


def test_a_run_of_an_earlier_version_has_no_manifest_and_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.mkdir()
    (path / "run.json").write_text('{"status": "finished"}')
    (path / "result.json").write_text('{"epochs": 3}')
    assert RunDirectory(path).read_result() == {"epochs": 3}
    found = verify_runs([path])
    assert found.is_sound
    assert found.runs[0].files is None


def test_a_manifest_is_written_in_one_way_alone(run: RunDirectory) -> None:
    data = (run.path / NAME).read_bytes()
    assert parse_manifest(data) is not None
    assert parse_manifest(data + b"\n") is None
    assert parse_manifest(json.dumps(json.loads(data)).encode()) is None
    assert parse_manifest(b"[" * 100_000) is None


# Ensembles.


def test_an_ensemble_knows_its_members(tmp_path: Path) -> None:
    ensemble = write_run(tmp_path, 3, folds=3, ensemble=3)
    members = ensemble_members(ensemble)
    assert members is not None
    assert [fold.index for fold in members] == [0, 1, 2]
    copy = tmp_path / "copy"
    shutil.copytree(ensemble.path, copy)
    shutil.rmtree(copy / "folds" / "01")
    with pytest.raises(ChangedFileError, match="copy/folds/01 is missing; "):
        ensemble_members(RunDirectory(copy))
    # Sealing it makes it no ensemble of 3.
    seal_run(copy)
    with pytest.raises(ChangedFileError, match="holds 2 of the 3 models that it averages; "):
        ensemble_members(RunDirectory(copy))
    shutil.copytree(copy / "folds" / "02", copy / "folds" / "01")
    seal_run(copy)
    with pytest.raises(ChangedFileError, match="folds/01 is not the fold that the ensemble was"):
        ensemble_members(RunDirectory(copy))
    assert [fault.name for fault in verify_run(RunDirectory(copy))] == ["folds"]


# The ledger of test evaluations.


def test_evaluations_count_though_a_file_of_theirs_is_lost(run: RunDirectory) -> None:
    (run.evaluations / "001.json").unlink()
    assert run.evaluation_numbers() == [1]
    assert run.add_evaluation({}).name == "002.json"
    shutil.rmtree(run.evaluations)
    assert run.evaluation_numbers() == [1, 2]


@pytest.mark.parametrize("ending", ["emptied", "removed", "last line"])
def test_evaluations_that_the_ledger_has_lost_still_count(tmp_path: Path, ending: str) -> None:
    run = write_run(tmp_path, 1)
    entry = LedgerEntry("t", f"{1:064}", run.name, "", "mae", 0.5, 1)
    for day in ("21", "22"):
        time = f"2026-11-{day}T10:00:00+00:00"
        line = record_evaluation(tmp_path, LedgerEntry(**{**vars(entry), "time": time}))
        score = {"name": "mae", "value": 0.5}
        facts = {"time": time, "fingerprint": "t", "score": score, "runs_before": 1}
        run.add_evaluation({**facts, "ledger": line.hash})
    before = read_ledger(tmp_path, kept_evaluations(tmp_path))
    assert before.notices == ()
    ledger = tmp_path / LEDGER
    if ending == "removed":
        ledger.unlink()
    else:
        lines = ledger.read_text().splitlines(keepends=True)
        ledger.write_text("" if ending == "emptied" else lines[0])
    found = read_ledger(tmp_path, kept_evaluations(tmp_path))
    assert found.evaluations == before.evaluations
    assert "that runs keep: lines were removed or changed" in found.notices[0]
    assert verify_runs(runs_dir=tmp_path).notices == found.notices
    assert record_evaluation(tmp_path, entry, kept_evaluations(tmp_path)).number == 3


def test_a_full_disk_leaves_no_part_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = LedgerEntry("t", "d", "r", "", "mae", 0.5, 1)
    record_evaluation(tmp_path, entry)
    before, write = (tmp_path / LEDGER).read_bytes(), os.write
    room = [20, 0]

    def fill(descriptor: int, data: bytes) -> int:
        if not (left := room.pop(0)):
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:left])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fill)
        with pytest.raises(RunError, match="No space left"):
            record_evaluation(tmp_path, entry)
    assert (tmp_path / LEDGER).read_bytes() == before


# Links and permissions.


@pytest.mark.parametrize(
    "name", ["evaluations", "config.yaml", "log.txt", "metrics.csv", "examples.json", "run.json",
             "folds", "callbacks", "plugins"]
)  # fmt: skip
def test_nothing_is_read_or_written_through_a_link_that_leaves_the_run(
    name: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "00").mkdir(parents=True)
    (outside / "secret.txt").write_text("a secret")
    run = RunDirectory.create(tmp_path / "runs", "x")
    target = outside / "secret.txt" if "." in name else outside
    (run.path / name).symlink_to(target)
    calls: dict[str, Callable[[], object]] = {
        "evaluations": lambda: run.add_evaluation({}),
        "config.yaml": run.read_config,
        "log.txt": lambda: run.log("line"),
        "metrics.csv": lambda: (run.append_metrics(0, 1, 0.1, {"loss": 1.0}), run.history()),
        "examples.json": run.read_examples,
        "run.json": run.read_run,
        "folds": lambda: run.fold(1).write_result({}),
        "callbacks": run.make_callbacks_folder,
        "plugins": lambda: run.write_plugin("a.py", b""),
    }
    with pytest.raises(RunError, match=f"/{name}.* symbolic link, .* outside the run"):
        calls[name]()
    assert (outside / "secret.txt").read_text() == "a secret"
    assert sorted(path.name for path in outside.rglob("*")) == ["00", "secret.txt"]
    if name == "run.json":
        entry = read_entry(run.path)
        assert entry is not None
        assert entry.problem == "run.json cannot be read: it is a link"


def test_a_run_and_its_folder_may_be_links(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "there").symlink_to(run.path.parent)
    read_all(RunDirectory(tmp_path / "there" / run.name))
    (tmp_path / "one").symlink_to(run.path)
    read_all(RunDirectory(tmp_path / "one"))
    RunDirectory(tmp_path / "one").add_report("<p>by a link</p>")
    assert verify_run(run) == []


@pytest.mark.parametrize("name", ["run.json", "splits.npz", "result.json", "metrics.csv"])
def test_a_file_without_permission_is_not_called_damaged(
    name: str, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuse(path: object, *arguments: int, **options: int) -> int:
        if Path(str(path)).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(RunError, match=rf"^cannot read .*{name}: no permission"):
        {"run.json": run.read_run, "splits.npz": run.read_splits,
         "result.json": run.read_result, "metrics.csv": run.history}[name]()  # fmt: skip
    (entry,) = run_entries(run.path.parent)
    assert entry.status == ("unreadable" if name == "run.json" else "finished")


# What a stranger may have put into a run without a manifest.


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"epochs": ' + b"9" * 5000 + b"}", "a number too long"),
        (b'{"score": []}', "'score' is of an unexpected type"),
        (b'{"score": {"value": "0.9"}}', "'score.value' is of an unexpected type"),
        (b'{"folds": {}}', "'folds' is of an unexpected type"),
        (b'{"folds": [1]}', "'folds' is of an unexpected type"),
        (b'{"measures": {"mae": 1}}', "'measures.mae' is of an unexpected type"),
        (b'"text"', "expected a JSON object"),
        (b"\xff\xfe", "not valid UTF-8"),
    ],
)
def test_odd_json_is_an_error_that_names_the_file(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    run = RunDirectory.create(tmp_path, "x")
    run.result.write_bytes(content)
    with pytest.raises(RunError, match=rf"result\.json is damaged: .*{problem}"):
        run.read_result()


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "x")
    with run.result.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(RunError, match=r"result\.json is damaged: it holds 1,000,000,000,000 byt"):
        run.read_result()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "x")
    os.mkfifo(run.result)
    with pytest.raises(RunError, match="it is not a regular file"):
        run.read_result()


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_that_claim_16_terabytes_take_no_memory(compressed: bool, tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "x")
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2000000000000,), }\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 64
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(run.splits, "w", method) as archive:
        archive.writestr("fold00_train.npy", member)
    with pytest.raises(RunError, match=r"splits\.npz is damaged: not a readable npz file"):
        run.read_splits()
