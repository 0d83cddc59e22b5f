"""Whoever types what README and docs say sees what they show."""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlrun.cli.main import main

PAGES = [
    "README.md",
    "docs/architectures.md",
    "docs/config.md",
    "docs/descent.md",
    "docs/findings.md",
    "docs/first-run.md",
    "docs/from-scratch.md",
    "docs/images.md",
    "docs/inputs-and-outputs.md",
    "docs/looking.md",
    "docs/monitoring.md",
    "docs/protocols.md",
    "docs/python.md",
    "docs/report.md",
    "docs/run-directory.md",
    "docs/runs.md",
    "docs/search.md",
    "docs/tensors.md",
    "docs/text.md",
    "docs/timeseries.md",
    "docs/workflow.md",
]
RUN = re.compile(r"\d{8}-\d{6}-([a-z0-9-]+)-[0-9a-f]{4}")
PROBLEM = re.compile(r"[\w.]+\.yaml:\d+:\d+: ")
"""How a report of mistakes begins."""

IN_FULL = ["docs/descent.md", "docs/text.md", "docs/workflow.md"]
"""Pages whose trainings are run as they stand: what they show takes some epochs, or there are
none."""

QUICKLY = ["--set", "training.epochs=2"]
FEW_FOLDS = ["--folds", "2"]
FEW_ROWS = ["--set", "dataset.limit=200"]


