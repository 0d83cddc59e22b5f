"""`dlrun runs`: lists on made-up run directories, and what single runs say on trained ones."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlrun.store.environment import process_facts
from dlrun.store.run_directory import RunDirectory

DATA = {"digits": "a1b2c3" + "0" * 58, "houses": "ffee00" + "0" * 58}


def make_run(folder: Path, name: str, **given: Any) -> Path:
    """A run directory with as much as a list reads. `given`: score, metric, status, units, data,
    seconds."""
    path = folder / "runs" / name
    path.mkdir(parents=True)
    data = given.get("data", "digits")
    source = (
        {"source": "csv", "path": "/somewhere/houses.csv"}
        if data == "houses"
        else {"source": "sklearn", "name": "digits"}
    )
    metric = given.get("metric", "accuracy")
    direction = "max" if metric == "accuracy" else "min"
    score = {"name": metric, "direction": direction, "value": given.get("score")}
    facts = {
        "status": given.get("status", "finished"),
        "name": given.get("experiment", re.sub(r"^\d+-\d+-|-\w{4}$", "", name)),
        "started": "2026-11-21T10:15:30.000+00:00",
        "seconds": given.get("seconds", 3.0),
        "process": given.get("process"),
        "config": {
            "seed": 0,
            "dataset": source,
            "architecture": {"layers": [{"Dense": {"units": given.get("units", 64)}}]},
        },
        "result": {"protocol": "holdout", "best_epoch": 3, "score": score},
    }
    (path / "run.json").write_text(json.dumps(facts))
    (path / "data.json").write_text(json.dumps({"fingerprint": DATA[data]}))
    return path


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Six runs, one of them damaged."""
    make_run(tmp_path, "20261121-101501-digits-0001", score=0.9, units=8, seconds=5.0)
    make_run(tmp_path, "20261121-101502-digits-0001", score=0.97, units=16, seconds=70.0)
    make_run(tmp_path, "20261121-101503-Digits-deep-0001", score=0.93, status="failed")
    make_run(tmp_path, "20261121-101504-houses-0001", score=2.5, metric="mae", data="houses")
    make_run(tmp_path, "20261121-101505-houses-0001", score=2.1, metric="mae", data="houses")
    (tmp_path / "runs" / "20261121-101506-torn-0001").mkdir()
    (tmp_path / "runs" / "20261121-101506-torn-0001" / "run.json").write_text('{"status": "fin')
    return tmp_path


def stamps(answer: Any) -> list[str]:
    return [run["run"][13:15] for run in answer.json["runs"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "06 05 04 03 02 01"),
        (["--sort", "score"], "02 03 01 05 04 06"),
        (["--sort", "name"], "02 01 03 05 04 06"),
        (["--sort", "seconds"], "02 01 05 04 03 06"),
        (["--limit", "2"], "06 05"),
        (["--sort", "score", "--limit", "1"], "02"),
        (["--name", "digits"], "03 02 01"),
        (["--name", "DIGITS-d"], "03"),
        (["--name", "digits*"], "03 02 01"),
        (["--name", "dig?ts"], "02 01"),
        (["--status", "failed"], "03"),
        (["--status", "damaged"], "06"),
        (["--data", "houses"], "05 04"),
        (["--data", "*.csv"], "05 04"),
        (["--data", "sklearn"], "03 02 01"),
        (["--data", "ffee"], "05 04"),
        (["--data", "somewhere"], ""),
        (["--data", "houses", "--sort", "score", "--limit", "1"], "05"),
        (["--name", "nothing"], ""),
    ],
)
def test_which_runs_are_listed_in_which_order(
    runs: Path, call: Callable[..., Any], options: list[str], expected: str
) -> None:
    answer = call("runs", "--json", *options)
    assert (answer.status, stamps(answer)) == (0, expected.split())


def test_a_pipe_gets_a_row_a_run_and_what_all_have_in_common_once(
    runs: Path, call: Callable[..., Any]
) -> None:
    answer = call("runs", "--name", "digits", "--status", "finished")
    assert answer.out == (
        "2 runs in runs, digits, finished, holdout\n\n"
        "run              id    accuracy  best epoch     time  units\n"
        "20261121-101502  0001    0.9700           3  1 min 10 s     16\n"
        "20261121-101501  0001    0.9000           3       5.0 s      8\n\n"
    ).replace("     time", "        time")


