"""Keras' TensorBoard callback, with nothing more to install than TensorFlow, which writes its logs.

Keras' own needs the package `tensorboard` to write the first number. What that package does for
it is little: it says what kind of summary a tensor is (`tensorboard/plugins/*/summary_v2.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.errors import ComponentError
from dlrun.models.objects import leaf_layers
from dlrun.store.files import write_text
from dlrun.training.saving import KEPT

BUCKETS = 30
"""Buckets of a histogram, as TensorBoard's own have."""

SCALAR, TENSOR, BLOBS = 1, 2, 3
"""Kinds of data, as TensorFlow numbers them (`SummaryMetadata.data_class`)."""


def needs_batches(arguments: Mapping[str, Any]) -> bool:
    """Whether the callback's arguments ask for something that is known at a batch alone."""
    return bool(
        arguments.get("update_freq", "epoch") != "epoch"
        or arguments.get("profile_batch")
        or arguments.get("write_steps_per_second")
    )


def tensorboard(
    arguments: Mapping[str, Any],
    vocabulary: Callable[[], Sequence[str] | None] = lambda: None,
) -> Any:
    """Return Keras' callback, writing the same logs from every engine and backend.

    Embeddings are written as tables that TensorBoard's projector reads: the weights files that
    Keras writes for it, it cannot read.

    Args:
        arguments: As `keras.callbacks.TensorBoard` takes them.
        vocabulary: Returns what the rows of embeddings stand for, or None.

    Raises:
        ComponentError: TensorFlow is not installed.
    """
    import keras

    _require_tensorflow()

    class TensorBoard(keras.callbacks.TensorBoard):
        @property
        def summary(self) -> Any:
            return _Summaries()

        def _write_keras_model_train_graph(self) -> None:
            # The fused engine has no such function; the model itself is drawn all the same.
            return

        def state(self) -> dict[str, Any]:
            # What is written later than a checkpoint is cut off when a training goes on.
            for writer in self._writers.values():
                writer.flush()
            return {name: getattr(self, name) for name in KEPT["TensorBoard"]}

        def restore(self, state: Mapping[str, Any]) -> None:
            for name, value in state.items():
                setattr(self, name, value)

        def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
            self._pop_writer()

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            # Keras does this at the end of validation, which the fused engine does not report.
            with self._val_writer.as_default():
                for name, value in (logs or {}).items():
                    if name.startswith("val_"):
                        tag = f"evaluation_{name.removeprefix('val_')}_vs_iterations"
                        self.summary.scalar(tag, value, int(self.model.optimizer.iterations))
            super().on_epoch_end(epoch, logs)

        def _configure_embeddings(self) -> None:
            folder = Path(self._log_write_dir)
            folder.mkdir(parents=True, exist_ok=True)
            layers, given = _embeddings(self.model), self.embeddings_metadata
            if given is None and (words := vocabulary()) is not None:
                given = {layer.name: f"{layer.name}_words.tsv" for layer in layers}
                for layer in layers:
                    text = _lines(words, int(layer.input_dim))
                    write_text(folder / given[layer.name], text, replace=True)
            text = "".join(_projected(layer.name, given) for layer in layers)
            write_text(folder / "projector_config.pbtxt", text, replace=True)

        def _log_embeddings(self, epoch: int) -> None:
            for layer in _embeddings(self.model):
                table = keras.ops.convert_to_numpy(layer.embeddings)
                rows = ("\t".join(f"{number:.6g}" for number in row) for row in table)
                place = Path(self._log_write_dir) / f"{layer.name}.tsv"
                write_text(place, "\n".join(rows) + "\n", replace=True)

    return TensorBoard(**arguments)


def _require_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if find_spec("tensorflow") is None:
        raise ComponentError(
            "TensorBoard's logs are written by TensorFlow, whatever Keras computes with: "
            "pip install tensorflow"
        )


def _embeddings(model: Any) -> list[Any]:
    import keras

    leaves = (layer for _, layer in leaf_layers(model))
    return [layer for layer in leaves if isinstance(layer, keras.layers.Embedding)]


def _projected(name: str, metadata: Any) -> str:
    """The projector's entry for the table of one layer."""
    given = metadata.get(name) if isinstance(metadata, Mapping) else metadata
    path = "" if given is None else f'  metadata_path: "{given}"\n'
    return f'embeddings {{\n  tensor_name: "{name}"\n  tensor_path: "{name}.tsv"\n{path}}}\n'


def _lines(words: Sequence[str], rows: int) -> str:
    """A word a line for each row of a table; a list of one column has no heading."""
    known = [" ".join(word.split()) for word in words[:rows]]
    return "\n".join([*known, *[""] * (rows - len(known))]) + "\n"


class _Summaries:
    """`tf.summary`, with what the package `tensorboard` would add."""

    def __getattr__(self, name: str) -> Any:
        import tensorflow as tf

        return getattr(tf.summary, name)

    def scalar(self, name: str, data: Any, step: Any) -> None:
        """Write one number."""
        _write(name, np.float32(_array(data)), step, "scalars", SCALAR)

    def histogram(self, name: str, data: Any, step: Any) -> None:
        """Write how numbers are distributed: (buckets, 3) left edge, right edge, count."""
        counts, edges = np.histogram(_array(data), bins=BUCKETS)
        table = np.stack([edges[:-1], edges[1:], counts], axis=1).astype(np.float64)
        _write(name, table, step, "histograms", TENSOR)

    def image(self, name: str, data: Any, step: Any) -> None:
        """Write (k, h, w, c) pictures of numbers between 0 and 1."""
        import tensorflow as tf

        pictures = tf.image.convert_image_dtype(_array(data), tf.uint8, saturate=True)[:3]
        sizes = [str(size).encode() for size in (pictures.shape[2], pictures.shape[1])]
        encoded = [tf.io.encode_png(picture).numpy() for picture in pictures]
        _write(name, np.array([*sizes, *encoded], object), step, "images", BLOBS)


def _array(data: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(data))


def _write(name: str, tensor: Any, step: Any, plugin: str, kind: int) -> None:
    import tensorflow as tf

    metadata = tf.compat.v1.SummaryMetadata(data_class=kind)
    metadata.plugin_data.plugin_name = plugin
    tf.summary.write(name, tensor, step=int(step), metadata=metadata)
