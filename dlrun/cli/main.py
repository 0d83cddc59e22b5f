"""The `dlrun` command: finds its sub-commands by their files, and is the one error boundary."""

from __future__ import annotations

import importlib
import io
import pkgutil
import sys
from collections.abc import Sequence

import click

from dlrun import __version__
from dlrun.cli import commands
from dlrun.cli.boundary import report_error
from dlrun.registry.names import did_you_mean


class CommandsByFile(click.Group):
    """Every module of `dlrun.cli.commands` is a command of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{commands.__name__}.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.list_commands(ctx):
            known = self.list_commands(ctx)
            hint = did_you_mean(args[0], known) or f"; there are {', '.join(known)}"
            ctx.fail(f"unknown command '{args[0]}'{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=CommandsByFile, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dlrun")
def dlrun() -> None:
    """Run Keras experiments from one YAML file.

    \b
    dlrun init --data houses.csv     write a config for your data
    dlrun check houses.yaml          find what is wrong with it
    dlrun show houses.yaml           show the layers of its model
    dlrun train houses.yaml          train, and score on held-out rows
    dlrun kfold houses.yaml          score by cross-validation
    dlrun finalize RUN_DIR           train the final model on all non-test rows
    dlrun evaluate RUN_DIR           score a run's model on the test data
    dlrun predict RUN_DIR --input new.csv
    dlrun runs                       list runs
    dlrun compare RUN_DIR RUN_DIR    tell whether they differ by more than chance
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 success, 1 a run that failed, 2 a bad config or bad
    usage, 130 an interrupt."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that has no `±` shows a question mark instead of failing.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = dlrun.main(given, prog_name="dlrun", standalone_mode=False)
    # The boundary: whatever a command raises ends here as one message.
    except Exception as error:
        status = report_error(error, given)
    sys.exit(status if isinstance(status, int) else 0)
