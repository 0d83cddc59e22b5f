"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from dlrun.store.json_text import to_json

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
debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    help="Show the traceback of an error.",
)


class TrainingOptions(TypedDict):
    """What `training_options` gives a command."""

    overrides: tuple[str, ...]
    seed: int | None
    runs_dir: Path
    quiet: bool
    as_json: bool
    report: bool
    verbose: bool
    trust_plugins: bool
    force: bool


def training_options(command: Command) -> Command:
    """The options of every command that trains."""
    for option in (
        debug_option,
        force_option,
        trust_plugins_option,
        json_option,
        report_option,
        verbose_option,
        quiet_option,
        runs_dir_option,
        seed_option,
        overrides_option,
    ):
        command = option(command)
    return command


def print_json(facts: dict[str, Any]) -> None:
    """Print one JSON object."""
    click.echo(to_json(facts), nl=False)
