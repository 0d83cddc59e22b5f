"""Base of the sources that read tables: how their files are written."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dlrun.data.reading.delimited import CsvDialect
from dlrun.data.reading.files import as_list
from dlrun.data.reading.table_columns import ColumnType
from dlrun.data.source import FileSource

Marker = str | int | float


class TableSource(FileSource):
    """Base of the sources that read CSV, TSV, JSON lines and Parquet files."""

    types: dict[str, ColumnType] = Field(default_factory=dict)
    """What a column holds, if dlrun guesses wrong from its values: `numeric` (also amounts of money
    and percentages, such as $9.50 and 45 %, read as 9.5 and 45), `categorical` (text, or digits
    that are a code, such as postcodes; 5.0 is 5, and 05 another code) or `boolean`. It may be a
    feature, a target, a group, a time or a weight."""

    header: bool = True
    """Whether the first line of a CSV file names the columns."""

    columns: list[str] | None = None
    """Names of the columns of a file without a header; default: c0, c1, ..."""

    separator: str | None = Field(default=None, min_length=1, max_length=1)
    """Character between two fields; default: a tab for `.tsv`, else a comma. A blank stands for any
    number of blanks and tabs."""

    skip: int = Field(default=0, ge=0)
    """Lines of a CSV file above its header, or first row, that are not part of the table; a line
    `sep=;`, as Excel writes it, is understood without it."""

    quote: Literal["none", '"', "'"] = '"'
    """What a CSV file puts around fields that hold a separator or a line break; `none`: nothing, so
    that quotation marks are part of the text, as in a file of messages."""

    missing: list[Marker] | dict[str, list[Marker]] = Field(default_factory=list)
    """Values that mean a missing value, besides the empty field, NA, N/A, NaN, null and None: of
    all columns, `[-999]`, or by column, `{age: [0], "*": [-999]}`, where `*` stands for all other
    columns. A column that is named has these alone, besides the empty field and NaN: `{diet: []}`
    takes `None` for a category. In a target of text such words are classes. A number means all
    ways of writing it; true and false are never meant by 1 and 0."""

    decimal: str = Field(default=".", min_length=1, max_length=1)
    """Decimal point of the numbers in a CSV file."""

    thousands: str | None = Field(default=None, min_length=1, max_length=1)
    """Thousands separator of the numbers in a CSV file, such as `.` in 1.234,5; default: none."""

    encoding: str = "utf-8"
    """Text encoding of a CSV file."""

    @model_validator(mode="after")
    def _dialect_fits(self) -> TableSource:
        if self.thousands == self.decimal:
            raise ValueError(f"`thousands` and `decimal` are both '{self.decimal}'")
        if self.columns is not None and self.header:
            raise ValueError("`columns` is for files without a header; give `header: false` too")
        if self.columns is not None and len(set(self.columns)) != len(self.columns):
            raise ValueError("`columns` names a column twice")
        return self

    def dialect(self) -> CsvDialect:
        """How its CSV files are written."""
        missing = self.missing if isinstance(self.missing, dict) else {"*": self.missing}
        return CsvDialect(
            separator=self.separator,
            header=self.header,
            columns=None if self.columns is None else tuple(self.columns),
            missing={name: tuple(map(str, values)) for name, values in missing.items()},
            decimal=self.decimal,
            thousands=self.thousands,
            encoding=self.encoding,
            quote=None if self.quote == "none" else self.quote,
            skip=self.skip,
            names=frozenset(as_list(getattr(self, "target", []))),
        )

    def read_as_text(self) -> list[str]:
        """The columns that `types` makes categories, whose digits stay as they are written."""
        return [name for name, kind in self.types.items() if kind == "categorical"]