def test_a_damaged_run_is_shown_with_what_is_wrong(runs: Path, call: Callable[..., Any]) -> None:
    answer = call("runs")
    assert answer.status == 0
    assert re.search(r"^20261121-101506 +0001 +torn +damaged$", answer.out, re.MULTILINE)
    assert "damaged: 20261121-101506-torn-0001: run.json is not JSON\n" in answer.out
    damaged = answer = call("runs", "--json").json["runs"][0]
    assert (damaged["problem"], damaged["differs"]) == ("run.json is not JSON", {})


def test_more_than_are_shown_are_said_to_be_there(runs: Path, call: Callable[..., Any]) -> None:
    assert call("runs", "--limit", 2).out.endswith("there are more; --limit 0 shows all\n")
    assert call("runs", "--limit", 6, "--json").json["more"] is False
    assert len(call("runs", "--limit", 0, "--json").json["runs"]) == 6


def test_no_runs(call: Callable[..., Any]) -> None:
    answer = call("runs", "--runs-dir", "elsewhere")
    assert (answer.status, answer.out) == (
        0,
        "no run in elsewhere; `dlrun train CONFIG` makes one\n",
    )
    assert call("runs", "--json").json == {"runs": [], "more": False}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_terminal_is_never_too_narrow(
    runs: Path, call: Callable[..., Any], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    lines = re.sub(r"\x1b\[[\d;]*m", "", call("runs").out).splitlines()
    table = [line for line in lines if line.startswith("2026")]
    assert len(table) == 6
    assert max(map(len, table)) <= width
    assert any("score" in line for line in lines)


# One run, two runs.


def test_show_says_what_the_end_of_training_said(experiments: Any) -> None:
    name = experiments.names["wide"]
    answer = experiments("runs", "show", name)
    result = json.loads((experiments.path("wide") / "result.json").read_text())
    assert answer.status == 0
    # The interval is some tenths wide.
    assert answer.line("score") == f"validation accuracy {result['score']['value']:.2f}"
    # The score is where it stays on the screen.
    assert answer.out.index("\nconfig\n") < answer.out.index("  score  ")
    assert re.search(rf"\n  run +runs/{name}\n", answer.out)
    assert re.search(r"\n  status +finished\n", answer.out)
    assert answer.line("backend").startswith("tensorflow 2.")
    assert "test data\n  not evaluated\n" in answer.out
    resolved = (experiments.path("wide") / "resolved.yaml").read_text()
    assert "".join(f"  {line}\n" for line in resolved.splitlines()) in answer.out
    facts = experiments("runs", "show", name, "--json").json
    assert (facts["run"], facts["result"]) == (name, result)
    # The last characters of the name are enough.
    assert experiments("runs", "show", name[-4:]).out == answer.out


def test_show_tells_looks_and_damaged_files(experiments: Any, tmp_path: Path) -> None:
    run = tmp_path / experiments.names["wide"]
    shutil.copytree(experiments.path("wide"), run)
    (run / "evaluations").mkdir()
    look = {"time": "2026-11-21T11:00:00+00:00", "rows": 140, "look": 3,
            "score": {"name": "accuracy", "value": 0.875}}  # fmt: skip
    (run / "evaluations" / "001.json").write_text(json.dumps(look))
    (run / "evaluations" / "002.json").write_text("{")
    (run / "result.json").write_text("")
    answer = experiments("runs", "show", run)
    assert answer.status == 1
    assert "/result.json is not the file that the run wrote: " in answer.out
    RunDirectory(run).seal()
    answer = experiments("runs", "show", run)
    assert answer.status == 0
    assert (
        "  2026-11-21T11:00:00+00:00  accuracy 0.875 on 140 rows, third test evaluation "
        "on these rows\n" in answer.out
    )
    assert answer.out.count(" is damaged: not JSON at line 1: ") == 2


def test_show_of_a_failed_run(call: Callable[..., Any], tmp_path: Path) -> None:
    path = make_run(tmp_path, "20261121-101501-digits-0001", status="failed")
    facts = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**facts, "error": "DataError: no rows"}))
    answer = call("runs", "show", "20261121")
    assert answer.out.endswith(
        "\n  status  failed\n  error   DataError: no rows\n"
        "  run     runs/20261121-101501-digits-0001\n"
    )


