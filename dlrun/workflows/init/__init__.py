"""A first config for one's own data: commented, and running as it is."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from dlrun.config.yaml_writer import dump_yaml
from dlrun.errors import DataError, DlrunError, RunError, UsageError
from dlrun.store.atomic import write_text
from dlrun.workflows.check import check
from dlrun.workflows.init.pictures import (
    PictureFacts,
    holds_pictures,
    picture_config,
    picture_facts,
)
from dlrun.workflows.init.series import SeriesFacts, is_series, series_config, series_facts
from dlrun.workflows.init.table import InitTask, TableFacts, reasons, table_facts
from dlrun.workflows.init.texts import (
    TextFacts,
    holds_texts,
    text_config,
    text_facts,
    words_kept,
)

_AHEAD = """\
  # The rows are a series. `dlrun init --data FILE --target COLUMN` writes a config that
  # predicts that column ahead, from the rows before.
"""


@dataclass(frozen=True)
class WrittenConfig:
    """The config that was written.

    Args:
        path: The file.
        task: What it predicts.
        facts: What was told from a table, or None for other data.
        pictures: What was told from a folder of pictures, or None.
        texts: What was told from a folder of texts, or None.
        series: The windows over a table that is a series and whose target is told, or None.
    """

    path: Path
    task: InitTask
    facts: TableFacts | None
    pictures: PictureFacts | None = None
    texts: TextFacts | None = None
    series: SeriesFacts | None = None


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
        task: What is predicted; default: told from the target's values (multiclass without
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
        chosen: InitTask = task or "multiclass"
        path = Path(output or f"{chosen}.yaml")
        _write(path, _bundled_config(path, chosen))
        _try_out(path)
        return WrittenConfig(path, chosen, None)
    file = Path(data)
    if holds_pictures(file):
        return _of_pictures(file, task, target, output)
    if holds_texts(file):
        return _of_texts(file, task, target, output)
    path = Path(output or f"{_stem(file)}.yaml")
    facts = table_facts(file, task, target)
    series = series_facts(facts)
    if series is None:
        _write(path, _table_config(file, path, facts))
    else:
        relative = Path(os.path.relpath(file.absolute(), path.absolute().parent)).as_posix()
        _write(path, series_config(file, relative, path, facts, series))
    _try_out(path)
    return WrittenConfig(path, facts.task, facts, series=series)


def _of_pictures(
    folder: Path, task: InitTask | None, target: str | None, output: str | Path | None
) -> WrittenConfig:
    if target is not None:
        raise UsageError("--target names a column of a table; folders name the classes of pictures")
    if task == "regression":
        raise UsageError(
            "folders name classes, not quantities; for those write a table of file names and name "
            "it by `labels` (docs/images.md)"
        )
    facts = picture_facts(folder)
    path = Path(output or f"{folder.absolute().name}.yaml")
    relative = Path(os.path.relpath(folder.absolute(), path.absolute().parent)).as_posix()
    _write(path, picture_config(folder.absolute(), relative, path, facts))
    _try_out(path)
    return WrittenConfig(path, facts.task, None, facts)


def _of_texts(
    folder: Path, task: InitTask | None, target: str | None, output: str | Path | None
) -> WrittenConfig:
    if target is not None:
        raise UsageError("--target names a column of a table; folders name the classes of texts")
    if task == "regression":
        raise UsageError("folders name classes, not quantities; write those into a table of texts")
    facts = text_facts(folder)
    path = Path(output or f"{folder.absolute().name}.yaml")
    relative = Path(os.path.relpath(folder.absolute(), path.absolute().parent)).as_posix()
    model = _model(facts.task, len(facts.classes))
    _write(path, text_config(folder.absolute(), relative, path, facts, model))
    _try_out(path)
    return WrittenConfig(path, facts.task, None, texts=facts)


def _write(path: Path, text: str) -> None:
    if path.exists():
        raise RunError(f"{path} exists and is never overwritten; name another file by --output")
    write_text(path, text)


def _try_out(path: Path) -> None:
    """Check the config that was written, and its data.

    Raises:
        DataError: It does not run as it is; the file stays, to be mended.
    """
    try:
        check(path)
    except DlrunError as error:
        raise DataError(f"{path} is written, but does not run as it is: {error}") from error


def _stem(file: Path) -> str:
    return file.name.split(".")[0]


def _table_config(file: Path, path: Path, facts: TableFacts) -> str:
    relative = os.path.relpath(file.absolute(), path.absolute().parent)
    columns = len(facts.numeric) + len(facts.categorical) + len(facts.sentences)
    source = {"source": "csv", "path": Path(relative).as_posix(), "target": facts.target}
    if facts.dialect.separator is not None:
        source["separator"] = facts.dialect.separator
    if facts.dialect.decimal != ".":
        source["decimal"] = facts.dialect.decimal
    if facts.dialect.thousands is not None:
        source["thousands"] = facts.dialect.thousands
    if facts.dialect.encoding != "utf-8":
        source["encoding"] = facts.dialect.encoding
    dataset = dump_yaml(source)
    drop = ""
    if facts.dropped:
        inline = dump_yaml({"drop": list(facts.dropped)}).rstrip()
        drop = f"  # left out: {reasons(facts.dropped)}\n{_indented(inline, 2)}\n"
    return (
        f"# {facts.rows} rows of {file.name}: {facts.task}, {columns} features.\n"
        f"{_header(path, facts.time is not None)}"
        f"dataset:\n{_indented(dataset, 2)}\n{drop}"
        "  test: {fraction: 0.2}         # sealed until `dlrun evaluate`\n\n"
        f"{_preprocess(facts)}"
        f"{_model(facts.task, facts.classes, facts.time is not None)}"
        f"{_time(facts)}"
    )


def _time(facts: TableFacts) -> str:
    """The lines under `evaluation` on dates."""
    if facts.time is not None:
        return f"""{_AHEAD if is_series(facts) else ""}\
  # Test and validation rows are the last in time: a random split would ask the
  # model about days between those it knows. To have one, name the column in `drop`
  # under dataset instead of here.
{_indented(dump_yaml({"time": facts.time}), 2)}
"""
    if facts.dates:
        return f"""  # To split the rows in the order of time, take the column out of `drop` and say
  # {dump_yaml({"time": facts.dates[0]}).strip()}
