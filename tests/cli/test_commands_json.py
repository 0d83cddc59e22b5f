"""With `--json` standard output is one JSON object and nothing else, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dlrun.cli.main import dlrun

RUN = "<run>"
FOLDS = "<run of folds>"

SOUND: dict[str, list[str]] = {
    "check": ["credit.yaml"],
    "compare": [RUN, FOLDS],
    "evaluate": [RUN],
    "finalize": [RUN, "--epochs", "1"],
    "init": ["-o", "first.yaml"],
    "kfold": ["credit.yaml", "--folds", "2", "--set", "training.epochs=1"],
    "look": [RUN, "--view", "rows"],
    "predict": [RUN, "--input", "new.csv"],
    "report": [RUN, "-o", "report.html"],
    "resume": [RUN],
    "runs": [],
    "search": [
        *("credit.yaml", "--set", "training.epochs=1", "--trials", "2"),
        *("--set", "search.space={training.batch_size: [16, 32]}"),
    ],
    "show": ["credit.yaml"],
    "train": ["credit.yaml", "--set", "training.epochs=1"],
}
WRONG: dict[str, tuple[list[str], int, str]] = {
    "check": (["credit.yaml", "--set", "loss=msee"], 2, "ConfigError"),
    "compare": ([RUN, "no-such-run"], 1, "RunError"),
    "evaluate": (["no-such-run"], 1, "RunError"),
    "finalize": ([RUN, "--ensemble"], 1, "RunError"),
    "init": (["--data", "no-such.csv"], 1, "DataError"),
    "kfold": (["credit.yaml", "--folds", "1"], 2, "UsageError"),
    "look": ([RUN, "--view", "row"], 2, "UsageError"),
    "predict": ([RUN, "--input", "no-such.csv"], 1, "DataError"),
    "report": (["no-such-run"], 1, "RunError"),
    "resume": (["no-such-run"], 1, "RunError"),
    "runs": (["--limit", "none"], 2, "BadParameter"),
    "search": (["credit.yaml", "--set", "search.space={trainin: [1, 2]}"], 2, "ConfigError"),
    "show": (["no-such-run"], 1, "RunError"),
    "train": (["credit.yaml", "--epochs", "5"], 2, "NoSuchOption"),
}


@pytest.fixture
def words_of(holdout_run: Any, kfold_run: Any) -> Callable[[list[str]], list[str]]:
    """Put real runs in the place of their names."""
    runs = {RUN: str(holdout_run.path), FOLDS: str(kfold_run.path)}
    return lambda given: [runs.get(word, word) for word in given]


def test_every_command_has_an_example() -> None:
    import click

    commands = dlrun.list_commands(click.Context(dlrun))
    # What `schema` prints is JSON already; `tensorboard` runs until it is stopped.
    assert sorted([*SOUND, "schema", "tensorboard"]) == commands
    assert WRONG.keys() == SOUND.keys()


TRAINS_AGAIN = {"finalize", "kfold", "search", "train"}
"""The fixture `experiments` trains by `train --json` and `kfold --json` in any case."""


@pytest.mark.parametrize(
    "command", [pytest.param(c, marks=[pytest.mark.slow] * (c in TRAINS_AGAIN)) for c in SOUND]
)
def test_what_went_well(command: str, project: Any, words_of: Any) -> None:
    answer = project(command, *words_of(SOUND[command]), "--json")
    assert answer.status == 0, answer.err
    assert "error" not in answer.json


@pytest.mark.parametrize("command", WRONG)
def test_what_went_wrong(command: str, project: Any, words_of: Any) -> None:
    given, status, kind = WRONG[command]
    answer = project(command, *words_of(given), "--json")
    assert answer.status == status
    assert answer.json["exit_status"] == status
    assert answer.json["error"]["type"] == kind
    # People read standard error: the same message stands there.
    assert answer.json["error"]["message"].splitlines()[0] in answer.err


@pytest.mark.slow
def test_callbacks_that_print_do_not_spoil_it(project: Any) -> None:
    loud = "training.callbacks=[{EarlyStopping: {patience: 0, min_delta: 9, verbose: 1}}]"
    answer = project("train", "credit.yaml", "--set", loud, "--json")
    assert answer.json["epochs"] == 2
    assert "early stopping" in answer.err


def test_problems_of_a_config_come_one_by_one(project: Any) -> None:
    wrong = ["--set", "loss=msee", "--set", "training.epochs=0"]
    problems = project("check", "credit.yaml", *wrong, "--json").json["error"]["problems"]
    assert [problem["place"] for problem in problems] == [
        "--set loss=msee", "--set training.epochs=0",
    ]  # fmt: skip


def test_schema_is_json_already(project: Any) -> None:
    schema = json.loads(project("schema").out)
    assert schema["$schema"].startswith("https://json-schema.org/")
