"""How a path is shown to the user."""

from __future__ import annotations

from pathlib import Path


def display_path(path: Path) -> str:
    """The path as the user would type it: relative where it lies below the working directory."""
    try:
        shown = path.relative_to(Path.cwd())
    except (ValueError, OSError):
        return str(path)
    return str(shown)
