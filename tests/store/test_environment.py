"""Where and with what a run was made."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dlrun.store.environment import cpu_model, environment_facts, git_facts

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    answer = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def test_facts_are_plain_json_and_true() -> None:
    facts = environment_facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["cpus"] >= 1
    assert facts["command"] == sys.argv
    assert facts["directory"] == str(Path.cwd())


@pytest.mark.parametrize(
    ("listing", "model"),
    [
        ("model name : Xeon 9\nflags : sse avx2 fma\n\nmodel name : x\n", "Xeon 9 (avx2, fma)"),
        ("model name : Old\nflags : sse\n", "Old"),
        ("Features : fp asimd sve\nCPU part : 0xd4f\n", "0xd4f (asimd, sve)"),
    ],
)
def test_the_cpu_is_named_with_its_vector_extensions(
    listing: str, model: str, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(listing)
    assert cpu_model(tmp_path / "cpuinfo").endswith(model)
    # As on other systems than Linux.
    assert cpu_model(tmp_path / "none")


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys; from dlrun.store.environment import environment_facts\n"
        "from dlrun.store.run_directory import RunDirectory\n"
        "environment_facts()\n"
        "print({'tensorflow', 'keras', 'sklearn', 'pandas', 'numpy', 'jax'} & set(sys.modules))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "set()\n"


@needs_git
def test_commit_and_whether_tracked_files_changed(tmp_path: Path) -> None:
    assert git_facts(tmp_path) is None
    git(tmp_path, "init", "--quiet")
    assert git_facts(tmp_path) == {"commit": None, "dirty": False}
    (tmp_path / "a b.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "untracked").touch()
    assert git_facts(tmp_path) == {"commit": commit, "dirty": False}
    (tmp_path / "a b.py").write_text("2")
    assert git_facts(tmp_path) == {"commit": commit, "dirty": True}


def test_without_git_there_are_no_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_facts(tmp_path) is None
    assert environment_facts()["git"] is None
