"""`dlrun show`."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from dlrun.cli.options import RunOptions, allow_outside_option, run_options, seed_option

COLUMNS = ["layer", "class", "from", "output", "parameters", "trainable"]


@click.command(name="show", short_help="Show the layers of a model, without training it.")
@click.argument("what", type=click.Path(path_type=Path), metavar="CONFIG|RUN_DIR")
@click.option("--expand", is_flag=True, help="Also show the layers of models within the model.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also draw the graph of the layers, as PNG or SVG.",
)
@seed_option
@allow_outside_option
@run_options
def command(
    what: Path,
    expand: bool,
    plot: Path | None,
    seed: int | None,
    allow_outside: bool,
    as_json: bool,
    **options: Unpack[RunOptions],
) -> None:
    """Build the model of CONFIG, or read that of RUN_DIR, and show its layers: where each takes
    its inputs from, which shape it gives a row, its weights, and how much memory all of it takes.
    The data is read, because shapes depend on it. Nothing is trained.

    \b
    Examples:
      dlrun show configs/digits.yaml
      dlrun show configs/digits.yaml --plot digits.png
      dlrun show 20261121-101530
    """
    from dlrun.cli.options import print_json
    from dlrun.workflows.compare import check_picture
    from dlrun.workflows.show import draw_model, show_model

    if plot is not None:
        check_picture(plot)
    shown = show_model(what, seed=seed, allow_outside=allow_outside, **options)
    if plot is not None:
        draw_model(shown, plot)
    if as_json:
        print_json({**shown.as_dict(), "picture": plot})
        return
    from rich.console import Console

    from dlrun.cli.console import as_columns, print_table
    from dlrun.cli.lines import print_line

    print_line(Console(), shown.title)
    print_table(Console(), as_columns(COLUMNS, shown.rows(expand=expand)))
    print_line(Console(), "\n".join(shown.lines()))
    if plot is not None:
        print_line(Console(), f"drawn to {plot}")
