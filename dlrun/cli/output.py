"""Standard output: JSON for programs, and nothing else beside it."""

from __future__ import annotations

from typing import Any

import click

from dlrun.store.json_text import to_json


def print_json(facts: dict[str, Any]) -> None:
    """Print one JSON object."""
    click.echo(to_json(facts), nl=False)
