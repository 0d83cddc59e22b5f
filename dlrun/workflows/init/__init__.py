"""A first config for one's own data: commented, and running as it is."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.config.yaml_writer import dump_yaml
from dlrun.errors import DataError, DlrunError, RunError, UsageError
from dlrun.store.files import write_text
from dlrun.workflows.check import check
from dlrun.workflows.init.folders import (
    FolderFacts,
    PictureFacts,
    holds_pictures,
    holds_texts,
    picture_facts,
    text_facts,
)
from dlrun.workflows.init.table import InitTask, TableFacts, WindowFacts, table_facts

BUNDLED: dict[InitTask, tuple[str, int]] = {
    "binary": ("breast_cancer", 2),
    "multiclass": ("wine", 3),
    "regression": ("diabetes", 0),
}
"""The data that scikit-learn brings for each task, and its number of classes."""

MANY_TEXTS = 5_000
MOST_WORDS, FEW_WORDS = 10_000, 2_000
"""Words that a first config keeps, where there are many texts, and of fewer."""


@dataclass(frozen=True)
class WrittenConfig:
    """The config that was written.

    Args:
        path: The file.
        task: What it predicts.
        facts: Of a table, or None for other data.
        pictures: Of a folder of pictures, or None.
        texts: Of a folder of texts, or None.
        series: The windows over a table that is a series and whose target is clear, or None.
    """

    path: Path
    task: InitTask
    facts: TableFacts | None = None
    pictures: PictureFacts | None = None
    texts: FolderFacts | None = None
    series: WindowFacts | None = None


def init(
    data: str | Path | None = None,
    *,
    task: InitTask | None = None,
    target: str | None = None,
    output: str | Path | None = None,
) -> WrittenConfig:
    """Write a config that runs.

    Args:
        data: CSV, TSV, JSON lines or Parquet file, a folder of Parquet files, or one of pictures
            or texts with one folder a class; None for data bundled with scikit-learn.
        task: What is predicted; default: as the target's values suggest (multiclass without
            data).
        target: Column to predict; default: one with a likely name, else the last.
        output: File to write; default: named after the data, in the current folder.

    Raises:
        UsageError: The options do not go together.
        DataError: The file is broken or has no such column, or the config that was written from
            it does not run.
        RunError: The output exists; it is never overwritten.
    """
    if data is None:
        if target is not None:
            raise UsageError("--target names a column of a file; give the file with --data")
        chosen = task or "multiclass"
        name, classes = BUNDLED[chosen]
        written = WrittenConfig(Path(output or f"{chosen}.yaml"), chosen)
        return _write(written, "bundled", name=name, task=chosen, classes=classes)
    file = Path(data)
    if holds_pictures(file) or holds_texts(file):
        return _of_folder(file, task, target, output)
    facts = table_facts(file, task, target)
    series = facts.windows()
    path = Path(output or f"{file.name.split('.')[0]}.yaml")
    written = WrittenConfig(path, facts.task, facts, series=series)
    dialect = facts.dialect
    source = {
        "source": "csv" if series is None else "timeseries",
        "path": _relative(file, path),
        "target": facts.target,
        **({} if series is None else {"time": facts.time}),
        **({} if dialect.separator is None else {"separator": dialect.separator}),
        **({} if dialect.decimal == "." else {"decimal": dialect.decimal}),
        **({} if dialect.thousands is None else {"thousands": dialect.thousands}),
        **({} if dialect.encoding == "utf-8" else {"encoding": dialect.encoding}),
    }
    options = {"data": file, "facts": facts, "source": source, "words": _words_kept(facts.rows)}
    return _write(written, "table" if series is None else "series", **options, series=series)


def _of_folder(
    folder: Path, task: InitTask | None, target: str | None, output: str | Path | None
) -> WrittenConfig:
    """Write a config for a folder of pictures or texts with one folder a class."""
    kind = "pictures" if holds_pictures(folder) else "texts"
    if target is not None:
        raise UsageError(f"--target names a column of a table; folders name the classes of {kind}")
    if task == "regression":
        instead = {
            "pictures": "for those write a table of file names and name it by `labels` "
            "(docs/images.md)",
            "texts": "write those into a table of texts",
        }
        raise UsageError(f"folders name classes, not quantities; {instead[kind]}")
    path = Path(output or f"{folder.absolute().name}.yaml")
    options: dict[str, Any] = {"data": folder.absolute(), "path": _relative(folder, path)}
    if kind == "pictures":
        pictures = picture_facts(folder)
        written = WrittenConfig(path, pictures.task, pictures=pictures)
        return _write(written, kind, **options, facts=pictures)
    texts = text_facts(folder)
    written = WrittenConfig(path, texts.task, texts=texts)
    return _write(written, kind, **options, facts=texts, words=_words_kept(texts.count))


def _words_kept(texts: int) -> int:
    return MOST_WORDS if texts >= MANY_TEXTS else FEW_WORDS


def _relative(data: Path, config: Path) -> str:
    """How a config names its data."""
    return Path(os.path.relpath(data.absolute(), config.absolute().parent)).as_posix()


def _write(written: WrittenConfig, template: str, **facts: Any) -> WrittenConfig:
    """Write a config from a template, and check it.

    Raises:
        RunError: The file exists.
        DataError: The config does not run as it is; the file stays, to be mended.
    """
    path = written.path
    if path.exists():
        raise RunError(f"{path} exists and is never overwritten; name another file by --output")
    write_text(path, _rendered(f"{template}.yaml.jinja", config=str(path), **facts))
    try:
        check(path)
    except DlrunError as error:
        raise DataError(f"{path} is written, but does not run as it is: {error}") from error
    return written


def _rendered(template: str, **facts: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "shell": shlex.quote,
        "yaml": lambda data: dump_yaml(data).rstrip("\n"),
        # A text as YAML writes it inside a list.
        "in_list": lambda text: dump_yaml({"": [text]}).strip().partition("[")[2].removesuffix("]"),
    }
    return environment.get_template(template).render(**facts)
