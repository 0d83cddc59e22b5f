"""Running the checks on a config, its rows and its model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.checks.check import Check, checks
from dlrun.checks.finding import Finding, Findings, in_order
from dlrun.checks.views import ConfigView, Known, ModelView, known_without_data
from dlrun.config.outputs import scored_output
from dlrun.config.schema import Config, PartialConfig, UnreadableSectionError

if TYPE_CHECKING:
    from dlrun.data.samples import Dataset


def config_findings(config: Config, known: Known | None = None) -> Findings:
    """Check a config by itself; imports neither Keras nor scikit-learn.

    Args:
        config: The experiment.
        known: What its data tells of the question; default: what the name of a bundled data set
            tells.
    """
    if known is None:
        try:
            known = known_without_data(config)
        except UnreadableSectionError:
            known = Known()
    if isinstance(config, PartialConfig) or len(config.outputs) == 1:
        views = [ConfigView(config, known)]
    else:
        scored = scored_output(config.evaluation.score, config.outputs) or config.outputs[0]
        views = [
            ConfigView(
                config.of_output(output.name),
                known if output is scored else Known(rows=known.rows, words=known.words),
                output.name,
            )
            for output in config.outputs
        ]
    found = [
        (check, _once(_readable(check.find(view)) for view in views)) for check in checks("config")
    ]
    return _findings(config, found)


def data_findings(config: Config, dataset: Dataset) -> Findings:
    """Check the config with what its data tells, and the rows themselves. Reads no test rows.

    Raises:
        DataError: The rows cannot be dealt as the config says.
    """
    from dlrun.checks.rows import data_view

    view = data_view(config, dataset)
    found = [(check, _readable(check.find(view))) for check in checks("data")]
    return config_findings(config, view.known) + _findings(config, found)


def model_findings(view: ModelView) -> Findings:
    """Check the model that was built."""
    return _findings(view.config, [(check, check.find(view)) for check in checks("model")])


def _readable(found: Iterator[Finding]) -> list[Finding]:
    """The findings; none where they depend on a section of the config that could not be read."""
    try:
        return list(found)
    except UnreadableSectionError:
        return []


def _once(found: Iterable[Iterable[Finding]]) -> list[Finding]:
    """All findings, each once."""
    different: list[Finding] = []
    for several in found:
        different += [finding for finding in several if finding not in different]
    return different


def _findings(config: Config, found: Sequence[tuple[Check[Any], Iterable[Finding]]]) -> Findings:
    every = [check.place(one, config) for check, several in found for one in several]
    silenced = Counter(f.code for f in every if f.code in config.ignore)
    shown = in_order([f for f in every if f.code not in config.ignore])
    return Findings(tuple(shown), dict(silenced))
