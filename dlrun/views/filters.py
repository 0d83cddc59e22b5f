"""Patterns that the filters of a convnet respond to, found by gradient ascent in the picture.

Source: Deep Learning with Python, section 5.4.2 and figures 5.29 to 5.33.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dlrun.config.schema import LayerPatterns
from dlrun.data.inputs import NamedInputs
from dlrun.reports.sheets import AnySheet, Sheet, Tile, mosaic
from dlrun.text import counted
from dlrun.views import View, ViewResult
from dlrun.views.parts.layers import chosen_layers, gradients, layer_outputs, watched
from dlrun.views.parts.subject import Subject

Array = np.ndarray

MOST_LAYERS = 4
"""Layers that are shown where the config names none."""

SAMPLE = 32
"""Training rows that tell the range of the model's input."""

BATCH = 16

GREY, NOISE = 128 / 255, 20 / 255
"""Where the ascent begins: grey, with a little noise, as shares of the input's range."""


class Filters(View):
    """Draw for each filter of a convolution a pattern that it responds to: beginning from grey
    noise, the picture climbs the gradient of the filter's mean output. A filter that is silent on
    grey begins from the training row that it responds to most."""

    layers: LayerPatterns = Field(default_factory=list)
    """Names of convolutions, or patterns such as `conv2d*`; a layer of a nested model is named
    after it and a dot. Default: up to 4, spread evenly over all convolutions."""

    filters: Annotated[int, Field(ge=1)] = 64
    """How many of the filters of each layer, at most: the first ones."""

    steps: Annotated[int, Field(ge=1, le=10_000)] = 40
    """Steps of the ascent."""

    step: Annotated[float, Field(gt=0)] = 1.0
    """Length of a step, where the input goes from 0 to 255; in other units as much of its range."""

    per_row: Annotated[int, Field(ge=1, le=64)] = 8
    """Patterns side by side."""

    def look(self, subject: Subject) -> ViewResult:
        sample = subject.inputs(subject.sample("train", SAMPLE))
        if isinstance(sample, NamedInputs) or len(sample.shape) != 4:
            raise subject.problem("this view needs a model with one input, of pictures")
        rows = np.asarray(sample[slice(0, SAMPLE)], np.float32)
        lines, facts, arrays, sheets = [], [], dict[str, Array](), list[AnySheet]()
        for name in self._layers(subject, rows[:1]):
            patterns, begin, end, live = self._ascent(subject, name, rows)
            rising = int((end > begin)[live].sum())
            alive, dead = int(live.sum()), int((~live).sum())
            line = f"{name}: the response rises for {rising} of {counted(alive, 'live filter')}"
            silent = f"; {dead} of {len(live)} respond to neither grey nor training rows"
            lines.append(line + (silent if dead else ""))
            each = zip(begin.tolist(), end.tolist(), live.tolist(), strict=True)
            responses = [{"start": b, "end": e, "live": one} for b, e, one in each]
            facts.append({"layer": name, "filters": responses})
            arrays[name] = patterns
            if live.any():
                sheets.append(self._sheet(name, patterns, live))
        return ViewResult(lines, {"layers": facts}, arrays, sheets)

    def _layers(self, subject: Subject, row: Array) -> list[str]:
        outputs = layer_outputs(subject.model, subject.layers, row)
        spatial = [n for n, uses in outputs.items() if all(one.ndim == 4 for one in uses)]
        if self.layers:
            chosen = chosen_layers(subject, self.layers)
            for name in chosen:
                if name not in spatial:
                    message = f"'{name}' gives no channels of pictures; name convolutions"
                    raise subject.problem(message, "layers")
            return chosen
        named = [name for name in spatial if "Conv" in type(subject.layers[name]).__name__]
        if not named:
            raise subject.problem("the model has no convolution of pictures")
        picked = np.unique(np.linspace(0, len(named) - 1, MOST_LAYERS).round().astype(int))
        return [named[index] for index in picked]

    def _ascent(
        self, subject: Subject, name: str, rows: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Patterns (k, h, w, c) in units of the input, the mean response of each filter at the
        start and at the end, (k,), and whether anything changes it, (k,)."""
        low, spread = float(rows.min()), float(np.ptp(rows)) or 1.0
        random = np.random.default_rng(subject.config.seed)
        noise = random.uniform(0, 1, (1, *rows.shape[1:])).astype(np.float32)
        grey = low + spread * (GREY + NOISE * noise)
        starts = np.concatenate([grey, rows])
        given = layer_outputs(subject.model, {name: subject.layers[name]}, starts)[name][0]
        means = given.mean(axis=(1, 2))[:, : self.filters]
        # A filter that is silent on grey has no slope there: it begins from the row that it
        # responds to most.
        silent = (given[0] == given[0, :1, :1]).all(axis=(0, 1))[: self.filters]
        places = np.where(silent & (means > means[0]).any(axis=0), means.argmax(axis=0), 0)
        count = len(places)
        pictures = starts[places].astype(np.float32)
        begin, end = np.zeros((2, count), np.float32)
        live = np.zeros(count, bool)
        for start in range(0, count, BATCH):
            batch = np.arange(start, min(start + BATCH, count))
            for step in range(self.steps + 1):
                response, slope = _response(subject, name, pictures[batch], batch)
                if step == 0:
                    begin[batch] = response
                    live[batch] = np.abs(slope).max(axis=(1, 2, 3)) > 0
                if step == self.steps:
                    end[batch] = response
                    break
                size = np.sqrt(np.square(slope).mean(axis=(1, 2, 3), keepdims=True))
                # In units of the input's range, so that the guard against 0 is the book's.
                size = size * spread / 255
                pictures[batch] += self.step * spread / 255 * (slope * spread / 255 / (size + 1e-5))
        return pictures, begin, end, live

    def _sheet(self, name: str, patterns: Array, live: Array) -> Sheet:
        shown = _visible(patterns)
        shown[~live] = 0.0
        grid = mosaic(shown, self.per_row, side=96, least=72)
        note = (
            "Filters that respond to neither grey nor training rows are black."
            if not live.all()
            else ""
        )
        title = f"{name}: patterns that its filters respond to"
        tiles = [Tile(grid)]
        return Sheet(name.replace(".", "-"), title, tiles, columns=1, width=None, note=note)


def _response(subject: Subject, name: str, pictures: Array, channels: Array) -> tuple[Array, Array]:
    """The mean output of a channel for each picture, (b,), and its gradient (b, h, w, c)."""
    from keras import ops

    layers = {name: subject.layers[name]}

    def responses(at: list[Any]) -> tuple[Any, list[Any]]:
        with watched(layers) as given:
            subject.model(at[0], training=False)
        means = ops.mean(ops.cast(given[name][0], "float32"), axis=(1, 2))
        own = np.zeros((len(channels), means.shape[-1]), np.float32)
        own[np.arange(len(channels)), channels] = 1
        return ops.sum(means * ops.convert_to_tensor(own), axis=-1), []

    values, _, (slope,) = gradients(responses, [pictures])
    return values, slope


def _visible(patterns: Array) -> Array:
    """(k, h, w) or (k, h, w, 3) from 0 to 1: each with mean 0.5 and a standard deviation of 0.1, as
    in the book's listing."""
    mean = patterns.mean(axis=(1, 2, 3), keepdims=True)
    spread = patterns.std(axis=(1, 2, 3), keepdims=True)
    shown = np.clip((patterns - mean) / (spread + 1e-5) * 0.1 + 0.5, 0, 1)
    return shown if shown.shape[-1] == 3 else shown.mean(axis=-1)
