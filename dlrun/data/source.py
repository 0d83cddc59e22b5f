"""What a data source is. A new source is one file in `dlrun/data/sources/`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlrun.config.layer_calls import INPUT
from dlrun.config.places import Place
from dlrun.config.schema import Config
from dlrun.data.reading.files import FolderPart, find_files, has_part, refuse_links_out
from dlrun.data.samples import FILE, Array, Columns, ExpectedColumns, Places
from dlrun.errors import DataError
from dlrun.registry.component import Component, Section
from dlrun.registry.names import did_you_mean

Part = Literal["train", "test"]


class Test(Section):
    """Where the test data is. Exactly one of the two."""

    alternatives = frozenset({"path", "fraction"})

    path: str | list[str] | None = None
    """File, files or glob that hold the test rows, relative to the config file."""

    fraction: float | None = Field(default=None, gt=0, lt=1)
    """Share of all rows to set aside, between 0 and 1; the seed decides which."""

    shuffle: bool = True
    """With `fraction`: whether the rows are drawn at random; `false` takes the last ones, for
    rows in the order of time."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Test:
        if (self.path is None) == (self.fraction is None):
            raise ValueError("give either `path` or `fraction`")
        if self.path is not None and not self.shuffle:
            raise ValueError("`shuffle` goes with `fraction`; all rows of test files are used")
        return self

    def own_options(self) -> list[str]:
        return ["path"] if self.path is not None else ["fraction", "shuffle"]


