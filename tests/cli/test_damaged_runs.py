"""What commands say of runs whose files are not as they were written."""

from __future__ import annotations

import errno
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dlrun.errors import RunError
from dlrun.store.ledger import NAME as LEDGER
from dlrun.store.run_directory import RunDirectory

ALWAYS = ("manifest.json", "run.json")
TRAINED = ("resolved.yaml", "model.keras", "preprocess.json", "preprocess.npz")
USED = {
    ("evaluate",): (*ALWAYS, *TRAINED, "data.json", "splits.npz"),
    ("predict", "--input", "new.csv"): (*ALWAYS, *TRAINED, "data.json"),
    ("finalize",): (*ALWAYS, "resolved.yaml", "result.json", "data.json", "splits.npz"),
    ("show",): (*ALWAYS, "resolved.yaml", "model.keras"),
    ("report",): (*ALWAYS, "result.json", "data.json", "resolved.yaml", "config.yaml",
                  "metrics.csv", "predictions.npz", "preprocess.json", "examples.json"),
    ("compare", "OTHER"): (*ALWAYS, "result.json", "data.json", "splits.npz", "metrics.csv",
                           "resolved.yaml", "predictions.npz"),
    ("runs", "show"): (*ALWAYS, "result.json", "data.json", "resolved.yaml"),
    ("runs", "diff", "OTHER"): (*ALWAYS, "result.json", "data.json"),
    ("runs", "verify"): (*ALWAYS, *TRAINED, "curves.png", "log.txt", "result.json"),
}  # fmt: skip
"""The files that each command uses; it is given the run last."""


