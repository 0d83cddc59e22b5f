"""`dlrun init`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlrun.cli.options import debug_option, json_option

if TYPE_CHECKING:
    from dlrun.workflows.init import WrittenConfig
    from dlrun.workflows.init.folders import FolderFacts
    from dlrun.workflows.init.table import TableFacts, WindowFacts


@click.command(name="init", short_help="Write a commented config for your data.")
@click.argument("given", required=False, type=click.Path(path_type=Path), metavar="[DATA]")
@click.option(
    "--task",
    type=click.Choice(["binary", "multiclass", "regression"]),
    help="What is predicted; default: inferred from the target's values.",
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
    target, classes and task are inferred from it.

    \b
    Examples:
      dlrun init photos/
      dlrun init --data houses.csv --target price
      dlrun init --task regression
    """
    from dlrun.cli.options import print_json
    from dlrun.errors import UsageError
    from dlrun.workflows.init import init

    if given is not None and data is not None:
        raise UsageError("DATA is given twice, once by --data")
    written = init(given or data, task=task, target=target, output=output)
    if as_json:
        print_json(asdict(written))
        return
    for label, text in _lines(written):
        click.echo(f"{label:<9}{text}")


def _lines(written: WrittenConfig) -> Iterator[tuple[str, str]]:
    """What the data holds, where the config is, and what to do with it."""
    if written.facts is not None:
        yield from _table_lines(written.facts, written.series)
    if (pictures := written.pictures) is not None:
        yield "pictures", _classes(pictures)
        sizes = "one size" if pictures.sizes == 1 else f"{pictures.sizes:,} sizes"
        yield "size", f"{pictures.size[0]} x {pictures.size[1]} (they are of {sizes})"
    if (texts := written.texts) is not None:
        yield "texts", _classes(texts)
    quoted = shlex.quote(str(written.path))
    yield "wrote", str(written.path)
    yield "check", f"dlrun check {quoted} --data"
    yield "next", f"dlrun train {quoted}"


def _table_lines(facts: TableFacts, series: WindowFacts | None) -> Iterator[tuple[str, str]]:
    yield "target", f"{facts.target} ({facts.task}; --target and --task say otherwise)"
    kinds = f"{len(facts.numeric)} numeric, {len(facts.categorical)} categorical"
    yield "features", kinds + (f", {len(facts.sentences)} of sentences" if facts.sentences else "")
    if facts.time is not None:
        yield "time", f"{facts.time} (rows are split in its order)"
    if series is not None:
        windows = f"windows of {series.lookback:,} rows, the target {series.delay:,} later"
        yield "series", f"one row {series.every}: {windows}"
    elif facts.is_series:
        how = "--target COLUMN predicts one ahead, from the rows before"
        yield "series", f"one row {facts.every}: {how}"
    if facts.dropped:
        yield "left out", f"{', '.join(facts.dropped)} ({facts.why_dropped})"
    if facts.dates:
        time = f"`time: {facts.dates[0]}` under evaluation splits the rows in its order"
        yield "dates", f"{', '.join(facts.dates)} ({time})"
    dialect = facts.dialect
    if dialect.thousands is not None:
        marks = f"'{dialect.thousands}' between thousands, '{dialect.decimal}'"
        yield "numbers", f"{marks} before decimals"
    if dialect.encoding != "utf-8":
        yield "encoding", f"{dialect.encoding} (not UTF-8; see that letters are right)"


def _classes(facts: FolderFacts) -> str:
    return f"{facts.count:,} of {len(facts.classes)} classes: {facts.classes_shown}"