"""
    return ""


def _preprocess(facts: TableFacts) -> str:
    steps = []
    if any(name in facts.numeric for name in facts.missing):
        steps.append("impute: median              # missing numbers")
    if text := [name for name in facts.categorical if name in facts.missing]:
        columns = ", ".join(_inline(name) for name in text)
        steps.append(f"impute: {{strategy: most_frequent, columns: [{columns}]}}")
    if facts.numeric:
        steps.append("standardize                 # numbers: mean 0, deviation 1")
    if facts.sentences:
        names = ", ".join(map(_inline, facts.sentences))
        words = words_kept(facts.rows)
        steps.append(
            f"text: {{columns: [{names}], vocabulary: {words}, output: tf_idf}}   # sentences"
        )
    if facts.categorical:
        steps.append("one_hot                     # text: one column a category")
    if facts.task != "regression" and not facts.numbered:
        steps.append("targets: label_index        # classes count from 0")
    if facts.task == "regression":
        steps.append("targets: standardize        # scores stay in the target's own unit")
    lines = "".join(f"  - {step}\n" for step in steps)
    return f"preprocess:                     # fitted on the training rows only\n{lines}\n"


def _inline(text: str) -> str:
    """A text as YAML writes it inside a list."""
    return dump_yaml({"": [text]}).strip().partition("[")[2].removesuffix("]")


def _bundled_config(path: Path, task: InitTask) -> str:
    name, classes = {"binary": ("breast_cancer", 2), "multiclass": ("wine", 3)}.get(
        task, ("diabetes", 0)
    )
    scaled = (
        "  - targets: standardize        # scores stay in the target's own unit\n"
        if task == "regression"
        else ""
    )
    return (
        f"# scikit-learn's bundled {name} data: {task}. `dlrun init --data FILE` takes yours.\n"
        f"{_header(path)}"
        "dataset:\n"
        "  source: sklearn\n"
        f"  name: {name}\n"
        "  test: {fraction: 0.2}         # sealed until `dlrun evaluate`\n\n"
        "preprocess:                     # fitted on the training rows only\n"
        "  - standardize                 # numbers: mean 0, deviation 1\n"
        f"{scaled}\n"
        f"{_model(task, classes)}"
    )


def _header(path: Path, in_time: bool = False) -> str:
    quoted = shlex.quote(str(path))
    kfold = "" if in_time else f"#   dlrun kfold {quoted}         score by cross-validation\n"
    return f"""#
#   dlrun check {quoted} --data  what is wrong with it
#   dlrun train {quoted}         train, and score on held-out rows
{kfold}
seed: 0

"""


def _model(task: InitTask, classes: int, in_time: bool = False) -> str:
    folded = "time_series" if in_time else "kfold"
    last, loss, metric = {
        "binary": ("{units: 1, activation: sigmoid}", "binary_crossentropy", "accuracy"),
        "multiclass": (
            f"{{units: {classes}, activation: softmax}}",
            "sparse_categorical_crossentropy",
            "accuracy",
        ),
        "regression": ("1", "mse", "mae"),
    }[task]
    comment = {
        "binary": "one probability",
        "multiclass": f"{classes} classes, their probabilities add up to 1",
        "regression": "one number, not limited",
    }[task]
    return f"""architecture:
  layers:
    - Dense: {{units: 64, activation: relu}}
    - Dense: {{units: 64, activation: relu}}
    - Dense: {last}   # {comment}

loss: {loss}
optimizer: {{adam: {{learning_rate: 0.001}}}}
metrics: [{metric}]

training:
  epochs: 50
  batch_size: 32
  callbacks:
    - EarlyStopping: {{monitor: val_loss, patience: 10, restore_best_weights: true}}

evaluation:
  protocol: holdout             # or {folded}, where there are few rows
  validation: {{fraction: 0.2}}
  score: {metric}
"""


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.rstrip("\n").split("\n"))
