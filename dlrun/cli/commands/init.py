"""`dlrun init`."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dlrun.cli.options import debug_option, json_option


@click.command(name="init", short_help="Write a commented config for your data.")
@click.option(
    "--task",
    type=click.Choice(["binary", "multiclass", "regression"]),
    help="What is predicted; default: told from the target's values.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="CSV, TSV, JSON lines or Parquet file; default: data bundled with scikit-learn.",
)
@click.option("--target", help="Column to predict; default: a likely name, else the last column.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; default: named after the data, in the current folder.",
)
@json_option
@debug_option
def command(
    task: Any, data: Path | None, target: str | None, output: Path | None, as_json: bool
) -> None:
    """Write a commented config that runs as it is. With --data, columns, target and task are
    told from the file.

    \b
    Examples:
      dlrun init --data houses.csv --target price
      dlrun init --task regression
    """
    from dlrun.cli.output import print_json
    from dlrun.workflows.init import init

    written = init(data, task=task, target=target, output=output)
    if as_json:
        print_json(asdict(written))
        return
    if (facts := written.facts) is not None:
        click.echo(f"target   {facts.target} ({facts.task}; --target and --task say otherwise)")
        click.echo(f"features {len(facts.numeric)} numeric, {len(facts.categorical)} categorical")
        if facts.dropped:
            click.echo(f"left out {', '.join(facts.dropped)}")
    click.echo(f"wrote    {written.path}")
    click.echo(f"next     dlrun train {shlex.quote(str(written.path))}")
