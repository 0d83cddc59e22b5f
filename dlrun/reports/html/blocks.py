"""What a section of the page is made of: facts only; the template decides how they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from dlrun.reports.charts import Chart
from dlrun.reports.run_record import RunFinding


@dataclass(frozen=True)
class Prose:
    """A paragraph. `tone` is empty, `good`, `bad` or `quiet`."""

    kind: ClassVar[str] = "prose"
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Bullets:
    """Sentences below each other."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class FindingList:
    """What the user should know, with reasons."""

    kind: ClassVar[str] = "findings"
    findings: tuple[RunFinding, ...]


@dataclass(frozen=True)
class Charts:
    """Charts side by side where there is room."""

    kind: ClassVar[str] = "charts"
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class PageTable:
    """Rows below the names of their columns; the first column names the row.

    Args:
        caption: What the table shows.
        columns: Names of the columns.
        rows: A text for each column.
        words: Indices of the columns that hold words, not numbers, besides the first.
        last: How many rows at the end sum up those before.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset()
    last: int = 0


@dataclass(frozen=True)
class MatrixCell:
    """One cell of a confusion matrix: how many rows, and what share of the true class."""

    rows: int
    share: float
    right: bool


@dataclass(frozen=True)
class Matrix:
    """A readable confusion matrix: rows are true classes, columns predicted ones.

    Args:
        caption: What it shows.
        names: Of the classes.
        cells: A row for each true class.
    """

    kind: ClassVar[str] = "matrix"
    caption: str
    names: tuple[str, ...]
    cells: tuple[tuple[MatrixCell, ...], ...]


@dataclass(frozen=True)
class Definitions:
    """Terms, each with a text."""

    kind: ClassVar[str] = "definitions"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Code:
    """Lines that can be typed or read: a command or a config.

    Args:
        text: The lines.
        label: What they are.
        wraps: Whether a long line goes on below.
    """

    kind: ClassVar[str] = "code"
    text: str | Markup
    label: str
    wraps: bool = True


@dataclass(frozen=True)
class Advice:
    """What to try next, each with the command that does it."""

    kind: ClassVar[str] = "advice"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Card:
    """One example.

    Args:
        title: What went wrong, in a few words.
        place: Which row it is.
        picture: A `data:` address, or nothing.
        alt: What the picture is.
        text: A text, or nothing.
        numbers: Whether the text is a sequence of tokens by number.
        values: Columns of a table's row with their values.
        more: How many columns are not shown.
    """

    title: str
    place: str
    picture: str = ""
    alt: str = ""
    text: str = ""
    values: tuple[tuple[str, str], ...] = ()
    more: int = 0
    numbers: bool = False


@dataclass(frozen=True)
class Cards:
    """Examples side by side. `form` is `pictures`, `texts` or `tables`."""

    kind: ClassVar[str] = "cards"
    cards: tuple[Card, ...]
    form: str


Block = (
    Prose
    | Bullets
    | FindingList
    | Charts
    | PageTable
    | Matrix
    | Definitions
    | Code
    | Advice
    | Cards
)


@dataclass(frozen=True)
class PageSection:
    """One part of the page.

    Args:
        name: The target of links to it.
        title: Its heading.
        blocks: From top to bottom.
    """

    name: str
    title: str
    blocks: Sequence[Block]
