"""What `train`, `kfold`, `evaluate` and `predict` refuse, word for word; see `refusals.md`."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Case:
    """One section of the page."""

    title: str
    files: dict[str, str]
    words: list[str]
    status: int
    failed: bool
    message: str


def read_case(section: str) -> Case:
    blocks = re.findall(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    by_kind = {kind: (info.split(), body) for kind, info, body in blocks}
    (status, *rest), message = by_kind["text"]
    return Case(
        title=section.splitlines()[0],
        files={info: body for kind, info, body in blocks if kind == "csv"},
        words=shlex.split(by_kind["sh"][1])[1:],
        status=int(status),
        failed=rest == ["failed"],
        message=message,
    )


PAGE = Path(__file__).parent / "refusals.md"
CASES = [read_case(section) for section in PAGE.read_text("utf-8").split("\n## ")[1:]]


@pytest.fixture(scope="module")
def place(
    project: Any, holdout_run: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, str]:
    """A folder of its own with the project's files and one run, and the run's name."""
    folder = tmp_path_factory.mktemp("refusals")
    for name in ("credit.csv", "credit.yaml", "new.csv"):
        shutil.copy(project.folder / name, folder)
    shutil.copytree(holdout_run.path, folder / "runs" / holdout_run.path.name)
    return type(project)(folder, project.init), holdout_run.path.name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_refusal(case: Case, place: tuple[Any, str]) -> None:
    call, run = place
    for name, text in case.files.items():
        (call.folder / name).write_text(text, encoding="utf-8")
    runs = call.folder / "runs"
    before = set(runs.iterdir())
    answer = call(*(run if word == "RUN" else word for word in case.words))
    said = answer.err.replace(run, "RUN")
    assert said == case.message
    assert answer.status == case.status
    left = set(runs.iterdir()) - before
    assert len(left) == case.failed
    for path in left:
        assert json.loads((path / "run.json").read_text())["status"] == "failed"
        shutil.rmtree(path)


def test_every_command_that_reads_a_config_or_a_run_has_cases() -> None:
    assert len({case.title for case in CASES}) == len(CASES) >= 35
    assert {case.words[0] for case in CASES} >= {"train", "kfold", "evaluate", "predict"}
