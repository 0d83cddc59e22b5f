"""Which engine trains, and whether XLA compiles it: one rule, with its reasons.

The rule looks at the config, the shapes of the data and the kind of device, and at no clock: XLA
and plain TensorFlow round differently, so that two runs of one config must choose alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EngineName = Literal["fused", "keras"]

COMPILING_PAYS_MS = 2000.0
"""Milliseconds that XLA must save: about twice what it takes longer to compile."""

STEP_MS = 0.08
"""Milliseconds that XLA saves in each step between the operations of a dense network."""

PRODUCTS_PER_MS = 60e6
"""Multiplications of a step for which XLA saves a further millisecond, up to `MOST_PRODUCTS`."""

MOST_PRODUCTS = 100e6
"""Multiplications of a step from which on XLA and plain TensorFlow are equally fast."""

MOST_INPUTS = 10**6
"""Input numbers of a step from which on gathering them takes XLA longer than TensorFlow."""


@dataclass(frozen=True)
class Work:
    """What the rule looks at.

    Args:
        backend: What Keras computes with.
        gpu: Whether it computes on a GPU.
        batch_callback: A callback that looks at single batches, or None.
        slow_layer: A layer that is no plain dense one, or None: XLA may be slower with it.
        random_layer: A layer that draws random numbers, or None: XLA draws others.
        products: Multiplications of a step's forward pass.
        inputs: Input numbers of a step.
        steps: Gradient steps of all fits that a program is compiled for.
    """

    backend: str
    gpu: bool
    batch_callback: str | None
    slow_layer: str | None
    random_layer: str | None
    products: float
    inputs: int
    steps: int


@dataclass(frozen=True)
class Choice:
    """What trains.

    Args:
        name: `fused` compiles whole epochs, `keras` is Keras' own `fit`.
        xla: Whether XLA compiles them.
        reason: Why, in a few words.
    """

    name: EngineName
    xla: bool
    reason: str

    def as_dict(self) -> dict[str, object]:
        """The facts as plain data."""
        return vars(self).copy()


def choose(work: Work, engine: str = "auto", xla: bool | None = None) -> Choice:
    """Return what trains.

    Args:
        work: The fit.
        engine: What the config asks for: `auto`, `fused` or `keras`. Where `fused` is asked for
            and cannot be, the answer is `keras` with the reason.
        xla: Whether the config asks for XLA; None leaves it to the rule.
    """
    if engine == "keras":
        return Choice("keras", False, "asked for")
    if (obstacle := obstacle_to_fusing(work)) is not None:
        return Choice("keras", False, obstacle)
    if engine == "auto" and work.gpu:
        return Choice("keras", False, "fused epochs were not measured against fit on a GPU")
    if engine == "auto" and work.slow_layer is not None:
        unknown = f"fused epochs were not shown to be faster than fit with {work.slow_layer}"
        return Choice("keras", False, unknown)
    if xla is not None:
        return Choice("fused", xla, f"XLA {'on' if xla else 'off'}: asked for")
    if (obstacle := obstacle_to_xla(work)) is not None:
        return Choice("fused", False, f"XLA off: {obstacle}")
    return Choice("fused", True, "XLA on: many small steps of a dense network")


def obstacle_to_fusing(work: Work) -> str | None:
    """Return why whole epochs cannot be compiled, or None."""
    table = [
        (work.backend != "tensorflow", f"the {work.backend} backend trains with fit"),
        (work.batch_callback is not None, f"{work.batch_callback} looks at every batch"),
    ]
    return next((reason for holds, reason in table if holds), None)


def obstacle_to_xla(work: Work) -> str | None:
    """Return why XLA would not help, or would change more than rounding, or None."""
    saved = work.steps * (STEP_MS + work.products / PRODUCTS_PER_MS)
    table = [
        (work.gpu, "it was not measured on a GPU"),
        (work.random_layer is not None, f"{work.random_layer} would draw other numbers"),
        (work.slow_layer is not None, f"{work.slow_layer} may be slower with it"),
        (work.inputs > MOST_INPUTS, "it is slow to gather inputs as large as these"),
        (work.products > MOST_PRODUCTS, "steps as large as these were not shown to gain"),
        (saved < COMPILING_PAYS_MS, "too few steps to be worth compiling"),
    ]
    return next((reason for holds, reason in table if holds), None)
