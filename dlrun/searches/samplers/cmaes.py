"""Covariance matrix adaptation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from dlrun.config.search_schema import Range
from dlrun.config.search_space import Dimension
from dlrun.searches.sampler import Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Cmaes(Sampler):
    """Covariance matrix adaptation (CMA-ES): move a cloud of points towards the best ones. For
    ranges alone, at least two, and for a hundred trials or more."""

    sigma0: float | None = Field(default=None, gt=0)
    """How wide the first cloud is; default: a sixth of the ranges."""

    n_startup_trials: int = Field(default=1, ge=1)
    """Trials drawn at random before the first cloud."""

    def refused(self, space: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for path, values in space.items():
            if not isinstance(values, Range):
                yield path, "cmaes searches ranges alone; use tpe for lists of values"
            elif values.when is not None:
                yield path, "cmaes varies all values in every trial; use tpe with 'when'"
            elif len(space) < 2:
                yield path, "cmaes needs at least two ranges; use tpe for one"

    def build(self, dimensions: Sequence[Dimension], seed: int) -> BaseSampler:
        from optuna.samplers import CmaEsSampler

        return CmaEsSampler(sigma0=self.sigma0, n_startup_trials=self.n_startup_trials, seed=seed)
