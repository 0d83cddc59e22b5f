"""The report: one self-contained HTML file, without network or script.

The modules of this package gather the facts of each section; the templates say how they look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from dlrun.reports.comparison import Comparison
from dlrun.reports.drawing import key_style, page_svg
from dlrun.reports.html import predictions, sections
from dlrun.reports.html.comparison import comparison_section, run_names
from dlrun.reports.html.examples import most_wrong
from dlrun.reports.html.headline import headline
from dlrun.reports.html.looks import looks
from dlrun.reports.html.sections import Section
from dlrun.reports.run_record import RunRecord
from dlrun.reports.summary import ends_text, quantity_text, width
from dlrun.store.environment import package_versions
from dlrun.text import duration, figure, figure_beside, percent, steady_figure

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

SECTIONS: tuple[Callable[[RunRecord], Section | None], ...] = (
    sections.task,
    sections.diagnosis,
    sections.curves,
    sections.phases,
    sections.folds,
    predictions.classes,
    predictions.series,
    predictions.residuals,
    predictions.outputs,
    predictions.thresholds,
    predictions.confidence,
    most_wrong,
    looks,
    sections.test_evaluations,
    sections.data,
    sections.config,
    sections.environment,
)
"""The parts of a run's page, in their order; each is left out where it does not apply."""


def report_page(records: Sequence[RunRecord], compared: Comparison | None = None) -> str:
    """Return the page of one run, or of several with a comparison before them.

    Args:
        records: At least one.
        compared: The comparison of several, or None where there is none.
    """
    several = len(records) > 1
    pages = [
        {
            "prefix": f"run-{number}-" if several else "",
            "record": record,
            "headline": headline(record),
            "sections": [section for build in SECTIONS if (section := build(record))],
        }
        for number, record in enumerate(records, start=1)
    ]
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=f"Comparison of {len(records)} runs" if several else records[0].title,
            pages=pages,
            names=run_names(records, compared),
            comparison=comparison_section(records, compared) if several else None,
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
            version=package_versions().get("dlrun", ""),
        )
    )


@cache
def _environment() -> Environment:
    from jinja2 import ChainableUndefined, Environment, FileSystemLoader

    # Facts may be missing: a file of the run may be gone, or older than a key.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "begun": lambda clause: str(clause)[:1].upper() + str(clause)[1:],
        "duration": duration,
        "ends": ends_text,
        "figure": lambda number: figure(number if isinstance(number, int | float) else None),
        "key_style": key_style,
        "beside": figure_beside,
        "percent": percent,
        "quantity": lambda facts, beside=None: quantity_text(
            facts if isinstance(facts, dict) else {}, beside
        ),
        "steady": lambda number: steady_figure(number if isinstance(number, int | float) else None),
        "svg": page_svg,
        "text": _text,
        "width": lambda score: width(score if isinstance(score, dict) else {}),
        "thousands": lambda number: f"{number:,}",
    }
    return environment


def _text(value: object) -> str:
    """A fact as text, several joined by commas; nothing for what is not known."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    # Jinja's undefined values are empty texts.
    return "" if value is None else str(value)
