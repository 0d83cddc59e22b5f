"""What `dlrun look` has drawn of the run."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dlrun.reports.html.sections import Section
from dlrun.reports.run_record import RunRecord
from dlrun.store.looks import read_looks
from dlrun.store.recorded_files import RecordedFiles

MOST_PICTURES = 24
"""Pictures of the page; further ones are in the run alone."""


def looks(record: RunRecord) -> Section | None:
    """The views that the run keeps, each with its result in words and its pictures."""
    files, room, views = record.directory.files, MOST_PICTURES, []
    for kept in record.attempt(lambda: read_looks(files)) or []:
        read = partial(_read, files, kept.pictures[:room])
        shown = [png_uri(data) for data in record.attempt(read) or []]
        room -= len(shown)
        views.append(
            {
                "title": kept.path.name,
                "view": kept.view,
                "lines": [str(line) for line in kept.facts.get("lines") or ()],
                "pictures": shown,
                "more": len(kept.pictures) - len(shown),
            }
        )
    return Section("looks", "A closer look", {"views": views}) if views else None


def _read(files: RecordedFiles, paths: Sequence[Path]) -> list[bytes]:
    return [files.read_bytes(path) for path in paths]


def png_uri(data: bytes) -> str:
    """Return a PNG as a `data:` address."""
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")
