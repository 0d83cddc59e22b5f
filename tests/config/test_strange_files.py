"""Configs from strangers: what they may extend, and how much of a file is read."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import yaml

from dlrun.config.document import Node, Place, Reporter
from dlrun.config.limits import ENVIRONMENT, special_file
from dlrun.config.load import load_config
from dlrun.config.yaml_reader import read_yaml
from dlrun.errors import ConfigError, UsageError

WHOLE = """
dataset: {source: sklearn, name: digits}
architecture: {layers: [{Dense: 10}]}
loss: mse
optimizer: adam
"""


def refused(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config that extends `base`, beside a folder of secrets."""
    (tmp_path / "own" / "below").mkdir(parents=True)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "keys.yaml").write_text("password: hunter2\n")
    (tmp_path / "secrets" / "base.yaml").write_text(WHOLE)
    (tmp_path / "own" / "below" / "base.yaml").write_text(WHOLE)
    return tmp_path / "own"


def extending(folder: Path, named: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(f"extends: {named}\n", encoding="utf-8")
    return file


def test_a_base_below_the_config_is_read(folder: Path) -> None:
    assert load_config(extending(folder, "below/base.yaml")).loss.alias == "mse"
    # From there back into the folder of the config that is run.
    (folder / "first.yaml").write_text(WHOLE)
    (folder / "below" / "second.yaml").write_text("extends: ../first.yaml\n")
    assert load_config(extending(folder, "below/second.yaml")).loss.alias == "mse"


@pytest.mark.parametrize("named", ["../secrets/base.yaml", "../secrets/none.yaml", "link.yaml"])
def test_a_base_outside_needs_leave(named: str, folder: Path) -> None:
    (folder / "link.yaml").symlink_to(folder.parent / "secrets" / "base.yaml")
    file = extending(folder, named)
    message = refused(file)
    assert f"'{named}' is outside the config's folder" in message
    assert "--allow-outside" in message
    if "none" not in named:
        assert load_config(file, allow_outside=True).loss.alias == "mse"


def test_of_what_is_no_config_only_the_name_is_shown(folder: Path) -> None:
    secrets = {
        "keys.yaml": "password: hunter2\n",
        "secret.yaml": "name: a\nkind: Secret\ndata: {task: hunter2}\n",
        "notes.yaml": "the password is hunter2: {[\n",
        "list.yaml": "- hunter2\n",
        "bytes.yaml": "hunter2 \udcff",
    }
    for name, content in secrets.items():
        (folder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
        message = refused(extending(folder, name))
        assert f"'{name}' is not a config" in message
        assert "hunter2" not in message
    (folder / "notes.txt").write_text(WHOLE)
    assert "'notes.txt' is not a config by its name" in refused(extending(folder, "notes.txt"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"traning: {epochs: 3}\n", "unknown key 'traning'; did you mean 'training'?"),
        (b"name: base\n", "the key 'dataset' is missing"),
        (b"# loss: mse\n", "the file is empty"),
        (WHOLE.encode("utf-16"), "not valid UTF-8"),
        (b"{name: base, dataset: {source: sklearn, name: digit}}", "found: 'digit'"),
    ],
)
def test_a_base_that_can_be_mended_is_shown(content: bytes, message: str, folder: Path) -> None:
    (folder / "base.yaml").write_bytes(content)
    assert message in refused(extending(folder, "base.yaml"))


def test_names_that_no_file_can_have_are_refused(folder: Path) -> None:
    (folder / "circle.yaml").symlink_to("circle.yaml")
    for named, message in {
        '"a\\0b.yaml"': "'a\\x00b.yaml' is not a possible file name",
        "circle.yaml": "'circle.yaml' is a symbolic link that leads in a circle",
        f"{'x' * 300}.yaml": f"'{'x' * 300}.yaml' is too long for a file name",
        f"{'below/' * 60}base.yaml": "below/base.yaml' does not exist",
    }.items():
        assert message in refused(extending(folder, named))


def test_files_in_shared_memory_are_regular_files() -> None:
    assert special_file(Path("/dev/shm/table.csv")) is None
    assert special_file(Path("/dev/zero")) == "a system file"


def test_mistakes_in_a_base_are_shown(folder: Path) -> None:
    (folder / "base.yaml").write_text(WHOLE + "training: {epochs: [3\n")
    assert "base.yaml:6:20: the '[' that opens here is never closed" in refused(
        extending(folder, "base.yaml")
    )


def test_devices_pipes_and_files_of_the_system_are_not_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "pipe.yaml")
    (folder / "zero.yaml").symlink_to("/dev/zero")
    (folder / "environment.yaml").symlink_to("/proc/self/environ")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.yaml")
    for name, kind in {
        "pipe.yaml": "a named pipe",
        "socket.yaml": "a socket",
        "zero.yaml": "a system file",
        "environment.yaml": "a system file",
    }.items():
        file = extending(folder, name)
        with pytest.raises(ConfigError, match=f"'{name}' is {kind}"):
            load_config(file, allow_outside=True)


