"""A run, or several, as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dlrun.errors import RunError, UsageError
from dlrun.reports.comparison import Comparison
from dlrun.reports.html.page import report_page
from dlrun.reports.matplotlib_cache import use_temporary_cache
from dlrun.reports.run_record import RunRecord
from dlrun.reports.stored_curves import draw_curves
from dlrun.store.files import as_bytes, write_once, write_text
from dlrun.store.run_directory import RunDirectory
from dlrun.workflows.compare import MOST_RUNS, compare


def report(
    runs: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    runs_dir: str | Path = "runs",
    trust_plugins: bool = False,
) -> Path:
    """Write what happened in runs as one self-contained HTML file.

    Everything comes from the run directories: the data may have moved. Nothing is trained,
    and no test row is read.

    Args:
        runs: A run directory, or the unique beginning of its name; or several.
        output: The file to write. Default: `report.html` in the run, or the next free of
            `report-2.html`, `report-3.html`; for several runs in the folder of the first. Where
            one of these files has the same content, nothing is written.
        runs_dir: Where to look for runs that are given by name.
        trust_plugins: Whether the Python files of their configs may run, which only a comparison
            of several runs needs.

    Returns:
        The file.

    Raises:
        RunError: There is no such run, the file exists, or cannot be written.
        UsageError: No run was given, or one twice.
    """
    return write_report(runs, output, runs_dir=runs_dir, trust_plugins=trust_plugins)[0]


def write_report(
    runs: str | Path | Sequence[str | Path],
    output: str | Path | None,
    *,
    runs_dir: str | Path,
    trust_plugins: bool,
) -> tuple[Path, bool]:
    """As `report`, and return whether the file was written now, not found with the same content."""
    given = [runs] if isinstance(runs, str | Path) else list(runs)
    if not given:
        raise UsageError("expected at least one run")
    directories = [RunDirectory.open(run, Path(runs_dir)) for run in given]
    names = [directory.path for directory in directories]
    if len(set(names)) < len(names):
        again = next(path for path in names if names.count(path) > 1)
        raise UsageError(f"the run {again.name} is given twice")
    records = [RunRecord(directory) for directory in directories]
    use_temporary_cache()
    _draw_missing(records)
    page = report_page(records, _compared(names, trust_plugins))
    if output is not None:
        write_text(Path(output), page)
        return Path(output), True
    if len(directories) == 1:
        return directories[0].add_report(page)
    return write_once(directories[0].path.parent, "report", ".html", as_bytes(page))


def _draw_missing(records: Sequence[RunRecord]) -> None:
    """Draw the curves of runs that were killed when they had a result, but no picture yet."""
    for record in records:
        # Without them the page is what it would be with them.
        if record.status == "finished" and not record.directory.curves_svg.exists():
            with suppress(RunError):
                record.directory.remove_leftovers()
                draw_curves(record.directory)


def _compared(runs: Sequence[Path], trust_plugins: bool) -> Comparison | None:
    """The comparison of several runs; None of one, of too many, or where one has no score."""
    if not 2 <= len(runs) <= MOST_RUNS:
        return None
    try:
        return compare(list(runs), trust_plugins=trust_plugins)
    except RunError:
        return None