def test_the_folder_may_be_named_before_or_after_the_sub_command(
    runs: Path, call: Callable[..., Any]
) -> None:
    (runs / "runs").rename(runs / "elsewhere")
    after = call("runs", "show", "20261121-101501", "--runs-dir", "elsewhere", "--json")
    assert after.json["run"] == "20261121-101501-digits-0001"
    assert call("runs", "--runs-dir", "elsewhere", "show", "20261121-101501", "--json") == after


def test_diff_shows_configs_and_results_side_by_side(experiments: Any) -> None:
    one, other = experiments.names["wide"], experiments.names["narrow"]
    answer = experiments("runs", "diff", one, other)
    assert answer.line(re.escape("architecture.layers.0.Dense.units")).split() == ["64", "4"]
    parameters = [8 * 8 * units + units + units * 10 + 10 for units in (64, 4)]
    assert answer.line("parameters").split() == [str(number) for number in parameters]
    assert answer.out.endswith(f"next  dlrun compare runs/{one} runs/{other}\n")
    # Machine and versions are the same, and say nothing.
    assert not re.search(r"^ *(keras|host|backend|data) ", answer.out, re.MULTILINE)
    facts = experiments("runs", "diff", one, other, "--json").json
    assert facts["config"] == {"architecture.layers.0.Dense.units": [64, 4]}
    assert facts["runs"] == [one, other]


# Removing.


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets what is typed when a command asks."""
    import io

    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_rm_asks(runs: Path, call: Callable[..., Any], answered: Callable[[str], None]) -> None:
    answered("n\n")
    answer = call("runs", "rm", "20261121-101501")
    assert (answer.status, answer.out) == (0, "nothing was removed\n")
    assert answer.err.startswith("runs/20261121-101501-digits-0001  finished\nRemove this run ")
    answered("y\n")
    answer = call("runs", "rm", "20261121-101501", "20261121-101502")
    assert (answer.status, answer.out) == (0, "removed 2 runs\n")
    assert stamps(call("runs", "--json")) == ["06", "05", "04", "03"]


def test_rm_without_anybody_to_answer_removes_nothing(
    runs: Path, call: Callable[..., Any], answered: Callable[[str], None]
) -> None:
    answered("")
    answer = call("runs", "rm", "20261121-101501")
    assert answer.status == 2
    assert answer.err.endswith("error: nothing was removed: no answer was given; use --yes\n")
    assert len(call("runs", "--json").json["runs"]) == 6
    # A damaged run can be removed too.
    assert call("runs", "rm", "20261121-101501", "20261121-101506", "--yes").status == 0
    assert stamps(call("runs", "--json")) == ["05", "04", "03", "02"]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX tells whether a process is there")
def test_rm_refuses_a_run_that_still_runs_and_removes_one_that_died(
    tmp_path: Path, call: Callable[..., Any]
) -> None:
    facts = process_facts()
    make_run(tmp_path, "20261121-101501-a-0001", status="running", process=facts)
    gone = {**facts, "birth": "another process"}
    make_run(tmp_path, "20261121-101502-a-0001", status="running", process=gone)
    answer = call("runs", "rm", "20261121-101502", "20261121-101501", "--yes")
    assert (answer.status, answer.err) == (
        1,
        f"error: 20261121-101501-a-0001 is still running (process {os.getpid()} on "
        f"{facts['host']}); stop it first\n",
    )
    assert len(call("runs", "--json").json["runs"]) == 2
    assert call("runs", "rm", "20261121-101502", "--yes").out == "removed 1 run\n"


def test_rm_never_touches_what_is_no_run(
    runs: Path, call: Callable[..., Any], tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "run.json").write_text('{"scripts": {}}')
    for given, message in [
        (
            "runs",
            "error: runs is not a run directory: it has no run.json; the newest run in it ",
        ),
        ("web", "error: web may be something else than a run: run.json has the unknown status "),
        ("nothing", "error: no run 'nothing'"),
    ]:
        answer = call("runs", "rm", given, "--yes")
        assert answer.status == 1
        assert answer.err.startswith(message), answer.err
    (tmp_path / "web" / "run.json").unlink()
    (tmp_path / "web").rmdir()
    assert sorted(tmp_path.rglob("*")) == before
