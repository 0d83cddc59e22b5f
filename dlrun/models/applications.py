"""Models of `keras.applications` as layers: their weights, and what they do to pixels first.

https://keras.io/api/applications/
"""

from __future__ import annotations

import os
import re
import socket
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from dlrun.errors import ComponentError
from dlrun.models.objects import REFUSALS, reason, refused
from dlrun.registry.keras_component import KerasComponent
from dlrun.text import shape_text

IMAGENET = "imagenet"

SECONDS_TO_ANSWER = 20.0
"""How long a server may keep silent before a download counts as failed."""

MEANS = (123.68, 116.779, 103.939)
"""Red, green and blue of the pictures of ImageNet, from 0 to 255."""

SHARES = (0.485, 0.456, 0.406)
DEVIATIONS = (0.229, 0.224, 0.225)
"""Their means and standard deviations, from 0 to 1."""

PREPROCESSING: Mapping[str, str] = {
    "DenseNet": "standardized",
    "InceptionResNetV2": "symmetric",
    "InceptionV3": "symmetric",
    "MobileNet": "symmetric",
    "NASNet": "symmetric",
    "ResNet101": "centred",
    "ResNet101V2": "symmetric",
    "ResNet152": "centred",
    "ResNet152V2": "symmetric",
    "ResNet50": "centred",
    "ResNet50V2": "symmetric",
    "VGG": "centred",
    "Xception": "symmetric",
    "ConvNeXt": "own",
    "EfficientNet": "own",
    "EfficientNetV2": "own",
    "MobileNetV3": "own",
}
"""What `preprocess_input` of a family's module does (`keras/src/applications/imagenet_utils.py`);
`own` models hold it already. The longest beginning of a name counts."""


def build_application(
    component: KerasComponent, name: str, shape: Sequence[int | None], dtype: str
) -> Any:
    """Return a new model of `keras.applications` that takes pixels from 0 to 255.

    What `preprocess_input` of its module does is the first thing that the model does, in layers
    of Keras, so that it is saved with it.

    Args:
        component: The model and its arguments.
        name: The model's name.
        shape: Shape of one picture: height, width, channels.
        dtype: NumPy's name of the pixels' type.

    Raises:
        ComponentError: Keras refused it, it cannot take pictures of this shape, or its
            weights are missing and cannot be downloaded.
    """
    import keras

    arguments = dict(component.arguments)
    preprocess = arguments.pop("preprocess_input", True)
    kind = preprocessing_of(component.name)
    _check_shape(component, shape, preprocess)
    entrance = keras.Input(shape=tuple(shape), dtype=dtype, name=f"{name}_input")
    tensor = entrance
    if kind == "own":
        _set_own_preprocessing(component, arguments, preprocess)
    elif preprocess:
        tensor = _preprocessed(entrance, kind)
    if tensor is entrance and not dtype.startswith("float"):
        tensor = keras.layers.Rescaling(1.0, name="as_numbers")(entrance)
    make = getattr(keras.applications, component.name)
    weights = component.arguments.get("weights", IMAGENET)
    file = Path(weights) if isinstance(weights, str) and weights != IMAGENET else None
    if file is not None:
        arguments["weights"] = None
    try:
        with _downloads_shown():
            model = make(input_shape=tuple(shape), input_tensor=tensor, name=name, **arguments)
    except REFUSALS as error:
        raise refused(component, error) from error
    # What Keras raises where it cannot download is a plain `Exception`.
    except Exception as error:
        raise ComponentError(_missing(component, error), component.path) from error
    if file is not None:
        _load_weights(model, file, component)
    return model


def _load_weights(model: Any, file: Path, component: KerasComponent) -> None:
    """Give a model the weights of a file."""
    place = (*component.path, "weights")
    if not file.is_file():
        raise ComponentError(f"there is no file {file}", place)
    # Of a file of another model, Keras warns once a layer before it gives up.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.load_weights(file)
        except (*REFUSALS, OSError) as error:
            message = f"{file.name} holds no weights of this {component.alias}: {reason(error)}"
            raise ComponentError(message, place) from error
    for each in caught:
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def preprocessing_of(name: str) -> str:
    """Return what a model's `preprocess_input` does: `symmetric` (pixels from -1 to 1),
    `centred` (ImageNet's mean subtracted, channels in the order blue, green, red),
    `standardized` (by ImageNet's mean and deviation), or `own` (it is in the model)."""
    known = [family for family in PREPROCESSING if name.startswith(family)]
    return PREPROCESSING[max(known, key=len)]


def _preprocessed(pixels: Any, kind: str) -> Any:
    """Pixels from 0 to 255 as the model wants them, computed with 32 bits whatever the policy."""
    import keras

    def rescaled(scale: Any, offset: Any) -> Any:
        layer = keras.layers.Rescaling(scale, offset, dtype="float32", name="preprocess_input")
        return layer(pixels)

    if kind == "symmetric":
        return rescaled(1 / 127.5, -1.0)
    if kind == "standardized":
        scale = [1 / (255 * deviation) for deviation in DEVIATIONS]
        offset = [-mean / deviation for mean, deviation in zip(SHARES, DEVIATIONS, strict=True)]
        return rescaled(scale, offset)
    return keras.ops.flip(rescaled(1.0, [-mean for mean in MEANS]), axis=-1)


def _set_own_preprocessing(
    component: KerasComponent, arguments: dict[str, Any], preprocess: bool
) -> None:
    """Turn the preprocessing that a model holds on or off."""
    if component.name.startswith("EfficientNetB"):
        if not preprocess:
            message = f"the preprocessing of {component.name} cannot be turned off"
            raise ComponentError(message, (*component.path, "preprocess_input"))
        return
    arguments["include_preprocessing"] = preprocess


def _check_shape(component: KerasComponent, shape: Sequence[int | None], preprocess: bool) -> None:
    text = shape_text(shape)
    if len(shape) != 3:
        raise ComponentError(
            f"{component.alias} takes pictures of height, width and 3 channels, but gets the "
            f"shape {text}",
            component.path,
        )
    needs = preprocess or component.arguments.get("weights", IMAGENET) is not None
    if needs and shape[-1] != 3:
        what = "grey pictures" if shape[-1] == 1 else f"{shape[-1]} channels"
        raise ComponentError(
            f"{component.alias} takes pictures of 3 channels (red, green, blue), but gets {what} "
            f"{text}; load them as `color: rgb`, or put `Concatenate: {{}}` with the input three "
            "times in `from` before it",
            component.path,
        )


@contextmanager
def _downloads_shown() -> Iterator[None]:
    """Let Keras report downloads on standard error, and give up on a silent server."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS_TO_ANSWER)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _missing(component: KerasComponent, error: Exception) -> str:
    """What to do about missing weights."""
    text = reason(error)
    url = re.search(r"https?://\S+?(?=:? |:$|$)", text)
    if url is None:
        return f"cannot get the weights of {component.alias}: {text}"
    address = url[0].rstrip(":")
    folder = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
    return (
        f"the ImageNet weights of {component.alias} are missing and cannot be downloaded; put "
        f"{address.rpartition('/')[2]} into {folder}, from {address}, or set `weights: null` to "
        "start from random ones"
    )
