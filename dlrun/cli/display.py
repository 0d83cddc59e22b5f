"""Which display of progress suits the place that the output goes to."""

from __future__ import annotations

from rich.console import Console

from dlrun.cli.live_progress import LiveProgress
from dlrun.cli.progress import PlainProgress, QuietProgress
from dlrun.cli.render import OnLine


def progress_display(
    console: Console, *, quiet: bool = False, on_line: OnLine | None = None
) -> QuietProgress:
    """Return the display that suits the console: live on a terminal, else plain lines.

    Args:
        console: Where to show it.
        quiet: Show nothing.
        on_line: See `QuietProgress`.
    """
    if quiet:
        return QuietProgress(console, on_line)
    if not console.is_terminal or console.is_dumb_terminal:
        return PlainProgress(console, on_line)
    return LiveProgress(console, on_line)
