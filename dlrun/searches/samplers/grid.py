"""Every combination of values."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.config.search_schema import Range
from dlrun.config.search_space import Dimension
from dlrun.searches.sampler import Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Grid(Sampler):
    """Try every combination of the values once, in a random order."""

    def refused(self, space: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for path, values in space.items():
            if isinstance(values, Range) and (values.count is None or values.log):
                yield path, "a grid needs a list of values here, or a range with a step"
            if values.when is not None:
                yield path, "a grid tries all combinations, so that 'when' has no meaning in it"

    def build(self, dimensions: Sequence[Dimension], seed: int) -> BaseSampler:
        from optuna.samplers import RandomSampler

        # It draws nothing: every value comes from `points`.
        return RandomSampler(seed=seed)

    def points(self, dimensions: Sequence[Dimension], seed: int) -> list[dict[str, Any]]:
        every = list(itertools.product(*map(_values, dimensions)))
        random.Random(seed).shuffle(every)
        paths = [dimension.path for dimension in dimensions]
        return [dict(zip(paths, values, strict=True)) for values in every]


def _values(dimension: Dimension) -> list[Any]:
    values = dimension.values
    if not isinstance(values, Range):
        return list(dimension.labels)
    step = 1 if values.step is None else values.step
    return [values.low + number * step for number in range(values.count or 0)]
