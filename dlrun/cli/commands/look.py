"""`dlrun look`."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from dlrun.cli.options import RunOptions, allow_outside_option, run_options


@click.command(name="look", short_help="Draw the data, the layers, and what a model has learnt.")
@click.argument("what", type=click.Path(path_type=Path), metavar="CONFIG|RUN_DIR")
@click.option(
    "--view",
    "views",
    multiple=True,
    metavar="NAME",
    help="Draw this view, with the options of --set. Repeatable. Default: those of the config.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where the views of a CONFIG are kept; default: NAME-look.",
)
@allow_outside_option
@run_options
def command(
    what: Path,
    views: tuple[str, ...],
    output: Path | None,
    allow_outside: bool,
    as_json: bool,
    **options: Unpack[RunOptions],
) -> None:
    """Draw the views of RUN_DIR that its config lists under `look`, or those of --view, into
    `look/` in the run: PNG files, the numbers as npz, and look.json. Of a CONFIG that was not
    trained, only views of the data are drawn. Test rows are shown only if an option names their
    file.

    \b
    Examples:
      dlrun look configs/digits.yaml --view rows --set rows=8
      dlrun look 20261121-101530 --view activations --set layers=conv2d*
    """
    from dlrun.cli.options import print_json
    from dlrun.workflows.look import look

    looks = look(what, views, output=output, allow_outside=allow_outside, **options)
    if as_json:
        print_json({"looks": [{"path": one.path, **one.facts} for one in looks]})
        return
    from rich.console import Console

    from dlrun.cli.lines import print_line
    from dlrun.text import display_path

    for one in looks:
        print_line(Console(), f"{one.view}: {display_path(one.path)}")
        print_line(Console(), "\n".join(f"  {line}" for line in one.lines))
