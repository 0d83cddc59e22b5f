"""Where an embedding has put the words, and which are near each other.

Source: Deep Learning with Python, section 6.1.2 and figure 7.12.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from dlrun.reports.charts import Chart, DotsMark, Mark, TextMark, axis_holding
from dlrun.reports.sheets import AnySheet, ChartSheet, TableSheet
from dlrun.text import figure, percent, quoted
from dlrun.views import View, ViewResult
from dlrun.views.parts.contents import meanings_of
from dlrun.views.parts.layers import chosen_layers
from dlrun.views.parts.subject import Subject

Array = np.ndarray

NEIGHBOURS = 8

MOST_NAMED = 25
"""Words of the picture that are written beside their dot, those that lie farthest out."""


class Embedding(View):
    """Draw the vectors of words by their two principal components, and list the nearest words of
    chosen ones by the cosine of the angle between their vectors."""

    near: list[str] = Field(default_factory=list)
    """Words whose nearest words are listed; default: some of the first ones that are drawn."""

    words: Annotated[int, Field(ge=3, le=5000)] = 200
    """How many words are drawn and compared: the first ones, which are the most frequent."""

    layer: str | None = None
    """The `Embedding`; default: the only one."""

    def look(self, subject: Subject) -> ViewResult:
        vectors, words = self._vectors(subject)
        count = min(self.words, len(words))
        near = self.near or words[: min(5, count)]
        for number, word in enumerate(near):
            if word not in words:
                message = f"the embedding has no word '{word}'"
                raise subject.problem(message, "near", number)
        # Words that are asked for are there, however rare.
        places = list(dict.fromkeys([*range(count), *(words.index(word) for word in near)]))
        shown, names = vectors[places], [words[place] for place in places]
        plane, shares = principal_components(shown)
        neighbours = {word: nearest(shown, names, names.index(word)) for word in near}
        lines = [
            f"{len(names)} words of {vectors.shape[1]} numbers each; the picture shows "
            f"{percent(float(shares.sum()))} of their variance"
        ]
        lines += [
            f"nearest to {quoted([word])}: {', '.join(other for other, _ in found[:5])}"
            for word, found in neighbours.items()
        ]
        facts = {"words": names, "variance": shares.tolist(), "nearest": neighbours}
        rows = [
            [word, ", ".join(f"{other} {figure(round(cosine, 2))}" for other, cosine in found)]
            for word, found in neighbours.items()
        ]
        title = f"{subject.config.name}: words by their vectors"
        sheets: list[AnySheet] = [
            ChartSheet("embedding", title, [_chart(plane, names, near)]),
            TableSheet("nearest", "Nearest words", ["word", "nearest, with the cosine"], rows),
        ]
        return ViewResult(lines, facts, {"vectors": shown, "plane": plane}, sheets)

    def _vectors(self, subject: Subject) -> tuple[Array, list[str]]:
        """Vectors of the words that have a meaning, (w, d), and those words."""
        layers = [n for n, one in subject.layers.items() if type(one).__name__ == "Embedding"]
        if self.layer is not None:
            (name, *_) = chosen_layers(subject, [self.layer], "layer")
            if name not in layers:
                raise subject.problem(f"'{self.layer}' is no Embedding", "layer")
        elif len(layers) != 1:
            there = f"it has {quoted(layers)}; name one as `layer`" if layers else "it has none"
            raise subject.problem(f"this view needs a model with one Embedding, and {there}")
        else:
            (name,) = layers
        table = np.asarray(subject.layers[name].get_weights()[0], np.float32)
        meanings: dict[int, str] = {}
        for column in subject.pipeline.expected_columns:
            meanings = meanings or meanings_of(subject, column)
        if not meanings:
            raise subject.problem("the data has no vocabulary that gives the words of its numbers")
        numbers = [
            n for n in sorted(meanings) if 0 <= n < len(table) and meanings[n][:1] not in ("", "[")
        ]
        return table[numbers], [meanings[number] for number in numbers]


def principal_components(vectors: Array) -> tuple[Array, Array]:
    """Return vectors (n, d) by their first two principal components, (n, 2), and the share of the
    variance of each; the largest coordinate of a component is positive, so that the same vectors
    always give the same picture."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])[:2]
    variance = np.square(sizes)
    return left[:, :2] * sizes[:2] * signs, variance[:2] / (variance.sum() or 1)


def nearest(vectors: Array, names: list[str], place: int) -> list[tuple[str, float]]:
    """Return the words whose vectors point most nearly in the direction of one, with the cosine."""
    length = np.linalg.norm(vectors, axis=1)
    unit = vectors / np.where(length > 0, length, 1)[:, None]
    cosines = unit @ unit[place]
    order = [i for i in np.argsort(-cosines, kind="stable") if i != place][:NEIGHBOURS]
    return [(names[i], float(cosines[i])) for i in order]


def _chart(plane: Array, names: list[str], near: list[str]) -> Chart:
    # In the middle, words would cover each other.
    spread = plane.std(axis=0)
    distances = np.linalg.norm(plane / np.where(spread > 0, spread, 1), axis=1)
    far = set(np.argsort(-distances, kind="stable")[:MOST_NAMED].tolist())
    named = [i for i, name in enumerate(names) if i in far or name in near]
    marks: list[Mark] = [DotsMark(plane[:, 0], plane[:, 1], "model", "a word", size=3.0)]
    for index in named:
        x, y = plane[index].tolist()
        style = "value" if names[index] in near else "note"
        marks.append(TextMark(x, y, names[index], shift=(0, 2), style=style))
    return Chart(
        axis_holding(plane[:, 0], "first component", padding=0.08),
        axis_holding(plane[:, 1], "second component"),
        tuple(marks),
        description=f"{len(names)} words by the two principal components of their vectors",
    )
