"""PyYAML's syntax errors in plain words: what a beginner did, and what to do instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

MISSING_SPACE = re.compile(r"[\w.-]+:(?=[^\s:/\\])")
"""A key, and a value that touches its colon: YAML reads them as one word."""

_ALIGN = "start entries of one mapping or list in the same column"


@dataclass(frozen=True)
class SyntaxMistake:
    """A syntax error. Line and column count from 0."""

    line: int
    column: int
    message: str
    hint: str | None = None


def in_plain_words(error: yaml.YAMLError, text: str) -> SyntaxMistake:
    """Explain an error that PyYAML raised while it read `text`."""
    if isinstance(error, yaml.reader.ReaderError):
        return _bad_character(error, text)
    assert isinstance(error, yaml.MarkedYAMLError)
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    assert mark is not None
    start = error.context_mark or mark
    at = (mark.line, mark.column)
    lines = _lines(text)

    if problem == "mapping values are not allowed here":
        return _stray_colon(lines, *at)
    if problem == "could not find expected ':'":
        return _no_colon(lines, start.line, start.column)
    if problem.startswith("found character"):
        return _forbidden_start(lines, *at)
    if problem.startswith(("expected ',' or ']'", "expected ',' or '}'")):
        return _in_brackets(problem, start, mark)
    if problem.startswith("expected <block end>"):
        return _misplaced(problem, *at)
    if problem.startswith("expected the node content") and "<stream end>" in problem:
        hint = "close what a '[' or '{' opens"
        return SyntaxMistake(*at, "the file ends where a value is expected", hint)
    if problem.startswith("expected the node content"):
        return SyntaxMistake(*at, f"{_last_quoted(problem)} is not allowed in place of a value")
    if context == "while scanning a quoted scalar":
        return SyntaxMistake(start.line, start.column, "the quote that opens here is never closed")
    if problem.startswith("found unknown escape character"):
        return SyntaxMistake(
            *at,
            f"'\\{problem[-2]}' means nothing between double quotes",
            "use single quotes, which keep a backslash as it is",
        )
    if context.startswith(("while scanning an alias", "while scanning an anchor")):
        return _not_an_alias(lines, start.line, start.column)
    return _other(problem, context, at)


def _other(problem: str, context: str, at: tuple[int, int]) -> SyntaxMistake:
    if "<document start>" in problem:
        return SyntaxMistake(
            *at, "a second document begins here", "a config is one document; remove '---' or '...'"
        )
    if problem.startswith("sequence entries are not allowed"):
        return SyntaxMistake(
            *at,
            "a list entry '-' is not allowed here",
            "begin each entry on a line of its own",
        )
    if problem.startswith("found undefined tag handle"):
        return SyntaxMistake(*at, "a tag is not allowed", "put text that begins with '!' in quotes")
    detail = f"{context}: {problem}" if context else problem
    return SyntaxMistake(*at, f"not valid YAML ({detail})")


def _bad_character(error: yaml.reader.ReaderError, text: str) -> SyntaxMistake:
    before = _lines(text[: error.position])
    code = error.character if isinstance(error.character, int) else ord(error.character)
    return SyntaxMistake(
        len(before) - 1, len(before[-1]), f"the control character U+{code:04X} is not allowed"
    )


def _stray_colon(lines: list[str], line: int, column: int) -> SyntaxMistake:
    """A colon too many has three usual causes, and two of them lie in the line above."""
    if re.search(r":\s|[\"'\]}]$", lines[line][:column]):
        return SyntaxMistake(
            line,
            column,
            "a second ':' in one entry",
            "put text that contains ': ' in quotes, or begin a new line",
        )
    above = next((i for i in range(line - 1, -1, -1) if _content(lines[i])), None)
    if above is not None:
        content = _content(lines[above])
        if ":" not in content or MISSING_SPACE.match(content):
            return _no_colon(lines, above, lines[above].index(content))
        if _indent(lines[line]) > _indent(lines[above]):
            return SyntaxMistake(
                line,
                _indent(lines[line]),
                "this line is indented further than the entry above, which already has a value",
                _ALIGN,
            )
    return SyntaxMistake(line, column, "a ':' is not allowed here")


def _no_colon(lines: list[str], line: int, column: int) -> SyntaxMistake:
    content = _content(lines[line][column:])
    if match := MISSING_SPACE.match(content):
        return SyntaxMistake(line, column + match.end(), "a space is missing after ':'")
    name = content.split()[0] if content else ""
    return SyntaxMistake(
        line, column + len(name), f"a ':' is missing after '{name}'", "an entry is `key: value`"
    )


def _forbidden_start(lines: list[str], line: int, column: int) -> SyntaxMistake:
    character = lines[line][column]
    if character == "\t":
        return SyntaxMistake(line, column, "a tab is not allowed here", "indent with spaces")
    return SyntaxMistake(
        line, column, f"text cannot begin with '{character}'", "put the text in quotes"
    )


def _in_brackets(problem: str, opened: yaml.Mark, mark: yaml.Mark) -> SyntaxMistake:
    closing = problem[len("expected ',' or '")]
    opening = {"]": "[", "}": "{"}[closing]
    if opened.line == mark.line and "<stream end>" not in problem:
        return SyntaxMistake(
            mark.line,
            mark.column,
            f"expected ',' or '{closing}' before this",
            f"entries between '{opening}' and '{closing}' are separated by ','",
        )
    return SyntaxMistake(
        opened.line,
        opened.column,
        f"the '{opening}' that opens here is never closed",
        f"close it with '{closing}'",
    )


def _misplaced(problem: str, line: int, column: int) -> SyntaxMistake:
    found = _last_quoted(problem)
    if found in ("'}'", "']'"):
        return SyntaxMistake(line, column, f"this {found} does not close anything")
    if found == "','":
        return SyntaxMistake(line, column, "a ',' is not allowed here")
    if found == "'<scalar>'":
        return SyntaxMistake(
            line,
            column,
            "text follows a value that is already complete",
            "put the whole value between one pair of quotes",
        )
    return SyntaxMistake(
        line, column, "wrong indentation: this does not line up with anything above", _ALIGN
    )


def _not_an_alias(lines: list[str], line: int, column: int) -> SyntaxMistake:
    text = _content(lines[line][column:])
    kind = "alias" if text.startswith("*") else "anchor"
    return SyntaxMistake(
        line,
        column,
        f"'{text[:1]}' begins an {kind} in YAML",
        f"put the text in quotes: '{text}'",
    )


def _lines(text: str) -> list[str]:
    """The lines as YAML counts them; at least one."""
    return re.split("\r\n|[\n\r\x85\u2028\u2029]", text)


def _content(line: str) -> str:
    """A line without indentation, dashes and comment."""
    return re.sub(r"(^|\s)#.*", "", line).strip().lstrip("- ")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _last_quoted(text: str) -> str:
    return "'" + text.split("'")[-2] + "'" if text.count("'") >= 2 else text
