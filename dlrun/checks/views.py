"""What checks use: a config and what is known about its data, rows, a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dlrun.checks.architecture import OutputLayer, followed, output_of
from dlrun.config.layer_calls import INPUT
from dlrun.config.layers import PlainLayer, every_layer
from dlrun.config.schema import Config, PartialConfig
from dlrun.metrics.names import TargetType
from dlrun.registry.component import Component

if TYPE_CHECKING:
    import numpy as np

    from dlrun.data.samples import Dataset, Samples
    from dlrun.protocols.protocol import Fold


def is_own_target(config: Config) -> bool:
    """Whether the model's input is its target."""
    return getattr(config.dataset, "targets", None) == INPUT


def is_array_of_inputs(config: Config) -> bool:
    """Whether the target is an array that is an input, too, as it is in the file: the
    preprocessing of inputs leaves it."""
    inputs, targets = (getattr(config.dataset, name, ()) for name in ("inputs", "targets"))
    inputs, targets = ([one] if isinstance(one, str) else one for one in (inputs, targets))
    return bool(targets) and set(targets) <= set(inputs)


@dataclass(frozen=True)
class Known:
    """What is known; None where it is not.

    Args:
        task: What is predicted.
        classes: Number of classes that the model tells apart: one more than the largest class index
            of integer labels, after the steps of the preprocessing.
        outputs: Numbers to predict for one row, for quantities.
        rows: Rows that are trained on, at most.
        words: Word numbers in the texts are below this.
        labels_are_indices: Whether each row, or each of its steps or pixels, has one class index,
            before any step of the preprocessing.
        shares: Whether all quantities lie between 0 and 1, such as pixels or probabilities.
        by_step: Whether the target of a row is an array, which may hold one answer for each step.
        steps: Whether it certainly does.
        whole_numbers: Of quantities that are whole numbers from 0, few enough to be classes, the
            largest plus 1.
        different: Number of different labels, of integer labels without names.
        several_in_field: Whether the classes look like several labels in one field.
    """

    task: TargetType | None = None
    classes: int | None = None
    outputs: int | None = None
    rows: int | None = None
    words: int | None = None
    labels_are_indices: bool | None = None
    shares: bool = False
    by_step: bool = False
    steps: bool = False
    whole_numbers: int | None = None
    different: int | None = None
    several_in_field: bool = False


@dataclass(frozen=True)
class ConfigView:
    """A config, and what is known about its data.

    Args:
        config: The experiment.
        known: From the name of a bundled data set, or from the data.
        output_name: The output that is checked, where there are several; loss and metrics of
            the config are those of this output.
    """

    config: Config
    known: Known
    output_name: str | None = None

    @cached_property
    def output(self) -> OutputLayer | None:
        """The layer that gives the answer, with its activation."""
        return output_of(self.config, self.output_name)

    @cached_property
    def layers(self) -> list[PlainLayer]:
        """Every layer of Keras, those inside blocks included."""
        return every_layer(self.config.architecture, self.config.blocks)

    def followed(self, skipping: frozenset[str]) -> Iterator[tuple[PlainLayer, PlainLayer]]:
        """Yield each layer that one other layer alone takes, with that; see `checks.layers`."""
        return followed(self.config, skipping)

    @property
    def predicts_input(self) -> bool:
        """Whether the model's input is its target, prepared or as it is in the file."""
        return is_own_target(self.config) or is_array_of_inputs(self.config)

    @property
    def one_hot(self) -> bool:
        """Whether the preprocessing makes one-hot rows of the labels."""
        return any(step.member_name() == "one_hot" for step in self.config.target_steps)


@dataclass(frozen=True)
class PreparedInput:
    """Rows of one input of the model.

    Args:
        values: (n, ...), of windows over a series their last rows.
        names: Names of the features; that of the column where it has more axes.
    """

    values: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class PreparedRows:
    """Some training rows as the model gets them.

    Args:
        inputs: Those in memory by their names; that of the only one is empty.
        targets: (n, ...) as the loss sees them; None where that is not known.
    """

    inputs: Mapping[str, PreparedInput] = field(default_factory=dict)
    targets: np.ndarray | None = None


