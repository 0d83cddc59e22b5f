"""Which engine trains, and whether XLA compiles it: one rule, with its reasons.

The rule depends on the config, the shapes of the data and the kind of device, never on timing: XLA
and plain TensorFlow round differently, and two runs of one config must choose alike.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dlrun.data.encoded import as_encoded
from dlrun.data.inputs import parts_of
from dlrun.models.objects import class_of, leaf_layers
from dlrun.models.precision import has_gpu
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.engine import FitRequest
from dlrun.training.fused.epochs import READS_LOGS_ONLY
from dlrun.training.rows import FitRows, every_target
from dlrun.training.tensorboard import needs_batches

EngineName = Literal["fused", "keras", "naive"]
EngineChoice = Literal["auto", "fused", "keras", "naive"]

COMPILING_PAYS_MS = 2000.0
"""Milliseconds that XLA must save: about twice what it takes longer to compile."""

STEP_MS = 0.08
"""Milliseconds that XLA saves in each step between the operations of a dense network."""

PRODUCTS_PER_MS = 60e6
"""Multiplications of a step for which XLA saves a further millisecond, up to `MOST_PRODUCTS`."""

MOST_PRODUCTS = 100e6
"""Multiplications of a step from which on XLA and plain TensorFlow are equally fast."""

LOOP_MS = 0.06
"""Milliseconds that XLA saves in each time step of a recurrent layer."""

TABLE_NUMBERS_PER_MS = 400e3
"""Numbers in tables of embeddings for which XLA saves a millisecond of each step."""

MOST_LOOP_PRODUCTS = 1.5e6
"""Multiplications of one time step of a recurrent layer from which on XLA was slower."""

MOST_INPUTS = 10**6
"""Input numbers of a step from which on gathering them takes XLA longer than TensorFlow."""

MOST_TOGETHER = 16
"""Folds that JAX trains in the same calls: with more, little is gained."""

MOST_PRODUCTS_TOGETHER = 50e3
"""Multiplications of a fold's step up to which folds are trained faster together."""

MOST_BYTES_TOGETHER = 2**28
"""Size of the rows and the state of all folds that are trained together."""

MOST_EPOCH_STEPS_TOGETHER = 25_000
"""Steps of all folds in an epoch: Ctrl-C is answered after it, half a second at most."""

MOST_STEPS_TOGETHER = 3_000_000
"""Steps of all folds, about a minute."""


@dataclass(frozen=True)
class Work:
    """What the rule depends on.

    Args:
        backend: What Keras computes with.
        gpu: Whether it computes on a GPU.
        batch_callback: A callback that needs every batch, or None.
        slow_layer: A layer that XLA was not measured to make faster, or None.
        random_layer: A layer that draws random numbers, or None: XLA draws others.
        products: Multiplications of a step's forward pass.
        loops: Time steps of all recurrent layers, one after the other.
        loop_products: Most multiplications of a time step of one of them.
        table: Numbers in the tables of embeddings.
        inputs: Input numbers of a step.
        steps: Gradient steps of all fits that a program is compiled for.
        encoded: Whether the inputs are kept small and expanded a batch at a time.
        streamed: Whether rows stay on disk.
        epoch_callback: A callback that needs the model after an epoch, or None.
        epoch_steps: Gradient steps of an epoch.
        fit_steps: Gradient steps of a fit.
        fit_bytes: Size of a fit's rows, weights and optimizer state.
        alike: How many fits of the same numbers of rows there are one after another, at most.
        mixed: Whether hidden layers compute with 16 bits.
    """

    backend: str
    gpu: bool
    batch_callback: str | None
    slow_layer: str | None
    random_layer: str | None
    products: float
    loops: int
    loop_products: float
    table: int
    inputs: int
    steps: int
    encoded: bool = False
    streamed: bool = False
    epoch_callback: str | None = None
    epoch_steps: int = 1
    fit_steps: int = 1
    fit_bytes: int = 0
    alike: int = 1
    mixed: bool = False


@dataclass(frozen=True)
class Choice:
    """What trains.

    Args:
        name: `fused` compiles whole epochs, `keras` is Keras' own `fit`, `naive` is a plain loop.
        xla: Whether XLA compiles them.
        reason: Why, in a few words.
        folds_together: How many folds are trained in the same calls, at most.
    """

    name: EngineName
    xla: bool
    reason: str
    folds_together: int = 1

    def as_dict(self) -> dict[str, object]:
        """The facts as plain data."""
        return vars(self).copy()


