"""Where in a picture a convnet sees its class: Grad-CAM.

Source: Selvaraju et al. (2017); Deep Learning with Python, section 5.4.3 and its figures.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dlrun.data.inputs import Inputs
from dlrun.reports.html.pictures import is_picture
from dlrun.reports.sheets import Sheet, Tile, stretched
from dlrun.text import counted, figure
from dlrun.views import RowChoice, ViewOfRows, ViewResult
from dlrun.views.parts.contents import pictures_in
from dlrun.views.parts.layers import chosen_layers, gradients, layer_outputs, tensors_of, watched
from dlrun.views.parts.sanity import Sanity, sanity_of
from dlrun.views.parts.scores import ClassScore, Score
from dlrun.views.parts.subject import ChosenRows, Subject

Array = np.ndarray

BATCH = 8


class ClassActivation(ViewOfRows):
    """Mark the places of a picture that speak for a class, as the last convolution sees them
    (Grad-CAM), and check whether these maps depend on what was learnt."""

    rows: RowChoice = 8
    """Which rows; see `rows`."""

    layer: str | None = None
    """The layer whose channels are weighed; default: the last one with height and width, before the
    last pooling."""

    of_class: str | int = Field(default="predicted", alias="class")
    """Whose places are marked: `predicted`, `true`, or the name of a class."""

    score: Score = "probability"
    """What is derived: the `probability` of the class, as in the book, or its `logit`, which does
    not vanish where the model is sure."""

    strength: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the map in the colours of a marked picture."""

    sanity: bool = True
    """Whether to compute the maps again with random weights, to see that they depend on what was
    learnt."""

    def look(self, subject: Subject) -> ViewResult:
        chosen = subject.rows(self.rows)
        inputs, score = subject.inputs(chosen.samples), ClassScore(subject, self.score)
        layer = self._layer(subject, inputs)
        predictions = subject.predictions(inputs)
        classes = score.classes(self.of_class, predictions, chosen)

        def maps() -> Array:
            return class_maps(subject, layer, inputs, classes, score)

        found = maps()
        sanity = sanity_of(subject, found, maps) if self.sanity else None
        texts = subject.prediction_texts(predictions)
        of = ["" for _ in classes]
        if subject.task != "regression":
            of = [subject.class_names[index] for index in classes]
        lines = [f"{counted(len(chosen.names), 'picture')}, as the layer {layer} sees them"]
        empty = [n for n, one in zip(chosen.names, found, strict=True) if not one.any()]
        if empty:
            lines.append(f"no place speaks for the class in {', '.join(empty[:4])}")
        facts = {
            "layer": layer,
            "part": chosen.part,
            "rows": chosen.numbers.tolist(),
            "pictures_of": [
                {"name": name, "label": label or None, "class": one, "top": top}
                for name, label, one, top in zip(
                    chosen.names,
                    chosen.labels or [""] * len(of),
                    of,
                    _top(subject, predictions),
                    strict=True,
                )
            ],
        }
        sheets = [self._sheet(subject, chosen, inputs, found, texts, of)]
        if sanity is not None:
            lines.append(sanity.line)
            facts["sanity"] = sanity.as_dict()
            sheets += self._sanity_sheet(chosen, inputs, found, sanity)
        return ViewResult(lines, facts, {"maps": found, "rows": chosen.numbers}, sheets)

    def _layer(self, subject: Subject, inputs: Inputs) -> str:
        few = layer_outputs(subject.model, subject.layers, inputs[slice(0, 1)])
        spatial = {name: all(one.ndim == 4 for one in uses) for name, uses in few.items()}
        if self.layer is not None:
            (name, *others) = chosen_layers(subject, [self.layer], "layer")
            if others or not spatial.get(name):
                what = "names several layers" if others else "gives no channels of pictures"
                raise subject.problem(f"'{self.layer}' {what}; name one convolution", "layer")
            return name
        kinds = {name: type(subject.layers[name]).__name__ for name in few}
        if not any("Conv" in kind and spatial[name] for name, kind in kinds.items()):
            raise subject.problem(
                "the model has no convolution of pictures, on which maps are made"
            )
        dull = (
            "Pool",
            "Dropout",
            "Noise",
            "Padding",
            "Random",
            "Rescaling",
            "Reshape",
            "UpSampling",
        )
        return [
            name
            for name, kind in kinds.items()
            if spatial[name]
            and max(few[name][0].shape[1:3]) > 1
            and not any(d in kind for d in dull)
        ][-1]

    def _sheet(
        self,
        subject: Subject,
        chosen: ChosenRows,
        inputs: Inputs,
        maps: Array,
        texts: list[str],
        of: list[str],
    ) -> Sheet:
        tiles = []
        for number, pictures in enumerate(_pictures(chosen, inputs, maps)):
            for use, picture in enumerate(pictures):
                branch = f", branch {use + 1}" if len(pictures) > 1 else ""
                tiles.append(Tile(picture, f"{chosen.captions[number]}{branch}"))
                heat = maps[number, use] if maps.ndim == 4 else maps[number]
                said = f"predicted {texts[number]}"
                marked = f", marked: {of[number]}" if of[number] not in ("", texts[number]) else ""
                marked = "" if texts[number].startswith(f"{of[number]} ") else marked
                tiles.append(Tile(picture, said + marked, heat=heat, strength=self.strength))
        title = f"{subject.config.name}: which places speak for the class"
        note = "Yellow: much, dark blue: nothing. Each map in its own range."
        return Sheet("class_activation", title, tiles, columns=4, width=220, note=note)

    def _sanity_sheet(
        self, chosen: ChosenRows, inputs: Inputs, maps: Array, sanity: Sanity
    ) -> list[Sheet]:
        if not sanity.layers:
            return []
        picture = _pictures(chosen, inputs, maps)[0][0]
        stages = [(maps[0], "as trained")]
        for layer, value, those in zip(sanity.layers, sanity.similarity, sanity.maps, strict=True):
            similar = figure(round(value, 2))
            stages.append((those[0], f"random from {layer} on: similarity {similar}"))
        tiles = [
            Tile(picture, title, heat=one[0] if one.ndim == 3 else one, strength=self.strength)
            for one, title in stages
        ]
        title = f"Sanity check: the map of {chosen.names[0]} with more and more random weights"
        note = (
            "The similarity is the mean over all rows. A map that stays the same explains nothing."
        )
        return [Sheet("sanity", title, tiles, columns=4, width=220, note=note)]


