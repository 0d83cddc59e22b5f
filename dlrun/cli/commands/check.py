"""`dlrun check`."""

from __future__ import annotations

from pathlib import Path

import click

from dlrun.cli.options import (
    allow_outside_option,
    config_argument,
    debug_option,
    json_option,
    overrides_option,
    seed_option,
    trust_plugins_option,
)


@click.command(name="check", short_help="Find everything wrong with a config, without training.")
@config_argument
@click.option(
    "--data",
    "with_data",
    is_flag=True,
    help="Also read the data, fit the preprocessing and build the model (imports Keras).",
)
@click.option("--strict", is_flag=True, help="Warnings fail too, with exit status 1.")
@overrides_option
@seed_option
@trust_plugins_option
@allow_outside_option
@json_option
@debug_option
def command(
    config: Path,
    with_data: bool,
    strict: bool,
    overrides: tuple[str, ...],
    seed: int | None,
    trust_plugins: bool,
    allow_outside: bool,
    as_json: bool,
) -> int:
    """Report everything that is wrong with CONFIG at once: names, arguments, values, files and
    columns, and what makes an experiment worse or less honest than it could be, each with a code,
    the reason, and what to write instead. With --data also what only the data and Keras can show.

    The exit status is 2 where there are errors, with --strict 1 where there are warnings, else 0.
    `ignore: [DL012]` in the config silences a finding. Where one is found in many places, only the
    first is shown in full; --json shows all.

    \b
    Examples:
      dlrun check configs/digits.yaml
      dlrun check configs/digits.yaml --data --strict
    """
    from rich.console import Console

    from dlrun.cli.console import print_finding
    from dlrun.cli.lines import print_line
    from dlrun.cli.options import print_json
    from dlrun.workflows.check import check

    checked = check(
        config,
        overrides=overrides,
        seed=seed,
        with_data=with_data,
        trust_plugins=trust_plugins,
        allow_outside=allow_outside,
    )
    if as_json:
        print_json(checked.as_dict())
    else:
        for finding in checked.findings.brief():
            print_finding(Console(), finding)
        if checked.findings.shown:
            print_line(Console(), "")
        print_line(Console(), "\n".join(checked.lines()))
        checked.raise_problems()
    return checked.exit_status(strict=strict)