def choose(work: Work, engine: EngineChoice = "auto", xla: bool | None = None) -> Choice:
    """Return what trains.

    Args:
        work: The fit.
        engine: What the config asks for: `auto`, `fused`, `keras` or `naive`. If `fused` is asked
            for and cannot be, the answer is `keras` with the reason.
        xla: Whether the config asks for XLA; None leaves it to the rule.
    """
    if engine in ("keras", "naive"):
        return Choice(engine, False, "asked for")
    if (obstacle := obstacle_to_fusing(work)) is not None:
        return Choice("keras", False, obstacle)
    if engine == "auto" and work.gpu:
        return Choice("keras", False, "fused epochs were not measured against fit on a GPU")
    if work.backend == "jax":
        return _choose_on_jax(work, engine)
    if xla is not None:
        return Choice("fused", xla, f"XLA {'on' if xla else 'off'}: asked for")
    if (obstacle := obstacle_to_xla(work)) is not None:
        return Choice("fused", False, f"XLA off: {obstacle}")
    return Choice("fused", True, "XLA on: many small steps")


def _choose_on_jax(work: Work, engine: EngineChoice) -> Choice:
    """JAX compiles with XLA in any case, also what `fit` runs: only the loop around the steps can
    make a difference."""
    too_large = work.inputs > MOST_INPUTS and not work.encoded
    obstacle = _first_reason(
        (work.slow_layer is not None, f"{work.slow_layer} may be slower in a compiled loop"),
        (too_large, "it is slow to gather inputs as large as these in a compiled loop"),
    )
    if engine == "auto" and obstacle is not None:
        return Choice("keras", False, obstacle)
    return Choice("fused", True, "XLA on: JAX compiles with nothing else", folds_together(work))


def folds_together(work: Work) -> int:
    """Return how many folds JAX trains in the same calls.

    Several only if their steps are small, which makes it faster, and all of them end within a
    minute: Ctrl-C ends them all.
    """
    obstacles = (
        work.gpu,
        work.encoded,
        work.epoch_callback is not None,
        work.slow_layer is not None,
        work.loops > 0,
        work.products > MOST_PRODUCTS_TOGETHER,
    )
    if any(obstacles):
        return 1
    bounds = (
        work.alike,
        MOST_TOGETHER,
        MOST_BYTES_TOGETHER // max(work.fit_bytes, 1),
        MOST_EPOCH_STEPS_TOGETHER // work.epoch_steps,
        MOST_STEPS_TOGETHER // work.fit_steps,
    )
    return max(1, min(bounds))


def obstacle_to_fusing(work: Work) -> str | None:
    """Return why whole epochs cannot be compiled, or None."""
    return _first_reason(
        (work.backend == "torch", f"the {work.backend} backend trains with fit"),
        (work.streamed, "rows are read from disk as they are needed"),
        (work.batch_callback is not None, f"{work.batch_callback} looks at every batch"),
    )


def obstacle_to_xla(work: Work) -> str | None:
    """Return why XLA would not help, or would change more than rounding, or None."""
    saved = work.steps * (
        STEP_MS
        + work.products / PRODUCTS_PER_MS
        + work.loops * LOOP_MS
        + work.table / TABLE_NUMBERS_PER_MS
    )
    return _first_reason(
        (work.gpu, "it was not measured on a GPU"),
        (work.mixed, "it rounds 16 bits at other places"),
        (work.random_layer is not None, f"{work.random_layer} would draw other numbers"),
        (work.slow_layer is not None, f"{work.slow_layer} may be slower with it"),
        (work.loop_products > MOST_LOOP_PRODUCTS, "recurrent layers as wide are slower with it"),
        (work.inputs > MOST_INPUTS, "it is slow to gather inputs as large as these"),
        (work.products > MOST_PRODUCTS, "steps as large as these were not shown to gain"),
        (saved < COMPILING_PAYS_MS, "too few steps to be worth compiling"),
    )


def _first_reason(*table: tuple[bool, str]) -> str | None:
    return next((reason for holds, reason in table if holds), None)


SUITED_TO_XLA = {
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "ELU",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalMaxPooling1D",
    "InputLayer",
    "LayerNormalization",
    "LeakyReLU",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
}
"""Layers with which XLA was measured to be faster on a CPU than plain TensorFlow."""

RECURRENT = {"GRU", "LSTM", "SimpleRNN"}
"""Layers that XLA makes faster if their time steps are small."""

BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)
"""Methods of callbacks that `fit` calls inside an epoch."""