@pytest.fixture
def workplace(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the reader has it: the shipped configs, and a table of houses."""
    shutil.copytree(root / "configs", tmp_path / "configs")
    random = np.random.default_rng(0)
    rooms = random.integers(1, 9, 60)
    houses = pd.DataFrame({"rooms": rooms, "age": random.uniform(0, 90, 60)})
    houses["price"] = 50.0 * rooms + random.normal(0, 5, 60)
    houses.to_csv(tmp_path / "houses.csv", index=False)
    houses.drop(columns="price").head(3).to_csv(tmp_path / "new_houses.csv", index=False)
    monkeypatch.chdir(tmp_path)
    # What the documents show is what a terminal shows.
    for name, value in {"TTY_COMPATIBLE": "1", "TERM": "xterm", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return tmp_path


WITHOUT_TRAINING = {"docs/findings.md"}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[] if page in WITHOUT_TRAINING else [pytest.mark.slow])
        for page in PAGES
    ],
)
def test_every_command_of_a_page_works_and_says_what_the_page_shows(
    page: str,
    workplace: Path,
    root: Path,
    blocks: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
    pytestconfig: pytest.Config,
) -> None:
    text = (root / page).read_text(encoding="utf-8")
    reader = _Reader(text, workplace, capsys, in_full=page in IN_FULL)
    output = ""
    for block in blocks(page):
        if block.language == "sh":
            for line in block.text.splitlines():
                output += reader.run(line, block.place)
        elif block.language == "python":
            reader.execute(block.text, block.place)
        elif block.language == "text" and not PROBLEM.match(block.text):
            if pytestconfig.option.update_pages:
                _update(root / page, block.text, output)
            else:
                _assert_shown(block.text, output, block.place)


def test_the_mistakes_that_first_run_shows_are_reported_so(
    workplace: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (root / "docs/first-run.md").read_text(encoding="utf-8")
    reader = _Reader(page, workplace, capsys)
    table = "\n".join(f"{i % 11}.5,{i % 7},{'benign' if i % 3 else 'malignant'}" for i in range(30))
    Path("tumours.csv").write_text(f"mean radius,mean texture,diagnosis\n{table}\n")
    reader.run("dlrun init --data tumours.csv", page)
    config = Path("tumours.yaml").read_text()
    config = config.replace("{units: 64", "{unit: 64", 1).replace("epochs: 50", "epochs: fifty")
    Path("tumours.yaml").write_text(config)
    shown = re.search(r"```text\n(tumours\.yaml:20:15.*?)```", page, re.DOTALL)
    assert shown is not None
    with pytest.raises(SystemExit) as exit_info:
        main(["check", "tumours.yaml"])
    assert exit_info.value.code == 2
    assert _plain(capsys.readouterr().err) == shown[1]


class _Reader:
    """Types the commands of one page, with the names of their own runs for those shown."""

    def __init__(
        self,
        page: str,
        workplace: Path,
        capsys: pytest.CaptureFixture[str],
        *,
        in_full: bool = False,
    ) -> None:
        self._in_full = in_full
        self._names = sorted({match[0] for match in RUN.finditer(page)})
        self._runs = workplace / "runs"
        self._capsys = capsys
        self._namespace: dict[str, Any] = {}

    def run(self, line: str, place: str) -> str:
        """Run one line of a shell, as far as it is dlrun's, and return what it says."""
        output = ""
        for command in line.split(" && "):
            words = shlex.split(self._with_own_runs(command), comments=True)
            if not words or self._is_checked_elsewhere(words):
                continue
            assert Path(words[0]).name == "dlrun", f"{place} has an unknown command: {line}"
            output += self._dlrun(words[1:], f"{place}: {line}")
        return output

    def execute(self, code: str, place: str) -> None:
        """Run a block of Python after those before it."""
        code = re.sub(r"\bfolds=\d+", "folds=2", self._with_own_runs(code))
        exec(compile(code, place, "exec"), self._namespace)

    def _dlrun(self, arguments: list[str], place: str) -> str:
        if arguments[0] in ("train", "kfold") and not self._in_full:
            # What is given last counts. Every fold costs TensorFlow a second to trace.
            arguments = [*arguments, *QUICKLY, *(FEW_FOLDS if arguments[0] == "kfold" else [])]
            arguments += ["--iterations", "1"] if "--iterations" in arguments else []
            if "/book/" in arguments[1]:
                arguments += FEW_ROWS
                real = Path(os.environ["KERAS_HOME"], "datasets").is_dir()
                arguments = arguments if real else ["check", arguments[1]]
        with pytest.raises(SystemExit) as exit_info:
            main(arguments)
        said = self._capsys.readouterr()
        assert exit_info.value.code == 0, f"{place}\n{said.err}"
        return _plain(said.out)

    @staticmethod
    def _is_checked_elsewhere(words: list[str]) -> bool:
        """Whether it is for setting up, see `test_documents.py`."""
        return Path(words[0]).name in ("python3", "pip", "pytest", "bash")

    def _with_own_runs(self, text: str) -> str:
        return RUN.sub(lambda match: self._own_run(match[0], match[1]), text)

    def _own_run(self, shown: str, name: str) -> str:
        """The n-th run of that name here, for the n-th that the page names."""
        number = [s for s in self._names if RUN.fullmatch(s)[1] == name].index(shown)
        found = [(path, RUN.fullmatch(path.name)) for path in self._runs.iterdir()]
        runs = [path for path, match in found if match is not None and match[1] == name]
        runs.sort(key=lambda path: json.loads((path / "run.json").read_text())["started"])
        return runs[number].name


def _assert_shown(shown: str, output: str, place: str) -> None:
    """Every line of a page's output is there; numbers, names of runs and spaces may differ."""
    said = {_masked(line) for line in output.splitlines()}
    for line in shown.splitlines():
        assert _masked(line) in said, f"{place} shows a line that dlrun does not say:\n{line}"


def _update(page: Path, shown: str, output: str) -> None:
    """Write the nearest line of the output for every line that is not said, its numbers kept."""
    said = {_masked(line): line for line in output.splitlines()}
    text = page.read_text(encoding="utf-8")
    lines = shown.splitlines()
    for index, line in enumerate(lines):
        nearest = difflib.get_close_matches(_masked(line), said, 1)
        if _masked(line) not in said and nearest:
            lines[index] = _with_numbers_of(line, said[nearest[0]])
    page.write_text(text.replace(shown, "\n".join(lines) + "\n"), encoding="utf-8")


def _with_numbers_of(shown: str, said: str) -> str:
    """What is said now, with the numbers and runs that a page shows where there are as many."""
    kept = NUMBER.findall(shown)
    if len(kept) != len(NUMBER.findall(said)):
        return said
    return NUMBER.sub(lambda _: kept.pop(0), said)


STAMP_AND_ID = re.compile(r"\b\d{8}-\d{6}  [0-9a-f]{4}\b")
"""How `dlrun runs` shows a run."""

NUMBER = re.compile(rf"{RUN.pattern.replace('(', '(?:')}|\d+(?:\.\d+)?(?:e[-+]?\d+)?")

VERDICTS = re.compile(
    "the model beats it|it beats the model|no clear difference|^  verdict .*|"
    r"(?<=^  next)\s+dlrun (finalize|report|train) .*"
)
"""What two epochs come to is not what all of them did."""


def _masked(line: str) -> str:
    line = STAMP_AND_ID.sub("RUN", line)
    line = re.sub(r"\d+(\.\d+)?(e[-+]?\d+)?", "#", RUN.sub("RUN", line))
    line = re.sub(r"# min( # s)?|# s|# ms", "TIME", line)
    # The sign of an interval's end too.
    line = VERDICTS.sub("VERDICT", line.replace("-#", "#"))
    line = line.replace("VERDICT # (", "VERDICT (")
    return " ".join(line.split())


def _plain(text: str) -> str:
    """Without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", text).replace("\r", "\n")
