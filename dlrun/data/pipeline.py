"""From rows of a data set to what the model sees, and back from its predictions.

Legend: n rows, f features, k target columns or classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from pydantic import ValidationError

from dlrun.config.layer_calls import INPUT
from dlrun.data.fitting.feature_pipeline import FeaturePipeline, fit_features
from dlrun.data.fitting.input_columns import InputColumns
from dlrun.data.fitting.target_pipeline import (
    FittedTarget,
    TargetPipeline,
    fit_outputs,
)
from dlrun.data.inputs import Inputs, NamedInputs
from dlrun.data.samples import Array, Dataset, Kind, Samples, as_vector
from dlrun.data.step import FittedStep, State, Step, TargetStep
from dlrun.data.vocabulary import Vocabulary
from dlrun.errors import DataError
from dlrun.metrics.names import TargetType
from dlrun.registry.component import Component
from dlrun.registry.families import STEPS, TARGET_STEPS, Family, UnknownMemberError
from dlrun.text import listed

_FORMAT = 1


@dataclass(frozen=True)
class Pipeline:
    """All preprocessing, fitted on training rows; the same for whatever rows come later.

    Args:
        feature_pipeline: Makes the inputs.
        target_pipelines: Make the targets: one for each output of the model by its name, or one
            for the only output.
        reconstructs: Whether the target is the model's own input.
    """

    feature_pipeline: FeaturePipeline
    target_pipelines: Mapping[str | None, TargetPipeline]
    reconstructs: bool = False

    @property
    def target_pipeline(self) -> TargetPipeline:
        """That of the only output; of several, that of the first."""
        return next(iter(self.target_pipelines.values()))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, where there are several."""
        return tuple(name for name in self.target_pipelines if name is not None)

    def of_output(self, name: str | None) -> Pipeline:
        """Return the preprocessing for one output: the same inputs, and its target alone."""
        if name is None:
            return self
        return replace(self, target_pipelines={None: self.target_pipelines[name]})

    def inputs(self, samples: Samples) -> Inputs:
        """Return what the model gets.

        Several columns are joined along the last axis, in their order: (n, f) float32. A single
        one stays as it is, (n, ...), integers with their dtype and all else as float32; (n,)
        becomes (n, 1). The result may be an array of `samples` itself: do not write to it. Large
        inputs of `multi_hot` and `one_hot` are `Encoded`: float32, a batch at a time. Inputs of
        columns that stay on disk are `StreamedInputs`. A model of several inputs gets
        `NamedInputs`: for each what it would get of its columns alone.

        Besides `samples` and the result only a batch of rows is held in memory.

        Raises:
            DataError: A column is missing or of another kind than in the training rows, or a
                value is missing or infinite after all steps, or a step cannot use a value;
                names the column and the row's number in the source.
        """
        return self.feature_pipeline.inputs(samples)

    def with_own_targets(self, samples: Samples) -> Samples:
        """Return the rows with the model's input as their target, where it is that."""
        return _reconstructed(self.feature_pipeline, samples) if self.reconstructs else samples

    def targets(self, samples: Samples) -> Array:
        """Return what the loss compares the model's output with; of several, the first's.

        Quantities are float32, (n,) for one, (n, k) for several; labels are (n,) int32, or
        what the target's steps make of them. Text becomes class indices without a step.

        Raises:
            DataError: A target is missing, or a step cannot use a value; names the row.
        """
        return self.target_pipeline.apply(samples)

    def invert(self, predictions: Array) -> Array:
        """Bring model outputs, (n, ...), back to the target's own unit; class scores stay.

        Raises:
            DataError: There are several targets, and not a column for each.
        """
        return self.target_pipeline.invert(predictions)

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """For each target whose classes have names, the names in the order of their indices."""
        fitted = self.target_pipeline.targets
        return {name: target.classes for name, target in fitted.items() if target.classes}

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of their indices; empty where they have none."""
        return next(iter(self.classes.values()), ())

    @property
    def expected_columns(self) -> Mapping[str, tuple[Kind, tuple[int, ...]]]:
        """The feature columns that rows must have: kind, and shape of one entry."""
        return self.feature_pipeline.expected_columns

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each of the f features of (n, f) inputs, such as `age` or `city=Bonn`; the
        column's name alone where the model gets one column of more axes."""
        return self.feature_pipeline.feature_names

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """The words that the steps learnt, by column: what word numbers mean."""
        learnt: dict[str, Vocabulary] = {}
        for fitted in self.feature_pipeline.steps:
            learnt |= fitted.step.vocabularies(fitted.state)
        return learnt

    def findings(self, samples: Samples, rows: str = "", *, settled: bool = False) -> list[str]:
        """What the user should know about these rows, one sentence each.

        Args:
            samples: The rows.
            rows: Which these are, such as `training rows`: each sentence begins with it.
            settled: Whether the steps are settled, so that none is advised to be changed.
        """
        begin = f"{rows}, " if rows else ""
        found = self.feature_pipeline.findings(samples, settled=settled)
        return [begin + text for text in found]

    def to_state(self) -> tuple[list[dict[str, Any]], dict[str, Array]]:
        """Return everything as plain data that JSON stores exactly, and the arrays it names.

        The first mapping says what goes in and comes out, each further one is a step in order:
        its name, options and state, and the target if it works on one. `from_state` makes a
        pipeline of it that applies the same bit for bit.
        """
        features = self.feature_pipeline
        targets = {
            name: target
            for pipeline in self.target_pipelines.values()
            for name, target in pipeline.targets.items()
        }
        tasks = {name: self.target_pipelines[name].task for name in self.output_names}
        head = {
            "format": _FORMAT,
            "task": self.target_pipeline.task,
            **({"reconstructs": True} if self.reconstructs else {}),
            **({"outputs": tasks} if tasks else {}),
            **(
                {"inputs": {n: list(c) for n, c in features.input_columns.items()}}
                if features.input_columns
                else {}
            ),
            **({"quantities": dict(features.quantities)} if features.quantities else {}),
            "columns": {
                name: {"kind": kind, "shape": list(shape)}
                for name, (kind, shape) in features.expected_columns.items()
            },
            "made": {name: list(shape) for name, shape in features.made.items()},
            "targets": {
                name: {
                    "width": fitted.width,
                    "classes": None if fitted.classes is None else list(fitted.classes),
                    "indices": fitted.indices,
                }
                for name, fitted in targets.items()
            },
        }
        steps = [_step_facts(fitted.step, fitted.state, None) for fitted in features.steps]
        for name, target in targets.items():
            steps += [_step_facts(part.step, part.state, name) for part in target.steps]
        arrays: dict[str, Array] = {}
        return [to_plain(facts, arrays) for facts in [head, *steps]], arrays

    @classmethod
    def from_state(
        cls, state: Sequence[Mapping[str, Any]], arrays: Mapping[str, Array]
    ) -> Pipeline:
        """Return the pipeline that `to_state` wrote down.

        Raises:
            DataError: It is of another format, incomplete, or names an unknown step.
        """
        found = state[0].get("format") if state else None
        if found != _FORMAT:
            raise DataError(
                f"the stored preprocessing has the format {found}, expected {_FORMAT}; use the "
                "version of dlrun that wrote it"
            )
        try:
            return _from_facts([from_plain(dict(facts), arrays) for facts in state])
        except (AttributeError, KeyError, TypeError, ValidationError) as error:
            raise DataError(f"the stored preprocessing is damaged: {error!r}") from error
        except UnknownMemberError as error:
            raise DataError(f"the stored preprocessing cannot be rebuilt: {error}") from error


