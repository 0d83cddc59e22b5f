"""What views look at: the rows of a config or run, and the model that was trained on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.config.outputs import scored_output
from dlrun.config.schema import Config, OutputEntry
from dlrun.data.inputs import Inputs
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Array, Dataset, Samples
from dlrun.data.source import Source
from dlrun.errors import ComponentError, KeyPath, RunError
from dlrun.metrics.cuts import Meaning, as_probabilities
from dlrun.metrics.names import TargetType
from dlrun.metrics.predictions import class_shares
from dlrun.models.objects import leaf_layers
from dlrun.scoring.model_scores import true_values, truths_of
from dlrun.text import figure, percent
from dlrun.training.prediction import predict
from dlrun.training.rows import narrow_integers
from dlrun.views import RowChoice, SomeRows

Splits = Mapping[str, Array]


@dataclass(frozen=True)
class ChosenRows:
    """Some rows, held in memory.

    Args:
        samples: The rows.
        part: What they are: `validation rows`.
        names: What each is called: `cat.12.jpg`, `row 12`.
        labels: What is true of each, as a text; empty where that is not known.
    """

    samples: Samples
    part: str
    names: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def numbers(self) -> Array:
        """(n,) int64 row numbers."""
        return self.samples.rows

    @property
    def captions(self) -> list[str]:
        """Name and truth of each."""
        labels = self.labels or ("",) * len(self.names)
        pairs = zip(self.names, labels, strict=True)
        return [f"{name}: {label}" if label else name for name, label in pairs]


class Subject:
    """The data of a config and its model, each read when a view first needs it.

    Args:
        config: Of the run.
        load_data: Reads the rows.
        load_pipeline: Returns the preprocessing, fitted on training rows.
        load_splits: Returns row numbers by the name of the split: `train`, `validation`, `test`.
        load_model: Returns the trained model; None where there is none.
        meaning: What the numbers of the scored output are, of a classifier.
        place: Where the view that looks is in the config.
    """

    def __init__(
        self,
        config: Config,
        load_data: Callable[[], Dataset],
        load_pipeline: Callable[[Dataset], Pipeline],
        load_splits: Callable[[Dataset], Splits],
        load_model: Callable[[], Any] | None,
        meaning: Callable[[OutputEntry], Meaning],
        place: KeyPath = (),
    ) -> None:
        self.config, self.place = config, place
        self._loaders = load_data, load_pipeline, load_splits, load_model
        self._meaning = meaning

    @cached_property
    def dataset(self) -> Dataset:
        """All rows that are not test rows."""
        return self._loaders[0]()

    @cached_property
    def pipeline(self) -> Pipeline:
        """The preprocessing, as it was fitted."""
        return self._loaders[1](self.dataset)

    @cached_property
    def splits(self) -> Splits:
        """(k,) row numbers of `train`, `validation` and `test`."""
        return self._loaders[2](self.dataset)

    @cached_property
    def model(self) -> Any:
        """The trained model."""
        load = self._loaders[3]
        if load is None:
            raise RunError(f"{self.config.name} has no trained model")
        return load()

    @property
    def has_model(self) -> bool:
        """Whether there is a trained model."""
        return self._loaders[3] is not None

    @cached_property
    def layers(self) -> dict[str, Any]:
        """The model's layers by address (`vgg16.block5_conv3`), those of nested models in place."""
        import keras

        leaves = leaf_layers(self.model)
        return {n: one for n, one in leaves if not isinstance(one, keras.layers.InputLayer)}

    @cached_property
    def output(self) -> OutputEntry:
        """The output that gives the score."""
        return scored_output(self.config.evaluation.score, self.config.outputs)

    @property
    def task(self) -> TargetType:
        """What that output predicts."""
        return self.dataset.of_output(self.output.name).task

    @cached_property
    def meaning(self) -> Meaning | None:
        """What its numbers are; None of quantities."""
        return None if self.task == "regression" else self._meaning(self.output)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of its classes in the order of their indices; numbers where they have none."""
        names = self.pipeline.of_output(self.output.name).class_names
        shape = self.model_output_shape
        count = max(2 if shape[-1] == 1 else int(shape[-1]), len(names))
        return (*names, *(str(index) for index in range(len(names), count)))

    @property
    def model_output_shape(self) -> tuple[int, ...]:
        """Shape of that output of the model, with the axis of rows."""
        shape = self.model.output_shape
        return tuple(shape[self.output.name] if isinstance(shape, dict) else shape)

    def problem(self, message: str, *path: str | int) -> ComponentError:
        """Return an error at an option of the view."""
        if self.place and not path:
            message = f"'{self.place[-1]}': {message}"
        return ComponentError(message, (*self.place, *path))

    def inputs(self, samples: Samples) -> Inputs:
        """Return what the model gets of rows."""
        return narrow_integers(self.pipeline.inputs(samples))

    def predictions(self, inputs: Inputs) -> Array:
        """Return the scored output for rows, (n, ..., k): probabilities of a classifier, as far as
        its outputs tell any, and quantities in their own unit."""
        values = predict(self.model, inputs).values
        chosen = values[self.output.name if self.output.name in values else None]
        if self.meaning is not None:
            return as_probabilities(chosen, self.meaning)
        return self.pipeline.of_output(self.output.name).invert(chosen)

    def prediction_texts(self, predictions: Array) -> list[str]:
        """Return what each prediction says: `dog 93 %`, or a quantity."""
        if self.task == "regression" or predictions.ndim != 2:
            flat = predictions.reshape(len(predictions), -1)
            return [", ".join(map(figure, row[:3].tolist())) for row in flat]
        if self.task == "multilabel":
            return [", ".join(self.class_names[i] for i in np.flatnonzero(row > 0.5)) or "none"
                    for row in predictions]  # fmt: skip
        shares = class_shares(predictions)
        best = shares.argmax(axis=1)
        return [f"{self.class_names[i]} {percent(shares[n, i])}" for n, i in enumerate(best)]

    def part(self, name: str) -> Samples:
        """Return the rows of a split, such as `train`."""
        rows = self.splits.get(name, np.array([], np.int64))
        return self.dataset.samples.take(np.searchsorted(self.dataset.samples.rows, rows))

    def rows(self, choice: RowChoice) -> ChosenRows:
        """Return the rows that a view's `rows` names.

        Raises:
            ComponentError: There are none, or one of them is a test row.
            DataError: The file cannot be read.
        """
        if isinstance(choice, str):
            return self._rows_of_file(Path(choice))
        if isinstance(choice, list):
            return self._described(self._numbered(choice), "rows")
        if isinstance(choice, SomeRows) and choice.training is not None:
            part, count = "train", choice.training
        else:
            count = choice if isinstance(choice, int) else int(choice.validation or 1)
            part = "validation"
            if not isinstance(choice, SomeRows) and not self.splits.get(part, np.array([])).size:
                # A final model holds no rows out.
                part = "train"
        samples = self.part(part)
        if not len(samples):
            message = "there are no validation rows; write `{training: N}`, or name a file"
            raise self.problem(message, "rows")
        what = "validation rows" if part == "validation" else "training rows"
        return self._described(self.sample(part, count), what)

    def sample(self, part: str, count: int) -> Samples:
        """Return so many rows of a part, or all, evenly spaced: files may be sorted by class."""
        samples = self.part(part)
        positions = np.linspace(0, len(samples) - 1, min(count, len(samples)))
        return samples.take(np.unique(positions.round().astype(np.int64)))

    def _numbered(self, numbers: list[int]) -> Samples:
        samples = self.dataset.samples
        found = np.isin(numbers, samples.rows)
        if not found.all():
            missing = numbers[int(found.argmin())]
            message = f"there is no row {missing} among the rows that are not test rows"
            if self.dataset.test_rows is not None and missing in self.dataset.test_rows:
                message = f"row {missing} is a test row, and the test rows are sealed"
            raise self.problem(f"{message}; rows are counted from 0", "rows", int(found.argmin()))
        return samples.take(np.searchsorted(samples.rows, np.array(numbers)))

    def _rows_of_file(self, file: Path) -> ChosenRows:
        if not file.exists():
            raise self.problem(f"there is no file {file}", "rows")
        new = Source.of(self.config).read_new([file], self.pipeline.expected_columns)
        count = len(next(iter(new.columns.values())))
        samples = Samples(new.columns, {}, np.arange(count, dtype=np.int64), places=new.places)
        names = [f"row {row} of {file.name}" for row in range(count)]
        if new.names is not None:
            names = [Path(str(name)).name for name in new.names]
        return ChosenRows(samples.read(), f"rows of {file.name}", tuple(names), ())

    def _described(self, samples: Samples, part: str) -> ChosenRows:
        places = samples.places_of(np.arange(len(samples))) if samples.places is None else None
        names = [f"row {row}" for row in samples.rows.tolist()]
        if places is not None:
            names = [Path(place).name for place in places]
        return ChosenRows(samples.read(), part, tuple(names), tuple(self._labels(samples)))

    def _labels(self, samples: Samples) -> list[str]:
        name = self.output.name
        targets = samples.of_target(name).targets if samples.targets else {}
        column = next(iter(targets.values()), None)
        if column is None or self.pipeline.reconstructs:
            return []
        if self.task in ("binary", "multiclass"):
            truth = truths_of(self.pipeline, samples)[
                name if len(self.config.outputs) > 1 else None
            ]
            true = true_values(self.task, truth)
            names = self.pipeline.of_output(name).class_names
            if true.size != len(samples):
                return []
            return [names[i] if i < len(names) else str(i) for i in true.reshape(-1).astype(int)]
        if column.ndim > 1 or column.dtype.kind not in "iuf":
            return []
        return [figure(value) for value in column.tolist()]

    def true_classes(self, samples: Samples) -> Array:
        """Return the class index of each row, (n,)."""
        truth = truths_of(self.pipeline, samples)
        name = self.output.name if self.output.name in truth else None
        return true_values(self.task, truth[name]).reshape(len(samples), -1)[:, 0].astype(np.int64)

    def at(self, place: KeyPath) -> Subject:
        """Return the same for the view at another place; what was loaded stays loaded."""
        other = Subject.__new__(Subject)
        other.__dict__ = {**self.__dict__, "place": place}
        return other
