"""`dlrun report`, and `--report` of the commands that train."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TITLE = re.compile(r"<title>(.*?)</title>")
HEADING = re.compile(r'<h2 class="heading"[^>]*>(.*?)</h2>')


def test_a_run_is_written_into_itself_where_there_is_something_new_to_say(project, holdout_run):
    files = {path for path in holdout_run.path.rglob("*") if path.is_file()}
    before = {path: path.read_bytes() for path in files if path.name != "manifest.json"}
    first = project("report", holdout_run.path)
    assert first.status == 0, first.err
    relative = holdout_run.path.relative_to(project.folder)
    assert first.out == f"written to {relative}/report.html\n"
    again = project("report", holdout_run.path.name)
    assert again.out == f"{relative}/report.html is up to date; nothing written\n"
    page = holdout_run.path / "report.html"
    page.write_bytes(page.read_bytes() + b"<!-- an earlier page -->")
    second = project("report", holdout_run.path.name, "--json").json
    assert second["written"]
    assert Path(second["report"]) == holdout_run.path / "report-2.html"
    assert second["bytes"] == (holdout_run.path / "report-2.html").stat().st_size < 2_000_000
    assert {path: path.read_bytes() for path in before} == before
    page = (holdout_run.path / "report.html").read_text(encoding="utf-8")
    assert TITLE.findall(page) == ["credit"]
    headings = ["Training", "Classes", "Calibration", "Most wrong", "Data", "Config"]
    found = HEADING.findall(page)
    assert [heading for heading in found if heading in headings] == headings


def test_the_page_shows_the_score_of_the_terminal_and_the_worst_rows_of_the_table(
    project, holdout_run, tmp_path
):
    page = tmp_path / "page.html"
    assert project("report", holdout_run.path, "-o", page).out == f"written to {page}\n"
    text = page.read_text(encoding="utf-8")
    score = re.search(r"accuracy ([\d.]+)", holdout_run.answer.line("score"))
    assert score is not None
    assert f'<span class="big">{score[1]}</span>' in text
    with np.load(holdout_run.path / "predictions.npz") as file:
        held = dict(file)
    wrong = held["predictions"].argmax(axis=1) != held["targets"]
    result = json.loads((holdout_run.path / "result.json").read_text())
    assert np.mean(~wrong) == pytest.approx(result["score"]["value"])
    cards = re.findall(
        r'<p class="what">(\w+), predicted (\w+) .*?credit.csv:(\d+)</span></p>'
        r'\s*<dl class="values">(.*?)</dl>',
        text,
        re.DOTALL,
    )
    assert len(cards) == min(12, wrong.sum())
    table = (project.folder / "credit.csv").read_text(encoding="utf-8").splitlines()
    for true, predicted, line, values in cards:
        assert int(line) - 2 in held["rows"][wrong]
        _, _, income, _, owner, risk = table[int(line) - 1].split(",")
        assert true == risk != predicted
        shown = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", values))
        assert float(shown["income"]) == pytest.approx(float(income), rel=1e-3)
        assert shown["owner"] == {"yes": "true", "no": "false"}[owner]


def test_a_run_whose_data_is_gone_is_still_reported(project, kfold_run, tmp_path):
    moved = shutil.copytree(kfold_run.path, tmp_path / "moved" / kfold_run.path.name)
    answer = project("report", moved)
    assert answer.status == 0, answer.err
    page = (moved / "report.html").read_text(encoding="utf-8")
    assert "Folds" in HEADING.findall(page)
    rows = re.findall(r'<th scope="row">[12]</th>', page)
    assert len(rows) == 2


def test_several_runs_stand_beside_the_first(project, holdout_run, kfold_run):
    answer = project("report", holdout_run.path, kfold_run.path)
    assert answer.status == 0, answer.err
    assert answer.out == "written to runs/report.html\n"
    page = (project.folder / "runs/report.html").read_text(encoding="utf-8")
    assert TITLE.findall(page) == ["Comparison of 2 runs"]
    assert "not comparable" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "as_json"),
    [("train", False), pytest.param("kfold", True, marks=pytest.mark.slow)],
)
def test_training_writes_the_page_where_it_is_asked_to(project, command, as_json):
    short = ["--set", "training.epochs=1", *(["--folds", 2] if command == "kfold" else [])]
    extra = ["--json"] if as_json else []
    answer = project(command, "credit.yaml", "--report", *short, *extra)
    assert answer.status == 0, answer.err
    if as_json:
        facts: dict[str, Any] = answer.json
        assert Path(facts["report"]) == Path(facts["run"]) / "report.html"
        assert Path(facts["report"]).is_file()
    else:
        run = answer.line("run")
        assert f"\n  report written to {run}/report.html\n" in answer.out
        assert (project.folder / run / "report.html").is_file()


def test_refusals(project, holdout_run, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("mine")
    taken = project("report", holdout_run.path, "--output", page)
    assert (taken.status, taken.err) == (1, f"error: {page} exists and is never overwritten\n")
    assert page.read_text() == "mine"
    name = holdout_run.path.name
    twice = project("report", holdout_run.path, name)
    assert (twice.status, twice.err) == (2, f"error: the run {name} is given twice\n")
    nowhere = project("report", "nothing")
    assert nowhere.status == 1
    assert nowhere.err.startswith("error: no run 'nothing'")
    assert project("report").status == 2


@pytest.mark.slow
def test_a_report_needs_no_keras(project, holdout_run):
    code = (
        "import sys\n"
        "from dlrun.workflows.report import report\n"
        "report(sys.argv[1])\n"
        "print(*sorted({'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(holdout_run.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""
