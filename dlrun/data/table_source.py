"""Base of the sources that read tables: how their files are written."""

from __future__ import annotations

from pydantic import Field, model_validator

from dlrun.data.reading.delimited import CsvDialect
from dlrun.data.reading.table_columns import ColumnType
from dlrun.data.source import FileSource


class TableSource(FileSource):
    """Base of the sources that read CSV, TSV, JSON lines and Parquet files."""

    types: dict[str, ColumnType] = Field(default_factory=dict)
    """What a column holds, if dlrun guesses wrong from its values: `numeric`, `categorical` (text,
    or digits that are a code, such as postcodes) or `boolean`."""

    header: bool = True
    """Whether the first line of a CSV file names the columns."""

    columns: list[str] | None = None
    """Names of the columns of a file without a header; default: c0, c1, ..."""

    separator: str | None = Field(default=None, min_length=1, max_length=1)
    """Character between two fields; default: a tab for `.tsv`, else a comma."""

    missing: list[str | int | float] = Field(default_factory=list)
    """Values that mean a missing value, besides the empty field, NA, N/A, NaN, null and None."""

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
        return CsvDialect(
            separator=self.separator,
            header=self.header,
            columns=None if self.columns is None else tuple(self.columns),
            missing=tuple(str(marker) for marker in self.missing),
            decimal=self.decimal,
            thousands=self.thousands,
            encoding=self.encoding,
        )

    def read_as_text(self) -> list[str]:
        """The columns that `types` makes categories, whose digits stay as they are written."""
        return [name for name, kind in self.types.items() if kind == "categorical"]
