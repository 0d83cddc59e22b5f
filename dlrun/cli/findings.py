"""How findings are shown: like a compiler's, with the line and what to write instead."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.text import Text

from dlrun.checks.finding import PlacedFinding
from dlrun.cli.console import print_line

STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
INDENT = 4
LABEL = len("write: ")


def print_finding(console: Console, finding: PlacedFinding) -> None:
    """Print one finding; without colours and width, exactly `str(finding)`."""
    first, *others = str(finding).split("\n")
    print_line(console, headline_text(first, finding.severity))
    for line in others:
        print_line(console, _line(console, line))


def headline_text(headline: str, severity: str) -> Text:
    """Return the first line of a finding with its place bold and its severity in colour."""
    text = Text(headline)
    start = headline.find(f" {severity} DL") + 1
    if start:
        text.stylize("bold", 0, start)
        text.stylize(STYLES[severity], start, headline.index(":", start))
    return text


def _line(console: Console, line: str) -> Text:
    if line.strip() == "^":
        return Text(line, "bold red")
    label = next((word for word in ("why:", "write:") if line.startswith(" " * INDENT + word)), "")
    if not label:
        return Text(line)
    if console.is_terminal and len(line) > console.width:
        indent = " " * (INDENT + LABEL)
        line = textwrap.fill(
            line,
            max(console.width, 40),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    text = Text(line)
    text.stylize("green" if label == "write:" else "cyan", INDENT, INDENT + len(label))
    return text
