"""What a preprocessing step is. A new step is one file in `dlrun/data/preprocessing/`
(features) or `dlrun/data/targets/` (targets).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from dlrun.data.lazy import blocks
from dlrun.data.samples import Array, Columns, Kind, Samples, kind_of
from dlrun.data.vocabulary import Vocabulary
from dlrun.errors import DataError, RowError
from dlrun.metrics.names import TargetType
from dlrun.registry.component import Component
from dlrun.registry.names import did_you_mean
from dlrun.text import first_few

State = dict[str, Any]
"""What a step learnt: text to plain JSON values or NumPy arrays, nested at will. Never code."""


Changes = Literal["rows", "numbers", "shapes"]
Storage = Literal["dense", "ones", "sparse"]
"""How large inputs store a column: all numbers, the places of ones, or only what is not 0."""


@contextmanager
def rows_numbered(samples: Samples) -> Iterator[None]:
    """Give errors of single rows the numbers and places that these rows have in the source."""
    try:
        yield
    except RowError as error:
        places = samples.places_of([error.position])
        place = None if places is None else places[0]
        raise error.at(int(samples.rows[error.position]), place) from None


class ColumnStep(Component):
    """Base of all preprocessing steps: they may name the `columns` to work on."""

    @classmethod
    def first_option(cls) -> str | None:
        """The step's own first option; `columns` where it has no other."""
        return next((name for name in cls.model_fields if name != "columns"), "columns")


class Step(ColumnStep):
    """Base of all preprocessing steps on features.

    A step that works on each column separately defines `learn` and `transform`; others define `fit`
    and `apply`. `fit` sees training rows only; `apply` is the same for training, validation, test
    and new rows. Neither changes its arguments. `apply` treats each row separately: its result
    and the dtype do not depend on the other rows, so that rows can be taken a batch at a time.
    """

    changes: ClassVar[Changes] = "rows"
    """What it may change: anything of a row; each number separately, the same at every place; or
    only the shape of entries. The latter two learn nothing, so that one row is enough for `fit`."""

    @property
    def storage(self) -> Storage:
        """How large inputs store the columns that it changes: (n, w) uint8 of zeros and a few ones
        as `ones`, (n, w) float32 that is nearly all 0 as `sparse`."""
        return "dense"

    remedy: ClassVar[str] = ""
    """What to change in the step where it has findings; for rows before the run."""

    suits: ClassVar[tuple[Kind, ...]] = ("numeric",)
    """Kinds of column that it works on."""

    suits_if_named: ClassVar[tuple[Kind, ...]] = ()
    """Further kinds that it works on where `columns` names them."""

    columns: list[str] | None = None
    """Columns to work on; default: all that the step can work on."""

    def fit(self, features: Columns) -> State:
        """Learn from the training rows.

        Args:
            features: Training rows of all columns that earlier steps left.

        Returns:
            `columns`, the columns to work on, and by column whatever `learn` returns.

        Raises:
            DataError: A named column is missing or unsuitable; says which and why.
            RowError: A value cannot be used; positions count the rows of `features`.
        """
        state: State = {"columns": choose_columns(self, features, self.suits, self.suits_if_named)}
        for name, of_column in self.learn_all({n: features[n] for n in state["columns"]}).items():
            for key, learnt in of_column.items():
                state.setdefault(key, {})[name] = learnt
        return state

    def apply(self, features: Columns, state: State) -> Columns:
        """Return all columns, those worked on replaced; row count and order are kept.

        Raises:
            RowError: A value cannot be used; positions count the rows of `features`.
        """
        columns: Sequence[str] = state["columns"]
        # What becomes too large is infinite, silently: the pipeline names the column and row.
        with np.errstate(over="ignore", invalid="ignore"):
            made = {name: self.transform(name, features[name], state) for name in columns}
        return features | made

    def learn(self, name: str, column: Array) -> State:
        """Return what the step learns from the training rows of one column."""
        return {}

    def learn_all(self, columns: Columns) -> dict[str, State]:
        """Return what the step learns of each column, in their order."""
        return {name: self.learn(name, column) for name, column in columns.items()}

    def transform(self, name: str, column: Array, state: State) -> Array:
        """Return what a column becomes.

        Args:
            name: Name of the column.
            column: Its rows.
            state: From `fit`: what was learnt of the column is `state[key][name]`.
        """
        return column

    def findings(self, features: Columns, state: State) -> list[str]:
        """What the user should know when the step is applied to these rows (before it),
        such as counts of unknown categories; one sentence each."""
        return []

    def findings_of_rows(
        self, features: Columns, state: State, listed: Callable[[Array], str]
    ) -> list[str]:
        """The same, for a step that names rows: `listed` says where the rows at (k,) positions
        are."""
        return self.findings(features, state)

    def entry_names(self, column: str, state: State) -> list[str] | None:
        """Names of the entries of a column that this step makes (n, f), one for each of f;
        None where it gives them no names."""
        return None

    def companions(self, state: State) -> dict[str, str]:
        """The columns that it adds, each with the column whose companion it is: an input of the
        model that is made of the latter gets both."""
        return {}

    def vocabularies(self, state: State) -> dict[str, Vocabulary]:
        """The vocabulary of each column for which it learnt one: the words that the numbers in the
        column, or the entries of its rows, mean."""
        return {}


