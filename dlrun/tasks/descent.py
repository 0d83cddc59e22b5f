"""Going down a curve or a surface: what optimizers do, on one or two numbers.

Source: Deep Learning with Python, section 2.4.3 and its figures of gradient descent.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator, model_validator

from dlrun.config.dump import dump_experiment
from dlrun.config.fields import OneOrMany
from dlrun.config.schema import Experiment, Optimizer
from dlrun.errors import TrainingError
from dlrun.metrics.surface import FORMULAS, Surface, minima_of, outcome
from dlrun.registry.catalogue import entry
from dlrun.registry.keras_component import KerasComponent
from dlrun.tasks import OtherTask

if TYPE_CHECKING:
    from dlrun.store.run_directory import RunDirectory

Row = Annotated[list[float], Field(min_length=1, max_length=20)]
Rows = Annotated[list[Row], Field(min_length=1, max_length=20)]


class DescentConfig(Experiment):
    """The config of a descent."""

    optimizer: Annotated[
        list[Optimizer], OneOrMany(("optimizer", "optimizers")), Field(min_length=1, max_length=12)
    ]
    """One optimizer or several, each of which goes down by itself; its `name` is how pictures and
    tables call it."""


class Descent(OtherTask):
    """Follow optimizers down a curve or a surface, and draw their paths."""

    experiment = DescentConfig

    function: Literal["parabola", "two_minima", "bowl", "rosenbrock"] | None = None
    """Where to go down: `parabola` is x^2, `two_minima` the curve x^4 - 3x^2 + x with a local and a
    global minimum, `bowl` is x^2 + 10y^2, and `rosenbrock` the bent valley (1 - x)^2 + 100(y -
    x^2)^2."""

    coefficients: Row | Rows | None = None
    """Any other polynomial: `[c, b, a]` is c + bx + ax^2. A list of lists makes a surface, with the
    coefficient of x^i y^j in row i and column j."""

    start: float | Annotated[list[float], Field(min_length=1, max_length=2)]
    """Where to begin: x, or [x, y]."""

    steps: int = Field(default=100, ge=1, le=100_000)
    """Steps that each optimizer takes."""

    @field_validator("start")
    @classmethod
    def _fits(cls, start: float | list[float], info: ValidationInfo) -> float | list[float]:
        name, given = info.data.get("function"), info.data.get("coefficients")
        if (name is None) == (given is None):
            return start
        numbers = 1 if isinstance(start, int | float) else len(start)
        needed = Surface.of(name, given).numbers
        if numbers != needed:
            what = "a surface begins at [x, y]" if needed == 2 else "a curve begins at one number"
            raise ValueError(what)
        with np.errstate(all="ignore"):
            height = np.float32(
                Surface.of(name, given).value(np.atleast_1d(np.array(start, np.float32)))
            )
        if not np.isfinite(height):
            raise ValueError("the value there does not fit into 32 bits")
        return start

    @model_validator(mode="after")
    def _one_function(self) -> Descent:
        if (self.function is None) == (self.coefficients is None):
            raise ValueError("give either 'function' or 'coefficients'")
        return self

    @property
    def surface(self) -> Surface:
        """What to go down."""
        return Surface.of(self.function, self.coefficients)

    def prepare(self, experiment: DescentConfig) -> None:
        from dlrun.models.objects import build_object

        for component in experiment.optimizer:
            build_object(component)

    def run(self, experiment: DescentConfig, directory: RunDirectory) -> dict[str, Any]:
        surface = self.surface
        start = np.atleast_1d(np.array(self.start, np.float32)).astype(np.float64)
        labels = labels_of(experiment.optimizer)
        paths = [follow(one, surface, start, self.steps) for one in experiment.optimizer]
        directory.write_path(path_columns(labels, paths, surface))
        minima = minima_of(surface, paths, self.steps)
        given = dump_experiment(experiment)["optimizer"]
        return {
            "task": self.member_name(),
            "function": FORMULAS.get(self.function or "", surface.text),
            "start": start.tolist(),
            "minima": [{"at": at.tolist(), "value": surface.value(at)} for at in minima],
            "optimizers": [
                {
                    "name": label,
                    "optimizer": optimizer,
                    **outcome(path, surface, minima, self.steps),
                }
                for label, optimizer, path in zip(labels, given, paths, strict=True)
            ],
        }


def labels_of(optimizers: Sequence[KerasComponent]) -> list[str]:
    """Return what to call each optimizer: its `name`, or what the config says of it."""
    labels: list[str] = []
    for component in optimizers:
        known = entry("optimizer", component.name)
        defaults = {} if known is None else {each.name: each.default for each in known.arguments}
        given = {
            key: value
            for key, value in component.arguments.items()
            if key == "learning_rate" or (key != "name" and value != defaults.get(key))
        }
        arguments = ", ".join(
            _plain(value) if key == "learning_rate" else f"{key} {_plain(value)}"
            for key, value in given.items()
        )
        label = str(component.arguments.get("name") or f"{component.name} {arguments}".strip())
        labels.append(f"{label} ({len(labels) + 1})" if label in labels else label)
    return labels


def _plain(value: Any) -> str:
    return value.alias if isinstance(value, KerasComponent) else f"{value}"


def follow(
    component: KerasComponent, surface: Surface, start: np.ndarray, steps: int
) -> np.ndarray:
    """Return where an optimizer of Keras is before its first step and after each, (n, 1) or (n, 2);
    fewer than `steps` + 1 places where it leaves what 32 bits can hold.

    Raises:
        TrainingError: Keras cannot take a step.
    """
    import keras

    from dlrun.models.objects import build_object, reason
    from dlrun.training.reporting import step_errors

    optimizer, path = build_object(component), [start]
    place = keras.Variable(start.astype(np.float32), name="place")
    try:
        with _without_tape(), np.errstate(all="ignore"):
            for _ in range(steps):
                slope = surface.gradient(path[-1]).astype(np.float32)
                if not np.isfinite(slope).all():
                    break
                optimizer.apply([keras.ops.convert_to_tensor(slope)], [place])
                path.append(np.array(keras.ops.convert_to_numpy(place), np.float64))
    except step_errors() as error:
        raise TrainingError(f"{component.alias} cannot take a step: {reason(error)}") from error
    found = np.array(path)
    with np.errstate(all="ignore"):
        heights = surface.value(found).astype(np.float32)
    there = np.isfinite(found).all(axis=1) & np.isfinite(heights)
    return found if there.all() else found[: max(int(np.argmin(there)), 1)]


def _without_tape() -> Any:
    """PyTorch changes in place only what it does not derive."""
    import keras

    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()


def path_columns(
    labels: Sequence[str], paths: Sequence[np.ndarray], surface: Surface
) -> dict[str, list[Any]]:
    """Return the columns of `path.csv`, a row a step."""
    letters = "xy"[: surface.numbers]
    columns: dict[str, list[Any]] = {"optimizer": [], "step": [], **{c: [] for c in letters}}
    columns |= {"value": [], **{f"gradient_{c}": [] for c in letters}}
    for label, path in zip(labels, paths, strict=True):
        for step, at in enumerate(path):
            slopes = surface.gradient(at).tolist()
            row = [label, step, *at.tolist(), surface.value(at), *slopes]
            for column, cell in zip(columns.values(), row, strict=True):
                column.append(cell)
    return columns
