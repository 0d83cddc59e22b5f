"""A new member of a family is one new file: nothing else of dlrun is edited."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dlrun

FILES = {
    "data/preprocessing/thrice.py": '''
from dlrun.data.step import Step


class Thrice(Step):
    """Multiplies every column."""

    factor: float = 3.0
    """What every number is multiplied by."""

    def fit(self, features):
        return {}

    def apply(self, features, state):
        return {name: self.factor * column for name, column in features.items()}
''',
    "data/sources/one_column.py": '''
from dlrun.data.source import Source


class OneColumn(Source):
    """A column of numbers."""

    rows: int = 10
    """How many."""

    def brings_test(self):
        return False

    def load(self, part, base, extra=()):
        raise NotImplementedError
''',
    "protocols/schemes/first_half.py": '''
from dlrun.protocols.protocol import Protocol


class FirstHalf(Protocol):
    """Scores the second half of the rows."""

    reverse: bool = False
    """Whether the halves change places."""

    def split(self, row_info, monitors_validation):
        raise NotImplementedError
''',
    "checks/subjects/names.py": '''
from dlrun.checks.check import BOOK, check


@check("DL099", "warning", why="w", source=BOOK, instead="i")
def spam(view):
    """Finds nothing."""
    return []
''',
    "cli/commands/greet.py": '''
import click


@click.command(name="greet", short_help="Say hello.")
def command() -> None:
    """Say hello."""
    click.echo("hello")
''',
}
CONFIG = """
dataset: {source: one_column, rows: 20}
preprocess: [{thrice: {factor: 2}}]
architecture: {layers: [{Dense: 1}]}
loss: mse
optimizer: adam
evaluation: {protocol: first_half, reverse: true}
"""
EVERYWHERE = """
import json, sys
from dlrun.config.json_schema import json_schema
from dlrun.config.load import load_config
from dlrun.errors import ConfigError
from dlrun.registry.families import finding_codes
try:
    load_config("c.yaml", ["preprocess.0.thrice.factr=1", "evaluation.revers=true"])
except ConfigError as error:
    messages = [problem.message for problem in error.problems]
from dlrun.config.dump import dump_config
written = dump_config(load_config("c.yaml"))
print(json.dumps([written, messages, "thrice" in json.dumps(json_schema()), finding_codes()]))
"""


def test_a_new_member_is_read_written_refused_and_listed(tmp_path: Path) -> None:
    package = Path(dlrun.__file__).parent
    shutil.copytree(package, tmp_path / "dlrun")
    for place, text in FILES.items():
        (tmp_path / "dlrun" / place).write_text(text)
    (tmp_path / "c.yaml").write_text(CONFIG)

    def python(*arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    written, messages, in_schema, codes = json.loads(python("-c", EVERYWHERE))
    assert written["dataset"]["source"] == "one_column"
    assert written["preprocess"] == [{"thrice": {"factor": 2.0}}]
    assert written["evaluation"]["reverse"] is True
    assert len(messages) == 2
    assert "did you mean 'factor'?" in messages[0]
    assert "did you mean 'reverse'?" in messages[1]
    assert in_schema
    assert "DL099" in codes
    assert python("-m", "dlrun", "greet") == "hello\n"
