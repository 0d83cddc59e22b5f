"""Whether an explanation depends on what was learnt.

Source: Adebayo et al. (2018), Sanity Checks for Saliency Maps: the weights become random layer by
layer, from the last one on, and the maps are compared with those of the trained model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.text import figure
from dlrun.views.parts.subject import Subject

Array = np.ndarray

MOST_STAGES = 6
"""Maps with more and more random weights, at most."""

WORTHLESS = 0.5
"""Maps that stay as much alike as this do not explain what was learnt."""


@dataclass(frozen=True)
class Sanity:
    """How much maps stay alike while the weights become random.

    Args:
        layers: The last layer that was randomised at each stage; all after it are random, too.
        similarity: The mean over rows of Spearman's rank correlation with the trained model's maps.
        maps: Those of each stage, (stages, n, ...).
    """

    layers: tuple[str, ...]
    similarity: tuple[float, ...]
    maps: Array

    @property
    def passed(self) -> bool:
        """Whether the maps depend on the weights."""
        return bool(self.similarity) and self.similarity[-1] < WORTHLESS

    @property
    def line(self) -> str:
        """The result in plain words."""
        if not self.similarity:
            return "no layer has weights, so that no map can depend on them"
        if math.isnan(self.similarity[-1]):
            return "the sanity check says nothing: no map varies, or the maps are not numbers"
        last = figure(round(self.similarity[-1], 2))
        if self.passed:
            return (
                f"sanity check passed: with random weights the maps change (similarity {last}, "
                "where 1 is the same map)"
            )
        return (
            f"these maps are worthless as an explanation: with random weights they stay the same "
            f"(similarity {last}, where 1 is the same map), so that they show the pictures and not "
            "what the model has learnt"
        )

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        stages = zip(self.layers, self.similarity, strict=True)
        return {
            "passed": self.passed,
            "stages": [{"layer": layer, "similarity": value} for layer, value in stages],
        }


def sanity_of(subject: Subject, maps: Array, again: Callable[[], Array]) -> Sanity:
    """Compare maps with those of the same model with random weights.

    Args:
        subject: Its model, which is as before afterwards.
        maps: (n, ...) those of the trained model.
        again: Computes them anew.
    """
    layers, similarity, found = [], [], []
    for layer in _randomised(subject):
        found.append(again())
        layers.append(layer)
        similarity.append(_similarity(maps, found[-1]))
    stacked = np.stack(found) if found else np.zeros((0, *maps.shape))
    return Sanity(tuple(layers), tuple(similarity), stacked)


def _similarity(maps: Array, others: Array) -> float:
    """The mean over the rows whose own map varies; NaN if none does."""
    pairs = [pair for pair in zip(maps, others, strict=True) if np.ptp(pair[0]) > 0]
    return float(np.mean([rank_correlation(*pair) for pair in pairs])) if pairs else math.nan


def rank_correlation(one: Array, other: Array) -> float:
    """Return Spearman's correlation of the ranks of two arrays; 0 where one of them is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(np.asarray(each).reshape(-1)) for each in (one, other)]
    if any(np.ptp(each) == 0 for each in ranks):
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


def _randomised(subject: Subject) -> Iterator[str]:
    """Make the weights of more and more layers random, from the last one on; yield the name of the
    layer that was reached."""
    with kept_weights(subject.model):
        named = [(name, layer) for name, layer in subject.layers.items() if layer.weights]
        named = named[::-1]
        random = np.random.default_rng(subject.config.seed)
        spread = np.linspace(1, len(named), MOST_STAGES).round().astype(int)
        ends = sorted({int(end) for end in spread if named})
        for start, end in zip([0, *ends], ends, strict=False):
            for _, layer in named[start:end]:
                _make_random(layer, random)
            yield named[end - 1][0]


@contextmanager
def kept_weights(model: Any) -> Iterator[None]:
    """Give a model its weights back after the body."""
    weights = model.get_weights()
    try:
        yield
    finally:
        model.set_weights(weights)


def _make_random(layer: Any, random: np.random.Generator) -> None:
    """Draw kernels from a normal distribution as wide as that of the trained ones, and shuffle
    vectors such as biases."""
    for variable in layer.weights:
        value = np.asarray(variable.numpy(), np.float32)
        if "seed" in variable.path.rpartition("/")[2] or not value.ndim:
            continue
        if value.ndim < 2:
            variable.assign(random.permutation(value))
        else:
            variable.assign(random.normal(0.0, value.std() or 1.0, value.shape))
