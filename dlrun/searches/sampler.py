"""What proposes the values of trials. A new sampler is one file in `dlrun/searches/samplers`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.config.search_space import Dimension
from dlrun.registry.component import Component

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Sampler(Component):
    """Base of all samplers. A config names its sampler, so import Optuna inside `build`."""

    @abstractmethod
    def build(self, dimensions: Sequence[Dimension], seed: int) -> BaseSampler:
        """Return Optuna's sampler.

        Args:
            dimensions: What it proposes values for.
            seed: Of its draws.
        """

    def points(self, dimensions: Sequence[Dimension], seed: int) -> list[dict[str, Any]] | None:
        """Return all that it proposes, in order, choices as their texts; None where that depends on
        the scores."""
        return None

    def refused(self, space: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the paths of what it has no use for in a space, and why."""
        yield from ()
