"""The report: one self-contained HTML file, without network or script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from dlrun.reports.comparison import Comparison
from dlrun.reports.drawing import key_style, page_svg
from dlrun.reports.html.blocks import PageSection
from dlrun.reports.html.comparison import comparison_section, run_names
from dlrun.reports.html.examples import most_wrong
from dlrun.reports.html.headline import Headline, headline
from dlrun.reports.html.predictions import (
    classes,
    confidence,
    outputs,
    quantities,
    series,
    thresholds,
)
from dlrun.reports.html.setup import config, data, environment, test_evaluations
from dlrun.reports.html.training import curves, diagnosis, folds, phases
from dlrun.reports.run_record import RunRecord, ScoredRows, scored_rows
from dlrun.store.environment import package_versions

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

Build = Callable[[RunRecord, ScoredRows | None], PageSection | None]

SECTIONS: tuple[Build, ...] = (
    lambda record, scored: diagnosis(record),
    lambda record, scored: curves(record),
    lambda record, scored: phases(record),
    lambda record, scored: folds(record),
    lambda record, scored: classes(scored),
    series,
    lambda record, scored: quantities(scored),
    lambda record, scored: outputs(record),
    lambda record, scored: thresholds(scored),
    lambda record, scored: confidence(scored),
    most_wrong,
    lambda record, scored: test_evaluations(record),
    lambda record, scored: data(record),
    lambda record, scored: config(record),
    lambda record, scored: environment(record),
)
"""The parts of a run's page, in their order; each is left out where it does not apply."""


@dataclass(frozen=True)
class RunPage:
    """One run on the page.

    Args:
        prefix: Begins the names of its links.
        headline: Its top.
        sections: Its parts.
    """

    prefix: str
    headline: Headline
    sections: tuple[PageSection, ...]


def report_page(records: Sequence[RunRecord], compared: Comparison | None = None) -> str:
    """Return the page of one run, or of several with a comparison before them.

    Args:
        records: At least one.
        compared: The comparison of several, or None where there is none.
    """
    several, pages = len(records) > 1, []
    for number, record in enumerate(records, start=1):
        first = record.of_output(record.output_names[0]) if record.output_names else record
        scored = scored_rows(first)
        sections = [section for build in SECTIONS if (section := build(record, scored))]
        prefix = f"run-{number}-" if several else ""
        pages.append(RunPage(prefix, headline(record), tuple(sections)))
    title = f"Comparison of {len(records)} runs" if several else pages[0].headline.title
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title,
            pages=pages,
            names=run_names(records, compared),
            comparison=comparison_section(records, compared) if several else None,
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
            version=package_versions().get("dlrun", ""),
        )
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"svg": page_svg, "key_style": key_style}
    return environment
