"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from dlrun.errors import UsageError
from dlrun.store.json_text import to_json
from dlrun.text import pieces_visible, visible
from dlrun.training.interrupt import TimeLimit

Command = TypeVar("Command", bound=Callable[..., Any])

config_argument = click.argument("config", type=click.Path(path_type=Path), metavar="CONFIG")
run_argument = click.argument("run_dir", type=click.Path(path_type=Path), metavar="RUN_DIR")
overrides_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value of the config, such as training.epochs=5. Repeatable.",
)
seed_option = click.option("--seed", type=int, help="Use this seed instead of the config's.")
runs_dir_option = click.option(
    "--runs-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Where run directories are made.",
)
where_option = click.option(
    "--runs-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Where run directories are.",
)
verbose_option = click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Also show which engine trained and why, and where the time went.",
)
trust_plugins_option = click.option(
    "--trust-plugins",
    is_flag=True,
    help="Run the Python files that the config lists under 'plugins'; read them first.",
)
allow_outside_option = click.option(
    "--allow-outside",
    is_flag=True,
    help="Let the config extend files outside its folder; read them first.",
)
force_option = click.option(
    "--force",
    is_flag=True,
    help="Train although the checks find errors; see `dlrun check`.",
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Show only the final result.")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
)
report_option = click.option(
    "--report",
    is_flag=True,
    help="Also write report.html into the run: one page with everything about it.",
)


class TimeLimitType(click.ParamType):
    """A duration, see `TimeLimit.of`."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> TimeLimit:
        """Read it."""
        try:
            return TimeLimit.of(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


time_limit_option = click.option(
    "--time-limit",
    type=TimeLimitType(),
    metavar="DURATION",
    help="End in time, with exit status 75, so that all is kept: 90s, 30m, 2h, 1h30m or HH:MM:SS.",
)
debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    help="Show the traceback of an error.",
)


class RunOptions(TypedDict):
    """What `run_options` gives a command, beside `as_json`."""

    overrides: tuple[str, ...]
    runs_dir: Path
    trust_plugins: bool


class TrainingOptions(RunOptions):
    """What `training_options` gives a command."""

    seed: int | None
    quiet: bool
    as_json: bool
    report: bool
    verbose: bool
    force: bool
    allow_outside: bool
    time_limit: TimeLimit | None


def together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Return options as one decorator; `--help` lists them in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


run_options = together(
    overrides_option, runs_dir_option, trust_plugins_option, json_option, debug_option
)
"""The options of commands that use the model of a run."""

training_options = together(
    overrides_option,
    seed_option,
    runs_dir_option,
    quiet_option,
    verbose_option,
    report_option,
    json_option,
    trust_plugins_option,
    allow_outside_option,
    force_option,
    time_limit_option,
    debug_option,
)
"""The options of every command that trains."""


def print_json(facts: dict[str, Any]) -> None:
    """Print one JSON object, control characters in the escapes of JSON."""
    pieces = pieces_visible(to_json(facts))
    pieces[1::2] = [piece.replace("\\x", "\\u00") for piece in pieces[1::2]]
    click.echo("".join(pieces), nl=False)


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text that quotes files, with its control characters as escapes."""
    click.echo(visible(text), err=err, nl=nl)
