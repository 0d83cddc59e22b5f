"""Lists of runs: their order, and what is damaged or no run at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dlrun.errors import RunError
from dlrun.store.environment import process_facts
from dlrun.store.removal import remove_run
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import brief, read_entry, run_entries

FINISHED = {"status": "finished", "name": "x", "started": "2026-11-21T10:15:30.000+00:00"}


def make_run(runs: Path, name: str, facts: Any = FINISHED) -> Path:
    path = runs / name
    path.mkdir(parents=True)
    text = facts if isinstance(facts, str) else json.dumps(facts)
    (path / "run.json").write_text(text, encoding="utf-8")
    return path


def test_newest_come_first_by_their_names_or_else_by_their_beginning(tmp_path: Path) -> None:
    make_run(tmp_path, "20261121-101529-a-0001")
    make_run(tmp_path, "20261121-101531-b-0001")
    make_run(tmp_path, "renamed by hand")
    assert [entry.path.name for entry in run_entries(tmp_path)] == [
        "20261121-101531-b-0001",
        "renamed by hand",
        "20261121-101529-a-0001",
    ]


def test_what_is_no_run_is_left_out(tmp_path: Path) -> None:
    make_run(tmp_path, "20261121-101529-a-0001")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "test-looks.jsonl").write_text("")
    (tmp_path / "figures").mkdir()
    (tmp_path / "20261121-101529-a-0002").write_text("a file")
    assert [entry.path.name for entry in run_entries(tmp_path)] == ["20261121-101529-a-0001"]
    assert list(run_entries(tmp_path / "nowhere")) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "run.json is not JSON"),
        ('{"status": "finished"', "run.json is not JSON"),
        ("\x00\x01", "run.json is not JSON"),
        ("[" * 100_000, "run.json is not JSON"),
        ("[]", "run.json is not a JSON object"),
        ("{}", "run.json has the unknown status None"),
        ('{"status": ["finished"]}', "run.json has the unknown status ['finished']"),
    ],
)
def test_a_damaged_run_is_listed_as_such(tmp_path: Path, text: str, problem: str) -> None:
    make_run(tmp_path, "20261121-101529-boston-0001", text)
    (entry,) = run_entries(tmp_path)
    assert (entry.status, entry.problem) == ("damaged", problem)
    assert (entry.name, entry.stamp) == ("boston", "20261121-101529")


def test_a_run_without_its_run_json_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "20261121-101529-boston-0001").mkdir()
    (tmp_path / "20261121-101529-boston-0002" / "run.json").mkdir(parents=True)
    problems = [entry.problem for entry in run_entries(tmp_path)]
    assert problems == ["run.json cannot be read: Is a directory", "it has no run.json"]


@pytest.mark.parametrize("odd", [None, 3, "text", [], {"score": 3, "baseline": []}])
def test_facts_of_an_odd_kind_are_taken_for_not_known(tmp_path: Path, odd: Any) -> None:
    facts = {**FINISHED, "config": odd if odd != {} else None, "result": odd, "name": odd}
    entry = read_entry(make_run(tmp_path, "20261121-101529-boston-0001", facts))
    assert entry is not None
    assert entry.status == "finished"
    assert entry.score == {}
    assert entry.name == (odd if isinstance(odd, str) else "boston")


@pytest.mark.skipif(os.name != "posix", reason="only POSIX tells whether a process is there")
def test_a_run_whose_process_is_gone_has_died(tmp_path: Path) -> None:
    alive = process_facts()
    make_run(tmp_path, "20261121-101529-a-0001", {"status": "running", "process": alive})
    gone = {**alive, "birth": "another process"}
    make_run(tmp_path, "20261121-101528-a-0001", {"status": "running", "process": gone})
    assert [entry.status for entry in run_entries(tmp_path)] == ["running", "died"]


def test_a_list_needs_no_more_than_run_json(tmp_path: Path) -> None:
    """What `brief` keeps of a result comes back from the list, however long the result is."""
    score = {"name": "mae", "direction": "min", "value": 2.5, "std": 0.1, "folds": [2.4, 2.6]}
    result = {
        "protocol": "kfold",
        "best_epoch": 3,
        "epochs": 5,
        "score": score,
        "baseline": None,
        "folds": [{"score": 2.4}, {"score": 2.6}],
        "mean_history": {"loss": {"mean": [1.0] * 1000}},
    }
    run = RunDirectory.create(tmp_path, "boston")
    run.start({"name": "boston", "config": {"seed": 3}})
    run.finish("finished", result=brief(result))
    assert run.run.stat().st_size < 1000
    (entry,) = run_entries(tmp_path)
    assert entry.config == {"seed": 3}
    assert entry.score == {key: value for key, value in score.items() if key != "folds"}
    assert (entry.result["best_epoch"], entry.result["baseline"]) == (3, None)


def test_removing_a_run_leaves_everything_else(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", "20261121-101529-a-0001")
    other = make_run(tmp_path / "runs", "20261121-101530-a-0001")
    (run / "folds" / "00").mkdir(parents=True)
    (run / "folds" / "00" / "model.keras").write_bytes(b"m")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("1")
    (run / "data").symlink_to(tmp_path / "data", target_is_directory=True)
    remove_run(run)
    assert sorted(tmp_path.rglob("*.*")) == [tmp_path / "data" / "rows.csv", other / "run.json"]
    assert not run.exists()


def test_what_is_no_run_is_never_removed(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "cat.png").write_bytes(b"c")
    run = make_run(tmp_path / "runs", "20261121-101529-a-0001")
    link = tmp_path / "link"
    link.symlink_to(run, target_is_directory=True)
    for path in (folder, link, tmp_path / "nothing"):
        with pytest.raises(RunError, match="is not a run directory; nothing was removed"):
            remove_run(path)
    assert (folder / "cat.png").exists()
    assert (run / "run.json").exists()
