"""`dlrun runs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from dlrun.cli.options import debug_option, json_option, run_argument, where_option
from dlrun.store.run_list import ListedStatus

ORDERS = ("time", "score", "name", "seconds")
STATUSES = get_args(ListedStatus)
SUBCOMMANDS = ("show", "diff", "verify", "seal", "rm")


@click.group(
    name="runs",
    short_help="List runs; show, compare, verify or remove some of them.",
    invoke_without_command=True,
)
@where_option
@click.option("--name", metavar="TEXT", help="Only these experiments: a part of the name, or a*.")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs with this status.")
@click.option(
    "--data",
    metavar="TEXT",
    help="Only runs on this data: a part of its name, a*, or the beginning of its fingerprint.",
)
@click.option(
    "--sort",
    type=click.Choice(ORDERS),
    default="time",
    show_default=True,
    help="Newest, best or longest first, or by name.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Show at most this many; 0 for all.",
)
@json_option
@debug_option
@click.pass_context
def command(
    context: click.Context,
    runs_dir: Path,
    name: str | None,
    status: str | None,
    data: str | None,
    sort: Any,
    limit: int,
    as_json: bool,
) -> None:
    """List the runs in a folder, newest first, with their scores and with what differs between
    their configs.

    \b
    Examples:
      dlrun runs
      dlrun runs --name digits --sort score
      dlrun runs show 20261121-101530
      dlrun runs diff 20261121-101530 20261121-101612
      dlrun runs verify
      dlrun runs rm 20261121-101530
    """
    if context.invoked_subcommand is not None:
        # `dlrun runs --runs-dir DIR show RUN` looks there too.
        context.default_map = {name: {"runs_dir": runs_dir} for name in SUBCOMMANDS}
        return
    from dlrun.cli.options import print_json
    from dlrun.workflows.runs import runs

    listing = runs(runs_dir, name=name, status=status, data=data, sort=sort, limit=limit or None)
    if as_json:
        print_json(listing.as_dict())
        return
    from dlrun.cli.tables import print_listing

    print_listing(listing, filtered=any((name, status, data)))


@command.command(name="show", short_help="Show a run and how it ended.")
@run_argument
@where_option
@json_option
@debug_option
def show(run_dir: Path, runs_dir: Path, as_json: bool) -> None:
    """Show the summary of RUN_DIR, its data, engine, findings, test evaluations and config.

    \b
    Example:
      dlrun runs show 20261121-101530
    """
    from dlrun.cli.options import print_json
    from dlrun.workflows.runs import show_run

    shown = show_run(run_dir, runs_dir=runs_dir)
    if as_json:
        print_json(shown.as_dict())
    else:
        from dlrun.cli.tables import print_run

        print_run(shown)
    if shown.files.changed or shown.files.entry.status == "changed":
        raise SystemExit(1)


@command.command(name="diff", short_help="Show what differs between two runs.")
@click.argument("first", type=click.Path(path_type=Path), metavar="RUN_DIR")
@click.argument("second", type=click.Path(path_type=Path), metavar="RUN_DIR")
@where_option
@json_option
@debug_option
def diff(first: Path, second: Path, runs_dir: Path, as_json: bool) -> None:
    """Show the keys of the configs that differ, and both results side by side. `dlrun compare`
    shows whether one is better than the other by more than chance.

    \b
    Example:
      dlrun runs diff 20261121-101530 20261121-101612
    """
    from dlrun.cli.options import print_json
    from dlrun.workflows.runs import diff_runs

    found = diff_runs(first, second, runs_dir=runs_dir)
    if as_json:
        print_json(found.as_dict())
        return
    from dlrun.cli.tables import print_diff

    print_diff(found)


@command.command(name="verify", short_help="Check every file of runs against its checksum.")
@click.argument("run_dirs", type=click.Path(path_type=Path), metavar="[RUN_DIR]...", nargs=-1)
@where_option
@json_option
@debug_option
def verify(run_dirs: tuple[Path, ...], runs_dir: Path, as_json: bool) -> None:
    """Read every file of RUN_DIR, or of all runs, and compare its SHA-256 with the one in the run's
    manifest.json. Exits with 1 if a file was changed, is missing or is another run's.

    \b
    Examples:
      dlrun runs verify
      dlrun runs verify 20261121-101530
    """
    from dlrun.cli.options import print_json
    from dlrun.workflows.verification import verify_runs

    found = verify_runs(run_dirs, runs_dir=runs_dir)
    if as_json:
        print_json(found.as_dict())
    else:
        from dlrun.cli.tables import print_verification

        print_verification(found)
    if not found.is_sound:
        raise SystemExit(1)


@command.command(name="seal", short_help="Accept a run's files as they are now.")
@run_argument
@where_option
@json_option
@debug_option
def seal(run_dir: Path, runs_dir: Path, as_json: bool) -> None:
    """Write the manifest.json of RUN_DIR anew, after you have changed one of its files on purpose,
    and show which files have changed. When it was sealed is kept.

    \b
    Example:
      dlrun runs seal 20261121-101530
    """
    from dlrun.cli.options import print_json
    from dlrun.workflows.verification import seal_run

    sealed = seal_run(run_dir, runs_dir=runs_dir)
    if as_json:
        print_json(sealed.as_dict())
        return
    from dlrun.cli.tables import print_sealed

    print_sealed(sealed)


@command.command(name="rm", short_help="Remove runs, after asking.")
@click.argument(
    "run_dirs", type=click.Path(path_type=Path), metavar="RUN_DIR...", nargs=-1, required=True
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@where_option
@json_option
@debug_option
def remove(run_dirs: tuple[Path, ...], yes: bool, runs_dir: Path, as_json: bool) -> None:
    """Remove RUN_DIR with everything in it. Asks first. A run that is still running is refused.

    \b
    Example:
      dlrun runs rm 20261121-101530 20261121-101612
    """
    from dlrun.cli.options import print_json
    from dlrun.cli.tables import confirm_removal
    from dlrun.workflows.runs import removable_runs, remove_runs

    entries = removable_runs(run_dirs, runs_dir=runs_dir)
    confirmed = yes or confirm_removal(entries)
    removed = remove_runs(entries) if confirmed else []
    if as_json:
        print_json({"removed": removed})
    elif not confirmed:
        click.echo("nothing was removed")
    else:
        click.echo(f"removed {len(removed)} run{'s' if len(removed) > 1 else ''}")
