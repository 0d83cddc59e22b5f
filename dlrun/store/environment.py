"""Where and with what a run was made."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
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
    "optuna",
    "cmaes",
)
"""Distributions whose versions may change a result."""

NUMERICS = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "JAX_PLATFORMS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
"""Variables of the environment that may change the digits of a result."""

VECTORS = re.compile(r"avx\w*|amx_\w+|fma|asimd\w*|bf16|sve\w*")
"""Extensions of a CPU that libraries choose other code for, as Linux calls them."""

GIT_SECONDS = 2.0
"""How long git may take before the run goes on without its facts."""


def environment_facts() -> dict[str, Any]:
    """Return the machine, the versions, the command and the state of the user's repository.

    Nothing is imported and nothing is asked of the network.

    Returns:
        `command` (list of arguments), `directory`, `python`, `platform`, `host`, `cpus` (those
        this process may use), `cpu` (its model), `packages` (name to version, only what is
        installed), `numerics`
        (variables of the environment that decide digits, those that are set), `git` (`commit`,
        `dirty`; None outside a repository or without git).
    """
    limited = hasattr(os, "sched_getaffinity")
    cpus = len(os.sched_getaffinity(0)) if limited else os.cpu_count()
    return {
        "command": list(sys.argv),
        "directory": str(Path.cwd()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "cpus": cpus,
        "cpu": cpu_model(),
        "packages": package_versions(),
        "numerics": {name: os.environ[name] for name in NUMERICS if name in os.environ},
        "git": git_facts(Path.cwd()),
    }


def cpu_model(listing: Path = Path("/proc/cpuinfo")) -> str:
    """Return the model of the CPU and its vector extensions, where the system says so.

    Args:
        listing: Where Linux describes each CPU.
    """
    facts: dict[str, str] = {}
    try:
        with listing.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                # The first CPU's alone: they are alike.
                if not line.strip():
                    break
                name, _, value = line.partition(":")
                facts[name.strip()] = value.strip()
    except OSError:
        return platform.processor() or platform.machine()
    parts = [facts[name] for name in ("CPU implementer", "CPU part") if name in facts]
    model = facts.get("model name") or " ".join([platform.machine(), *parts])
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    vectors = ", ".join(sorted(filter(VECTORS.fullmatch, flags)))
    return f"{model} ({vectors})" if vectors else model


def package_versions() -> dict[str, str]:
    """Versions of the installed ones among `PACKAGES`."""
    import importlib.metadata

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def git_facts(folder: Path) -> dict[str, Any] | None:
    """Return the commit checked out in a folder and whether tracked files differ from it.

    `commit` is None before the first commit. None without a repository or git.
    """
    import subprocess

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


def process_facts() -> dict[str, Any]:
    """This process, so that `process_is_gone` knows it later."""
    pid = os.getpid()
    return {"host": platform.node(), "pid": pid, "birth": _birth(pid)}


def process_is_gone(facts: Mapping[str, Any]) -> bool:
    """Tell whether a process is known to have ended.

    False where that cannot be known: on another host, or on a system that does not say.

    Args:
        facts: What `process_facts` returned in that process.
    """
    pid = facts.get("pid")
    if os.name != "posix" or facts.get("host") != platform.node() or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    # The number may have gone to another process since.
    birth, now = facts.get("birth"), _birth(pid)
    return birth is not None and now is not None and birth != now


_left: set[str] = set()


def leave_run(run: Path) -> None:
    """Keep in mind that this process trains a run no more: a full disk may have kept its `run.json`
    from saying so."""
    _left.add(os.path.realpath(run))


def enter_run(run: Path) -> None:
    """Keep in mind that this process trains a run again."""
    _left.discard(os.path.realpath(run))


def was_left(run: Path, facts: Mapping[str, Any]) -> bool:
    """Whether a run was trained by this process, which trains it no more.

    Args:
        run: Its directory.
        facts: What `process_facts` returned in the process that trained it.
    """
    here = facts.get("pid") == os.getpid() and facts.get("host") == platform.node()
    return here and os.path.realpath(run) in _left


def _birth(pid: int) -> str | None:
    """When a process began: boot and clock ticks since, where Linux says so, else None."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets and may hold anything; `starttime` is
    # the 22nd (man 5 proc).
    return f"{boot[:8]}-{stat.rpartition(')')[2].split()[19]}"
