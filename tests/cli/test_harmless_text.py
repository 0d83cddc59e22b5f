"""Text of files reaches the terminal with its control characters as escapes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from dlrun.cli.console import as_columns, print_error, print_table
from dlrun.cli.lines import print_line
from dlrun.cli.main import main
from dlrun.cli.options import print_json
from dlrun.cli.progress import PlainProgress
from dlrun.errors import DataError

STEERING = "\x1b]0;owned\x07\x9b2J\u202e"
ESCAPES = "\\x1b]0;owned\\x07\\x9b2J\\u202e"


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=200)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_lines_keep_their_own_colours(terminal: Console) -> None:
    print_line(terminal, f"class {STEERING}")
    assert shown(terminal) == f"class {ESCAPES}\n"
    styled = Text.assemble(("bold\x1b[0m", "bold"), " plain\u202e", ("red", "red"))
    print_line(terminal, styled)
    assert "\x1b[1mbold\x1b[0m" in shown(terminal)
    assert "[0m plain\\u202e\x1b[31mred\x1b[0m" in shown(terminal)


def test_tables_and_errors(terminal: Console) -> None:
    print_table(terminal, as_columns(["class"], [[f"{STEERING}\n"]]))
    print_error(terminal, DataError(f"no column '{STEERING}'"))
    assert shown(terminal).count(ESCAPES) == 2
    assert "\x07" not in shown(terminal)
    assert "\u202e" not in shown(terminal)


def test_progress_in_plain_lines() -> None:
    console = Console(file=io.StringIO())
    PlainProgress(console).note(STEERING)
    assert shown(console) == f"note: {ESCAPES}\n"


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"class": STEERING})
    said = capsys.readouterr().out
    assert json.loads(said) == {"class": STEERING}
    assert not set(STEERING[:1] + "\x9b\u202e") & set(said)


@pytest.mark.parametrize("arguments", [["check", f"{STEERING}.yaml"], [f"tr{STEERING}"]])
def test_what_was_typed(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert "\\x1b]0;owned" in capsys.readouterr().err
