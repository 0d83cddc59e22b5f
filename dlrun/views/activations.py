"""What the layers of a network give for a row.

Source: Deep Learning with Python, section 5.4.1 and figures 5.24 to 5.27.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dlrun.config.schema import LayerPatterns
from dlrun.reports.sheets import AnySheet, Sheet, Tile, mosaic, stretched
from dlrun.text import counted, percent, shape_text
from dlrun.views import RowChoice, ViewOfRows, ViewResult
from dlrun.views.parts.contents import pictures_in
from dlrun.views.parts.layers import PASSING, chosen_layers, layer_outputs
from dlrun.views.parts.subject import ChosenRows, Subject

MOST_LAYERS = 8
"""Layers that are shown where the config names none."""

BATCH = 32

SIDE = 96
"""Pixels of the longer side of a channel."""


class Activations(ViewOfRows):
    """Show what layers give for rows: every channel of a convolution as a small picture, and the
    share of channels that stay blank."""

    rows: RowChoice = 1
    """Which rows; see `rows`."""

    layers: LayerPatterns = Field(default_factory=list)
    """Names of layers, or patterns such as `conv2d*`; a layer of a nested model is named after it
    and a dot. Default: up to 8 of the convolutions and poolings, or, in a model without any, of
    all layers that compute something."""

    per_row: Annotated[int, Field(ge=1, le=64)] = 16
    """Channels side by side."""

    def look(self, subject: Subject) -> ViewResult:
        chosen = subject.rows(self.rows)
        layers = self._layers(subject)
        outputs = _outputs(subject, layers, chosen)
        if not outputs:
            return ViewResult(["none of these layers gives a tensor of numbers for each row"])
        tables = [_facts(name, values) for name, values in outputs.items()]
        sheets: list[AnySheet] = []
        if (pictures := pictures_in(chosen.samples)) is not None:
            pairs = zip(pictures, chosen.captions, strict=True)
            tiles = [Tile(picture, caption) for picture, caption in pairs]
            sheets.append(Sheet("rows", f"{subject.config.name}: {chosen.part}", tiles))
        for name, values in outputs.items():
            sheets += self._sheets(name, values, chosen)
        facts = {
            "part": chosen.part,
            "rows": chosen.numbers.tolist(),
            "names": list(chosen.names),
            "layers": tables,
        }
        lines = [
            f"{one['layer']}: {one['shape']}, {percent(one['blank'])} of "
            f"{counted(one['channels'], 'channel')} blank"
            for one in tables
        ]
        return ViewResult(lines, facts, {"rows": chosen.numbers, **outputs}, sheets)

    def _layers(self, subject: Subject) -> dict[str, Any]:
        if self.layers:
            return {name: subject.layers[name] for name in chosen_layers(subject, self.layers)}
        kinds = {name: type(layer).__name__ for name, layer in subject.layers.items()}
        named = [n for n, k in kinds.items() if "Conv" in k or k.endswith(("Pooling2D", "Pool2D"))]
        named = named or [n for n, k in kinds.items() if k not in PASSING]
        picked = np.unique(np.linspace(0, len(named) - 1, MOST_LAYERS).round().astype(int))
        return {named[i]: subject.layers[named[i]] for i in picked}

    def _sheets(self, name: str, values: np.ndarray, chosen: ChosenRows) -> list[AnySheet]:
        file, heading = name.replace(".", "-"), f"{name}: {shape_text(values.shape[1:])}"
        if values.ndim == 4:
            grids = [mosaic(_visible(one), self.per_row, side=SIDE) for one in values]
            return [
                Sheet(
                    file if len(grids) == 1 else f"{file}-{row}",
                    f"{heading}, {caption}",
                    [Tile(grid, kind="map")],
                    columns=1,
                    width=None,
                    note="Each channel in its own range; blank channels are all dark blue.",
                )
                for grid, caption, row in zip(
                    grids, chosen.captions, chosen.numbers.tolist(), strict=True
                )
            ]
        flat = values if values.ndim == 2 else values.reshape(-1, values.shape[-1])
        axes = "a line a row, a column a unit"
        if values.ndim == 3:
            axes = "a line a step, those of one row after those of the other; a column a channel"
        tile = Tile(mosaic(stretched(flat)[None], 1, side=900, least=400), kind="map")
        note = f"{axes}; from dark, the least, to bright, the greatest"
        return [Sheet(file, heading, [tile], columns=1, width=None, note=note)]


def _outputs(subject: Subject, layers: dict[str, Any], chosen: ChosenRows) -> dict[str, np.ndarray]:
    """(n, ..., c) float32 by layer; of a layer that is used several times, by use."""
    inputs, parts = subject.inputs(chosen.samples), dict[str, list[np.ndarray]]()
    for start in range(0, len(inputs), BATCH):
        given = layer_outputs(subject.model, layers, inputs[slice(start, start + BATCH)])
        for name, uses in given.items():
            for use, value in enumerate(uses):
                called = name if use == 0 else f"{name}-use-{use + 1}"
                parts.setdefault(called, []).append(value)
    joined = {name: np.concatenate(each) for name, each in parts.items()}
    return {n: values for n, values in joined.items() if values.ndim in (2, 3, 4)}


def _facts(name: str, values: np.ndarray) -> dict[str, Any]:
    """How many channels of a layer say nothing: those that have one value all over a row."""
    channels = values.shape[-1]
    flat = values.reshape(len(values), -1, channels)
    blank = flat.max(axis=1) == flat.min(axis=1) if flat.shape[1] > 1 else flat[:, 0] == 0
    return {
        "layer": name,
        "shape": shape_text(values.shape[1:]),
        "channels": channels,
        "blank": float(blank.mean()),
        "zeros": float((values == 0).mean()),
    }


def _visible(channels: np.ndarray) -> np.ndarray:
    """(c, h, w) from 0 to 1 of (h, w, c): each with mean 128 and a standard deviation of 64 out of
    255, as in the book's listing."""
    each = np.moveaxis(channels.astype(np.float64), -1, 0)
    mean, spread = each.mean(axis=(1, 2), keepdims=True), each.std(axis=(1, 2), keepdims=True)
    there = spread > 1e-12
    scaled = (each - mean) / np.where(there, spread, 1.0) * 64 + 128
    return np.where(there, np.clip(scaled, 0, 255) / 255, 0.0)
