"""Whether the process that a run was started by is still there."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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
