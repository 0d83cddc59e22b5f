"""`dlrun report`."""

from __future__ import annotations

from pathlib import Path

import click

from dlrun.cli.options import (
    debug_option,
    json_option,
    runs_dir_option,
    trust_plugins_option,
)


@click.command(name="report", short_help="Write a run, or several, as one HTML page.")
@click.argument(
    "runs", type=click.Path(path_type=Path), metavar="RUN_DIR...", nargs=-1, required=True
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; default: report.html in the run, for several runs next to them.",
)
@runs_dir_option
@trust_plugins_option
@json_option
@debug_option
def command(
    runs: tuple[Path, ...],
    output: Path | None,
    runs_dir: Path,
    trust_plugins: bool,
    as_json: bool,
) -> None:
    """Write RUN_DIR as one HTML file that needs no network and no script: score and baseline,
    curves, the model's errors, data, config, and how to repeat the run. Several
    runs are compared first. Nothing is overwritten.

    \b
    Examples:
      dlrun report runs/20261121-101530-digits-3f2a
      dlrun report 20261121-101530 20261121-104210 -o both.html
    """
    from dlrun.cli.options import print_json
    from dlrun.text import display_path
    from dlrun.workflows.report import write_report

    path, now = write_report(runs, output, runs_dir=runs_dir, trust_plugins=trust_plugins)
    if as_json:
        print_json({"report": path, "bytes": path.stat().st_size, "written": now})
        return
    from rich.console import Console

    from dlrun.cli.lines import print_line

    where = display_path(path)
    text = f"written to {where}" if now else f"{where} is up to date; nothing written"
    print_line(Console(), text)
