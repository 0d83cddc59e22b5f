"""Trees of Parzen estimators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from dlrun.config.search_space import Dimension
from dlrun.searches.sampler import Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Tpe(Sampler):
    """Tree-structured Parzen estimators: prefer values that good trials have and bad ones lack."""

    n_startup_trials: int = Field(default=10, ge=1)
    """Trials drawn at random before it learns from them."""

    n_ei_candidates: int = Field(default=24, ge=1)
    """Values that each proposal is the best of."""

    multivariate: bool = False
    """Whether values are proposed together, by how they go with each other."""

    def build(self, dimensions: Sequence[Dimension], seed: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        return TPESampler(
            n_startup_trials=self.n_startup_trials,
            n_ei_candidates=self.n_ei_candidates,
            multivariate=self.multivariate,
            # Dimensions that depend on others are in some trials only.
            group=self.multivariate,
            seed=seed,
        )