def class_maps(
    subject: Subject, layer: str, inputs: Inputs, classes: Array, score: ClassScore
) -> Array:
    """Return the map of each row, (n, h, w) float32 from 0 to 1, zeros where nothing speaks for its
    class; of a layer that is used k times, (n, k, h, w).

    Every channel of the layer is weighed with the mean gradient of the row's score over height and
    width; the map is the mean over the channels, negative places 0, over its maximum.
    """
    parts = []
    with score.scoring():
        for start in range(0, len(inputs), BATCH):
            rows = slice(start, start + BATCH)
            parts.append(_maps_of_batch(subject, layer, inputs[rows], classes[rows], score))
    maps = np.concatenate(parts)
    highest = maps.max(axis=(-2, -1), keepdims=True)
    scaled = (maps / np.where(highest > 0, highest, 1)).astype(np.float32)
    return scaled[:, 0] if scaled.shape[1] == 1 else scaled


def _maps_of_batch(
    subject: Subject, name: str, batch: Any, classes: Array, score: ClassScore
) -> Array:
    """(b, uses, h, w)."""
    from keras import ops

    layers = {name: subject.layers[name]}
    zeros = [np.zeros_like(one) for one in layer_outputs(subject.model, layers, batch)[name]]
    tensors = tensors_of(batch)

    def scores(added: list[Any]) -> tuple[Any, list[Any]]:
        # What is derived by what is added is derived by what the layer gives.
        def plus(_: str, use: int, value: Any) -> Any:
            return value + ops.cast(added[use], value.dtype)

        with watched(layers, plus) as given:
            outputs = subject.model(tensors, training=False)
        return score.of(outputs, classes), given[name]

    _, outputs, slopes = gradients(scores, zeros)
    if getattr(layers[name], "data_format", None) == "channels_first":
        outputs, slopes = ([np.moveaxis(o, 1, -1) for o in each] for each in (outputs, slopes))
    maps = [
        np.maximum((slope.mean(axis=(1, 2), keepdims=True) * output).mean(axis=-1), 0)
        for output, slope in zip(outputs, slopes, strict=True)
    ]
    return np.stack(maps, axis=1)


def _pictures(chosen: ChosenRows, inputs: Inputs, maps: Array) -> list[list[Array]]:
    """The pictures of each row: one, or one for each use of the layer."""
    columns = [c for c in chosen.samples.features.values() if isinstance(c, np.ndarray)]
    columns = [c if c.dtype == np.uint8 else stretched(c) for c in columns if is_picture(c)]
    uses = maps.shape[1] if maps.ndim == 4 else 1
    if not columns:
        found = pictures_in(chosen.samples)
        batch = inputs[slice(0, len(inputs))]
        if found is None and isinstance(batch, np.ndarray) and is_picture(batch):
            found = stretched(batch)
        if found is None:
            # Nothing to lay the map over: the map alone.
            found = np.ones(maps.shape[:1] + maps.shape[-2:], np.float32)
        columns = [found]
    columns = (columns * uses)[:uses] if len(columns) < uses else columns[:uses]
    return [[column[row] for column in columns] for row in range(len(maps))]


def _top(subject: Subject, predictions: Array) -> list[Any]:
    """The three best classes of each row with their probabilities, or the quantities."""
    if subject.task == "regression":
        return [row.tolist() for row in predictions]
    if predictions.shape[1] == 1:
        predictions = np.column_stack([1 - predictions[:, 0], predictions[:, 0]])
    order = np.argsort(-predictions, axis=1, kind="stable")[:, :3]
    names = subject.class_names
    return [
        [[names[i], float(predictions[row, i])] for i in best] for row, best in enumerate(order)
    ]
