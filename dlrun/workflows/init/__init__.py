"""A first config for one's own data: commented, and running as it is."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.checks.check import data_findings
from dlrun.config.load import load_config
from dlrun.config.yaml_writer import dump_yaml, in_line
from dlrun.data.reading.row_places import format_of
from dlrun.errors import ConfigError, DataError, DlrunError, RunError, UsageError
from dlrun.store.files import write_text
from dlrun.workflows.check import check
from dlrun.workflows.init.answer import InitTask
from dlrun.workflows.init.arrays import ArrayFacts, array_facts
from dlrun.workflows.init.folders import (
    FolderFacts,
    MaskFacts,
    PictureFacts,
    holds_pictures,
    holds_texts,
    mask_facts,
    picture_facts,
    text_facts,
)
from dlrun.workflows.init.labelled import LabelledFacts, labelled_facts, table_in
from dlrun.workflows.init.table import TableFacts, WindowFacts, table_facts
from dlrun.workflows.loading import load_rows

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
        labelled: Of pictures that a table names, or None.
        masks: Of a folder of pictures with masks, or None.
        texts: Of a folder of texts, or None.
        arrays: Of an npz file, or None.
        series: The windows over a table that is a series and whose target is clear, or None.
    """

    path: Path
    task: InitTask
    facts: TableFacts | None = None
    pictures: PictureFacts | None = None
    labelled: LabelledFacts | None = None
    masks: MaskFacts | None = None
    texts: FolderFacts | None = None
    arrays: ArrayFacts | None = None
    series: WindowFacts | None = None


def init(
    data: str | Path | None = None,
    *,
    task: InitTask | None = None,
    target: str | None = None,
    output: str | Path | None = None,
    header: bool | None = None,
    pretrained: bool | None = None,
) -> WrittenConfig:
    """Write a config that runs, or nothing.

    Args:
        data: CSV, TSV, JSON lines, Parquet or npz file, a table of the names of pictures or the
            folder that holds it, a folder of Parquet files, one of pictures or texts with one
            folder a class, or one of pictures and their masks; None for data bundled with
            scikit-learn.
        task: What is predicted; default: as the target's values suggest (multiclass without
            data).
        target: Column or array to predict; default: one with a likely name, else the last column.
        output: File to write; default: named after the data, in the current folder.
        header: Whether the first row of a CSV file names the columns; default: as it differs from
            the other rows.
        pretrained: Whether photos go through a base that was trained on ImageNet; default: if its
            weights have been downloaded.

    Raises:
        UsageError: The options do not go together.
        DataError: The file is broken, has no such column, or no config for it would run.
        RunError: The output exists; it is never overwritten.
    """
    if data is None:
        if target is not None:
            raise UsageError("--target names a column of a file; give the file with --data")
        chosen = task or "multiclass"
        if chosen not in BUNDLED:
            raise UsageError(f"no bundled data is for a {chosen} task; give a file")
        name, classes = BUNDLED[chosen]
        written = WrittenConfig(Path(output or f"{chosen}.yaml"), chosen)
        return _write(written, "bundled", name=name, task=chosen, classes=classes)
    file = Path(data)
    path = Path(output or f"{file.absolute().name.split('.')[0]}.yaml")
    if path.exists():
        raise RunError(f"{path} exists and is never overwritten; name another file by --output")
    table = table_in(file) if holds_pictures(file) else file
    of_rows = table is not None and table.is_file() and format_of(table) != "arrays"
    labelled = None
    if table is not None and of_rows:
        labelled = labelled_facts(table, task, target, header=header, pretrained=pretrained)
    if labelled is not None:
        return _of_labels(labelled, path)
    if holds_pictures(file) or holds_texts(file):
        return _of_folder(file, path, task, target, pretrained)
    options: dict[str, Any] = {"data": file, "path": _relative(file, path)}
    if format_of(file) == "arrays":
        arrays = array_facts(file, task, target)
        return _write(
            WrittenConfig(path, arrays.task, arrays=arrays), "arrays", **options, facts=arrays
        )
    facts = table_facts(file, task, target, header=header)
    series = facts.windows()
    written = WrittenConfig(path, facts.task, facts, series=series)
    source = {
        "source": "csv" if series is None else "timeseries",
        "path": options["path"],
        "target": list(facts.labels) or facts.target,
        **({} if series is None else _of_series(facts, series)),
        **facts.source(),
    }
    options |= {"facts": facts, "source": source, "words": _words_kept(facts.rows)}
    return _write(written, "table" if series is None else "series", **options, series=series)


