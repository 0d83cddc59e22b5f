"""`dlrun init`."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dlrun.cli.options import debug_option, json_option


@click.command(name="init", short_help="Write a commented config for your data.")
@click.argument("given", required=False, type=click.Path(path_type=Path), metavar="[DATA]")
@click.option(
    "--task",
    type=click.Choice(["binary", "multiclass", "regression"]),
    help="What is predicted; default: told from the target's values.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="The same as DATA; default: data bundled with scikit-learn.",
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
    given: Path | None,
    task: Any,
    data: Path | None,
    target: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Write a commented config that runs as it is. DATA is a CSV, TSV, JSON lines or Parquet file,
    a folder of Parquet files, or a folder of pictures or of texts with one folder a class; columns,
    target, classes and task are told from it.

    \b
    Examples:
      dlrun init photos/
      dlrun init --data houses.csv --target price
      dlrun init --task regression
    """
    from dlrun.cli.options import print_json
    from dlrun.data.reading.series import every
    from dlrun.errors import UsageError
    from dlrun.workflows.init import init
    from dlrun.workflows.init.series import is_series
    from dlrun.workflows.init.table import reasons

    if given is not None and data is not None:
        raise UsageError("DATA is given twice, once by --data")
    written = init(given or data, task=task, target=target, output=output)
    if as_json:
        print_json(asdict(written))
        return
    if (facts := written.facts) is not None:
        click.echo(f"target   {facts.target} ({facts.task}; --target and --task say otherwise)")
        kinds = f"{len(facts.numeric)} numeric, {len(facts.categorical)} categorical"
        kinds += f", {len(facts.sentences)} of sentences" if facts.sentences else ""
        click.echo(f"features {kinds}")
        if facts.time is not None:
            click.echo(f"time     {facts.time} (rows are split in its order)")
        if (series := written.series) is not None:
            windows = f"windows of {series.lookback:,} rows, the target {series.delay:,} later"
            click.echo(f"series   one row {every(series.usual)}: {windows}")
        elif facts.usual is not None and is_series(facts):
            how = "--target COLUMN predicts one ahead, from the rows before"
            click.echo(f"series   one row {every(facts.usual)}: {how}")
        if facts.dropped:
            click.echo(f"left out {', '.join(facts.dropped)} ({reasons(facts.dropped)})")
        if facts.dates:
            time = f"`time: {facts.dates[0]}` under evaluation splits the rows in its order"
            click.echo(f"dates    {', '.join(facts.dates)} ({time})")
        if facts.dialect.thousands is not None:
            marks = f"'{facts.dialect.thousands}' between thousands, '{facts.dialect.decimal}'"
            click.echo(f"numbers  {marks} before decimals")
        if facts.dialect.encoding != "utf-8":
            click.echo(f"encoding {facts.dialect.encoding} (not UTF-8; see that letters are right)")
    if (pictures := written.pictures) is not None:
        classes = ", ".join(pictures.classes[:6]) + (" ..." if len(pictures.classes) > 6 else "")
        click.echo(f"pictures {pictures.count:,} of {len(pictures.classes)} classes: {classes}")
        sizes = "one size" if pictures.sizes == 1 else f"{pictures.sizes:,} sizes"
        click.echo(f"size     {pictures.size[0]} x {pictures.size[1]} (they are of {sizes})")
    if (texts := written.texts) is not None:
        classes = ", ".join(texts.classes[:6]) + (" ..." if len(texts.classes) > 6 else "")
        click.echo(f"texts    {texts.count:,} of {len(texts.classes)} classes: {classes}")
    click.echo(f"wrote    {written.path}")
    click.echo(f"check    dlrun check {shlex.quote(str(written.path))} --data")
    click.echo(f"next     dlrun train {shlex.quote(str(written.path))}")
