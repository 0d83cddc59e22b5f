"""`dlrun check`."""

from __future__ import annotations

from pathlib import Path

import click

from dlrun.cli.options import (
    config_argument,
    debug_option,
    json_option,
    overrides_option,
    seed_option,
)


@click.command(name="check", short_help="Find everything wrong with a config, without training.")
@config_argument
@click.option(
    "--data",
    "with_data",
    is_flag=True,
    help="Also read the data, fit the preprocessing and build the model (imports Keras).",
)
@overrides_option
@seed_option
@json_option
@debug_option
def command(
    config: Path, with_data: bool, overrides: tuple[str, ...], seed: int | None, as_json: bool
) -> None:
    """Report everything that is wrong with CONFIG at once: names, arguments, values, files and
    columns. With --data also what only the data and Keras can tell: shapes, classes, splits.

    \b
    Examples:
      dlrun check configs/digits.yaml
      dlrun check configs/digits.yaml --data
    """
    from dlrun.cli.output import print_json
    from dlrun.workflows.check import check

    checked = check(config, overrides=overrides, seed=seed, with_data=with_data)
    if as_json:
        print_json(checked.as_dict())
    else:
        click.echo("\n".join(checked.lines()))
