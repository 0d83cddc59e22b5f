"""What tests of commands share: calling them in this process, and runs that many tests look at."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import random
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dlrun.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What a command said.

    Args:
        status: Its exit status.
        out: Standard output.
        err: Standard error.
    """

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output; fails where anything else is there."""
        facts = json.loads(self.out)
        assert isinstance(facts, dict)
        return facts

    def line(self, label: str) -> str:
        """The text of the summary's line that begins with a label."""
        found = re.search(rf"^\s*{label}\s+(.*)$", self.out, re.MULTILINE)
        assert found is not None, self.out
        return found[1]


Call = Callable[..., Answer]


def call_in(folder: Path, *arguments: object) -> Answer:
    """Run one command line in a folder."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        main([str(argument) for argument in arguments])
    assert isinstance(end.value.code, int)
    return Answer(end.value.code, out.getvalue(), err.getvalue())


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Runs a command line in the test's own folder."""
    return lambda *arguments: call_in(tmp_path, *arguments)


def write_table(folder: Path) -> None:
    """Credit risks: text classes and categories, a yes/no column, missing values, an id."""
    draw = random.Random(1)
    lines = ["id,age,income,town,owner,risk"]
    for row in range(160):
        age, income = draw.randint(18, 80), round(draw.gauss(3000, 800), 2)
        town, owner = draw.choice(["Bonn", "Köln", "Aachen", ""]), draw.choice(["yes", "no"])
        points = age / 40 + income / 3000 + (town == "Bonn")
        risk = "low" if points < 2.2 else "middle" if points < 3 else "high"
        lines.append(f"{row},{'' if row % 17 == 0 else age},{income},{town},{owner},{risk}")
    (folder / "credit.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    new = ["owner,town,age,income", "yes,Bonn,30,2500", "no,Paris,60,4000", "yes,,,3000"]
    (folder / "new.csv").write_text("\n".join(new) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Project:
    """A user's folder.

    Args:
        folder: Holds `credit.csv`, `new.csv`, and `credit.yaml` as `dlrun init` wrote it.
        init: What `dlrun init` said.
    """

    folder: Path
    init: Answer

    def __call__(self, *arguments: object) -> Answer:
        """Run a command line in the folder."""
        return call_in(self.folder, *arguments)


SHORT = ("--set", "training.epochs=3")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A folder with a table and the config that `dlrun init` writes for it."""
    folder = tmp_path_factory.mktemp("project")
    write_table(folder)
    init = call_in(folder, "init", "--data", "credit.csv", "--target", "risk")
    return Project(folder, init)


@dataclass(frozen=True)
class Trained:
    """A run that a command made.

    Args:
        path: The run directory.
        answer: What the command said.
        before: Everything in the project's folder before, by path.
        after: The same, once the run was done.
        kept: A copy of the run, which no other test evaluates or reports.
    """

    path: Path
    answer: Answer
    before: frozenset[str]
    after: frozenset[str]
    kept: Path


def trained(project: Project, *arguments: object) -> Trained:
    """Run a command that trains; the run directory is the one that its summary names."""
    before = files_in(project.folder)
    answer = project(*arguments)
    assert answer.status == 0, answer.err
    path = project.folder / answer.line("run")
    after = files_in(project.folder)
    kept = project.folder.with_name(f"{project.folder.name}-kept") / path.name
    return Trained(path, answer, before, after, shutil.copytree(path, kept))


def files_in(folder: Path) -> frozenset[str]:
    return frozenset(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="session")
def holdout_run(project: Project) -> Trained:
    """A finished hold-out run."""
    return trained(project, "train", "credit.yaml", *SHORT)


@pytest.fixture(scope="session")
def kfold_run(project: Project) -> Trained:
    """A finished K-fold run of 2 folds."""
    return trained(project, "kfold", "credit.yaml", "--folds", 2, *SHORT)


@dataclass(frozen=True)
class Experiments:
    """A folder with runs on scikit-learn's digits, trained for 3 epochs.

    Args:
        folder: Holds `digits.yaml` and `runs/`.
        names: Directory of each run by what is special about it: `wide`, `narrow`, `other seed`,
            `other measure`, `fewer rows`; `folds` and `slow folds` under 3-fold.
    """

    folder: Path
    names: dict[str, str]

    def __call__(self, *arguments: object) -> Answer:
        """Run a command line in the folder."""
        return call_in(self.folder, *arguments)

    def path(self, which: str) -> Path:
        """The directory of a run."""
        return self.folder / "runs" / self.names[which]


DIGITS = """
name: digits
dataset: {source: sklearn, name: digits, limit: 700, test: {fraction: 0.2}}
preprocess: [{rescale: 1/16}]
architecture:
  layers:
    - Dense: {units: 64, activation: relu}
    - Dense: {units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: {rmsprop: {learning_rate: 0.001}}
metrics: [accuracy]
training: {epochs: 3, batch_size: 32}
"""
UNITS = "architecture.layers.0.Dense.units"
VARIANTS = {
    "wide": ("train",),
    "narrow": ("train", "--set", f"{UNITS}=4"),
    "other seed": ("train", "--seed", 1),
    "other measure": ("train", "--set", "evaluation.score=loss"),
    "fewer rows": ("train", "--set", "dataset.limit=500"),
    "folds": ("kfold", "--folds", 3),
    "slow folds": ("kfold", "--folds", 3, "--set", "optimizer.rmsprop.learning_rate=0.0001"),
}


@pytest.fixture(scope="session")
def experiments(
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
    without_curves: Callable[[], AbstractContextManager[None]],
) -> Experiments:
    """Runs to be listed and compared; tests that change them work on a copy.

    They are trained once, by the process that needs them first.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "experiments"
    folder.mkdir(exist_ok=True)
    names = folder / "names.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not names.exists():
            with without_curves():
                trained = train_experiments(folder)
            names.write_text(json.dumps(trained), encoding="utf-8")
    return Experiments(folder, json.loads(names.read_text(encoding="utf-8")))


def train_experiments(folder: Path) -> dict[str, str]:
    (folder / "digits.yaml").write_text(DIGITS, encoding="utf-8")
    names = {}
    for which, (command, *rest) in VARIANTS.items():
        answer = call_in(folder, command, "digits.yaml", *rest, "--json")
        assert answer.status == 0, answer.err
        names[which] = Path(answer.json["run"]).name
    return names
