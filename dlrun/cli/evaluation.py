"""How a look at the test data is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from dlrun.cli.render import print_line, print_summary, print_table
from dlrun.reports.summary import evaluation_summary
from dlrun.text import display_path

RESIDUALS = {
    "mean_error": "mean error (predicted - true)",
    "mean_absolute_error": "mean absolute error",
    "median_absolute_error": "median absolute error",
    "root_mean_squared_error": "root mean squared error",
    "r2": "share of variance explained (R2)",
}


def print_evaluation(facts: Mapping[str, Any], path: Path, notices: Sequence[str] = ()) -> None:
    """Print the figures of classes or residuals, the score and what stands beside it, which look
    at the test data it was, and what is wrong with the ledger of looks."""
    console = Console()
    for name, figures in (facts.get("figures_of_outputs") or {"": facts["figures"]}).items():
        if name:
            print_line(console, Text(f"output {name}", style="bold"))
        _print_figures(console, figures)
    print_summary(console, evaluation_summary(facts, display_path(path)))
    for notice in notices:
        print_line(console, Text(f"warning: {notice}", style="bold red"))


def _print_figures(console: Console, figures: Mapping[str, Any]) -> None:
    if "classes" in figures:
        lines = [*figures["classes"], figures["macro"], figures["weighted"]]
        columns = ["class", "precision", "recall", "f1", "rows"]
        keys = ["name", "precision", "recall", "f1", "support"]
        print_table(console, [[line[key] for key in keys] for line in lines], columns)
        return
    for target in figures["targets"]:
        print_table(
            console,
            [[label, target[key]] for key, label in RESIDUALS.items()],
            [f"residuals of {target['name']}", ""],
        )
        titles = {"row": "worst rows", "true": "true", "predicted": "predicted"}
        if any("window" in row for row in target["worst"]):
            # Of a series: where the target stands, the header line not counted.
            titles["row"] = "worst rows (from 0)"
        if any("time" in row for row in target["worst"]):
            titles = {"time": "worst times"} | titles | {"row": "row (from 0)"}
        worst = [[row[key] for key in titles] for row in target["worst"]]
        print_table(console, worst[:5], list(titles.values()))
