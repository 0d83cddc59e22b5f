"""What of a fit decides which engine suits it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from dlrun.registry.keras_component import KerasComponent
from dlrun.training.choice import Work
from dlrun.training.engine import FitRequest

DENSE_LIKE = {
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "ELU",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "InputLayer",
    "LayerNormalization",
    "LeakyReLU",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
}
"""Layers of dense networks, with which compiled epochs were measured to be faster on a CPU."""

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


def work_of(request: FitRequest, callbacks: Sequence[KerasComponent], fits: float) -> Work:
    """Return what the choice of an engine depends on.

    Args:
        request: The fit; its callbacks need not be there yet.
        callbacks: The callbacks as the config names them.
        fits: How many fits like this one a program is compiled for.
    """
    import keras

    layers = list(_layers(request.model))
    batch = min(request.batch_size, len(request.train))
    return Work(
        backend=str(keras.backend.backend()),
        gpu=_computes_on_gpu(),
        batch_callback=_batch_callback(callbacks),
        slow_layer=_first(type(x).__name__ for x in layers if not _dense_like(x)),
        random_layer=_first(type(x).__name__ for x in layers if _draws(x)),
        products=float(batch * sum(_products(layer) for layer in layers)),
        inputs=batch * math.prod(request.train.inputs.shape[1:]),
        steps=int(request.steps * request.epochs * fits),
    )


def _layers(model: Any) -> Iterable[Any]:
    for layer in model.layers:
        yield from _layers(layer) if hasattr(layer, "layers") else [layer]


def _dense_like(layer: Any) -> bool:
    return type(layer).__module__.startswith("keras.") and type(layer).__name__ in DENSE_LIKE


def _draws(layer: Any) -> bool:
    """Whether the layer owns the state of a random generator."""
    return any("seed_generator_state" in variable.path for variable in layer.variables)


def _products(layer: Any) -> int:
    """Multiplications for one row: each weight once for every position it is applied at."""
    shape = getattr(layer.output, "shape", ())
    return int(layer.count_params()) * math.prod(size or 1 for size in shape[1:-1])


def _batch_callback(callbacks: Sequence[KerasComponent]) -> str | None:
    import keras

    def looks(component: KerasComponent) -> bool:
        if component.name == "ModelCheckpoint":
            # It overrides a hook that it needs only where it counts batches.
            return component.arguments.get("save_freq", "epoch") != "epoch"
        made, base = getattr(keras.callbacks, component.name), keras.callbacks.Callback
        return any(getattr(made, hook) is not getattr(base, hook) for hook in BATCH_HOOKS)

    return _first(component.name for component in callbacks if looks(component))


def _computes_on_gpu() -> bool:
    import keras

    if keras.backend.backend() == "torch":
        return False
    return bool(keras.distribution.list_devices("gpu"))


def _first(names: Iterable[str]) -> str | None:
    return next(iter(names), None)
