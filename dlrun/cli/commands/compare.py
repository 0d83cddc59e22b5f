"""`dlrun compare`."""

from __future__ import annotations

from pathlib import Path

import click

from dlrun.cli.options import debug_option, json_option, trust_plugins_option, where_option


@click.command(name="compare", short_help="Show whether runs differ by more than chance.")
@click.argument(
    "run_dirs", type=click.Path(path_type=Path), metavar="RUN_DIR...", nargs=-1, required=True
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="PNG or SVG file for the curves; default: a new PNG in the current folder.",
)
@where_option
@trust_plugins_option
@json_option
@debug_option
def command(
    run_dirs: tuple[Path, ...],
    output: Path | None,
    runs_dir: Path,
    trust_plugins: bool,
    as_json: bool,
) -> None:
    """Compare 2 to 10 runs: which is better, and whether by more than chance on the same held-out
    rows; what differs between their configs; their validation curves in one picture. The test data
    stays sealed.

    \b
    Examples:
      dlrun compare 20261121-101530 20261121-101612
      dlrun compare runs/20261121-1015* -o regularization.svg
    """
    from dlrun.cli.options import print_json
    from dlrun.workflows.compare import check_picture, compare, draw_comparison

    if output is not None:
        check_picture(output)
    comparison = compare(run_dirs, runs_dir=runs_dir, trust_plugins=trust_plugins)
    if as_json:
        # A program that wants the picture names its file.
        picture = None if output is None else draw_comparison(comparison, output)
        print_json({**comparison.as_dict(), "picture": picture})
        return
    from rich.console import Console

    from dlrun.cli.lines import print_line
    from dlrun.cli.tables import print_comparison

    print_comparison(comparison)
    if (picture := draw_comparison(comparison, output)) is not None:
        print_line(Console(), f"curves  {picture}")
