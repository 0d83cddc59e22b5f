"""Facts as text on the terminal: exact where it matters, whatever the width."""

from __future__ import annotations

import io
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dlrun.cli.console import (
    FoldRow,
    as_columns,
    fold_header,
    fold_line,
    print_error,
    print_problems,
    print_summary,
    print_table,
    steady_figure,
)
from dlrun.cli.lines import wrapped
from dlrun.errors import ConfigError, Problem, RunError
from dlrun.reports.summary import Summary, SummaryLine

RUN = Path("runs") / "20261121-101530-a-rather-long-name-for-a-narrow-terminal-3f2a"


def console(width: int = 30, *, terminal: bool = False, colours: bool = False) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system="standard" if colours else None,
    )


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


PROBLEMS = [
    Problem(
        "configs/a [bold] folder/boston.yaml:14:3",
        "unknown key 'optimiser'; did you mean 'optimizer'? :smile: [red]no markup[/red]",
        expected="one of: name, loss, metrics: [mae]",
        found="https://example.org/a?b=[/c] 123",
        hint="write `optimizer`",
        line="  optimiser: {rmsprop: {learning_rate: 0.001}}  # hint: a comment",
        column=3,
    ),
    Problem("--set training.epochs=five", "not a whole number"),
]


@pytest.mark.parametrize("colours", [True, False])
@pytest.mark.parametrize(("terminal", "width"), [(True, 150), (False, 20)])
def test_problems_are_their_own_text(terminal: bool, width: int, colours: bool) -> None:
    error = ConfigError(PROBLEMS)
    shown = console(width, terminal=terminal, colours=colours)
    print_problems(shown, error)
    assert without_colours(written(shown)) == f"{error}\n"
    assert ("\x1b[" in written(shown)) == colours


@given(
    st.builds(
        Problem,
        place=st.just("a.yaml:1:2"),
        message=st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1),
        hint=st.none() | st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1),
        line=st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=2),
        column=st.integers(1, 2),
    )
)
def test_any_text_of_a_user_stays_as_it_is(problem: Problem) -> None:
    error = ConfigError([problem])
    shown = console(20, colours=True)
    print_problems(shown, error)
    assert without_colours(written(shown)) == f"{error}\n"
    shown = console(20, terminal=True, colours=True)
    print_problems(shown, ConfigError([replace(problem, line=None, column=None)]))
    # Nothing but line breaks between words was added.
    assert without_colours(written(shown)).split() == str(replace(problem, line=None)).split()


def test_on_a_narrow_terminal_the_line_of_a_file_is_cut_around_its_caret() -> None:
    shown = console(40, terminal=True)
    line = "one: 1, two: 2, three: 3, four: 4, five: 5, six: 6, seven: 7, eight: 8"
    print_problems(shown, ConfigError([Problem("a:1:45", "wrong", line=line, column=45)]))
    _, above, caret = written(shown).splitlines()
    assert max(len(above), len(caret)) <= 40
    assert above.startswith("    …")
    assert above.endswith("…")
    assert above[caret.index("^") :].startswith("six: 6")


def test_place_is_bold_and_caret_is_red() -> None:
    shown = console(150, terminal=True, colours=True)
    print_problems(shown, ConfigError(PROBLEMS[:1]))
    place, _, caret, *_ = written(shown).splitlines()
    assert place.startswith("\x1b[1mconfigs/a [bold] folder/boston.yaml:14:3:\x1b[0m unknown")
    assert re.fullmatch(r"\x1b\[1;31m +\^\x1b\[0m", caret)


@pytest.mark.parametrize(
    ("line", "column"),
    [("name: x y", 7), ("名前: {x: y}", 6), ("nöme: e\u0301 x", 9), ("name: x", 8), ("", 1)],
)
def test_caret_stands_below_the_character_it_points_at(line: str, column: int) -> None:
    _, above, caret = str(Problem("a:1:1", "wrong", line=line, column=column)).split("\n")
    assert cell_len(caret[:-1]) == cell_len(above[: 4 + column - 1])


def test_caret_stands_below_the_character_behind_a_tab() -> None:
    shown = console(80)
    print_problems(shown, ConfigError([Problem("a:1:1", "wrong", line="name:\tx\t[y]", column=9)]))
    _, above, caret = written(shown).splitlines()
    assert above.index("[") == caret.index("^")


def test_an_error_is_one_message() -> None:
    shown = console(20)
    print_error(shown, RunError("no run 'x [y]'; did you mean:\n    20261121-101530-boston-3f2a"))
    print_error(shown, "plain text")
    assert written(shown) == (
        "error: no run 'x [y]'; did you mean:\n    20261121-101530-boston-3f2a\nerror: plain text\n"
    )
    shown = console(20)
    print_error(shown, ConfigError(PROBLEMS))
    assert written(shown) == f"{ConfigError(PROBLEMS)}\n"


# The summary of a run.

