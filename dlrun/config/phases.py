"""Reading `training.phases` and `augment`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.config.callbacks import check_files
from dlrun.config.keras_components import read_named
from dlrun.config.measures import check_monitor
from dlrun.config.messages import found
from dlrun.config.report import Reporter
from dlrun.config.schema import Phase
from dlrun.config.validation import validate
from dlrun.errors import KeyPath
from dlrun.registry.keras_component import KerasComponent
from dlrun.registry.names import closest
from dlrun.text import listed

AUGMENTING = (
    "AugMix",
    "GaussianDropout",
    "GaussianNoise",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
)
"""Layers that change their input at random while training and give it back as it is elsewhere."""

USUAL = ("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomContrast")

OF_ANY_INPUT = frozenset({"GaussianDropout", "GaussianNoise"})
"""Those of them that take other inputs than pictures."""

_INSTEAD = {
    "MixUp": "it mixes targets as well, which a layer of the model does not see",
    "CutMix": "it mixes targets as well, which a layer of the model does not see",
    "RandomCrop": "it crops validation pictures too; put it first in `architecture: {layers: ...}`",
}
_EVERYWHERE = "it changes validation rows too; put it under `architecture: {layers: ...}`"


def read_phases(
    options: Mapping[Any, Any],
    metrics: list[KerasComponent] | None,
    report: Reporter,
) -> list[Phase]:
    """Read `training.phases`; empty where there is none, or where problems were reported.

    Args:
        options: All of `training`.
        metrics: Those of the config, None where they cannot be known.
        report: Takes the problems.
    """
    value, path = options.get("phases"), ("training", "phases")
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(phase, dict) for phase in value):
        report(
            path,
            "wrong value for 'phases'",
            expected="a list of phases, each beginning with '- epochs: '",
            found=found(value),
        )
        return []
    if value and options.get("epochs") is not None:
        report(
            ("training", "epochs"),
            "'epochs' stands beside 'phases'",
            hint="give each phase its own epochs, and remove it here; `epochs: null` where another "
            "file gives it",
            on_key=True,
        )
    read = [
        _read_phase(each, (*path, number), metrics, report) for number, each in enumerate(value)
    ]
    phases = [phase for phase in read if phase is not None]
    names = [phase.name for phase in phases]
    for number, name in enumerate(names):
        if name is not None and name in names[:number]:
            report((*phases[number].path, "name"), f"two phases are named '{name}'")
    return phases


def _read_phase(
    value: dict[Any, Any],
    path: KeyPath,
    metrics: list[KerasComponent] | None,
    report: Reporter,
) -> Phase | None:
    before, values = len(report), {**value, "path": path}
    for key in ("freeze", "unfreeze"):
        if isinstance(value.get(key), str):
            values[key] = [value[key]]
    if value.get("optimizer") is not None:
        values["optimizer"] = read_named(
            "optimizer", value["optimizer"], (*path, "optimizer"), report
        )
    given = value.get("callbacks")
    if given is not None and not isinstance(given, list):
        report(
            (*path, "callbacks"),
            "wrong value for 'callbacks'",
            expected="a list of callbacks, each beginning with '- '",
            found=found(given),
        )
    elif given is not None:
        read = [
            read_named("callback", each, (*path, "callbacks", number), report)
            for number, each in enumerate(given)
        ]
        values["callbacks"] = callbacks = [callback for callback in read if callback is not None]
        for callback in callbacks:
            check_files(callback, report)
            if metrics is not None:
                check_monitor(callback, metrics, report)
    known = [name for name in Phase.model_fields if name != "path"]

    def report_unknown(key: str | int) -> None:
        near = closest(str(key), known)
        report(
            (*path, key),
            f"unknown key '{key}' in a phase" + (f"; did you mean '{near}'?" if near else ""),
            expected=None if near else listed(known, "or"),
            on_key=True,
        )

    phase = validate(
        Phase, values, path, report, name="phases", unknown=report_unknown, reported=("callbacks",)
    )
    return phase if len(report) == before else None


def read_augment(
    value: Any, report: Reporter
) -> list[KerasComponent] | dict[str, list[KerasComponent]] | None:
    """Read `augment`: a list of layers, or a mapping from inputs to such lists."""
    if value is None:
        return None
    if isinstance(value, list):
        return _read_layers(value, ("augment",), report)
    inputs = isinstance(value, dict) and all(isinstance(each, list) for each in value.values())
    if not inputs:
        report(
            ("augment",),
            "wrong value for 'augment'",
            expected="a list of random layers, each on a line that begins with '- '",
            found=found(value),
        )
        return None
    return {
        str(name): _read_layers(layers, ("augment", name), report) for name, layers in value.items()
    }


def _read_layers(values: list[Any], path: KeyPath, report: Reporter) -> list[KerasComponent]:
    read = [
        read_named("layer", each, (*path, number), report) for number, each in enumerate(values)
    ]
    layers = [layer for layer in read if layer is not None]
    for layer in layers:
        if layer.name not in AUGMENTING:
            report(
                layer.path,
                f"{layer.alias} is no augmentation",
                expected=f"a layer such as {listed(USUAL, 'or')}",
                hint=_INSTEAD.get(layer.name, _EVERYWHERE),
                on_key=True,
            )
    return layers