def work_of(
    request: FitRequest, callbacks: Sequence[KerasComponent], fits: float, alike: int = 1
) -> Work:
    """Return what the choice of an engine depends on.

    Args:
        request: The fit; its callbacks may be missing.
        callbacks: The callbacks as the config names them.
        fits: How many fits like this one a program is compiled for.
        alike: How many of them are there one after another, at most.
    """
    import keras

    suited = SUITED_TO_XLA | RECURRENT
    layers = [layer for _, layer in leaf_layers(request.model)]
    recurrent = [layer for layer in layers if _is(_inner(layer), RECURRENT)]
    batch = min(request.batch_size, len(request.train))
    inputs = parts_of(request.train.inputs).values()
    parts = [rows for rows in (request.train, request.validation) if rows is not None]
    return Work(
        backend=str(keras.backend.backend()),
        gpu=has_gpu(),
        batch_callback=_batch_callback(callbacks),
        slow_layer=_first(type(x).__name__ for x in layers if not _is(_inner(x), suited)),
        random_layer=_first(type(x).__name__ for x in layers if _draws(x)),
        products=float(batch * sum(_products(layer) for layer in layers)),
        loops=sum(_time_steps(layer) for layer in recurrent),
        loop_products=float(
            batch * max((_inner(layer).count_params() for layer in recurrent), default=0)
        ),
        table=sum(int(layer.count_params()) for layer in layers if _is(layer, {"Embedding"})),
        inputs=batch * sum(math.prod(part.shape[1:]) for part in inputs),
        steps=int(request.steps * request.epochs * fits),
        encoded=any(as_encoded(part) is not None for part in inputs),
        streamed=any(rows.streamed for rows in parts),
        epoch_callback=_first(c.name for c in callbacks if c.name not in READS_LOGS_ONLY),
        epoch_steps=request.steps,
        fit_steps=request.steps * request.epochs,
        fit_bytes=_bytes(request, parts),
        alike=alike,
        mixed=any(layer.compute_dtype != layer.variable_dtype for layer in layers),
    )


def _bytes(request: FitRequest, parts: Sequence[FitRows]) -> int:
    """Rows, and weights three times: most optimizers keep two numbers for each."""
    arrays: list[Any] = []
    for rows in parts:
        arrays += [*parts_of(rows.inputs).values(), *every_target(rows.targets)]
    numbers = sum(math.prod(array.shape) for array in arrays)
    return 4 * numbers + 12 * int(request.model.count_params())


def _is(layer: Any, names: Collection[str]) -> bool:
    return type(layer).__module__.startswith("keras.") and type(layer).__name__ in names


def _inner(layer: Any) -> Any:
    """The layer that a wrapper runs in both directions, or the layer itself."""
    return layer.forward_layer if _is(layer, {"Bidirectional"}) else layer


def _draws(layer: Any) -> bool:
    """Whether the layer owns the state of a random generator."""
    return any("seed_generator_state" in variable.path for variable in layer.variables)


def _time_steps(layer: Any) -> int:
    steps = sum(int(shape[1] or 1) for shape in _shapes(layer, "input_tensors"))
    return steps if _inner(layer) is layer else 2 * steps


def _products(layer: Any) -> int:
    """Multiplications for one row: each weight once for every position it is applied at; those
    of recurrent layers are counted by time step instead."""
    if _is(_inner(layer), RECURRENT | {"Embedding"}):
        return 0
    places = (
        math.prod(size or 1 for size in shape[1:-1]) for shape in _shapes(layer, "output_tensors")
    )
    return int(layer.count_params()) * sum(places)


def _shapes(layer: Any, side: str) -> list[tuple[int | None, ...]]:
    """Shapes of the first tensor on one side of each call of a layer; shared ones have several."""
    tensors = (getattr(node, side) for node in layer._inbound_nodes)
    return [tuple(found[0].shape) for found in tensors if found]


def _batch_callback(callbacks: Sequence[KerasComponent]) -> str | None:
    import keras

    def needed(component: KerasComponent) -> bool:
        if component.name in ("ModelCheckpoint", "BackupAndRestore"):
            # They override a hook that they need only to count batches.
            return component.arguments.get("save_freq", "epoch") != "epoch"
        if component.name == "TensorBoard":
            return needs_batches(component.arguments)
        made, base = class_of(component), keras.callbacks.Callback
        return made is not None and any(
            getattr(made, hook) is not getattr(base, hook) for hook in BATCH_HOOKS
        )

    return _first(component.name for component in callbacks if needed(component))


def _first(names: Iterable[str]) -> str | None:
    return next(iter(names), None)
