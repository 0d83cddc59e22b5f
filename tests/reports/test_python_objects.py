"""What Python shows of runs and lists of runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from stored_runs import stored_run

import dlrun


def test_runs_are_shown_in_a_few_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = [stored_run(tmp_path / "runs", name=name) for name in ("one", "two")]
    listing = dlrun.runs(sort="name")
    assert [entry.name for entry in listing] == ["one", "two"]
    assert (len(listing), len(listing[:1]), listing[-1].name) == (2, 1, "two")
    first, *lines = repr(listing).split("\n")
    assert first.startswith("2 runs in runs, ")
    assert len(lines) == 3
    entry = listing[0]
    assert repr(entry).startswith(f"RunEntry({made[0].name}, finished")
    # An entry, and a run, can be given wherever a run is expected.
    run = dlrun.Run.open(entry)
    assert dlrun.Run.open(run).path == made[0].path
    lines = repr(run).split("\n")
    assert [line.split()[0] for line in lines] == [
        "Run",
        "score",
        "interval",
        "baseline",
        "verdict",
    ]
    assert lines[0] == f"Run       runs/{made[0].name} (finished)"
