"""`dlrun tensorboard`."""

from __future__ import annotations

from pathlib import Path

import click

from dlrun.cli.options import debug_option, echo, where_option


@click.command(name="tensorboard", short_help="Open TensorBoard on the logs of runs.")
@click.argument("runs", type=click.Path(path_type=Path), metavar="[RUN_DIR]...", nargs=-1)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=6006,
    show_default=True,
    help="Where TensorBoard listens, on this machine alone.",
)
@where_option
@debug_option
def command(runs: tuple[Path, ...], port: int, runs_dir: Path) -> None:
    """Start TensorBoard on what the callback TensorBoard has written into each RUN_DIR; default:
    the newest run that has such logs. Ctrl-C ends it.

    \b
    Examples:
      dlrun tensorboard
      dlrun tensorboard 20261121-101530 20261121-104210 --port 6007
    """
    from dlrun.workflows.tensorboard import board_of, serve

    board = board_of(runs, runs_dir=runs_dir, port=port)
    echo(f"{' and '.join(board.runs)}\nTensorBoard on {board.address} (Ctrl-C ends it)")
    serve(board)