class Limit(Section):
    """Fewer rows, for trying things out. Exactly one of the two."""

    alternatives = frozenset({"first", "random"})

    first: int | None = Field(default=None, ge=1)
    """Keep only this many of the first rows."""

    random: int | None = Field(default=None, ge=1)
    """Keep this many rows, drawn at random by the seed, in their order."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Limit:
        if (self.first is None) == (self.random is None):
            raise ValueError("give either `first` or `random`")
        return self


@dataclass(frozen=True)
class Loaded:
    """What a source reads.

    Args:
        features: See `Columns`. A table gives a column a feature; an array without feature
            names gives one column named after the array, or `x`.
        targets: By target name; labels stay as they are in the file (text or numbers).
        extras: The columns asked for by `extra`, which are not features.
        classes: Class names by target, where the source itself names integer labels.
        regression: Whether the targets are quantities. None: to be inferred from their values.
        description: One line on what this is.
        findings: What the user should know, one sentence each.
        rows: (n,) int64 numbers of the rows, ascending; None: 0, 1, 2, ...
        naive_forecasts: As in `Samples`, where the source knows them.
        undeclared_series: As in `Dataset`.
        labels: Of targets that are tuples of str, the different ones of all training rows.
        places: As in `Samples`.
    """

    features: Columns
    targets: Columns
    extras: Columns = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    regression: bool | None = None
    description: str = ""
    findings: tuple[str, ...] = ()
    rows: Array | None = None
    naive_forecasts: Columns = field(default_factory=dict)
    undeclared_series: str | None = None
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: Places | None = None


@dataclass(frozen=True)
class NewRows:
    """Rows to predict.

    Args:
        columns: The feature columns.
        names: (n,) objects, what each row is called, such as the name of its file; None: nothing.
        findings: What the user should know, one sentence each.
        places: As in `Samples`.
    """

    columns: Columns
    names: Array | None = None
    findings: tuple[str, ...] = ()
    places: Places | None = None


class Source(Component):
    """Base of all data sources: typed options, and how to read the rows."""

    needs_keras: ClassVar[bool] = False
    """Whether reading it imports Keras, whose backend has to be chosen before."""

    in_time_order: ClassVar[bool] = False
    """Whether its rows are those of a series, which no split may shuffle."""

    test: Test | None = None
    """Where the test data is, if the source has none of its own."""

    targets: Literal["input"] | None = None
    """`input`: the model predicts its own input, as an autoencoder does. The target is what the
    model gets after `preprocess`, so that both are in one unit; `augment` does not change it, but
    where it moves the picture. The data's own labels are left out."""

    places: Place | dict[str, Place] | None = None
    """What the numbers of a target are in the picture, so that they move where `augment` moves it:
    points (`xy`), boxes by Keras' names (`xyxy`, `center_xywh`), either in pixels from the
    left and upper edge or, with `rel_`, as shares of width and height; `none`: no places. For
    several outputs a mapping by target. Masks and pictures move by themselves."""

    limit: Annotated[int, Field(ge=1)] | Limit | None = None
    """Use only some of the non-test rows: a number (the first rows), `first` or `random`. The test
    rows stay the same."""

    @classmethod
    def of(cls, config: Config) -> Source:
        """The source that a config names."""
        source = config.dataset
        assert isinstance(source, Source)
        return source

    @property
    @abstractmethod
    def brings_test(self) -> bool:
        """Whether this source has separate test data (`test.path` counts)."""

    @property
    def reconstructs(self) -> bool:
        """Whether the model's input is its target."""
        return self.targets == INPUT

    @abstractmethod
    def load(self, part: Part, base: Path, extra: Sequence[str] = ()) -> Loaded:
        """Read all rows of one part, in the order in which they are stored.

        Args:
            part: `train` gives every row that is not in separate test data;
                `test` is only asked for where `brings_test`.
            base: Folder of the config; relative paths start there.
            extra: Columns wanted in `extras` and not as features (groups, time, weights).

        Raises:
            DataError: The data is missing or broken; names the file, and row or column.
        """

    def check(self, base: Path, extra: Sequence[str] = ()) -> Loaded | None:
        """Check the data as far as that needs neither Keras nor scikit-learn.

        Returns:
            The rows; None where they were not read.

        Raises:
            DataError: As `load`.
        """
        return None

    def word_numbers(self) -> tuple[Mapping[str, int], Mapping[int, str]] | None:
        """The number of each word in columns of sequences, and the meaning of the numbers that are
        not words; None where the source knows no words.

        Raises:
            DataError: The file of the words is missing.
        """
        return None

    def read_new_rows(self, file: Path, columns: ExpectedColumns) -> Columns:
        """Read feature columns from a file of new rows, for `predict`.

        Args:
            file: CSV, TSV, JSON lines, Parquet, npz or npy.
            columns: The columns wanted.

        Raises:
            DataError: A column is missing or of another kind.
        """
        from dlrun.data.reading.new_rows import read_new_rows

        return read_new_rows(file, columns)

    def check_test(self, base: Path, extra: Sequence[str] = ()) -> None:
        """Check the test files of `with_test_files`, whose rows are not sealed.

        Raises:
            DataError: As `load`.
        """
        self.load("test", base, extra)

    def own_validation(self) -> str | None:
        """The path of the validation rows that belong to the data, as `evaluation.validation.path`
        would name it; None where there are none. Paths are absolute by then."""
        return None

    def files_at(self, path: str | list[str], base: Path) -> list[Path]:
        """Return the files that a path of test or validation rows names.

        Raises:
            DataError: There is none.
        """
        return find_files(path, base)

    def read_new(self, files: Sequence[Path], columns: ExpectedColumns) -> NewRows:
        """Read feature columns from new files, for `predict`.

        Args:
            files: One file; other sources may read several, and folders.
            columns: The columns wanted.

        Raises:
            DataError: As `read_new_rows`.
        """
        if len(files) > 1:
            raise DataError(
                f"{files[1]}: the source '{self.member_name()}' reads new rows from one file at a "
                "time"
            )
        from dlrun.data.reading.delimited import CsvDialect
        from dlrun.data.reading.new_rows import new_row_places

        read = self.read_new_rows(files[0], columns)
        rows = len(next(iter(read.values())))
        return NewRows(read, places=new_row_places(files[0], columns, CsvDialect(), rows))

    def pinned(self, base: Path) -> Source:
        """This source with every choice written out that depends on the machine."""
        return self

    def with_test_files(self, path: str | list[str]) -> Source:
        """This source with other test files, in the same layout.

        Raises:
            DataError: This source does not read files.
        """
        raise DataError(
            f"the source '{self.member_name()}' reads no files, so it cannot read {path}"
        )