def damages(path: Path, other: Path) -> Iterator[str]:
    """Damage a file in every way, one after the other."""
    data = path.read_bytes()
    changed = bytearray(data)
    changed[random.Random(len(data)).randrange(len(data))] ^= 4
    for how, content in (
        ("cut", data[: len(data) // 2]),
        ("flip", bytes(changed)),
        ("other", other.read_bytes()),
    ):
        # Both runs may have the same config.
        if content != data:
            path.write_bytes(content)
            yield how
    path.unlink()
    yield "removed"
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("command", USED, ids=" ".join)
def test_every_damage_is_noticed_by_the_commands_that_use_the_file(
    command: tuple[str, ...], project: Any, holdout_run: Any, kfold_run: Any, tmp_path: Path
) -> None:
    run = tmp_path / holdout_run.path.name
    shutil.copytree(holdout_run.kept, run)
    fold, other = kfold_run.path / "folds" / "00", kfold_run.path
    words = [str(holdout_run.path) if word == "OTHER" else word for word in command]
    if "OTHER" in command:
        # The same run under another name.
        run = run.rename(run.with_name(run.name[:-4] + "0000"))
    before = {path.name for path in project.folder.glob("runs/*")}
    missed = []
    # What is learnt here needs no arrays.
    for name in (name for name in USED[command] if (run / name).exists()):
        beside = next(place / name for place in (other, fold) if (place / name).exists())
        for how in damages(run / name, beside):
            answer = project(*words, run)
            text = answer.out + answer.err
            # Nothing but the other files shows that a manifest is another run's.
            named = run.name if (name, how) == ("manifest.json", "other") else name
            if answer.status != 1 or named not in text or "Traceback" in text:
                missed.append((name, how, answer))
    assert missed == []
    assert {path.name for path in project.folder.glob("runs/*")} == before
    assert not list(run.glob("report*.html"))
    assert not (run / "evaluations").exists()


@pytest.mark.slow
def test_a_lost_or_exchanged_fold_is_noticed(project: Any, kfold_run: Any, tmp_path: Path) -> None:
    made = project("finalize", kfold_run.path, "--ensemble", "--json", "--runs-dir", tmp_path)
    assert made.status == 0, made.err
    ensemble = Path(made.json["run"])
    fold = ensemble / "folds" / "01"
    kept = shutil.copytree(fold, tmp_path / "kept")

    def refused(command: str, run: Path) -> str:
        answer = project(command, run, *(["--input", "new.csv"] if command == "predict" else []))
        assert answer.status == 1, answer.out
        return str(answer.err)

    shutil.rmtree(fold)
    for command in ("evaluate", "predict"):
        assert "folds/01 is missing; " in refused(command, ensemble)
    shutil.copytree(ensemble / "folds" / "00", fold)
    for command in ("evaluate", "predict"):
        assert "folds/01/" in refused(command, ensemble)
    assert project("runs", "seal", ensemble).status == 0
    for command in ("evaluate", "predict"):
        message = refused(command, ensemble)
        assert "folds/01 is not the fold that the ensemble was made of; " in message
    shutil.rmtree(fold)
    shutil.copytree(kept, fold)
    assert project("runs", "seal", ensemble).status == 0
    assert project("evaluate", ensemble).status == 0
    # A fold that a run of folds has lost is no smaller ensemble.
    folds = shutil.copytree(kfold_run.path, tmp_path / kfold_run.path.name)
    shutil.rmtree(folds / "folds" / "00")
    answer = project("finalize", folds, "--ensemble", "--runs-dir", tmp_path)
    assert (answer.status, "folds/00 is missing; " in answer.err) == (1, True)


@pytest.mark.slow
def test_a_disk_that_is_full_after_the_ledger_costs_no_score(
    project: Any, holdout_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    run = runs / holdout_run.path.name
    shutil.copytree(holdout_run.kept, run)

    def refuse(*_: object) -> None:
        raise RunError(f"cannot write {run}: {OSError(errno.ENOSPC, 'No space left')}")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with monkeypatch.context() as full:
        full.setattr(RunDirectory, "add_evaluation", refuse)
        answer = project("evaluate", run)
    assert answer.status == 1
    assert answer.line("score").startswith("test accuracy 0.")
    kept = tmp_path / f"{run.name}-evaluation.json"
    assert f"the evaluation is counted, but kept in {kept} instead of the run: " in answer.err
    assert json.loads(kept.read_text())["look"] == 1
    assert len((runs / LEDGER).read_text().splitlines()) == 1
    with monkeypatch.context() as full:
        full.setattr(RunDirectory, "add_evaluation_arrays", refuse)
        answer = project("evaluate", run, "--json")
    assert answer.status == 1
    assert (answer.json["look"], answer.json["look_of_run"]) == (2, 2)
    assert answer.json["path"].endswith("evaluations/001.json")
    assert answer.json["problem"].startswith("the predictions for the test rows could not be kept")
    # An emptied ledger counts what runs have kept.
    (runs / LEDGER).write_text("")
    answer = project("evaluate", run, "--json")
    assert answer.json["look"] == 2
    assert "has no line for 1 evaluation that runs keep" in answer.json["notices"][0]
    # A lost file counts too.
    (run / "evaluations" / "001.json").unlink()
    assert project("evaluate", run, "--json").json["look_of_run"] == 3


def test_verify_and_seal_in_the_words_of_a_terminal(
    experiments: Any, tmp_path: Path, call: Callable[..., Any]
) -> None:
    run = tmp_path / "runs" / experiments.names["wide"]
    shutil.copytree(experiments.path("wide"), run)
    files = len([path for path in run.rglob("*") if path.is_file()]) - 1
    answer = call("runs", "verify")
    assert (answer.status, answer.out) == (
        0, f"1 run of 1 verified: {files} files as written\n"
    )  # fmt: skip
    (run / "result.json").write_text("{}")
    (run / "splits.npz").unlink()
    answer = call("runs", "verify", run.name)
    assert (answer.status, answer.out) == (
        1,
        f"{run.name}\n"
        "  result.json is not the file that the run wrote: its SHA-256 differs from the one in "
        "manifest.json\n"
        "  splits.npz is missing, though manifest.json lists it\n"
        "0 runs of 1 verified: 0 files as written\n",
    )
    assert [fault["name"] for fault in call("runs", "verify", "--json").json["runs"][0]["faults"]]
    listed = call("runs", "--status", "changed")
    assert f"changed: {run.name}: result.json was changed\n" in listed.out
    assert call("runs", "seal", run.name).out.endswith(
        f"\n{files - 1} files of {run.name} sealed as they are\n"
    )
    answer = call("runs", "verify")
    assert answer.status == 0
    assert answer.out.startswith(f"{run.name} was sealed by hand: 20")