class TargetStep(ColumnStep):
    """Base of all preprocessing steps on targets.

    Args of all methods: `target` is (n,) or (n, k).
    """

    suits: ClassVar[tuple[TargetType, ...]] = ("binary", "multiclass", "multilabel", "regression")
    """What kinds of target it is for, where there are several outputs."""

    columns: list[str] | None = None
    """Targets to work on; default: all, of several outputs those that this step suits."""

    @abstractmethod
    def fit(self, target: Array, classes: tuple[str, ...] | None) -> State:
        """Learn from the training rows.

        Args:
            target: Training rows of one target; of integer labels without names, the
                different ones in all non-test rows. Of a series with several steps ahead, which
                are one quantity, (n * k,) in place of (n, k).
            classes: Class names, where the data has them: of a categorical target from all
                non-test rows, of integer labels as the source names them.

        Raises:
            DataError: This kind of target does not suit the step.
        """

    @abstractmethod
    def apply(self, target: Array, state: State) -> Array:
        """Return the target as the loss expects it.

        Raises:
            RowError: A value is new, such as an unknown label; positions count the
                rows of `target`.
        """

    def class_names(self, state: State) -> tuple[str, ...] | None:
        """The names of the classes in the order of their indices, if it makes indices of names."""
        return None

    changes_unit: ClassVar[bool] = False
    """Whether it leaves the target's own unit, so that `restore` brings values back. Labels of
    classes have no unit."""

    def numbers(self, state: State) -> list[Array]:
        """Return what `restore` needs of what was learnt: of the same shapes in every fold."""
        return []

    def restore(self, values: Any, numbers: Sequence[Any], xp: Any) -> Any:
        """Bring targets or model outputs back to the target's own unit; class scores stay.

        Args:
            values: (n, ...) targets as `apply` returns them, or model outputs: floats.
            numbers: Those of `numbers`.
            xp: The module whose functions take them: `numpy`, or `keras.ops` where they are
                tensors of a training step.
        """
        return values


AnyStep = TypeVar("AnyStep", Step, TargetStep)


@dataclass(frozen=True)
class FittedStep(Generic[AnyStep]):
    """A step and what it learnt."""

    step: AnyStep
    state: State


HOLDS: dict[Kind, str] = {
    "numeric": "numbers",
    "categorical": "text",
    "sequences": "sequences",
}
"""What a column of each kind holds, in the words of messages."""

MOST_COLUMNS = 10
"""How many columns a message names."""

_TO_NUMBERS: dict[Kind, str] = {
    "numeric": "name other columns",
    "categorical": "add `one_hot` or `ordinal` before it",
    "sequences": "add `multi_hot` or `pad_sequences` before it",
}


def choose_columns(
    step: Step, features: Columns, suits: Sequence[Kind], when_named: Sequence[Kind] = ()
) -> list[str]:
    """Return the columns that a step works on: those it names, else all that suit it.

    Args:
        step: May name the columns.
        features: The columns that are there.
        suits: Kinds of column the step takes by default.
        when_named: Further kinds that it takes where it names them.

    Raises:
        DataError: A named column is missing or of another kind, or there is none to work on.
    """
    name = step.member_name()
    needed = " or ".join(HOLDS[kind] for kind in suits)
    if step.columns is None:
        chosen = [column for column in features if kind_of(features[column]) in suits]
        if not chosen:
            raise DataError(
                f"{name}: no column holds {needed}; leave the step out, or put it where such "
                f"columns still are. The columns here hold: {_kinds(features)}"
            )
        return chosen
    chosen = list(dict.fromkeys(step.columns))
    if not chosen:
        raise DataError(f"{name}: `columns` is empty; name at least one, or leave it out")
    for column in chosen:
        if column not in features:
            raise DataError(
                f"{name}: unknown column '{column}'{did_you_mean(column, features) or '.'} "
                f"The columns here are: {first_few(features, MOST_COLUMNS)}",
                path=("columns", step.columns.index(column)),
            )
        kind = kind_of(features[column])
        if kind not in (*suits, *when_named):
            advice = _TO_NUMBERS[kind] if "numeric" in suits else _TO_NUMBERS["numeric"]
            raise DataError(
                f"{name}: column '{column}' holds {HOLDS[kind]}, where {needed} are needed; "
                f"{advice}",
                path=("columns", step.columns.index(column)),
            )
    return chosen


