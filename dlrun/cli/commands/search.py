"""`dlrun search`."""

from __future__ import annotations

from pathlib import Path

import click

from dlrun.cli.options import (
    allow_outside_option,
    config_argument,
    debug_option,
    force_option,
    json_option,
    overrides_option,
    quiet_option,
    report_option,
    runs_dir_option,
    seed_option,
    trust_plugins_option,
)


@click.command(name="search", short_help="Find the best values of a config by many trainings.")
@config_argument
@click.option("--trials", "-n", type=click.IntRange(1), help="How many trainings there are.")
@click.option(
    "--time",
    metavar="DURATION",
    help="Start trainings for so long, such as 30m; the last one goes on to its end.",
)
@overrides_option
@seed_option
@runs_dir_option
@quiet_option
@report_option
@json_option
@trust_plugins_option
@allow_outside_option
@force_option
@debug_option
def command(
    config: Path,
    trials: int | None,
    time: str | None,
    overrides: tuple[str, ...],
    seed: int | None,
    runs_dir: Path,
    quiet: bool,
    report: bool,
    as_json: bool,
    trust_plugins: bool,
    allow_outside: bool,
    force: bool,
) -> int:
    """Train CONFIG at many points of its `search: {space: ...}`, each as `dlrun train` would, and
    find the best: with the score that it was chosen by, and that score corrected for having been
    chosen. Test data is never read.

    \b
    Examples:
      dlrun search configs/digits_search.yaml
      dlrun search configs/digits_search.yaml --trials 40 --time 30m
    """
    from dlrun.cli.search import search_and_show
    from dlrun.config.load import load_config
    from dlrun.workflows.plugins import runner
    from dlrun.workflows.search import limits

    loaded = load_config(
        config,
        [*overrides, *limits(trials, time)],
        seed,
        run_plugins=runner(trust_plugins),
        allow_outside=allow_outside,
    )

    return search_and_show(
        loaded,
        runs_dir,
        quiet=quiet,
        as_json=as_json,
        report=report,
        trust_plugins=trust_plugins,
        force=force,
    )