def test_a_huge_file_is_refused_and_the_limit_can_be_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(WHOLE + "#" * 1_000_000)
    message = refused(file)
    assert "this file is too large" in message
    assert f"{ENVIRONMENT}=config_bytes=2000000" in message
    monkeypatch.setenv(ENVIRONMENT, "config_bytes=2000000, layers=3")
    assert load_config(file).loss.alias == "mse"
    assert "too large" in refused(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("config_byte=3", "unknown limit 'config_byte'; did you mean 'config_bytes'"),
        ("layers=many", "'layers' needs a whole number"),
    ],
)
def test_limits_that_cannot_be_read(
    given: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(ENVIRONMENT, given)
    (tmp_path / "f.yaml").write_text(WHOLE)
    with pytest.raises(UsageError, match=message):
        load_config(tmp_path / "f.yaml")


def read(text: str) -> tuple[Node | None, list[str]]:
    report = Reporter()
    node = read_yaml(text, lambda line, column: Place(f"{line + 1}", (0, line, column)), report)
    return node, [problem.message for problem in report.problems()]


def test_values_nested_by_aliases_are_refused() -> None:
    chain = "\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 3000))])
    assert read(chain) == (None, ["the values are nested too deeply to be read"])


def test_without_aliases_a_file_may_hold_what_fits_into_it() -> None:
    node, problems = read(f"features: [{', '.join(f'column_{i}' for i in range(12_000))}]")
    assert problems == []
    assert node is not None
    many = f"a: &a [{'x, ' * 6000}]\nb: [*a, *a]"
    assert read(many) == (None, ["the aliases in this file multiply to too many values"])


def test_both_parsers_of_pyyaml_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x {b: [1, 'two', \"th\\x41ree\"]}\n? key\n: *x\n<<: *x\nd: ! |\n  e\n"
    lists = ["[a, {b: c}, - d]", "- a\n-b", "a: *b", "- &a x\n- &a y", "a: \tb", "a: !"]
    texts = [WHOLE, text, "é: 'x\ny'\n", *lists]
    fast = [read(each) for each in texts]
    monkeypatch.setattr("dlrun.config.yaml_reader._PARSERS", (yaml.SafeLoader, yaml.SafeLoader))
    assert [read(each) for each in texts] == fast


def test_blocks_and_repetitions_that_multiply_are_refused(tmp_path: Path) -> None:
    blocks = "".join(
        f"  b{i}: {{layers: [{', '.join([f'b{i - 1}'] * 10)}]}}\n" for i in range(1, 30)
    )
    file = tmp_path / "f.yaml"
    layers = "  b0: {layers: [{Dense: 8}]}\n" + blocks
    file.write_text(WHOLE.replace("{Dense: 10}", "b29, {Dense: 10}") + f"blocks:\n{layers}")
    assert "the model has more than 10,000 layers" in refused(file)
    file.write_text(WHOLE.replace("{Dense: 10}", "{Dense: 10, repeat: 1000000000}"))
    assert "the model has more than 10,000 layers" in refused(file)


def test_only_the_first_problems_are_shown_in_full(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(WHOLE + "".join(f"unheard_of_{i}: 1\n" for i in range(12)))
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert len(caught.value.problems) == 12
    lines = str(caught.value).splitlines()
    assert lines[-1] == "and 7 more problems; fix these first"
    assert sum("unknown key" in line for line in lines) == 5
    assert len(lines) < 25


def test_what_a_config_holds_is_cut_and_cannot_steer_a_terminal(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(WHOLE.replace("mse", f'"{"x" * 500}\\e[31m\\n"') + '"\\e]0;\\u202e": 1\n')
    message = refused(file)
    assert f"unknown loss '{'x' * 59}…'" in message
    assert "unknown key '\\x1b]0;\\u202e'" in message
    # Marks of direction, as in names in Hebrew or Arabic, are left alone; isolates are not.
    file.write_text(
        WHOLE.replace("mse", '"\u05d0\u200f\u200e\u061c"') + '"\u2067": 1\n', encoding="utf-8"
    )
    assert "unknown loss '\u05d0\u200f\u200e\u061c'" in (message := refused(file))
    assert "unknown key '\\u2067'" in message
    # The caret is where it belongs in a line with characters that are shown as escapes.
    file.write_text("loss: \u202emse\ndata\u202eset: 1\n", encoding="utf-8")
    assert "\n    loss: \\u202emse\n          ^\n" in refused(file)
