"""Warnings that stood when a model was trained, to be said again beside its score."""

from __future__ import annotations

import shlex
from typing import Any

from dlrun.errors import RunError
from dlrun.store.run_directory import RunDirectory
from dlrun.text import display_path

GRAVE = ("error", "warning")


def open_findings(directory: RunDirectory) -> dict[str, Any] | None:
    """Return `codes` of the warnings and errors, and the command to `check`; None where there are
    none, or where they are not known.

    A final model holds nothing out, so that what concerns held-out rows was found in the run that
    it is made from, if that is still there.
    """
    codes, source = set(_codes(directory)), directory
    parent = _parent(directory)
    if parent is not None and (before := set(_codes(parent))):
        codes, source = codes | before, parent
    if not codes:
        return None
    config = shlex.quote(display_path(source.resolved))
    trust = " --trust-plugins" if source.read_run().get("plugins") else ""
    return {"codes": sorted(codes), "check": f"dlrun check {config} --data{trust}"}


def _codes(directory: RunDirectory) -> list[str]:
    try:
        findings = directory.read_data().get("findings")
    except RunError:
        return []
    listed = findings if isinstance(findings, list) else []
    return [
        str(one["code"])
        for one in listed
        if isinstance(one, dict) and one.get("severity") in GRAVE and "code" in one
    ]


def _parent(directory: RunDirectory) -> RunDirectory | None:
    try:
        name = directory.read_run().get("parent")
        folder = directory.path.parent
        return RunDirectory.open(folder / str(name), folder) if name else None
    except RunError:
        return None
