"""The ledger of looks at test data: it counts, it only grows, and it notices what is gone."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from dlrun.store.ledger import (
    NAME,
    KeptEvaluation,
    LedgerEntry,
    read_ledger,
    record_evaluation,
)
from dlrun.store.run_list import count_validated_runs, kept_evaluations

ENTRY = LedgerEntry(
    fingerprint="test-a",
    data="data-a",
    run="run-1",
    time="2026-11-21T10:00:00+00:00",
    metric="accuracy",
    score=0.9,
    runs_before=14,
)


def record_many(folder: Path, worker: int, count: int) -> None:
    for number in range(count):
        record_evaluation(folder, replace(ENTRY, run=f"run-{worker}-{number}"))


def lines_of(folder: Path) -> list[str]:
    return (folder / NAME).read_text().splitlines()


def write_lines(folder: Path, lines: list[str]) -> None:
    (folder / NAME).write_text("".join(f"{line}\n" for line in lines))


def test_looks_are_counted_for_each_test_set_whatever_run_looked(tmp_path: Path) -> None:
    assert read_ledger(tmp_path).evaluations == ()
    first = record_evaluation(tmp_path, ENTRY)
    other = record_evaluation(
        tmp_path, replace(ENTRY, fingerprint="test-b", data="data-b", score=None)
    )
    again = record_evaluation(tmp_path, replace(ENTRY, run="run-2", score=0.91))
    assert [first.number, other.number, again.number] == [1, 1, 2]
    assert read_ledger(tmp_path).evaluations == (first, other, again)
    assert (again.score, again.runs_before, again.metric) == (0.91, 14, "accuracy")
    assert (
        read_ledger(tmp_path, [KeptEvaluation(first.hash), KeptEvaluation(again.hash)]).notices
        == ()
    )
    # A person can read it without dlrun.
    assert [json.loads(line)["run"] for line in lines_of(tmp_path)] == ["run-1", "run-1", "run-2"]


def test_several_processes_write_at_once_and_no_line_is_lost(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=record_many, args=(tmp_path, i, 25)) for i in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    contents = read_ledger(tmp_path)
    assert contents.notices == ()
    assert [look.number for look in contents.evaluations] == list(range(1, 101))
    assert len({look.run for look in contents.evaluations}) == 100


@pytest.mark.parametrize(
    ("spoil", "notice"),
    [
        (lambda lines: [lines[0], *lines[2:]], "were removed or changed before line 2"),
        (lambda lines: lines[1:], "were removed or changed at its beginning"),
        (lambda lines: [lines[0], lines[1].replace("0.9", "0.8"), lines[2]], "line 2 of"),
        (lambda lines: [lines[0], lines[2], lines[1]], "were removed or changed before line 2"),
        (lambda lines: lines[:2], "has no line for 1 evaluation that runs keep"),
        (lambda lines: [], "has no line for 3 evaluations that runs keep"),
    ],
    ids=["middle", "beginning", "changed", "order", "end", "all"],
)
def test_what_is_gone_or_changed_is_noticed_and_nothing_is_refused(
    spoil: object, notice: str, tmp_path: Path
) -> None:
    kept = [KeptEvaluation(record_evaluation(tmp_path, ENTRY).hash) for _ in range(3)]
    assert callable(spoil)
    write_lines(tmp_path, spoil(lines_of(tmp_path)))
    assert any(notice in text for text in read_ledger(tmp_path, kept).notices)
    evaluations = read_ledger(tmp_path).evaluations
    before = sum(one.fingerprint == "test-a" for one in evaluations)
    assert record_evaluation(tmp_path, ENTRY).number == before + 1


def test_a_line_that_was_cut_off_costs_itself_alone(tmp_path: Path) -> None:
    for _ in range(3):
        record_evaluation(tmp_path, ENTRY)
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[:-40])
    assert record_evaluation(tmp_path, ENTRY).number == 3
    contents = read_ledger(tmp_path)
    assert len(contents.evaluations) == 3
    assert [text.partition(" of ")[0] for text in contents.notices] == ["line 3"]
    assert contents.notices[0].endswith(
        "cannot be read: it was cut off while it was written, or changed"
    )


@pytest.mark.parametrize("value", ["NaN", '"0.9"', "[0.9]"])
def test_a_line_whose_score_became_something_else_is_noticed(value: str, tmp_path: Path) -> None:
    for _ in range(2):
        record_evaluation(tmp_path, ENTRY)
    lines = lines_of(tmp_path)
    write_lines(tmp_path, [lines[0], lines[1].replace("0.9", value)])
    assert read_ledger(tmp_path).notices[0].startswith("line 2 of ")
    assert record_evaluation(tmp_path, ENTRY).number == 2


def make_run(folder: Path, name: str, **facts: object) -> Path:
    """A run directory with what is looked at: `status`, `parent`, `data`, `splits`, `ledger`."""
    run = folder / name
    (run / "evaluations").mkdir(parents=True)
    told = {"status": facts.get("status", "finished"), "parent": facts.get("parent")}
    (run / "run.json").write_text(json.dumps(told))
    splits = facts.get("splits", ["fold00_train", "fold00_validation"])
    assert isinstance(splits, list)
    data = {"fingerprint": facts.get("data", "data-a"), "splits": {name: {} for name in splits}}
    (run / "data.json").write_text(json.dumps(data))
    if "ledger" in facts:
        (run / "evaluations" / "001.json").write_text(json.dumps({"ledger": facts["ledger"]}))
    return run


def test_runs_that_validation_chose_among(tmp_path: Path) -> None:
    make_run(tmp_path, "one", ledger="hash-1")
    make_run(tmp_path, "folds", splits=["fold00_validation", "fold01_validation"])
    make_run(tmp_path, "others", data="data-b")
    make_run(tmp_path, "still running", status="running")
    make_run(tmp_path, "failed", status="failed")
    make_run(tmp_path, "final", splits=["fold00_train"], parent="one", ledger="hash-2")
    make_run(tmp_path, "ensemble", parent="folds")
    (make_run(tmp_path, "damaged") / "data.json").write_text('{"fingerprint": "data-a')
    (tmp_path / "no run").mkdir()
    assert count_validated_runs(tmp_path, "data-a") == 2
    assert count_validated_runs(tmp_path / "nowhere", "data-a") == 0
    assert sorted(one.hash for one in kept_evaluations(tmp_path)) == ["hash-1", "hash-2"]
