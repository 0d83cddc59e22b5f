"""The `dlrun` command: finds its sub-commands by their files, and is the one error boundary."""

from __future__ import annotations

import importlib
import io
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from dlrun import __version__
from dlrun.cli import commands
from dlrun.cli.options import echo, print_json
from dlrun.cli.output import unbroken_output
from dlrun.errors import DlrunError, without_colours
from dlrun.imports import one_command
from dlrun.registry.names import did_you_mean
from dlrun.training.interrupt import Interrupted, exit_status, interrupted_by, signals_handled


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

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            # Click would print an empty line, where nobody has typed ^C too.
            raise click.Abort from error


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
    dlrun resume RUN_DIR             go on with a run that was broken off
    dlrun finalize RUN_DIR           train the final model on all non-test rows
    dlrun evaluate RUN_DIR           score a run's model on the test data
    dlrun predict RUN_DIR --input new.csv
    dlrun runs                       list runs
    dlrun compare RUN_DIR RUN_DIR    show whether they differ by more than chance

    \b
    Exit status: 0 success, 1 a run failed, 2 bad config or usage, 75 --time-limit reached,
    129 SIGHUP, 130 Ctrl-C, 143 SIGTERM.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 success, 1 a run that failed, 2 a bad config or bad
    usage, 75 a time limit, 129, 130 or 143 an interrupt."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with signals_handled(), unbroken_output() as output:
        try:
            with one_command():
                ended = dlrun.main(given, prog_name="dlrun", standalone_mode=False)
        # The boundary: whatever a command raises ends here as one message.
        except Exception as error:
            ended = report_error(error, given)
        status = ended if isinstance(ended, int) else 0
        sys.stdout.flush()
        if output.problem is not None:
            _show(OutputError(f"cannot write to standard output: {output.problem}"), given)
            status = status or OutputError.exit_status
    sys.exit(status)


class OutputError(DlrunError):
    """What a command has to say cannot be written."""


KEYS_OF_OPTIONS = {
    "epochs": "training.epochs=3",
    "batch_size": "training.batch_size=32",
    "lr": "optimizer.adam.learning_rate=0.001",
    "learning_rate": "optimizer.adam.learning_rate=0.001",
    "optimizer": "optimizer=adam",
    "loss": "loss=mse",
    "protocol": "evaluation.protocol=kfold",
    "folds": "evaluation.folds=5",
}
"""What other tools take as options, and how to change it here, by example."""


def report_error(error: Exception, arguments: Sequence[str]) -> int:
    """Say what went wrong and return the exit status.

    Args:
        error: What ended the command.
        arguments: The command line, for `--debug` and `--json`.
    """
    if isinstance(error, click.exceptions.Exit):
        return int(error.exit_code)
    if isinstance(error, click.NoSuchOption):
        error = _with_key_of_config(error)
    elif not isinstance(error, DlrunError | click.ClickException) and (cause := interrupted_by()):
        # A library has turned the interrupt into an error of its own.
        error, error.__cause__ = click.exceptions.Abort(), Interrupted(cause)
    if "--debug" in arguments:
        echo("".join(traceback.format_exception(error)), err=True, nl=False)
    status = 1
    if isinstance(error, click.exceptions.Abort):
        status = exit_status(getattr(error.__cause__, "cause", None))
    elif isinstance(error, click.ClickException):
        status = error.exit_code
    elif isinstance(error, DlrunError):
        status = error.exit_status
    if "--json" in arguments:
        print_json({"error": _facts(error), "exit_status": status})
    if isinstance(error, click.ClickException):
        usage = io.StringIO()
        error.show(usage)
        echo(usage.getvalue(), err=True, nl=False)
    else:
        _show(error, arguments)
    return status


def _with_key_of_config(error: click.NoSuchOption) -> click.NoSuchOption:
    """Name the key of the config that an unknown option means."""
    known = () if error.ctx is None else error.ctx.command.params
    example = KEYS_OF_OPTIONS.get(error.option_name.lstrip("-").replace("-", "_"))
    if example is None or not any(parameter.name == "overrides" for parameter in known):
        return error
    message = f"No such option: {error.option_name}; set it in the config: --set {example}"
    return click.NoSuchOption(error.option_name, message, ctx=error.ctx)


def _show(error: Exception, arguments: Sequence[str]) -> None:
    # Imported only where something went wrong: `dlrun --help` stays quick.
    from rich.console import Console

    from dlrun.cli.console import print_error
    from dlrun.cli.lines import print_line

    message: DlrunError | str
    if isinstance(error, DlrunError) and (notes := getattr(error, "__notes__", ())):
        message = "\n".join((str(error), *notes))
    elif isinstance(error, DlrunError):
        message = error
    elif isinstance(error, click.exceptions.Abort):
        # Notes on the interrupt name what is kept, and where.
        message = "; ".join(("interrupted", *getattr(error.__cause__, "__notes__", ())))
        if sys.stderr.isatty():
            click.echo(err=True)
    else:
        message = without_colours("".join(traceback.format_exception_only(error)).strip())
        if "--debug" not in arguments:
            message = (
                f"unexpected {message}\n"
                "run it again with --debug for the traceback, and please report it"
            )
    print_error(Console(stderr=True), message)
    if not isinstance(error, click.exceptions.Abort):
        for note in getattr(error, "__notes__", ()):
            print_line(Console(stderr=True), note)


def _facts(error: Exception) -> dict[str, Any]:
    if isinstance(error, click.exceptions.Abort):
        return {"type": "Interrupted", "message": "interrupted"}
    if isinstance(error, DlrunError):
        return error.as_dict()
    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return {"type": type(error).__name__, "message": message}