SUMMARY = Summary(
    lines=(
        SummaryLine("score", "validation mae 2.41 ± 0.31"),
        SummaryLine("baseline", "6.533 (median)"),
        SummaryLine("note", "column crim [0] is heavy-tailed; log1p may help it a little"),
        SummaryLine("run", str(RUN)),
        SummaryLine("next", f"dlrun evaluate {RUN}"),
    ),
    beats_baseline=True,
)


def test_summary_line_by_line() -> None:
    shown, log = console(40), list[str]()
    print_summary(shown, SUMMARY, log.append)
    assert written(shown).split("\n") == [
        "",
        "  score     validation mae 2.41 ± 0.31",
        "  baseline  6.533 (median)",
        "  note      column crim [0] is heavy-tailed; log1p may help it a little",
        f"  run       {RUN}",
        f"  next      dlrun evaluate {RUN}",
        "",
    ]
    assert "\n".join(log) + "\n" == written(shown)


def test_on_a_narrow_terminal_sentences_are_broken_and_paths_are_not() -> None:
    shown = console(40, terminal=True)
    print_summary(shown, SUMMARY)
    assert written(shown).splitlines() == [
        "",
        "  score  validation mae 2.41 ± 0.31",
        "  baseline  6.533 (median)",
        "  note  column crim [0] is heavy-tailed;",
        "    log1p may help it a little",
        "  run",
        str(RUN),
        "  next  dlrun evaluate \\",
        str(RUN),
    ]


@given(st.text("ab ±'\n0.5-", max_size=80), st.integers(20, 60), st.booleans())
def test_lines_are_broken_between_words_alone(text: str, width: int, command: bool) -> None:
    lines = wrapped(Text(text), width, 4, command=0 if command else None).plain.split("\n")
    joint = " \\" if command else ""
    assert " ".join(line.removesuffix(joint) for line in lines).split() == text.split()
    longest = max((len(word) for word in re.split("[ \n](?!±)(?<!± )", text)), default=0)
    assert all(len(line.rstrip()) <= max(width, longest) for line in lines) or command


def test_a_command_that_is_broken_can_still_be_pasted_into_a_shell() -> None:
    layers = "{Dense: {units: 64, activation: relu}}"
    command = f"dlrun train a.yaml --set 'architecture.layers=[{layers}]' --set training.epochs=9"
    lines = wrapped(Text(command), 40, 2, command=0).plain
    assert max(map(len, lines.split("\n"))) <= 40
    *words, changed = shlex.split(lines.replace("\\\n", ""))
    assert [" ".join(word.split()) for word in words] == shlex.split(command)[:-1]
    assert changed == "training.epochs=9"


# Tables.


def test_fold_table() -> None:
    rows = [
        FoldRow(0, 12, 80, 63, 2.5, 2.5, 61.2),
        FoldRow(11, 12, 5000, None, None, 2.5, 0.4),
    ]
    name = "answer_accuracy"
    assert [fold_header(name).plain, *(fold_line(row, name).plain for row in rows)] == [
        "  fold     epochs  best epoch  answer_accuracy  mean so far        time",
        "  1/12         80          63            2.500        2.500  1 min 01 s",
        "  12/12      5000           –                –        2.500       0.4 s",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5000"),
        (2.0, "2.000"),
        (99.996, "100.0"),
        (999.96, "1000"),
        (-12.3456, "-12.35"),
        (0.001, "0.001"),
        (12345.6, "12346"),
        (3, "3"),
        (0.0, "0"),
        (float("nan"), "nan"),
        (None, "–"),
    ],
)
def test_figures_in_a_column_keep_their_length(value: float | None, text: str) -> None:
    assert steady_figure(value) == text


def test_table_in_a_file_has_a_line_a_row() -> None:
    shown = console(20)
    path = "a/very long [path] to/some file with spaces in its name.png"
    rows = [["zero", 0.95, 12, path], ["one", 0.5, None, "x"]]
    print_table(shown, as_columns(["a", "b", "c", "d"], rows))
    _, header, zero, one, *_ = written(shown).split("\n")
    assert header.split() == ["a", "b", "c", "d"]
    assert zero == f"zero  0.95  12  {path}"
    assert one.split() == ["one", "0.5", "–", "x"]
    assert zero.index("12") + 1 == one.index("–")


def test_a_table_on_a_narrow_terminal_leaves_out_columns_and_names_them() -> None:
    shown = console(40, terminal=True)
    names = ["run", "score", "what else there is"]
    print_table(shown, as_columns(names, [["20261121-101530-boston-3f2a", 0.5, "x" * 40]]))
    lines = written(shown).splitlines()
    assert lines[1].split() == ["run", "score"]
    assert " ".join(lines[-2:]) == ("no room for what else there is; a wider   terminal shows more")


def test_a_table_of_folds_on_a_narrow_terminal_keeps_the_scores() -> None:
    row = FoldRow(0, 4, 80, 63, 2.5, 2.5, 61.2)
    assert fold_header("mae", 40).plain == "  fold           mae  mean so far"
    assert fold_line(row, "mae", 40).plain == "  1/4          2.500        2.500"
