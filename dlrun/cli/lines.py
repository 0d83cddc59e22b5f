"""Lines on the terminal.

Whatever comes from the user (names, paths, lines of a file) is shown as it is, never read as
markup, and its control characters are shown as escapes. A terminal gets lines that are broken
between words, never within one; a file or pipe gets them whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dlrun.text import ELLIPSIS, pieces_visible, visible

OnLine = Callable[[str], None]
"""Takes every line that is shown, as plain text, for the run's log."""

MARGIN = "  "
INDENT = 4
"""Blanks before what is below the first line of a problem."""

NARROW = 20
"""Columns that a line has at least, however narrow the terminal is."""

_WORD = re.compile(r"[^ ]+(?: ± [^ ]+)*")


def print_line(
    console: Console,
    text: Text | str,
    on_line: OnLine | None = None,
    *,
    hang: int | None = None,
    exact: bool = False,
) -> None:
    """Print text without reading it as markup or emoji codes; on a terminal, broken between words.

    Args:
        console: Where to.
        text: What.
        on_line: Takes it unbroken.
        hang: Blanks before what is broken off; default: two more than the line begins with.
        exact: Break nothing.
    """
    line = harmless(text)
    if on_line is not None:
        on_line(line.plain)
    if console.is_terminal and not exact:
        line = wrapped(line, console.width, hang)
    console.print(line, soft_wrap=True)


def harmless(text: Text | str) -> Text:
    """Return text whose control characters are escapes; only styles change what a terminal does."""
    if isinstance(text, str):
        return Text(visible(text))
    pieces = pieces_visible(text.plain)
    if len(pieces) == 1:
        return text
    ends = list(
        accumulate(len(piece) if place % 2 == 0 else 1 for place, piece in enumerate(pieces))
    )
    parts = text.divide(ends[:-1])
    for place in range(1, len(pieces), 2):
        parts[place] = Text(pieces[place], parts[place].style)
    return Text("").join(parts)


def wrapped(text: Text, width: int, hang: int | None = None, *, command: int | None = None) -> Text:
    """Return text whose lines are broken between words. A word that is longer than a line, such as
    a path, stays whole, and begins as far to the right as it fits.

    Args:
        text: What to break.
        width: Columns of a line.
        hang: Blanks before what is broken off; default: two more than the line begins with.
        command: From which character on a line is typed into a shell: one that goes on ends with a
            backslash, except within quotes. None: it is not.
    """
    width, lines = max(width, NARROW), list[Text]()
    for line in text.split("\n", allow_blank=True):
        whole = cell_len(line.plain) <= width
        lines += [line] if whole else _broken(line, width, hang, command)
    return Text("\n").join(lines)


def _broken(line: Text, width: int, hang: int | None, command: int | None) -> list[Text]:
    plain = line.plain
    begin = len(plain) - len(plain.lstrip(" "))
    hang = begin + 2 if hang is None else hang
    breaks, indents, start = list[int](), [0], 0
    for place, word in enumerate(_WORD.finditer(plain)):
        # A command needs room for its backslash, but for its last word.
        room = width - (2 if command is not None and word.end() < len(plain) else 0)
        if place and indents[-1] + cell_len(plain[start : word.end()]) > room:
            start = word.start()
            breaks.append(start)
            indents.append(min(hang, max(room - cell_len(word[0]), 0)))
    parts = []
    for part, indent, end in zip(line.divide(breaks), indents, [*breaks, -1], strict=True):
        part.rstrip()
        if command is not None and end > command and not _within_quotes(plain[command:end]):
            part.append(" \\")
        parts.append(Text(" " * indent) + part)
    return parts


def _within_quotes(text: str) -> bool:
    """Whether a shell still waits for a closing quotation mark."""
    mark = ""
    for character in text:
        if character in ("'", '"') and mark in ("", character):
            mark = "" if mark else character
    return bool(mark)


def cropped(excerpt: Sequence[str], width: int) -> list[str]:
    """Cut a line of a file, and the caret below it, to the width of the terminal: the part around
    the caret."""
    if max(map(cell_len, excerpt), default=0) <= width:
        return list(excerpt)
    room, caret = max(width - INDENT, 8), len(excerpt[-1].rstrip()) - 1 - INDENT
    longest = max(map(len, excerpt)) - INDENT
    begin = max(0, min(caret - 2 * room // 3, longest - room))
    cut = []
    for line in excerpt:
        body = line[INDENT:]
        shown = body[begin : begin + room]
        if line.strip() != "^":
            shown = ELLIPSIS + shown[1:] if begin else shown
            shown = shown[:-1] + ELLIPSIS if begin + room < len(body) else shown
        cut.append(" " * INDENT + shown)
    return cut
