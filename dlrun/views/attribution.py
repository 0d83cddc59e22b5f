"""What each pixel, word or column adds to a prediction: integrated gradients.

Source: Sundararajan et al. (2017), Axiomatic Attribution for Deep Networks; the deletion curve is
that of Petsiuk et al. (2018).

Legend: n rows, s steps of the path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from dlrun.data.inputs import NamedInputs
from dlrun.reports.charts import Chart, LineMark, axis_holding, share_axis
from dlrun.reports.sheets import (
    AnySheet,
    ChartSheet,
    Sheet,
    TableSheet,
    Tile,
    WordsSheet,
    stretched,
)
from dlrun.text import figure
from dlrun.views import RowChoice, ViewOfRows, ViewResult
from dlrun.views.parts.contents import meanings_of
from dlrun.views.parts.layers import gradients, layer_outputs, tensors_of, watched
from dlrun.views.parts.sanity import sanity_of
from dlrun.views.parts.scores import ClassScore, Score
from dlrun.views.parts.subject import ChosenRows, Subject

Array = np.ndarray

BATCH = 32

POINTS = 11
"""Shares of a row that are deleted for the curve, from none to all."""

RANDOM_ORDERS = 5

LEAST_PARTS = 16
"""Of fewer, ranks are alike by chance."""

MOST_COLUMNS = 8
MOST_WORDS = 120


class Attribution(ViewOfRows):
    """Say what each pixel, word or number adds to the prediction, compared with a row that says
    nothing, by integrated gradients; check that the parts add up to the whole, that deleting the
    most important parts first matters more than deleting any, and that the maps depend on what was
    learnt."""

    rows: RowChoice = 4
    """Which rows; see `rows`."""

    of_class: str | int = Field(default="predicted", alias="class")
    """Whose score is taken apart: the `predicted` class, the `true` one, or one by its name."""

    score: Score = "probability"
    """The `probability` of the class, or its `logit`."""

    compared_with: Literal["mean", "zero"] = "mean"
    """The row that says nothing: the `mean` of the training rows, or `zero`s (black). Words are
    always compared with vectors of zeros."""

    steps: Annotated[int, Field(ge=2, le=10_000)] = 50
    """Steps from that row to the one in question; more of them add up more exactly."""

    sanity: bool = True
    """Whether to compute the maps again with random weights; of rows with fewer than 16 parts there
    is no such check."""

    def look(self, subject: Subject) -> ViewResult:
        chosen = subject.rows(self.rows)
        inputs, score = subject.inputs(chosen.samples), ClassScore(subject, self.score)
        if isinstance(inputs, NamedInputs):
            raise subject.problem("this view needs a model with one input")
        predictions = subject.predictions(inputs)
        classes = score.classes(self.of_class, predictions, chosen)
        batch = np.asarray(inputs[slice(0, len(inputs))])

        def parts() -> tuple[_Space, Array]:
            space = _space(subject, batch, self.compared_with, score, classes)
            with score.scoring():
                return space, integrated_gradients(space, self.steps)

        space, parts_of = parts()
        with score.scoring():
            whole = space.scores(space.rows) - space.scores(space.nothing)
            deletion = _deletion(space, parts_of, subject.config.seed)
        gap = np.abs(parts_of.reshape(len(batch), -1).sum(axis=1) - whole)
        lines = [
            f"the parts add up to the difference in {self._what(subject)} but for "
            f"{figure(float(gap.max()))} ({self.steps} steps)",
            deletion.line,
        ]
        facts = {
            "part": chosen.part,
            "rows": chosen.numbers.tolist(),
            "names": list(chosen.names),
            "predictions": subject.prediction_texts(predictions),
            "sums": parts_of.reshape(len(batch), -1).sum(axis=1).tolist(),
            "differences": whole.tolist(),
            "deletion": deletion.as_dict(),
        }
        if self.sanity and parts_of[0].size >= LEAST_PARTS:
            # Pictures are drawn without signs.
            drawn = np.abs if parts_of.ndim == 4 else np.asarray
            sanity = sanity_of(subject, drawn(parts_of), lambda: drawn(parts()[1]))
            lines.append(sanity.line)
            facts["sanity"] = sanity.as_dict()
        sheets = [self._sheet(subject, chosen, batch, parts_of, facts["predictions"])]
        sheets.append(deletion.sheet(self._what(subject)))
        arrays = {"maps": parts_of, "rows": chosen.numbers}
        return ViewResult(lines, facts, arrays, sheets)

    def _what(self, subject: Subject) -> str:
        if subject.task != "regression":
            return f"the {self.score}"
        of = "the first quantity of " if subject.model_output_shape[-1] > 1 else ""
        scaled = subject.pipeline.of_output(subject.output.name).target_pipelines[None].changes_unit
        return f"{of}the prediction" + (", scaled as in training," if scaled else "")

    def _sheet(
        self, subject: Subject, chosen: ChosenRows, batch: Array, parts: Array, said: list[str]
    ) -> AnySheet:
        title = f"{subject.config.name}: what adds to the prediction"
        captions = [f"{c}, predicted {p}" for c, p in zip(chosen.captions, said, strict=True)]
        if batch.ndim == 4 and batch.shape[-1] in (1, 3):
            tiles = []
            for picture, heat, caption in zip(stretched(batch), parts, captions, strict=True):
                size = np.abs(heat).sum(axis=-1)
                # A few pixels would leave all others dark.
                size = np.clip(size / (np.quantile(size, 0.99) or 1), 0, 1)
                tiles += [Tile(picture, caption), Tile(picture, "what counts", heat=size)]
            note = "Yellow: adds or takes away much. Each map in its own range."
            return Sheet("attribution", title, tiles, columns=4, width=220, note=note)
        if batch.dtype.kind in "iu" and batch.ndim == 2:
            meanings = meanings_of(subject, next(iter(chosen.samples.features)))
            texts = []
            for numbers, own, caption in zip(batch, parts, captions, strict=True):
                there = np.flatnonzero(numbers)[:MOST_WORDS]
                words = [meanings.get(int(number), str(number)) for number in numbers[there]]
                weights = own[there] / (np.abs(own[there]).max(initial=0) or 1)
                texts.append((caption, words, weights))
            note = "Orange words add to the prediction, blue ones take away from it."
            return WordsSheet("attribution", title, texts, note)
        names = list(subject.pipeline.feature_names)
        rows = []
        for own, caption in zip(parts, captions, strict=True):
            by_column = own if own.ndim == 1 else own.sum(axis=tuple(range(own.ndim - 1)))
            order = np.argsort(-np.abs(by_column), kind="stable")[:MOST_COLUMNS]
            known = len(names) == len(by_column)
            shown = [
                f"{names[i] if known else i} {by_column[i]:+.3g}" for i in order if by_column[i]
            ]
            rows.append([caption, ", ".join(shown) or "nothing"])
        return TableSheet("attribution", title, ["row", "what adds or takes away most"], rows)


@dataclass(frozen=True)
class _Space:
    """Where rows may be changed little by little: the model's input, or the vectors of words.

    Args:
        rows: (n, ...) float32.
        nothing: The same of the row that they are compared with.
        score: Returns the score of each row, a tensor (b,), of a tensor (b, ...) of `rows` at some
            positions.
        words: Whether the last axis is that of a word's vector.
    """

    rows: Array
    nothing: Array
    score: Callable[[Any, Array], Any]
    words: bool = False

    def scores(self, changed: Array) -> Array:
        """Return the score of each row, (n,), with its values changed."""
        parts = []
        for start in range(0, len(changed), BATCH):
            which = np.arange(start, min(start + BATCH, len(changed)))
            value, _ = self.derived(changed[which], which)
            parts.append(value)
        return np.concatenate(parts)

    def derived(self, at: Array, which: Array) -> tuple[Array, Array]:
        """Return the score of some rows, (b,), with other values, (b, ...), and its gradient."""

        def score(tensors: list[Any]) -> tuple[Any, list[Any]]:
            return self.score(tensors[0], which), []

        values, _, (slope,) = gradients(score, [at])
        return values, slope


def _space(
    subject: Subject, batch: Array, compared_with: str, score: ClassScore, classes: Array
) -> _Space:
    if batch.dtype.kind == "f" or batch.dtype == np.uint8:
        rows = batch.astype(np.float32)
        few = subject.inputs(subject.sample("train", 1000))
        mean = np.asarray(few[slice(0, len(few))], np.float32).mean(axis=0, keepdims=True)
        nothing = np.zeros_like(rows) if compared_with == "zero" else np.repeat(mean, len(rows), 0)

        def of_input(at: Any, which: Array) -> Any:
            return score.of(subject.model(at, training=False), classes[which])

        return _Space(rows, nothing, of_input)
    layers = {n: one for n, one in subject.layers.items() if type(one).__name__ == "Embedding"}
    if len(layers) != 1:
        message = "this view needs an input of real numbers, or one Embedding of word numbers"
        raise subject.problem(message)
    (name,) = layers
    rows = layer_outputs(subject.model, layers, batch)[name][0]

    def of_vectors(at: Any, which: Array) -> Any:
        from keras import ops

        with watched(layers, lambda n, use, value: ops.cast(at, value.dtype)):
            outputs = subject.model(tensors_of(batch[which]), training=False)
        return score.of(outputs, classes[which])

    return _Space(rows, np.zeros_like(rows), of_vectors, words=True)


def integrated_gradients(space: _Space, steps: int) -> Array:
    """Return what each part adds, (n, ...) float32; of words the sum over their vectors, (n, t).

    The integral over the path is taken at the middle of each step.
    """
    way = space.rows - space.nothing
    total = np.zeros_like(space.rows, np.float64)
    for start in range(0, len(way), BATCH):
        which = np.arange(start, min(start + BATCH, len(way)))
        for step in range(steps):
            at = space.nothing[which] + (step + 0.5) / steps * way[which]
            _, slope = space.derived(at, which)
            total[which] += slope
    parts = (way * total / steps).astype(np.float32)
    return parts.sum(axis=-1) if space.words else parts


@dataclass(frozen=True)
class _Deletion:
    """How the mean score falls while parts of the rows are deleted.

    Args:
        shares: Of the parts that are deleted.
        ordered: The score, the most important parts deleted first.
        by_chance: The score, parts deleted in random order.
    """

    shares: Array
    ordered: Array
    by_chance: Array

    @property
    def line(self) -> str:
        """The result in plain words."""
        areas = [float(np.trapezoid(c, self.shares)) for c in (self.ordered, self.by_chance)]
        texts = [figure(round(area, 3)) for area in areas]
        if areas[0] < areas[1]:
            return (
                "deleting the most important parts first lowers the score faster "
                f"(mean {texts[0]}) than deleting any (mean {texts[1]})"
            )
        return (
            "deleting the most important parts first lowers the score no faster "
            f"(mean {texts[0]}) than deleting any (mean {texts[1]}): do not trust these maps"
        )

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {name: getattr(self, name).tolist() for name in ("shares", "ordered", "by_chance")}

    def sheet(self, what: str) -> ChartSheet:
        """The two curves."""
        marks = (
            LineMark(self.shares, self.ordered, "model", "most important first"),
            LineMark(self.shares, self.by_chance, "reference", "in random order"),
        )
        y = axis_holding([*self.ordered, *self.by_chance], what)
        chart = Chart(share_axis("share deleted"), y, marks, description=self.line)
        return ChartSheet("deletion", "Deletion: what the score loses", [chart])


def _deletion(space: _Space, parts: Array, seed: int) -> _Deletion:
    """Give whole pixels, words or numbers the values of the row that says nothing."""
    pixels = parts.ndim == 4
    # What speaks for the prediction goes first.
    weights = (parts.sum(axis=-1) if pixels else parts).reshape(len(parts), -1)
    random, count = np.random.default_rng(seed), weights.shape[1]
    shares = np.linspace(0, 1, POINTS)
    inner = (1,) * (space.rows.ndim - 1 - (parts.ndim - 1 - pixels))

    def curve(order: Array) -> Array:
        ranks = np.argsort(order, axis=1)
        means = []
        for share in shares:
            gone = (ranks < round(share * count)).reshape(
                parts.shape[: parts.ndim - pixels] + inner
            )
            means.append(space.scores(np.where(gone, space.nothing, space.rows)).mean())
        return np.array(means)

    ordered = curve(np.argsort(-weights, axis=1, kind="stable"))
    chance = [curve(np.argsort(random.random(weights.shape), axis=1)) for _ in range(RANDOM_ORDERS)]
    return _Deletion(shares, ordered, np.mean(chance, axis=0))
