"""`dlrun schema`."""

from __future__ import annotations

from pathlib import Path

import click

from dlrun.cli.options import debug_option


@click.command(name="schema", short_help="Print the JSON Schema of configs, for editors.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to a file instead of standard output.",
)
@debug_option
def command(output: Path | None) -> None:
    """Print the JSON Schema of the config language, which editors use to complete and check.

    \b
    Example:
      dlrun schema --output dlrun.schema.json
    and, as the first line of a config:
      # yaml-language-server: $schema=dlrun.schema.json
    """
    from dlrun.cli.options import print_json
    from dlrun.config.json_schema import json_schema
    from dlrun.store.files import write_json

    if output is None:
        print_json(json_schema())
    else:
        write_json(output, json_schema(), replace=True)
        click.echo(f"wrote {output}")
