"""What a first config needs to know of a table that names pictures and says what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dlrun.data.reading.delimited import CsvDialect
from dlrun.data.reading.image_files import image_file
from dlrun.data.reading.images import IMAGE_ENDINGS
from dlrun.data.reading.row_places import ending_of
from dlrun.data.reading.table_columns import holds_lists
from dlrun.data.reading.tables import TableFiles
from dlrun.data.samples import FILE
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean
from dlrun.workflows.init.answer import InitTask, answer_in
from dlrun.workflows.init.columns import likely_target, read_columns, yes_or_no_labels
from dlrun.workflows.init.folders import Look, look_of

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq")
"""What tables end in that are looked for in a folder of pictures."""

NAMES_TRIED = 20
"""Names of pictures that must all be those of files, for a column to hold names."""

MOST_ENTRIES = 5_000
"""Files and folders beside and below the table among which there must be a picture."""

MOST_FOLDERS = 100
"""Folders beside the table in which pictures are looked for."""


@dataclass(frozen=True)
class LabelledFacts:
    """A table of pictures.

    Args:
        table: The file.
        folder: Where the pictures' paths start.
        file: Column of their names; None: the one that is taken unasked.
        target: Column to predict; several are labels of which a picture may have any number.
        task: What kind of answer it is.
        classes: Number of different targets, or of labels; 1 of quantities.
        numbered: Whether the targets are numbers from 0, or text, which is numbered unasked.
        mark: What is between the labels of a picture; None: it has one, or several columns.
        count: Pictures.
        look: What they are like.
        others: Columns that are not used.
    """

    table: Path
    folder: Path
    file: str | None
    target: str | list[str]
    task: InitTask
    classes: int
    numbered: bool
    mark: str | None
    count: int
    look: Look
    others: tuple[str, ...]
    test = validation = False
    classes_shown = ""


def table_in(folder: Path) -> Path | None:
    """Return the one table in a folder; None where there is none, or several."""
    found = [path for path in folder.iterdir() if path.is_file() and ending_of(path) in TABLES]
    return found[0] if len(found) == 1 else None


def labelled_facts(
    file: Path,
    task: InitTask | None = None,
    target: str | None = None,
    *,
    header: bool | None = None,
    pretrained: bool | None = None,
) -> LabelledFacts | None:
    """Return the facts of a table that names pictures; None where it names none.

    Args:
        file: The table.
        task: What is predicted; None: as the target's values suggest.
        target: The column to predict; None: one with a likely name, else the last.
        header: Whether the first row of a CSV file names the columns; None: inferred.
        pretrained: As in `look_of`.

    Raises:
        UsageError: The target's values do not suit the task.
        DataError: The table is broken, is written as none of pictures may be, or has no such
            column.
    """
    near = islice(file.absolute().parent.rglob("*"), MOST_ENTRIES)
    if not any(path.suffix.lower() in IMAGE_ENDINGS for path in near):
        return None
    columns = read_columns(file, target, header=header)
    table = columns.table
    found = next(_pictures(table), None)
    if found is None:
        return None
    column, folder, names = found
    if target is not None and target not in table.names:
        raise DataError(f"{file}: no column '{target}'{did_you_mean(target, table.names)}")
    dialect = table.dialect
    if (dialect.separator, dialect.header, dialect.skip, dialect.encoding) != (
        *(None, True, 0),
        CsvDialect().encoding,
    ):
        raise DataError(
            f"{file}: a table of pictures must be UTF-8, with commas between the columns and their "
            "names in the first line; save it so"
        )
    chosen, _ = likely_target(columns, target, [column])
    labels = yes_or_no_labels(columns, [column]) if target is None and task is None else []
    answer = answer_in(table, chosen, columns.found[chosen], task, labels)
    taken = {column, *(labels or [chosen])}
    unasked = FILE if FILE in table.names else table.names[0]
    return LabelledFacts(
        table=file,
        folder=folder,
        file=None if column == unasked else column,
        target=labels or chosen,
        task=answer.task,
        classes=answer.classes,
        numbered=answer.numbered,
        mark=None if labels else columns.found[chosen].mark,
        count=len(table),
        look=look_of(names, pretrained=pretrained),
        others=tuple(name for name in table.names if name not in taken),
    )


def _pictures(table: TableFiles) -> Iterator[tuple[str, Path, list[Path]]]:
    """Yield each column that names pictures, the folder where their paths start, and the files."""
    beside = table.files[0].absolute().parent
    folders = [beside, *(path for path in sorted(beside.iterdir()) if path.is_dir())]
    for column in table.names:
        names = table.series(column).dropna()
        if names.dtype.kind in "fbmM" or holds_lists(names):
            continue
        texts = [str(name) for name in names]
        if not texts or len(set(texts)) < min(2, len(texts)):
            continue
        for folder in folders[:MOST_FOLDERS]:
            if all(_picture(folder, name) for name in _evenly(texts)):
                files = [found for name in texts if (found := _picture(folder, name))]
                yield column, folder, files
                break


def _picture(folder: Path, name: str) -> Path | None:
    """The file that a name may mean, if it ends as one of a picture."""
    file = image_file(folder, name)
    return file if file is not None and file.suffix.lower() in IMAGE_ENDINGS else None


def _evenly(names: Sequence[str]) -> Sequence[str]:
    return names[:: max(1, len(names) // NAMES_TRIED)][:NAMES_TRIED]
