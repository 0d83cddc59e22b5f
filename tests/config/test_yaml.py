"""YAML as a config means it: values, places, and writing it back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dlrun.config.document import Node, Place, Reporter
from dlrun.config.load import load_config
from dlrun.config.yaml_reader import read_yaml
from dlrun.config.yaml_writer import dump_yaml, in_line
from dlrun.errors import ConfigError


def place_at(line: int, column: int) -> Place:
    return Place(f"{line + 1}:{column + 1}", (0, line, column))


def read(text: str) -> Node:
    report = Reporter()
    node = read_yaml(text, place_at, report)
    if problems := report.problems():
        raise ConfigError(problems)
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("null", None),
        ("~", None),
        ("", None),
        ("1e-3", 0.001),
        ("1E5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.5e+2", -50.0),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("+3", 3),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2024-01-31", "2024-01-31"),
        ("1/255", "1/255"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("'5'", "5"),
        ('"null"', "null"),
        ("٣", "٣"),
        ("9" * 500, "9" * 500),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
        ("=", "="),
    ],
)
def test_what_plain_text_means(text: str, value: Any) -> None:
    node = read(f"key: {text}\n")
    assert node.mapping is not None
    assert node.mapping["key"].value == value
    assert type(node.mapping["key"].value) is type(value)


def test_not_a_number() -> None:
    assert math.isnan(read("[.nan]").plain()[0])


ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.recursive(
        st.none() | st.booleans() | NUMBERS | ASCII,
        lambda inner: st.lists(inner) | st.dictionaries(ASCII, inner),
        max_leaves=10,
    )
)
def test_json_is_yaml(data: Any) -> None:
    assert read(json.dumps(data)).plain() == data


LIKE_VALUES = ["no", "1e-3", "012", "12:30", "2024-01-01", "~", "null", "1_000", "0x1F", ".inf"]
LIKE_SYNTAX = ["<<", "=", "-", "#", "[x]", "{a}", "*.csv", "&a", "!x", "%", "@", "`", "'q'", "---"]
SPACED = ["", " ", "a: b", "a:", "a #b", "- a", "? a", "\t", "a\nb", "x\x85y", "\u2028", "é\x00"]
AWKWARD = st.sampled_from([*LIKE_VALUES, *LIKE_SYNTAX, *SPACED])
PLAIN = AWKWARD | st.text() | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
DATA = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(AWKWARD | st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(DATA)
def test_what_is_written_reads_back_the_same(data: Any) -> None:
    assert repr(read(dump_yaml(data)).plain()) == repr(data)


@given(DATA)
def test_one_line_stays_one_line(data: Any) -> None:
    text = in_line(data)
    assert len(text.splitlines()) <= 1
    assert repr(read(text).plain()) == repr(data)


@given(st.dictionaries(st.text(min_size=1), st.booleans() | st.integers() | st.text()))
def test_readers_of_yaml_1_1_are_not_misled(data: dict[str, Any]) -> None:
    assert yaml.safe_load(dump_yaml(data)) == data


def test_written_yaml_is_good_to_read() -> None:
    data = {
        "name": "no",
        "metrics": ["mae", "mse"],
        "long": ["a rather long entry of a list"] * 3,
        "layers": [{"Dense": {"units": 64, "rate": 1e-05}}, "Flatten"],
        "nothing": None,
    }
    assert dump_yaml(data) == (
        "name: 'no'\n"
        "metrics: [mae, mse]\n"
        "long:\n"
        "  - a rather long entry of a list\n"
        "  - a rather long entry of a list\n"
        "  - a rather long entry of a list\n"
        "layers:\n"
        "  - Dense:\n"
        "      units: 64\n"
        "      rate: 1.0e-05\n"
        "  - Flatten\n"
        "nothing: null\n"
    )


def test_every_key_and_value_knows_its_place() -> None:
    node = read("training:\n  epochs: 5\n  callbacks: [a, {b: c}]\n")
    places = {
        ("training",): ("1:1", "2:3"),
        ("training", "epochs"): ("2:3", "2:11"),
        ("training", "callbacks"): ("3:3", "3:14"),
        ("training", "callbacks", 0): ("3:15", "3:15"),
        ("training", "callbacks", 1, "b"): ("3:19", "3:22"),
        ("training", "callbacks", 2): ("3:3", "3:14"),
        ("training", "unheard", "of"): ("1:1", "2:3"),
    }
    for path, (key, value) in places.items():
        assert node.locate(path, on_key=True).text == key
        assert node.locate(path).text == value


def test_anchors_and_merges() -> None:
    node = read(
        "usual: &usual {epochs: 5, batch_size: 16}\n"
        "fast: &fast {epochs: 1}\n"
        "training:\n"
        "  <<: [*fast, *usual]\n"
        "  shuffle: false\n"
        "again: *usual\n"
    )
    # The first mapping of the list wins, as the YAML merge key says.
    assert node.plain()["training"] == {"epochs": 1, "batch_size": 16, "shuffle": False}
    assert node.plain()["again"] == {"epochs": 5, "batch_size": 16}
    assert node.locate(("training", "epochs")).text == "2:22"
    assert node.locate(("training", "batch_size")).text == "1:39"
    assert node.locate(("training", "shuffle")).text == "5:12"
    assert node.locate(("again",), on_key=True).text == "6:1"


def test_own_keys_win_over_merged_ones_wherever_they_stand() -> None:
    text = "a: &a {x: 1, y: 1}\nb: {x: 2, <<: *a}\n"
    assert read(text).plain()["b"] == {"x": 2, "y": 1}


def test_aliases_that_multiply_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 40)]
    file = tmp_path / "laughs.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match="the aliases in this file multiply to too many values"):
        load_config(file)


def test_values_nested_without_end_are_refused() -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        read("[" * 10_000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: caf\xe9\n", "f.yaml:1: not valid UTF-8"),
        (b"seed: 0\nname: \xff\xfea\n", "f.yaml:2: not valid UTF-8"),
        ("name: digits\n".encode("utf-16"), "f.yaml:1: not valid UTF-8"),
        (b"name: a\x07b\n", "f.yaml:1:8: the control character U+0007 is not allowed"),
        (b"", "f.yaml: the file is empty"),
        (b"digits\n", "f.yaml:1:1: a config is a mapping from keys to values"),
    ],
)
def test_files_that_are_no_config(
    content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config("f.yaml")
    assert str(caught.value).splitlines()[0] == message


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: x\n")
    with pytest.raises(ConfigError, match="the key 'dataset' is missing"):
        load_config(file)


def test_a_missing_file_and_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits.yaml").touch()
    with pytest.raises(ConfigError) as caught:
        load_config("digit.yaml")
    expected = "digit.yaml: this file does not exist; did you mean 'digits.yaml'?"
    assert str(caught.value) == expected
    with pytest.raises(ConfigError) as caught:
        load_config("nowhere/digits.yaml")
    assert str(caught.value) == "nowhere/digits.yaml: this file does not exist"
    with pytest.raises(ConfigError) as caught:
        load_config(".")
    assert str(caught.value) == ".: this file is a folder\n    expected: a YAML file"


def test_a_caret_points_at_the_mistake_in_a_long_line(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(f"training: {{{'epochs: 5,' + ' ' * 300}bach_size: 3}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    problem = caught.value.problems[0]
    assert problem.place.endswith(":1:322")
    assert problem.line is not None
    assert problem.column is not None
    assert len(problem.line) < 120
    assert problem.line[problem.column - 1 :].startswith("bach_size")
