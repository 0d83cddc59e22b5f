"""`dlrun resume`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlrun.cli.options import (
    debug_option,
    json_option,
    quiet_option,
    report_option,
    run_argument,
    time_limit_option,
    together,
    trust_plugins_option,
    verbose_option,
    where_option,
)

if TYPE_CHECKING:
    from dlrun.cli.progress import QuietProgress
    from dlrun.cli.training import OnScored, RunLog
    from dlrun.training.interrupt import TimeLimit
    from dlrun.workflows.run import Run


@click.command(name="resume", short_help="Go on with a run that was broken off.")
@run_argument
@click.option(
    "--force",
    is_flag=True,
    help="Go on although versions, device or settings differ; digits may differ.",
)
@together(
    where_option,
    time_limit_option,
    quiet_option,
    verbose_option,
    report_option,
    json_option,
    trust_plugins_option,
    debug_option,
)
def command(
    run_dir: Path,
    force: bool,
    runs_dir: Path,
    time_limit: TimeLimit | None,
    quiet: bool,
    verbose: bool,
    report: bool,
    as_json: bool,
    trust_plugins: bool,
) -> int:
    """Go on with RUN_DIR, which was killed, interrupted, or lost to a full disk, in the same
    directory and to the same digits as if nothing had happened. Finished folds are kept, and the
    fold that was broken off goes on from its checkpoint.

    \b
    Examples:
      dlrun resume runs/20261121-101530-houses-3f2a
      dlrun resume 20261121-101530
    """
    from dlrun.cli.training import show_run
    from dlrun.store.run_directory import RunDirectory
    from dlrun.text import display_path

    directory = RunDirectory.open(run_dir, runs_dir)
    if directory.status == "finished" and not as_json:
        click.echo(f"{display_path(directory.path)} is finished: there is nothing to do")
        quiet = True

    if directory.trials.is_dir():
        from dlrun.cli.search import SearchLines, show_search

        def search_on(lines: SearchLines, log: RunLog) -> Run:
            from dlrun.workflows.resume import resume

            return resume(
                directory.path,
                force=force,
                observer=lines,
                created=log.attach,
                trust_plugins=trust_plugins,
                time_limit=time_limit,
            )

        return show_search(search_on, quiet=quiet, as_json=as_json, report=report)

    def start(progress: QuietProgress, log: RunLog, scored: OnScored) -> Run:
        from dlrun.workflows.resume import resume

        return resume(
            directory.path,
            force=force,
            observer=progress,
            created=log.attach,
            scored=scored,
            trust_plugins=trust_plugins,
            time_limit=time_limit,
        )

    return show_run(start, quiet=quiet, as_json=as_json, report=report, verbose=verbose)