@dataclass(frozen=True)
class DataView:
    """The rows that may be used before the test.

    Args:
        config: The experiment.
        known: What is known from the rows.
        dataset: All rows before the test, without the features that stay on disk.
        folds_or_default: The folds of the protocol, of the default one if it could not be read; see
            `folds`.
        train: Training rows of the first fold: evenly spaced ones of many.
        prepared: Some of them as the model gets them.
        held_out: The rows that score the first fold, evenly spaced ones of many; None where
            nothing is held out.
        hashed: The rows that are searched for repeated ones: all, or evenly spaced ones.
        hashed_positions: Their positions among all rows.
        test_labels: Whether the labels of a test file are to be compared: as `dlrun check` does and
            no training.
    """

    config: Config
    known: Known
    dataset: Dataset
    folds_or_default: tuple[Fold, ...]
    train: Samples
    prepared: PreparedRows
    held_out: Samples | None
    hashed: Samples
    hashed_positions: np.ndarray
    test_labels: bool

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds of the protocol."""
        if isinstance(self.config, PartialConfig):
            self.config.require("evaluation")
        return self.folds_or_default

    def hashed_folds(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the training rows and the scored rows of each fold that holds rows out, as
        positions among the hashed rows, (k,) int64 each."""
        import numpy as np

        place = np.full(len(self.dataset.samples), -1, np.int64)
        place[self.hashed_positions] = np.arange(len(self.hashed_positions))
        for fold in self.folds:
            if fold.scored is not None:
                train, scored = place[fold.train], place[fold.scored]
                yield train[train >= 0], scored[scored >= 0]

    @property
    def task(self) -> TargetType:
        """What is predicted, which depends on the loss."""
        if isinstance(self.config, PartialConfig):
            self.config.require("loss")
        return self.dataset.task

    @cached_property
    def feature_hashes(self) -> np.ndarray:
        """(n,) uint64, equal for hashed rows that are equal in every feature."""
        from dlrun.checks.duplicates import exact_hashes

        return exact_hashes(self.hashed.features)

    @cached_property
    def class_codes(self) -> np.ndarray | None:
        """(n,) int64, equal for rows of one class; None where there are no classes."""
        from dlrun.checks.columns import as_codes, labels_of

        labels = labels_of(self.dataset.samples)
        return None if labels is None or self.task == "regression" else as_codes(labels)


@dataclass(frozen=True)
class ModelView:
    """The model, built for the training rows of the first fold.

    Args:
        config: The experiment.
        model: The compiled `keras.Model`.
        rows: Rows that it is trained on.
        findings: What the preprocessing reports about the training rows.
    """

    config: Config
    model: Any
    rows: int
    findings: tuple[str, ...] = ()


def _classes(count: int, rows: int) -> Known:
    task: TargetType = "binary" if count == 2 else "multiclass"
    return Known(task, count, None, rows, None, True)


def _quantity(rows: int) -> Known:
    return Known("regression", None, 1, rows, None, False)


_BUNDLED: dict[tuple[str, str], Known] = {
    ("sklearn", "breast_cancer"): _classes(2, 569),
    ("sklearn", "diabetes"): _quantity(442),
    ("sklearn", "digits"): _classes(10, 1797),
    ("sklearn", "iris"): _classes(3, 150),
    ("sklearn", "wine"): _classes(3, 178),
    ("keras", "mnist"): _classes(10, 60_000),
    ("keras", "fashion_mnist"): _classes(10, 60_000),
    ("keras", "cifar10"): _classes(10, 50_000),
    ("keras", "cifar100"): _classes(100, 50_000),
    ("keras", "imdb"): replace(_classes(2, 25_000), words=88_587),
    ("keras", "reuters"): replace(_classes(46, 8_982), words=30_982),
    ("keras", "boston_housing"): _quantity(404),
    ("keras", "california_housing"): _quantity(16_512),
}
"""Bundled data sets: rows before the test, and word numbers with Keras' defaults."""


def known_without_data(config: Config) -> Known:
    """Return what is known from the name of a bundled data set; of other data, nothing."""
    source = config.dataset
    name = str(getattr(source, "name", ""))
    known = _BUNDLED.get((source.member_name(), name), Known())
    if is_own_target(config):
        known = Known(rows=known.rows, words=known.words)
    if getattr(source, "label_mode", None) == "coarse" and name == "cifar100":
        known = replace(known, classes=20)
    if known.words is not None and (words := getattr(source, "num_words", None)) is not None:
        known = replace(known, words=words)
    if (learnt := _words_of_texts(config)) is not None:
        known = replace(known, words=learnt)
    target = getattr(source, "target", None)
    if source.member_name() == "csv" and isinstance(target, str):
        known = replace(known, outputs=1)
    return replace(known, rows=_fewer(known.rows, source))


def _words_of_texts(config: Config) -> int | None:
    """Word numbers of the step `text` are below this; None where it makes none, or several columns
    of different ones that an Embedding may be for."""
    numbered = [
        step
        for step in config.preprocess
        if step.member_name() == "ordinal" or getattr(step, "output", None) == "sequence"
    ]
    return getattr(numbered[0], "vocabulary", None) if len(numbered) == 1 else None


def _fewer(rows: int | None, source: Component) -> int | None:
    """The largest number of rows, with `limit`."""
    limit = getattr(source, "limit", None)
    most = limit if isinstance(limit, int) else None
    if limit is not None and most is None:
        most = limit.first or limit.random
    known = [count for count in (rows, most) if count is not None]
    return min(known) if known else None
