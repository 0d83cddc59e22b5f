"""How a look at the test data is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from dlrun.cli.render import print_line, print_table
from dlrun.metrics.formatting import figure
from dlrun.store.paths import display_path


def print_evaluation(facts: Mapping[str, Any], path: Path) -> None:
    """Print score, baseline, every metric and the figures of classes or residuals."""
    console = Console()
    score, baseline = facts["score"], facts["baseline"]
    print_line(console, f"test {score['name']}  {figure(score['value'])} on {facts['rows']} rows")
    if baseline is not None:
        common = f"baseline  {figure(baseline['value'])} ({baseline['description']})"
        print_line(console, common)
    others = [(n, v) for n, v in facts["measures"].items() if n != score["name"]]
    print_line(console, "  ".join(f"{name} {figure(value)}" for name, value in others))
    _print_figures(console, facts["figures"])
    for finding in facts["findings"]:
        print_line(console, f"note: {finding}")
    look = facts["look"]
    if look > 1:
        print_line(
            console,
            f"note: look {look} at the test data by this run; choosing between looks makes the "
            "score flattering",
        )
    print_line(console, f"written to {display_path(path)}")