class FileSource(Source):
    """Base of the sources that read files: `test.path` names files of test rows."""

    @property
    def brings_test(self) -> bool:
        return self.test is not None and self.test.path is not None

    @property
    def test_path(self) -> str | list[str]:
        """`test.path`, where `brings_test` counts on it."""
        assert self.test is not None
        assert self.test.path is not None
        return self.test.path

    def check(self, base: Path, extra: Sequence[str] = ()) -> Loaded | None:
        loaded = self.load("train", base, extra)
        if self.brings_test:
            # Whether the test files are there; what is in them is sealed.
            self.files_at(self.test_path, base)
        return loaded

    def test_targets(self, base: Path) -> Columns:
        """Return the targets of the files of test rows, whose labels `check` compares with those of
        the training rows.

        Raises:
            DataError: As `load`.
        """
        return self.load("test", base).targets

    def with_test_files(self, path: str | list[str]) -> Self:
        return self.model_copy(update={"test": Test(path=path)})


class FolderSource(FileSource):
    """Base of the sources of files in one folder a class, or in such folders below `train` and,
    where there are any, `validation` and `test`."""

    what: ClassVar[str]
    """What one file is, for messages: `text`."""

    follow_links: bool = False
    """Whether symbolic links, or the paths in a table of pictures, may lead out of the folder, to
    files elsewhere; by default they are refused."""

    def refuse_links(
        self, files: Sequence[Path], roots: Sequence[Path], *, new: bool = False
    ) -> None:
        """Raise an error for a file that a link or a path leads to, out of the folders, unless
        asked to; `new` ones are no part of the data of the config.

        Raises:
            DataError: There is one.
        """
        if not self.follow_links:
            allow = "say `follow_links: true` under 'dataset'"
            other = "give the pictures themselves" if new else allow
            refuse_links_out(files, roots, f"put the files there, or {other}")

    @abstractmethod
    def root(self) -> Path | None:
        """The folder that may hold `train`; None where parts are not folders."""

    @abstractmethod
    def files_of(self, part: Part, base: Path) -> tuple[Path, ...]:
        """Return the files of a part, in order.

        Raises:
            DataError: A folder is missing, or a class has no file.
        """

    @property
    def brings_test(self) -> bool:
        return super().brings_test if self.test is not None else self._own("test") is not None

    def own_validation(self) -> str | None:
        return self._own("validation")

    def files_at(self, path: str | list[str], base: Path) -> list[Path]:
        return list(self.with_test_files(path).files_of("test", base))

    def refuse_second_test(self, root: Path) -> None:
        """Raise an error if test rows are split off though the folder has test rows.

        Raises:
            DataError: They are.
        """
        if self.test is not None and self.test.fraction is not None and has_part(root, "test"):
            raise DataError(
                f"{root}: has test {self.what}s of its own, in the folder 'test'; leave out "
                "`test: {fraction: ...}`, or name the folder of the training "
                f"{self.what}s as `path`"
            )

    def refuse_extra(self, extra: Sequence[str], place: object, hint: str = "") -> None:
        """Raise an error where any column but that of the files' names is asked for.

        Raises:
            DataError: One is.
        """
        for name in extra:
            if name != FILE:
                raise DataError(
                    f"{place}: no column '{name}'{did_you_mean(name, [FILE]) or ';'} folders of "
                    f"{self.what}s have the column '{FILE}' alone{hint}"
                )

    def _own(self, part: FolderPart) -> str | None:
        """The folder of a part; None where there is none."""
        root = self.root()
        return str(root / part) if root is not None and has_part(root, part) else None


def split_extras(features: Columns, extra: Sequence[str], source: str) -> tuple[Columns, Columns]:
    """Return the features without the `extra` columns, and these columns.

    Raises:
        DataError: There is no such column, or no feature is left; `source` names the data.
    """
    for name in extra:
        if name not in features:
            suggestion = did_you_mean(name, features)
            listing = f"{suggestion} The" if suggestion else "; the"
            raise DataError(
                f"{source}: no column '{name}'{listing} columns are: {', '.join(features)}"
            )
    kept = {name: column for name, column in features.items() if name not in extra}
    if not kept:
        raise DataError(f"{source}: no feature is left")
    return kept, {name: features[name] for name in extra}
