"""What `train`, `kfold`, `evaluate` and `predict` refuse, word for word; see `refusals.md`."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pages import Section, sections


@dataclass(frozen=True)
class Case:
    """One section of the page."""

    section: Section
    files: dict[str, str]
    words: list[str]
    status: int
    failed: bool


def read_case(section: Section) -> Case:
    kinds = {block.info.split()[0]: block for block in section.blocks}
    _, status, *rest = kinds["text"].info.split()
    return Case(
        section=section,
        files={b.info.split()[1]: b.body for b in section.blocks if b.info.startswith("csv ")},
        words=shlex.split(kinds["sh"].body)[1:],
        status=int(status),
        failed=rest == ["failed"],
    )


CASES = [read_case(section) for section in sections(Path(__file__).parent / "refusals.md")]


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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.section.title)
def test_refusal(
    case: Case, place: tuple[Any, str], assert_shown: Callable[[Section, str], None]
) -> None:
    call, run = place
    for name, text in case.files.items():
        (call.folder / name).write_text(text, encoding="utf-8")
    runs = call.folder / "runs"
    before = set(runs.iterdir())
    answer = call(*(run if word == "RUN" else word for word in case.words))
    assert_shown(case.section, answer.err.replace(run, "RUN"))
    assert answer.status == case.status
    left = set(runs.iterdir()) - before
    assert len(left) == case.failed
    for path in left:
        assert json.loads((path / "run.json").read_text())["status"] == "failed"
        shutil.rmtree(path)


def test_every_command_that_reads_a_config_or_a_run_has_cases() -> None:
    assert len({case.section.title for case in CASES}) == len(CASES) >= 35
    assert {case.words[0] for case in CASES} >= {"train", "kfold", "evaluate", "predict"}