def fit_pipeline(
    steps: Sequence[Component],
    target_steps: Sequence[Component],
    dataset: Dataset,
    train: Samples,
    input_columns: InputColumns | None = None,
    *,
    reconstructs: bool = False,
    counted: Mapping[str | None, Array] | None = None,
) -> Pipeline:
    """Fit all preprocessing on the training rows, and on nothing else.

    Args:
        steps: Members of the family of preprocessing steps, in order.
        target_steps: Members of the family of target preprocessing steps, in order.
        dataset: Gives the task and the class names; its rows are not used.
        train: The training rows of this fold.
        input_columns: The columns of each input of a model that has several.
        reconstructs: Whether the target is the model's own input.
        counted: Which targets count in the loss, see `fit_outputs`.

    Raises:
        DataError: A step does not suit the columns or cannot use a value, or the columns that
            are left cannot be a model's input.
    """
    on_targets = cast("Sequence[TargetStep]", target_steps)
    on_features = cast("Sequence[Step]", steps)
    features = fit_features(on_features, train, input_columns)
    if reconstructs:
        train = _reconstructed(features, train)
    return Pipeline(features, fit_outputs(on_targets, dataset, train, counted), reconstructs)


def _reconstructed(features: FeaturePipeline, samples: Samples) -> Samples:
    inputs = features.inputs(samples)
    if isinstance(inputs, NamedInputs):
        raise DataError(
            f"`targets: {INPUT}` is for a model with one input, and this one has "
            f"{len(inputs.parts)}: {listed(inputs.parts)}"
        )
    return replace(samples, targets={INPUT: as_vector(np.asarray(inputs[:]))})


