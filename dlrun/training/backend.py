"""Which library Keras computes with, and making its results repeatable."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dlrun.errors import UsageError
from dlrun.imports import without_collection, without_packages
from dlrun.models.precision import device_names, devices
from dlrun.stages import stage

UNUSED_BY_KERAS = ("jax", "matplotlib", "pandas", "scipy", "sklearn")
"""Packages that Keras and TensorFlow import, where they are installed, for what no command calls:
wrappers for scikit-learn, galleries, pandas as input of `fit`, TF Lite for JAX. It is half of the
time that their import takes."""


@stage("importing")
def start_backend(backend: str | None, *, whole: bool = False) -> str:
    """Choose Keras' backend and import Keras; must come before anything else imports it.

    Args:
        backend: `tensorflow`, `jax` or `torch`; None keeps KERAS_BACKEND or Keras' default.
        whole: Import Keras with what only the user's own code could call.

    Returns:
        The name of the backend that is in use.

    Raises:
        UsageError: Keras is already imported with another backend, or the backend's package
            is not installed.
    """
    if backend is not None and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    elif backend is None:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    wanted = backend or os.environ["KERAS_BACKEND"]
    try:
        with _quick_import(whole or wanted != "tensorflow"), _without_messages():
            import keras
    except ImportError as error:
        package = wanted if wanted == "tensorflow" else f"'dlrun[{wanted}]'"
        raise UsageError(
            f"the backend '{wanted}' is not installed ({error}); "
            f"install it with: pip install {package}"
        ) from error
    active = str(keras.backend.backend())
    if backend is not None and active != backend:
        raise UsageError(
            f"the config wants the backend '{backend}', but Keras already runs on '{active}' "
            "in this process; start a new one"
        )
    if active == "tensorflow":
        logging.getLogger("tensorflow").addFilter(_is_no_retracing)
    else:
        _leave_tensorflow_alone()
    return active


@contextmanager
def _quick_import(whole: bool) -> Iterator[None]:
    """Import Keras in half the time, and without a trace in the user's home."""
    if "keras" in sys.modules:
        yield
        return
    hidden = () if whole else UNUSED_BY_KERAS
    with without_collection(), _without_keras_json(), without_packages(*hidden):
        yield


@contextmanager
def _without_keras_json() -> Iterator[None]:
    """Keep Keras from writing its defaults into `keras.json` where the user has no such file."""
    given = os.environ.get("KERAS_HOME")
    home = os.path.expanduser("~")
    # As Keras chooses it: its data sets stay where they are.
    folder = given or os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    if os.path.exists(os.path.expanduser(os.path.join(folder, "keras.json"))):
        yield
        return
    os.environ["KERAS_HOME"] = os.devnull
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"]
        if given is not None:
            os.environ["KERAS_HOME"] = given
    from keras.src.backend import config

    # Keras has no public switch; this is what its loaders ask for.
    config._KERAS_DIR = folder


def _leave_tensorflow_alone() -> None:
    """Keep Keras from importing TensorFlow, which takes 3 s, to seed it and to look for its objects
    in a model that is saved: without TensorFlow there are none."""
    from keras.src.utils import module_utils

    if "tensorflow" not in sys.modules:
        # Keras has no public switch; `_available` is what it asks before it imports.
        module_utils.tensorflow._available = False


def _is_no_retracing(record: logging.LogRecord) -> bool:
    # Every fold has a new model, whose functions TensorFlow has to trace anew.
    return "triggered tf.function retracing" not in record.getMessage()


@contextmanager
def _without_messages() -> Iterator[None]:
    """Keep what the backend's libraries write to standard error at start-up off the terminal.

    They write past Python and before any log level of theirs is read. If the body fails, what
    they wrote is shown.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as messages:
        terminal = os.dup(2)
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except Exception:
            # Every error goes on to the caller, with those messages.
            messages.seek(0)
            os.write(terminal, messages.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


def reset(seed: int) -> None:
    """Name layers as in a fresh process and seed everything anew.

    Seeds Python, NumPy and the backend, and turns deterministic operations on, so that
    the same fit gives the same digits twice on one machine.
    """
    import keras

    # Collecting garbage here would take longer than a small fold; Python does it in time.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True, warn_only=True)


def device_facts() -> dict[str, Any]:
    """The backend's devices, for `run.json`."""
    import keras

    return {
        "backend": str(keras.backend.backend()),
        "keras": keras.__version__,
        "devices": devices(),
        "device_names": device_names(),
    }
