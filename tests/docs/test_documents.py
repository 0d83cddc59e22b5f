"""What README and docs say is well-formed and true: YAML, links, set-up commands, headers."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from dlrun.config.load import load_experiment
from dlrun.errors import ConfigError

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/config.md",
    "docs/architectures.md",
    "docs/benchmark.md",
    "docs/descent.md",
    "docs/engine.md",
    "docs/findings.md",
    "docs/first-run.md",
    "docs/from-scratch.md",
    "docs/images.md",
    "docs/inputs-and-outputs.md",
    "docs/looking.md",
    "docs/memory.md",
    "docs/monitoring.md",
    "docs/phases.md",
    "docs/plugins.md",
    "docs/protocols.md",
    "docs/python.md",
    "docs/report.md",
    "docs/resume.md",
    "docs/run-directory.md",
    "docs/runs.md",
    "docs/search.md",
    "docs/tensors.md",
    "docs/text.md",
    "docs/timeseries.md",
    "docs/workflow.md",
]
WHOLE = """
dataset: {source: sklearn, name: iris}
architecture: {layers: [{Dense: {units: 3, activation: softmax}}]}
loss: sparse_categorical_crossentropy
optimizer: adam
metrics: [accuracy, mae]
"""
"""What a fragment of a config leaves out."""

CONFIGS = sorted(
    path.relative_to(Path(__file__).parents[2]).as_posix()
    for path in (Path(__file__).parents[2] / "configs").rglob("*.yaml")
)


def test_every_page_is_tested(root: Path) -> None:
    pages = [*root.glob("*.md"), *root.glob("docs/**/*.md")]
    assert sorted(page.relative_to(root).as_posix() for page in pages) == sorted(PAGES)


def test_the_reference_is_what_the_classes_say(root: Path) -> None:
    spec = importlib.util.spec_from_file_location("build_docs", root / "scripts/build_docs.py")
    assert spec is not None
    assert spec.loader is not None
    build_docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build_docs)
    for page in build_docs.PAGES:
        written = (root / f"docs/{page}.md").read_text(encoding="utf-8")
        assert written == build_docs.build(page), "run python scripts/build_docs.py"


@pytest.mark.parametrize("page", PAGES)
def test_yaml_of_a_page_is_a_config_or_a_part_of_one(
    page: str, blocks: Callable[[str], Any], tmp_path: Path
) -> None:
    (tmp_path / "whole.yaml").write_text(WHOLE)
    (tmp_path / "imdb_dense.yaml").write_text(WHOLE)
    for block in blocks(page):
        if block.language != "yaml":
            continue
        text = block.text
        # A config with a task is shown whole.
        if "extends:" not in text and not re.search("^task:", text, re.MULTILINE):
            text = f"extends: whole.yaml\n{text}"
        file = tmp_path / "shown.yaml"
        file.write_text(text)
        if block.broken:
            with pytest.raises(ConfigError):
                load_experiment(file)
            continue
        try:
            load_experiment(file)
        except ConfigError as error:
            pytest.fail(f"{block.place}\n{error}")


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(page: str, root: Path) -> None:
    text = (root / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (root / page).parent / name if name else root / page
        assert path.exists(), f"{page} links to {target}"
        if anchor:
            assert anchor in _anchors(path.read_text(encoding="utf-8")), f"{page}: {target}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_set_up_commands_fit_the_project(
    page: str, root: Path, blocks: Callable[[str], Any]
) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    text = (root / page).read_text(encoding="utf-8")
    for extras in re.findall(r"pip install -e '?\.\[([\w,]+)\]", text):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
    commands = [line for b in blocks(page) if b.language == "sh" for line in b.text.splitlines()]
    for command in commands:
        if "pytest" in command:
            assert "[dev]" in command, f"{command}: pytest comes with the extra `dev`"
    for path in re.findall(r"`(?:bash|python) ([\w./]+)", text):
        assert (root / path).is_file()


def test_the_readme_begins_with_one_command_that_trains_and_one_that_tests(
    root: Path, blocks: Callable[[str], Any]
) -> None:
    train, test = [b.text.splitlines() for b in blocks("README.md") if b.language == "sh"][:2]
    assert [len(train), len(test)] == [1, 1]
    assert train[0].endswith("dlrun train configs/digits.yaml")
    assert test[0].endswith("pytest")
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "Python 3.11, 3.12 or 3.13" in (root / "README.md").read_text()


def test_the_readme_names_every_command_and_every_page(root: Path) -> None:
    from dlrun.cli.main import dlrun

    text = (root / "README.md").read_text(encoding="utf-8")
    context = click.Context(dlrun)
    for command in dlrun.list_commands(context):
        assert f"`dlrun {command}" in text
    for page in root.glob("docs/*.md"):
        assert f"(docs/{page.name}" in text


def test_the_loop_that_a_page_walks_through_is_the_loop(
    root: Path, blocks: Callable[[str], Any]
) -> None:
    def lines(text: str) -> str:
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())

    source = (root / "dlrun/training/naive_engine.py").read_text(encoding="utf-8")
    shown = [block for block in blocks("docs/from-scratch.md") if block.language == "py"]
    assert len(shown) >= 5
    for block in shown:
        assert lines(block.text) in lines(source), f"{block.place} is out of date"


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_says_what_it_is_what_to_expect_and_how_long_it_takes(
    config: str, root: Path
) -> None:
    lines = (root / config).read_text(encoding="utf-8").splitlines()
    header = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
    said = {}
    for line in header:
        if match := re.match(r"# (\w+): +(.+)", line):
            word, said[match[1]] = match[1], match[2]
        elif line.startswith("#           "):
            said[word] += " " + line[1:].strip()
    assert header[0].endswith("."), "the first line says what the experiment is"
    assert {"Data", "Expected", "Time"} <= said.keys()
    assert re.search(r"\d", said["Expected"]), "a result is a number"
    assert re.search(r"\b(second|minute)s?\b|half a minute", said["Time"])
    assert "two CPU cores" in said["Time"]
    if "/book/" in config:
        assert re.match(r"Deep Learning with Python, section \d\.\d", said["Book"])


def _anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