LARGEST = np.float64(1e150)
"""The squares of larger values overflow, or nearly so."""


def refuse_infinite(step: ColumnStep, what: str, values: Array, advice: str) -> None:
    """Raise an error for the first value that is infinite, or too large for statistics.

    Args:
        step: For messages.
        what: What holds the values, for messages.
        values: (n, ...) numbers.
        advice: What to do.

    Raises:
        RowError: There is one.
    """
    position = first_row_where(lambda block: np.abs(block) > LARGEST, values)
    if position is not None:
        row = np.asarray(values[position], np.float64)
        value = row[np.abs(row) > LARGEST].ravel()[0]
        kind = "an infinite value" if np.isinf(value) else f"{value:g} (too large to compute with)"
        raise RowError(f"{step.member_name()}: {what} holds {kind}", position, advice)


def first_row(mask: Array) -> int:
    """Position of the first row in which a (n, ...) mask is true anywhere."""
    return int(np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1))[0])


def first_row_where(test: Callable[[Array], Array], values: Array) -> int | None:
    """Position of the first row in which a test, element by element, is true anywhere."""
    start = 0
    for block in blocks(values):
        mask = test(block)
        if mask.any():
            return start + first_row(mask)
        start += len(block)
    return None


def shape_text(values: Array) -> str:
    """The shape of an array as messages write it: `(n, 28, 28)`."""
    return f"({', '.join(['n', *map(str, values.shape[1:])])}{',' if values.ndim == 1 else ''})"


def float_type(values: Array) -> np.dtype:
    """The narrowest of float32 and float64 that holds all values of an array's dtype exactly."""
    return np.result_type(values.dtype, np.float32)


def to_float(values: Array, dtype: DTypeLike = np.float32) -> Array:
    """The values in another float type; what is too large for it becomes infinite, silently:
    the pipeline names the column and row after all steps."""
    with np.errstate(over="ignore"):
        return values.astype(dtype, copy=False)


def _kinds(features: Columns) -> str:
    if not features:
        return "nothing"
    holds = (f"'{name}' {HOLDS[kind_of(column)]}" for name, column in features.items())
    return first_few(holds, MOST_COLUMNS)


def number_tokens(
    tokens: Array, words: Sequence[str], first: int, unknown: int | None
) -> tuple[Array, Array]:
    """Return the numbers of all tokens, (m,) int64, and how many each row has, (n,) int64.

    Args:
        tokens: (n,) tuples of str.
        words: Those that have a number.
        first: That of the first word.
        unknown: The number of all others; None: they are left out.
    """
    number = {word: place for place, word in enumerate(words, first)}
    if unknown is None:
        rows = [[number[token] for token in row if token in number] for row in tokens]
    else:
        rows = [[number.get(token, unknown) for token in row] for row in tokens]
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    return np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum())), lengths


def join_sequences(step: Step, column: str, sequences: Array) -> tuple[Array, Array]:
    """Return all values one after another, (m,), and each row's number of them, (n,) int64.

    Raises:
        RowError: A row holds no sequence, or one of anything but integers.
    """
    arrays = []
    for position, sequence in enumerate(sequences):
        array = np.asarray([] if sequence is None else sequence)
        if sequence is None or array.ndim != 1 or (len(array) and array.dtype.kind not in "iu"):
            found = "nothing" if sequence is None else f"{str(sequence)[:40]}"
            raise RowError(
                f"{step.member_name()}: column '{column}' holds {found}",
                position,
                "expected a sequence of whole numbers",
            )
        arrays.append(array)
    lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
    filled = [array for array in arrays if len(array)]
    return np.concatenate(filled) if filled else np.empty(0, np.int64), lengths
