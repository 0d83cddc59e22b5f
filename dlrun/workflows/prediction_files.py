"""Predictions as tables, arrays and pictures, and the files that they are written to.

Legend: n rows, k outputs or classes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlrun.data.samples import Array
from dlrun.errors import RunError, UsageError
from dlrun.store.files import atomic_path, write_npz

if TYPE_CHECKING:
    import pandas as pd

TABLES = (".csv", ".parquet")
PIXEL_AXES = 2


@dataclass(frozen=True)
class PredictedOutput:
    """What one output of a model says of some rows.

    Args:
        name: Of the output; empty for the only one.
        table: A row for each new row, or for each of its steps or pixels: see `Predictions`.
        steps: The axes between rows and outputs: (t,) steps, (h, w) pixels, () where a row has one
            answer.
        classes: Class names; empty for quantities and labels.
        mask: (n, ...) which steps count, or None for all.
        target: What a quantity is called.
    """

    name: str
    table: pd.DataFrame
    steps: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    mask: Array | None = None
    target: str = ""

    def arrays(self) -> dict[str, Array]:
        """`prediction` (n, ...) class indices, `classes` their names, `probability` (n, ..., k), or
        quantities (n, ..., k) by the target's name; `mask` (n, ...); of several outputs, all with
        the output's name in front."""
        found: dict[str, Array] = {}
        columns = [name for name in self.table if name != "prediction"]
        if columns:
            word = self.target or str(columns[0]).split("_")[0]
            found[word] = self._shaped(self.table[columns].to_numpy(), len(columns))
        if "prediction" in self.table:
            index = {name: i for i, name in enumerate(self.classes)}
            found["prediction"] = self._shaped(
                self.table["prediction"].map(index).to_numpy(np.int32)
            )
            found["classes"] = np.array(self.classes)
        if self.mask is not None:
            found["mask"] = self.mask
        # The only quantity of an output may have its name.
        return {
            name if self.name in ("", name) else f"{self.name}_{name}": values
            for name, values in found.items()
        }

    def places(self) -> pd.DataFrame:
        """For each row of the table the number of the row, and the place in it, where a row has
        several; else no columns."""
        import pandas as pd

        if not self.steps:
            return pd.DataFrame(index=self.table.index)
        names = {1: ["step"], 2: ["y", "x"]}.get(
            len(self.steps), [f"axis_{i}" for i in range(len(self.steps))]
        )
        size = (len(self.table) // int(np.prod(self.steps)), *self.steps)
        places = np.indices(size).reshape(len(size), -1)
        return pd.DataFrame(dict(zip(["row", *names], places, strict=True)))

    def counted(self) -> Array | None:
        """Which rows of the table are not masked, or None for all."""
        return None if self.mask is None else self.mask.reshape(-1)

    def pictures(self) -> Array:
        """(n, h, w) or (n, h, w, c) bytes, or uint16 for more than 256 classes: what `predict` says
        of pixels.

        Raises:
            UsageError: The output gives no pictures.
        """
        if len(self.steps) != PIXEL_AXES:
            raise UsageError("these predictions are no pictures; write them as .npz or .csv")
        if "prediction" in self.table:
            values = self.arrays_of_classes()
            return values.astype(np.uint8 if values.max(initial=0) < 256 else np.uint16)
        values = self._shaped(self.table.to_numpy(), self.table.shape[1])
        if values.shape[-1] not in (1, 3, 4):
            raise UsageError(
                f"pictures have 1, 3 or 4 channels, these predictions have {values.shape[-1]}; "
                "write them as .npz"
            )
        # Values are shares of full brightness, but for a few that a model overshoots by.
        largest = 255.0 if np.quantile(values, 0.99) <= 1 else 1.0
        values = np.clip(np.round(values * largest), 0, 255).astype(np.uint8)
        return values[..., 0] if values.shape[-1] == 1 else values

    def arrays_of_classes(self) -> Array:
        """(n, ...) what a picture shows of each class: its own number where all names are whole
        numbers up to 65,535, else its index."""
        numbers = [int(name) if name.isdigit() else -1 for name in self.classes]
        if min(numbers, default=-1) < 0 or max(numbers) > np.iinfo(np.uint16).max:
            numbers = list(range(len(self.classes)))
        index = dict(zip(self.classes, numbers, strict=True))
        return self._shaped(self.table["prediction"].map(index).to_numpy(np.int64))

    def _shaped(self, values: Array, outputs: int | None = None) -> Array:
        last = () if outputs is None or (outputs == 1 and not self.steps) else (outputs,)
        return values.reshape(-1, *self.steps, *last)


@dataclass(frozen=True)
class Predictions:
    """A model's predictions for new rows.

    Args:
        outputs: What each output says.
        before: Columns in front of the table. Of a series `row`, the last row of the file that each
            prediction looks at, counted from 0, `until`, its time, and `time`, when what is
            predicted is due: of several steps `time_0`, `time_1`, and so on; of several series also
            `series`, the name of each. Of files of their own, such as pictures, `file`, the name of
            each.
        findings: What the user should know, such as unknown categories, one sentence each.
    """

    outputs: tuple[PredictedOutput, ...]
    before: Mapping[str, Array] = field(default_factory=dict)
    findings: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """A row for each new row. Classes: `prediction` (the class name where it is known) and one
        probability column a class. Quantities: one column a target, in the target's own unit. Where
        a row has an answer for each step or pixel, a row for each of these, with `row` and `step`,
        or `row`, `y` and `x`, in front.

        Raises:
            UsageError: Outputs have an answer for other steps.
        """
        import pandas as pd

        if len({output.steps for output in self.outputs}) > 1:
            raise UsageError(
                "the outputs have different shapes, which make no table; write them by "
                "`--output FILE.npz`"
            )
        places = self.outputs[0].places()
        counted = self.outputs[0].counted()
        tables = [
            one.table.add_prefix(f"{one.name}_") if one.name and not one.target else one.table
            for one in self.outputs
        ]
        table = (
            pd.concat([places, *tables], axis=1)
            if len(places.columns)
            else (tables[0] if len(tables) == 1 else pd.concat(tables, axis=1))
        )
        if counted is not None:
            table = table[counted].reset_index(drop=True)
        rows = np.asarray(table["row"]) if len(places.columns) else np.arange(len(table))
        for name, values in reversed([*self.before.items()]):
            if name not in table:
                table.insert(0, name, np.asarray(values)[rows])
        return table

    def __len__(self) -> int:
        first = self.outputs[0]
        return len(first.table) // int(np.prod(first.steps, initial=1))


def check_output_file(output: Path) -> None:
    """Refuse a file that predictions cannot be written to, before any are made.

    Raises:
        UsageError: Its ending names no format.
        RunError: It exists.
    """
    if output.suffix not in (*TABLES, ".npz", ""):
        raise UsageError(
            f"{output}: predictions are written as .csv, .parquet or .npz, or as PNG pictures to a "
            "folder, whose name has no ending"
        )
    if output.exists():
        raise RunError(f"{output} exists and is never overwritten; name another file by --output")


_FORMULA = re.compile(r"[=+@\t\r-]")
"""How a cell begins that a spreadsheet takes for a formula, or that hides one."""


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose names and texts no spreadsheet computes: an apostrophe is put before
    those that begin as a formula, numbers excepted. Class names and times come from files."""

    def harmless(value: object) -> object:
        if not isinstance(value, str):
            return value
        # A carriage return, which pandas does not quote, would begin a row of its own.
        text = value.replace("\r\n", "\n").replace("\r", "\n")
        return f"'{text}" if is_formula(value) else text

    changed = {
        name: column.map(harmless) if column.dtype.kind in "OUT" else column
        for name, column in table.items()
    }
    return type(table)({harmless(str(name)): column for name, column in changed.items()})


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may take a text for a formula; a number is none."""
    if not _FORMULA.match(text):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return text[0] in "\t\r"


def as_csv(predictions: Predictions, *, raw: bool = False) -> str:
    """Return the table of predictions as CSV.

    Args:
        predictions: Those of new rows.
        raw: Leave cells that begin as a formula as they are.
    """
    table = predictions.table
    text: str = (table if raw else without_formulas(table)).to_csv(index=False)
    return text


def save_predictions(predictions: Predictions, output: Path, *, raw: bool = False) -> None:
    """Write predictions as CSV, as Parquet or npz if the file ends so, or as a folder of PNG
    pictures if the name has no ending.

    Args:
        predictions: Those of new rows.
        output: The file or folder.
        raw: See `as_csv`.

    Raises:
        RunError: The file exists, or cannot be written.
        UsageError: The predictions make no table, or no pictures.
    """
    if output.suffix == ".npz":
        arrays = {name: a for one in predictions.outputs for name, a in one.arrays().items()}
        before = {name: np.asarray(values) for name, values in predictions.before.items()}
        plain = {n: v.astype(str) if v.dtype.hasobject else v for n, v in before.items()}
        write_npz(output, plain | arrays)
    elif not output.suffix:
        _save_pictures(predictions, output)
    else:
        with atomic_path(output) as temporary:
            if output.suffix == ".parquet":
                predictions.table.to_parquet(temporary, index=False)
            else:
                temporary.write_text(as_csv(predictions, raw=raw), encoding="utf-8", newline="")


def _save_pictures(predictions: Predictions, folder: Path) -> None:
    from PIL import Image

    pictures = {output.name: output.pictures() for output in predictions.outputs}
    stems = _stems(predictions.before.get("file"), len(predictions))
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be made: {error.strerror}") from error
    for name, values in pictures.items():
        for stem, picture in zip(stems, values, strict=True):
            file = folder / f"{stem}{f'_{name}' if name else ''}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(file) as temporary:
                Image.fromarray(picture).save(temporary)


def _stems(names: Array | None, count: int) -> Sequence[str]:
    """What each picture is called: as the file that it was predicted from, or its row's number."""
    if names is None:
        return [f"{row:0{len(str(max(count - 1, 0)))}d}" for row in range(count)]
    stems = [str(Path(str(name)).with_suffix("")).lstrip("/") for name in names]
    return stems if len(set(stems)) == count else [str(name).lstrip("/") for name in names]
