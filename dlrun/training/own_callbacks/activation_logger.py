"""The outputs of layers for a few rows, kept after every epoch.

Source: Deep Learning with Python, section 7.2.1, which writes such a callback by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from typing import Any

from pydantic import Field

from dlrun.errors import ComponentError
from dlrun.registry.names import did_you_mean
from dlrun.store.files import make_folder, write_npz
from dlrun.training.own_callback import FitFacts, OwnCallback

FOLDER = "activations"


class ActivationLogger(OwnCallback):
    """Saves the outputs of layers for a few validation rows, as `activations/epoch_03.npz`."""

    layers: str | list[str]
    """Names of layers, or patterns such as `conv*`; a layer of a nested model is called
    `vgg16.block5_conv1`."""

    rows: int = Field(default=1, ge=1)
    """How many rows, the first ones; training rows where nothing is held out."""

    def build(self, fit: FitFacts) -> Any:
        """Return a callback that writes (rows, ...) arrays by the layers' names.

        A layer that is used several times has `name`, `name_call1`, ...

        Raises:
            ComponentError: A name or pattern matches no layer of the model.
        """
        import keras

        chosen: list[str] = [] if fit.model is None else self._chosen(fit.model)
        rows, folder = self.rows, fit.folder

        class ActivationLogger(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
                assert folder is not None
                width = max(2, len(str(self.params["epochs"])))
                place = folder() / FOLDER
                make_folder(place)
                arrays = activations(self.model, chosen, fit.rows[0:rows])
                write_npz(place / f"epoch_{epoch + 1:0{width}d}.npz", arrays)

        return ActivationLogger()

    def _chosen(self, model: Any) -> list[str]:
        """The names of the chosen layers."""
        known = list(named_layers(model))
        chosen: list[str] = []
        for wanted in [self.layers] if isinstance(self.layers, str) else self.layers:
            found = [name for name in known if fnmatchcase(name, wanted)]
            if not found:
                near = did_you_mean(wanted, known) or f"; there are {', '.join(known)}"
                raise ComponentError(f"ActivationLogger: no layer is called '{wanted}'{near}")
            chosen += found
        return list(dict.fromkeys(chosen))


def named_layers(model: Any, above: str = "") -> dict[str, Any]:
    """Return the layers of a model by name, those of nested models as `model.layer`."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        found[above + layer.name] = layer
        if hasattr(layer, "layers"):
            found |= named_layers(layer, f"{above}{layer.name}.")
    return found


def activations(model: Any, names: Sequence[str], rows: Any) -> dict[str, Any]:
    """Return the outputs of layers for rows, as arrays by name.

    Args:
        model: A `keras.Model`.
        names: Of layers, as `named_layers` gives them.
        rows: What the model takes.
    """
    import keras

    layers, found = named_layers(model), dict[str, list[Any]]()
    with ExitStack() as recording:
        for name in names:
            recording.enter_context(_recorded(layers[name], found.setdefault(name, [])))
        model(keras.tree.map_structure(keras.ops.convert_to_tensor, rows), training=False)
    return {
        name if index == 0 else f"{name}_call{index}": keras.ops.convert_to_numpy(output)
        for name, outputs in found.items()
        for index, output in enumerate(outputs)
    }


@contextmanager
def _recorded(layer: Any, into: list[Any]) -> Iterator[None]:
    """Note what a layer returns, wherever in nested models it is called."""
    import keras

    call = layer.call

    def recorded(*arguments: Any, **options: Any) -> Any:
        output = call(*arguments, **options)
        into.extend(keras.tree.flatten(output))
        return output

    # Not `setattr`: Keras would take the function as a part of the layer.
    object.__setattr__(layer, "call", recorded)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")
