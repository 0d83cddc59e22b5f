"""Chooses the next point of a space with Optuna's ask-and-tell interface.

Nothing of it is stored: asked for the same seed and told the same scores, it proposes the same
points again.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlrun.config.document import NOWHERE, node_of
from dlrun.config.dump import dump_config
from dlrun.config.grammar import canonical_config
from dlrun.config.load import config_at
from dlrun.config.schema import Config
from dlrun.config.search_schema import Range
from dlrun.config.search_space import Dimension, dimensions_of, number_in
from dlrun.config.yaml_writer import in_line
from dlrun.metrics.names import Direction
from dlrun.registry.families import SAMPLERS
from dlrun.searches.sampler import Sampler

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

DRAWS = 200
"""Points in a row that were tried before, after which a space is taken to be used up."""


@dataclass(frozen=True)
class Proposal:
    """The values of one trial.

    Args:
        number: Of the trial, from 0.
        point: Values by the paths of the dimensions that it has.
        asked: Optuna's own trial; None for the config itself.
    """

    number: int
    point: dict[str, Any]
    asked: optuna.trial.Trial | None = None


class Study:
    """Proposes the trials of a config's search, in their order; trial 0 is the config itself.

    Args:
        config: With a search.
        direction: Of the score.
    """

    def __init__(self, config: Config, direction: Direction) -> None:
        import optuna

        assert config.search is not None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.dimensions = dimensions_of(config.search, config.document)
        self._config = config
        sampler = config.search.sampler or SAMPLERS.get("tpe")()
        assert isinstance(sampler, Sampler)
        with _quiet():
            self._study = optuna.create_study(
                direction="maximize" if direction == "max" else "minimize",
                sampler=sampler.build(self.dimensions, config.seed),
            )
        planned = sampler.points(self.dimensions, config.seed)
        self._planned = None if planned is None else iter(planned)
        self._scores: dict[str, float | None] = {}
        self._next = 0

    def ask(self) -> Proposal | None:
        """Return the next trial; None if every point of the space was tried."""
        number = self._next
        if number == 0:
            self._next = 1
            return Proposal(0, point_of_config(self._config, self.dimensions))
        for _ in range(DRAWS):
            with _quiet():
                if self._planned is not None:
                    if (planned := next(self._planned, None)) is None:
                        return None
                    self._study.enqueue_trial(planned)
                asked = self._study.ask()
                point = self._point(asked)
            if (tried := _key(point)) not in self._scores:
                self._next += 1
                return Proposal(number, point, asked)
            # The same config gives the same score: there is nothing to train.
            self._tell(asked, self._scores[tried])
        return None

    def tell(self, proposal: Proposal, score: float | None) -> None:
        """Take the score of a trial; None if it failed."""
        if proposal.asked is not None:
            self._tell(proposal.asked, score)
        elif score is not None and self._is_whole(proposal.point):
            import optuna

            with _quiet():
                self._study.add_trial(
                    optuna.trial.create_trial(
                        params=self._labelled(proposal.point),
                        distributions={
                            each.path: distribution(each)
                            for each in self.dimensions
                            if each.path in proposal.point
                        },
                        value=score,
                    )
                )
        if proposal.asked is not None or self._is_whole(proposal.point):
            self._scores[_key(proposal.point)] = score

    def _tell(self, asked: optuna.trial.Trial, score: float | None) -> None:
        import optuna

        with _quiet():
            if score is None:
                self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
            else:
                self._study.tell(asked, score)

    def _is_whole(self, point: dict[str, Any]) -> bool:
        """Whether a point has every dimension whose condition it meets."""
        return all(each.path in point or not each.is_met(point) for each in self.dimensions)

    def _point(self, asked: optuna.trial.Trial) -> dict[str, Any]:
        point: dict[str, Any] = {}
        for each in self.dimensions:
            if each.is_met(point):
                point[each.path] = _suggested(asked, each)
        return point

    def _labelled(self, point: dict[str, Any]) -> dict[str, Any]:
        ranges = {each.path for each in self.dimensions if isinstance(each.values, Range)}
        return {path: v if path in ranges else in_line(v) for path, v in point.items()}


def point_of_config(config: Config, dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """Return where a config itself is in its space; dimensions whose value in it is none of theirs
    are left out, and so is what depends on them."""
    base, _ = config_at(config, [], {})
    assert base is not None
    # With every default filled in: the same for a search that is resumed.
    given = dump_config(base)
    root = canonical_config(node_of(given, NOWHERE))
    point: dict[str, Any] = {}
    for dimension in dimensions:
        if not dimension.is_met(point):
            continue
        if isinstance(dimension.values, Range):
            if (number := number_in(root, dimension)) is not None:
                point[dimension.path] = number
            continue
        for node in dimension.nodes:
            changed, _ = config_at(config, [dimension], {dimension.path: node.plain()})
            if changed is not None and _given(dump_config(changed)) == _given(given):
                point[dimension.path] = node.plain()
                break
    return point


def _given(value: Any) -> Any:
    """Plain data without nulls in mappings, which say nothing."""
    if isinstance(value, dict):
        return {key: _given(each) for key, each in value.items() if each is not None}
    return [_given(each) for each in value] if isinstance(value, list) else value


def _suggested(asked: optuna.trial.Trial, dimension: Dimension) -> Any:
    values = dimension.values
    if not isinstance(values, Range):
        label = asked.suggest_categorical(dimension.path, dimension.labels)
        return dimension.nodes[dimension.labels.index(label)].plain()
    if values.of_integers:
        ends, step = (int(values.low), int(values.high)), int(values.step or 1)
        return asked.suggest_int(dimension.path, *ends, log=values.log, step=step)
    ends_of_reals = float(values.low), float(values.high)
    return asked.suggest_float(dimension.path, *ends_of_reals, log=values.log, step=values.step)


def distribution(dimension: Dimension) -> BaseDistribution:
    """Return a dimension as Optuna has it; choices by their texts."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    values = dimension.values
    with _quiet():
        if not isinstance(values, Range):
            return CategoricalDistribution(dimension.labels)
        if values.of_integers:
            low, high, step = int(values.low), int(values.high), int(values.step or 1)
            return IntDistribution(low, high, values.log, step)
        return FloatDistribution(float(values.low), float(values.high), values.log, values.step)


def points(dimensions: Sequence[Dimension]) -> int | None:
    """Return how many points a space has at most; None for one with real numbers."""
    count = 1
    for each in dimensions:
        values = each.values
        of_one = values.count if isinstance(values, Range) else len(values.choices)
        if of_one is None or (isinstance(values, Range) and values.log and not values.of_integers):
            return None
        count *= of_one
    return count


def _key(point: dict[str, Any]) -> str:
    return in_line(point)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what Optuna says of features that may change, and of steps that do not divide."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