def _step_facts(step: Component, state: State, target: str | None) -> dict[str, Any]:
    facts = {"step": step.member_name(), "options": step.model_dump(), "state": state}
    return facts if target is None else {"target": target, **facts}


def _from_facts(facts: Sequence[Mapping[str, Any]]) -> Pipeline:
    head, *parts = facts
    columns = {
        name: (cast("Kind", column["kind"]), tuple(column["shape"]))
        for name, column in head["columns"].items()
    }
    steps = [
        FittedStep(cast("Step", _rebuilt(STEPS, part)), part["state"])
        for part in parts
        if "target" not in part
    ]
    targets = {}
    for name, known in head["targets"].items():
        of_target = [
            FittedStep(cast("TargetStep", _rebuilt(TARGET_STEPS, part)), part["state"])
            for part in parts
            if part.get("target") == name
        ]
        classes = None if known["classes"] is None else tuple(known["classes"])
        task = head.get("outputs", {}).get(name, head["task"])
        # Older runs have one class a row, and do not say so.
        alone = known["width"] == 1 and task in ("binary", "multiclass")
        indices = known.get("indices", alone)
        targets[name] = FittedTarget(tuple(of_target), known["width"], classes, indices)
    made = {name: tuple(shape) for name, shape in head["made"].items()}
    input_columns = {name: tuple(used) for name, used in head.get("inputs", {}).items()}
    outputs: dict[str | None, TargetPipeline] = {
        name: TargetPipeline(cast("TargetType", task), {name: targets[name]})
        for name, task in head.get("outputs", {}).items()
    }
    return Pipeline(
        FeaturePipeline(tuple(steps), columns, made, input_columns, _quantities(head)),
        outputs or {None: TargetPipeline(cast("TargetType", head["task"]), targets)},
        head.get("reconstructs", False),
    )


def _quantities(head: Mapping[str, Any]) -> Mapping[str, Kind]:
    """The quantities of a series; earlier versions wrote the names of numbers alone."""
    found = head.get("quantities", {})
    return found if isinstance(found, dict) else dict.fromkeys(found, "numeric")


def _rebuilt(family: Family, facts: Mapping[str, Any]) -> Component:
    return family.get(facts["step"]).model_validate(facts["options"])


_MARK = "array"


def to_plain(value: Any, arrays: dict[str, Array]) -> Any:
    """Return a state without its arrays: each is put into `arrays`, and its name in its place.

    Args:
        value: Text, numbers, booleans, None, lists, mappings with text as keys, and arrays.
        arrays: Gets the arrays, by names that are new in it.

    Raises:
        TypeError: A value is none of these.
    """
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            raise TypeError("an object array has no plain form")
        name = f"{_MARK}_{len(arrays)}"
        arrays[name] = value
        return {_MARK: name}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"the keys of a state are text, not {list(value)}")
        # A mapping of the state that looks like a reference would come back as an array.
        plain = {str(key): to_plain(item, arrays) for key, item in value.items()}
        return {_MARK: None, "value": plain} if _MARK in plain else plain
    if isinstance(value, list):
        return [to_plain(item, arrays) for item in value]
    if isinstance(value, str):
        return str(value)
    # NumPy's numbers are not taken: read back as Python's, they would compute otherwise.
    if value is None or type(value) in (bool, int, float):
        return value
    raise TypeError(f"a {type(value).__name__} has no plain form: {value!r}")


def from_plain(value: Any, arrays: Mapping[str, Array]) -> Any:
    """Return what `to_plain` was given.

    Raises:
        KeyError: An array is missing.
    """
    if isinstance(value, dict):
        if _MARK in value:
            if value[_MARK] is None:
                return {key: from_plain(item, arrays) for key, item in value["value"].items()}
            return np.asarray(arrays[value[_MARK]])
        return {key: from_plain(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [from_plain(item, arrays) for item in value]
    return value
