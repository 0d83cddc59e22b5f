"""`dlrun init`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlrun.cli.options import debug_option, json_option
from dlrun.text import counted

if TYPE_CHECKING:
    from dlrun.data.reading.delimited import CsvDialect
    from dlrun.workflows.init import WrittenConfig
    from dlrun.workflows.init.folders import FolderFacts, Look
    from dlrun.workflows.init.labelled import LabelledFacts
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
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first row of a CSV file names the columns; default: as it differs from the "
    "others.",
)
@click.option(
    "--pretrained/--no-pretrained",
    default=None,
    help="Whether photos go through a base trained on ImageNet; default: if its weights are there.",
)
@json_option
@debug_option
def command(
    given: Path | None,
    task: Any,
    data: Path | None,
    target: str | None,
    output: Path | None,
    header: bool | None,
    pretrained: bool | None,
    as_json: bool,
) -> None:
    """Write a commented config that runs as it is. DATA is a CSV, TSV, JSON lines, Parquet or npz
    file, a table of the names of pictures, a folder of Parquet files, a folder of pictures or of
    texts with one folder a class, or one with a folder of pictures and one of masks; columns,
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
    written = init(
        given or data, task=task, target=target, output=output, header=header, pretrained=pretrained
    )
    if as_json:
        print_json(asdict(written))
        return
    from rich.console import Console

    from dlrun.cli.lines import print_line

    for label, text in _lines(written):
        print_line(Console(), f"{label:<9}{text}", hang=9)


def _lines(written: WrittenConfig) -> Iterator[tuple[str, str]]:
    """What the data holds, where the config is, and what to do with it."""
    if written.facts is not None:
        yield from _table_lines(written.facts, written.series)
    if (pictures := written.pictures) is not None:
        yield "pictures", _classes(pictures)
        yield "size", _size(pictures.look)
    if (labelled := written.labelled) is not None:
        yield from _labelled_lines(labelled)
    if (masks := written.masks) is not None:
        yield "pictures", f"{masks.count:,} with masks of {len(masks.values)} classes"
    if (texts := written.texts) is not None:
        yield "texts", _classes(texts)
    if (arrays := written.arrays) is not None:
        yield "target", f"{arrays.target} ({arrays.task}; --target and --task say otherwise)"
        for one in arrays.inputs:
            shape = " x ".join(map(str, one.shape))
            yield "features", f"{one.name}: {arrays.rows:,} rows of {shape or 1}"
    quoted = shlex.quote(str(written.path))
    yield "wrote", str(written.path)
    yield "check", f"dlrun check {quoted} --data"
    yield "next", f"dlrun train {quoted}"


def _table_lines(facts: TableFacts, series: WindowFacts | None) -> Iterator[tuple[str, str]]:
    target = ", ".join(facts.labels) or facts.target
    yield "target", f"{target} ({facts.task}; --target and --task say otherwise)"
    kinds = f"{len(facts.numeric)} numeric, {len(facts.categorical)} categorical"
    yield "features", kinds + (f", {len(facts.sentences)} of sentences" if facts.sentences else "")
    for name, mark in facts.split.items():
        yield "labels", f"{name}: several in a row, with '{mark}' between them"
    if facts.time is not None:
        yield "time", f"{facts.time_name} (rows are split in its order)"
    if series is not None:
        windows = f"windows of {series.lookback:,} rows, the target {series.delay:,} later"
        of_each = f" of each {', '.join(series.columns)}" if series.columns else ""
        yield "series", f"one row {series.every}{of_each}: {windows}"
    elif facts.series is not None:
        how = "--target COLUMN predicts one ahead, from the rows before"
        yield "series", f"one row {facts.series.every}: {how}"
    if facts.groups is not None:
        yield "groups", f"{facts.groups} (no split parts its rows)"
    if facts.dropped:
        yield "left out", f"{', '.join(facts.dropped)} ({facts.why_dropped})"
    if facts.dates:
        time = f"`time: {facts.dates[0]}` under evaluation splits the rows in its order"
        yield "dates", f"{', '.join(facts.dates)} ({time})"
    yield from _file_lines(facts.dialect)


def _file_lines(dialect: CsvDialect) -> Iterator[tuple[str, str]]:
    """What is unusual about how the file is written."""
    if not dialect.header:
        yield "header", "none (--header takes the first row for it)"
    if dialect.skip:
        yield "skipped", f"{counted(dialect.skip, 'line')} above the table"
    if dialect.quote is None:
        yield "quotes", "quotation marks are part of the texts"
    if dialect.missing:
        marks = sorted({mark for marks in dialect.missing.values() for mark in marks})
        yield "missing", f"{', '.join(map(repr, marks))} stands for a missing value"
    if dialect.thousands is not None:
        mark, point = dialect.thousands, dialect.decimal
        yield "numbers", f"'{mark}' between thousands, '{point}' before decimals"
    if dialect.encoding != "utf-8":
        yield "encoding", f"{dialect.encoding} (not UTF-8; see that letters are right)"


def _size(look: Look) -> str:
    sizes = "one size" if look.sizes == 1 else f"{look.sizes:,} sizes"
    return f"{look.size[0]} x {look.size[1]} (they are of {sizes})"


def _labelled_lines(facts: LabelledFacts) -> Iterator[tuple[str, str]]:
    yield "pictures", f"{facts.count:,} that {facts.table.name} names, in {facts.folder.name}"
    yield "size", _size(facts.look)
    target = facts.target if isinstance(facts.target, str) else ", ".join(facts.target)
    yield "target", f"{target} ({facts.task}; --target and --task say otherwise)"
    if facts.mark is not None:
        yield "labels", f"{target}: several in a row, with '{facts.mark}' between them"


def _classes(facts: FolderFacts) -> str:
    return f"{facts.count:,} of {len(facts.classes)} classes: {facts.classes_shown}"
