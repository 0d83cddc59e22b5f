"""Where and with what a run was made."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGES = (
    "dlrun",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "jaxlib",
    "torch",
    "numpy",
    "scikit-learn",
    "pandas",
)
"""Distributions whose versions may change a result."""

GIT_SECONDS = 2.0
"""How long git may take before the run goes on without its facts."""


def environment_facts() -> dict[str, Any]:
    """Return the machine, the versions, the command and the state of the user's repository.

    Nothing is imported and nothing is asked of the network.

    Returns:
        `command` (list of arguments), `directory`, `python`, `platform`, `host`, `cpus` (those
        this process may use), `packages` (name to version, only what is installed), `git`
        (`commit`, `dirty`; None outside a repository or without git).
    """
    return {
        "command": list(sys.argv),
        "directory": str(Path.cwd()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "cpus": _cpus(),
        "packages": package_versions(),
        "git": git_facts(Path.cwd()),
    }


def package_versions() -> dict[str, str]:
    """Versions of the installed ones among `PACKAGES`."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def git_facts(folder: Path) -> dict[str, Any] | None:
    """Return the commit checked out in a folder and whether tracked files differ from it.

    `commit` is None before the first commit. None where there is no repository or no git.
    """
    status = ["status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        answer = subprocess.run(
            ["git", "--no-optional-locks", *status],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = answer.stdout.splitlines()
    commits = [line.split()[2] for line in lines if line.startswith("# branch.oid ")]
    commit = commits[0] if commits and commits[0] != "(initial)" else None
    return {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}


def _cpus() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()
