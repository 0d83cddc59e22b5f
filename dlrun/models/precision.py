"""Mixed precision: hidden layers compute with 16 bits, weights and the output keep 32.

https://keras.io/api/mixed_precision/
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

OUTPUT_DTYPE = "float32"


def dtype_policy(mixed: bool) -> str:
    """Return Keras' dtype policy of a model: `mixed_float16` on a GPU and `mixed_bfloat16`
    elsewhere where the precision is mixed, else the one that Keras has for all layers."""
    import keras

    if not mixed:
        return str(keras.config.dtype_policy().name)
    return "mixed_float16" if has_gpu() else "mixed_bfloat16"


def mixed_precision(on: bool) -> AbstractContextManager[None]:
    """Let layers and models that are made inside compute with mixed precision; later ones do not.

    Args:
        on: False changes nothing.
    """
    return _policy(dtype_policy(mixed=True) if on else None)


def exact_output(on: bool) -> AbstractContextManager[None]:
    """Let layers that are made inside compute float32, unless they name a dtype.

    Probabilities and losses of 16 bits are too coarse.

    Args:
        on: False changes nothing, and neither does a precision that is not mixed.
    """
    import keras

    policy = keras.config.dtype_policy()
    mixed = policy.compute_dtype != policy.variable_dtype
    return _policy(OUTPUT_DTYPE if on and mixed else None)


@contextmanager
def _policy(name: str | None) -> Iterator[None]:
    """Give layers that are made inside a dtype policy; None changes nothing."""
    import keras

    before = keras.config.dtype_policy()
    if name is not None:
        keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def scaling_losses(optimizer: Any, model: Any) -> Any:
    """Return an optimizer that scales losses where float16 gradients would vanish otherwise.

    `Model.compile` wraps it alike, but a model that is saved so is loaded without the wrapper.
    """
    import keras

    if model.dtype_policy.name != "mixed_float16":
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)


def has_gpu() -> bool:
    """Whether the backend computes on a GPU."""
    # JAX raises if it is asked for a kind of device that the machine lacks.
    return any(device.startswith(("gpu", "cuda")) for device in devices())


def devices() -> list[str]:
    """Return the backend's devices, such as `cpu:0`."""
    import keras

    if keras.backend.backend() != "torch":
        return [str(device).lower() for device in keras.distribution.list_devices()]
    import torch

    return [f"cuda:{i}" for i in range(torch.cuda.device_count())] or ["cpu:0"]


def device_names() -> list[str]:
    """Return the models of the backend's devices, such as `NVIDIA H200`; with TensorFlow and
    PyTorch those of GPUs alone."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices()]
    if keras.backend.backend() == "torch":
        import torch

        return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    import tensorflow as tf

    details = tf.config.experimental.get_device_details
    gpus = tf.config.list_physical_devices("GPU")
    return [str(details(gpu).get("device_name", "unknown")) for gpu in gpus]