def _of_series(facts: TableFacts, series: WindowFacts) -> dict[str, Any]:
    """What the config says about the order of the rows of a series."""
    columns = list(series.columns)
    return {
        **({} if facts.time is None else {"time": facts.time}),
        **({"series": columns[0] if len(columns) == 1 else columns} if columns else {}),
        **({"sort": True} if series.sort else {}),
    }


def _of_labels(labelled: LabelledFacts, path: Path) -> WrittenConfig:
    """Write a config for pictures that a table names."""
    source = {
        "path": _relative(labelled.folder, path),
        "labels": _relative(labelled.table, path),
        **({} if labelled.file is None else {"file": labelled.file}),
        "target": labelled.target,
        **({} if labelled.mark is None else {"split": {labelled.target: labelled.mark}}),
    }
    written = WrittenConfig(path, labelled.task, labelled=labelled)
    options = {"data": labelled.table, "facts": labelled, "source": source}
    return _write(written, "pictures", **options, outputs=labelled.classes)


def _of_folder(
    folder: Path, path: Path, task: InitTask | None, target: str | None, pretrained: bool | None
) -> WrittenConfig:
    """Write a config for a folder of pictures or texts."""
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
    options: dict[str, Any] = {"data": folder.absolute(), "path": _relative(folder, path)}
    if kind == "texts":
        texts = text_facts(folder)
        written = WrittenConfig(path, texts.task, texts=texts)
        return _write(written, kind, **options, facts=texts, words=_words_kept(texts.count))
    masks = mask_facts(folder)
    if masks is not None:
        source = {
            "source": "image_folder",
            "path": _relative(masks.pictures, path),
            "masks": _relative(masks.masks, path),
            **({"mask_values": list(masks.values)} if masks.named else {}),
        }
        written = WrittenConfig(path, masks.task, masks=masks)
        return _write(written, "masks", **options, facts=masks, source=source)
    pictures = picture_facts(folder, pretrained=pretrained)
    written = WrittenConfig(path, pictures.task, pictures=pictures)
    options |= {"source": {"path": options["path"]}, "outputs": len(pictures.classes)}
    return _write(written, kind, **options, facts=pictures)


def _words_kept(texts: int) -> int:
    return MOST_WORDS if texts >= MANY_TEXTS else FEW_WORDS


def _relative(data: Path, config: Path) -> str:
    """How a config names its data."""
    return Path(os.path.relpath(data.absolute(), config.absolute().parent)).as_posix()


def _write(written: WrittenConfig, template: str, **facts: Any) -> WrittenConfig:
    """Write a config from a template, and check it.

    Raises:
        RunError: The file exists.
        DataError: The config would not run as it is; it is taken away again.
    """
    path = written.path
    if path.exists():
        raise RunError(f"{path} exists and is never overwritten; name another file by --output")
    write_text(path, _rendered(f"{template}.yaml.jinja", config=str(path), **facts))
    try:
        check(path)
        if any((written.facts, written.arrays, written.labelled)):
            _check_rows(path)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if not isinstance(error, DlrunError):
            raise
        data = facts.get("data", template)
        raise DataError(
            f"{data}: no config is written, as it would not run: {_reason(error)}"
        ) from error
    return written


def _check_rows(path: Path) -> None:
    """Read the rows of a config and look for what stops a training.

    Raises:
        DlrunError: The first of it.
    """
    config = load_config(path)
    findings = data_findings(config, load_rows(config))
    for finding in findings.shown:
        if finding.severity == "error":
            raise DataError(finding.problem.message)


def _reason(error: DlrunError) -> str:
    """What is wrong, without places in a file that is not there."""
    if not isinstance(error, ConfigError):
        return str(error)
    return "; ".join(problem.message for problem in error.problems)


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
        "in_line": in_line,
        # A text as YAML writes it inside a list.
        "in_list": lambda text: dump_yaml({"": [text]}).strip().partition("[")[2].removesuffix("]"),
    }
    return environment.get_template(template).render(**facts)
