"""Tables from CSV, TSV, JSON lines and Parquet files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from dlrun.config.layer_calls import INPUT
from dlrun.config.limits import how_to_raise, limit
from dlrun.data.reading.files import as_list, find_files, refuse_shared
from dlrun.data.reading.new_rows import new_row_places, new_rows_findings, read_new_rows
from dlrun.data.reading.row_places import format_of
from dlrun.data.reading.table_columns import (
    ColumnType,
    Separator,
    boolean_words,
    column_findings,
    column_type,
    labels_of,
    missing_classes,
    target_type,
    to_array,
    to_extra,
    to_tokens,
)
from dlrun.data.reading.tables import (
    ParquetFiles,
    TableFiles,
    names_of_columns,
    open_parquet,
    read_table,
    stays_on_disk,
)
from dlrun.data.samples import Array, Columns, ExpectedColumns
from dlrun.data.source import Loaded, NewRows, Part
from dlrun.data.stored import stored
from dlrun.data.table_source import TableSource
from dlrun.errors import DataError


class Csv(TableSource):
    """Tables from CSV, TSV, JSON lines (`.jsonl`) and Parquet files. The file ending tells the
    format; any other ending is read as CSV. Text files may be compressed (`.csv.gz`, `.bz2`,
    `.xz`)."""

    path: str | list[str]
    """The file, a list of files with the same columns, a glob (`data/*.csv`), or a folder of
    Parquet files."""

    target: str | list[str]
    """Column to predict, or several; none with `targets: input`."""

    features: list[str] | None = None
    """Columns that are the model's inputs; default: all but the target."""

    drop: list[str] | None = None
    """Columns to leave out; not together with `features`."""

    split: dict[str, Separator] = Field(default_factory=dict)
    """What separates the parts of a text column, such as `{tags: "|", words: " "}`; a space stands
    for any white space. A target becomes labels of which a row may have any number; with a loss
    that takes class indices it becomes a sequence of them, a step for each part. `multi_hot` or
    `pad_sequences` makes numbers of a feature."""

    stream: bool | None = None
    """Whether the features stay on disk and are read a batch at a time; Parquet files only.
    Default: if they would take more than a quarter of the machine's memory."""

    @model_validator(mode="before")
    @classmethod
    def _needs_no_target(cls, options: Any) -> Any:
        if isinstance(options, dict) and options.get("targets") == INPUT:
            return {"target": [], **options}
        return options

    @model_validator(mode="after")
    def _options_fit(self) -> Csv:
        targets = as_list(self.target)
        if self.reconstructs and targets:
            raise ValueError("with `targets: input`, leave out `target`; `drop` leaves out columns")
        if (not targets and not self.reconstructs) or len(set(targets)) != len(targets):
            raise ValueError("`target` must name at least one column, and none twice")
        if self.features is not None and self.drop is not None:
            raise ValueError("give either `features` or `drop`")
        if both := sorted(set(targets) & {*(self.features or []), *(self.drop or [])}):
            raise ValueError(f"the target '{both[0]}' must not be in `features` or `drop`")
        return self

    def load(self, part: Part, base: Path, extra: Sequence[str] = ()) -> Loaded:
        files = find_files(self.path, base)
        self._refuse_many_columns(files[0])
        table = self._table(files, self.types, extra)
        features = self._feature_names(table, extra)
        if part == "train":
            return self._loaded(table, features, self.types, extra)
        test, types = self._test_table(table, [*features, *as_list(self.target)], base, extra)
        labels = _labels(table, self.split, as_list(self.target))
        # Groups, times and weights belong to training; test files may do without them.
        extra = [name for name in extra if name in test.names]
        return self._loaded(test, features, types, extra, labels)

    def _refuse_many_columns(self, file: Path) -> None:
        """Refuse a wide table whose features nobody chose, before it is read."""
        if self.features is not None or self.drop is not None:
            return
        names, most = names_of_columns(file, self.dialect()), limit("table_columns")
        count = len(set(names).difference(as_list(self.target)))
        if count > most:
            raise DataError(
                f"{file}: has {count:,} columns beside the target, all of which would be features",
                path=("dataset", "path"),
                advice="choose some by `features` or `drop`, or "
                f"{how_to_raise('table_columns', count).replace('to allow more, ', '')}",
            )

    def test_targets(self, base: Path) -> Columns:
        table = self._table(find_files(self.path, base), self.types)
        test, types = self._test_table(table, as_list(self.target), base)
        return self._targets(test, types)

    def _test_table(
        self, table: TableFiles, names: Sequence[str], base: Path, extra: Sequence[str] = ()
    ) -> tuple[TableFiles, dict[str, ColumnType]]:
        """The table of the test files, and what its columns hold: the same as in training."""
        files = find_files(self.test_path, base)
        refuse_shared(table.files, files)
        own = {n: self._type_of(table, n, self.types) for n in names if n not in self.split}
        types = self.types | own
        return self._table(files, types, extra), types

    def read_new(self, files: Sequence[Path], columns: ExpectedColumns) -> NewRows:
        new = super().read_new(files, columns)
        rows = len(next(iter(new.columns.values())))
        findings = new_rows_findings(files[0], columns, self.dialect(), rows)
        places = new_row_places(files[0], columns, self.dialect(), rows)
        return replace(new, findings=tuple(findings), places=places)

    def read_new_rows(self, file: Path, columns: ExpectedColumns) -> Columns:
        booleans = [name for name, kind in self.types.items() if kind == "boolean"]
        return read_new_rows(file, columns, self.dialect(), booleans, self.stream, self.split)

    def pinned(self, base: Path) -> Csv:
        files = find_files(self.path, base)
        if any(format_of(file) != "parquet" for file in files):
            return self
        return self.model_copy(update={"stream": stays_on_disk(files, self.stream)})

    def _table(
        self, files: Sequence[Path], types: Mapping[str, ColumnType], extra: Sequence[str] = ()
    ) -> TableFiles:
        if stays_on_disk(files, self.stream):
            return open_parquet(files, self.dialect())
        as_text = [name for name, kind in types.items() if kind == "categorical"]
        as_text += [name for name in (*self.split, *extra) if name not in as_text]
        return read_table(files, self.dialect(), as_text)

    def _type_of(self, table: TableFiles, name: str, types: Mapping[str, ColumnType]) -> ColumnType:
        """What a column holds."""
        targets = as_list(self.target)
        several = name in targets and len(targets) > 1
        return target_type(table, name, types.get(name), several=several)

    def _feature_names(self, table: TableFiles, extra: Sequence[str]) -> list[str]:
        missing = [name for name in self.dialect().missing if name != "*"]
        named = (self.drop or [], self.types, self.split, missing, extra, self.features or [])
        for name in (*as_list(self.target), *chain.from_iterable(named)):
            table.require(name)
        left_out = {*as_list(self.target), *(self.drop or []), *extra}
        names = table.names if self.features is None else self.features
        features = [name for name in dict.fromkeys(names) if name not in left_out]
        if not features:
            raise DataError(
                f"{table.files[0]}: no feature is left; the columns are: {', '.join(table.names)}"
            )
        return features

    def _loaded(
        self,
        table: TableFiles,
        features: Sequence[str],
        types: Mapping[str, ColumnType],
        extra: Sequence[str],
        labels: Mapping[str, tuple[str, ...]] | None = None,
    ) -> Loaded:
        columns: Columns = {}
        notes = table.findings()
        for name in features:
            if name in self.split:
                columns[name] = to_tokens(table, name, self.split[name])
                continue
            values = to_array(table, name, column_type(table, name, types.get(name)))
            notes += column_findings(table, name, values, types.get(name))
            columns[name] = stored(values) if isinstance(table, ParquetFiles) else values
        whole = [name for name in as_list(self.target) if name not in self.split]
        kinds = {name: self._type_of(table, name, types) for name in whole}
        for name in (name for name, kind in kinds.items() if kind == "categorical"):
            notes += missing_classes(table, name)
        place = table.files[0].name if len(table.files) == 1 else f"{len(table.files)} files"
        return Loaded(
            features=columns,
            targets=self._targets(table, types),
            extras={name: to_extra(table, name, types.get(name)) for name in extra},
            classes={n: boolean_words(table, n) for n, k in kinds.items() if k == "boolean"},
            description=f"{len(table)} rows of {len(features)} features from {place}",
            findings=tuple(notes),
            labels=_labels(table, self.split, as_list(self.target)) if labels is None else labels,
            places=table.row_places,
        )

    def _targets(self, table: TableFiles, types: Mapping[str, ColumnType]) -> Columns:
        return {
            name: to_tokens(table, name, self.split[name])
            if name in self.split
            else _complete(table, name, self._type_of(table, name, types))
            for name in as_list(self.target)
        }


def _labels(
    table: TableFiles, split: Mapping[str, str], targets: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The different parts of each target that is split, sorted."""
    return {n: labels_of(to_tokens(table, n, split[n])) for n in targets if n in split}


def _complete(table: TableFiles, name: str, kind: ColumnType) -> Array:
    values = to_array(table, name, kind)
    missing = np.asarray([value is None for value in values]) if values.dtype == object else None
    if values.dtype.kind == "f":
        missing = ~np.isfinite(values)
    if missing is not None and missing.any():
        rows = np.flatnonzero(missing)
        found = "infinite" if values.dtype.kind == "f" and np.isinf(values[rows[0]]) else "missing"
        others = f" here and in {len(rows) - 1} more" if len(rows) > 1 else ""
        raise DataError(
            f"{table.place(int(rows[0]))}: the target '{name}' is {found}{others}; every row "
            f"needs one: fix the file, or remove such rows"
        )
    return values
