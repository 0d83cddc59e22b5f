"""How findings come out: exit status, JSON, the terminal, and before training."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dlrun.checks.check import config_findings
from dlrun.cli.console import print_finding
from dlrun.config.load import load_config

SOUND = """\
dataset: {source: sklearn, name: digits, limit: 900}
preprocess: [{rescale: 1/16}]
architecture:
  layers:
    - Dense: {units: 32, activation: relu}
    - Dense: {units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: adam
metrics: [accuracy]
training: {epochs: 1}
"""
WARNED = SOUND.replace("optimizer: adam", "optimizer: {adam: 3.5}")
BROKEN = SOUND.replace("units: 10, activation: softmax", "units: 10")

PLACE = "c.yaml:8:19: warning DL016: "
HEADLINE = PLACE + "a learning rate of 3.5 is too large for adam: 1e-06 to 0.05 is usual"


@pytest.mark.parametrize(
    ("text", "options", "status", "counts"),
    [
        (SOUND, ["--strict"], 0, "nothing wrong found"),
        (WARNED, [], 0, "1 warning"),
        (WARNED, ["--strict"], 1, "1 warning"),
        (BROKEN, [], 2, "1 error"),
        (WARNED + "ignore: [DL016]\n", ["--strict"], 0, "nothing wrong found; 1 silenced: DL016"),
        (BROKEN + "ignore: DL001\n", [], 0, "nothing wrong found; 1 silenced: DL001"),
    ],
)
def test_exit_status(
    text: str, options: list[str], status: int, counts: str, call: Any, tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text(text)
    answer = call("check", "c.yaml", *options)
    assert answer.status == status
    assert f"c.yaml: {counts} (2 layers, holdout)" in answer.out
    assert answer.err == ""


def test_as_json(call: Any, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(BROKEN + "ignore: [DL016]\n")
    answer = call("check", "c.yaml", "--json", "--set", "optimizer={adam: 3.5}")
    assert answer.status == 2
    assert answer.json["ok"] is False
    assert answer.json["silenced"] == {"DL016": 1}
    [finding] = answer.json["findings"]
    assert finding["code"] == "DL001"
    assert finding["severity"] == "error"
    assert finding["place"] == "c.yaml:6:14"
    assert finding["write"] == "- Dense: {units: 10, activation: softmax}"
    # What it says to paste can be pasted.
    assert finding["set"] == "--set architecture.layers.1.Dense.activation=softmax"
    assert call("check", "c.yaml", *finding["set"].split()).status == 0


def test_an_error_does_not_keep_the_rows_from_being_checked(call: Any, tmp_path: Path) -> None:
    text = BROKEN.replace("limit: 900", "limit: 40")
    (tmp_path / "c.yaml").write_text(text)
    answer = call("check", "c.yaml", "--data")
    assert answer.status == 2
    assert "c.yaml:6:14: error DL001: " in answer.out
    assert "warning DL113: only 8 rows are scored" in answer.out
    assert answer.out.endswith("(2 layers, holdout)\nnot built: fix the errors first\n")


ROWS = """\
dataset: {source: csv, path: rows.csv, target: y}
preprocess: []
architecture: {layers: [{Dense: {units: 1, activation: sigmoid}}]}
loss: binary_crossentropy
optimizer: adam
metrics: [accuracy]
"""


@pytest.mark.parametrize(
    ("sound", "broken", "place", "codes"),
    [
        # Class labels, scales and identifiers do not depend on the layers; the units do.
        ("units: 1,", "unitz: 1,", "c.yaml:3:34: ", {"DL112", "DL115"}),
        # Under another loss the labels may be quantities.
        ("loss: binary", "loss: binari", "c.yaml:4:7: ", {"DL103", "DL115"}),
        # An unknown step may bring the scales down.
        ("[]", "[standardise]", "c.yaml:2:14: ", {"DL112"}),
        ("adam", "adamm", "c.yaml:5:12: ", {"DL103", "DL112", "DL115"}),
        ("optimizer: adam\n", "", "c.yaml: ", {"DL103", "DL112", "DL115"}),
    ],
)
def test_problems_do_not_keep_the_rows_from_being_checked(
    sound: str, broken: str, place: str, codes: set[str], call: Any, tmp_path: Path
) -> None:
    rows = "\n".join(f"{i},{i % 7 / 7},{int(i % 10 == 0)}" for i in range(2000))
    (tmp_path / "rows.csv").write_text(f"id,x,y\n{rows}\n")
    assert sound in ROWS
    (tmp_path / "c.yaml").write_text(ROWS.replace(sound, broken))
    answer = call("check", "c.yaml", "--data")
    assert answer.status == 2
    assert place in answer.err
    assert codes == set(re.findall(r" (DL\d+): ", answer.out))
    assert answer.out.endswith("not built: fix the errors first\n")
    facts = call("check", "c.yaml", "--data", "--json").json
    assert {finding["code"] for finding in facts["findings"]} == codes
    assert facts["error"]["type"] == "ConfigError"
    assert facts["exit_status"] == 2
    # Without --data nothing but the config's own problems is said.
    assert call("check", "c.yaml").out == ""


def test_problems_of_config_and_files_are_told_at_once(call: Any, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(ROWS.replace("adam", "adamm"))
    answer = call("check", "c.yaml", "--data")
    assert answer.status == 2
    assert "unknown optimizer 'adamm'" in answer.err
    assert "rows.csv" in answer.err


def test_a_model_of_too_many_weights(call: Any, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(SOUND.replace("units: 32", "units: 2000"))
    answer = call("check", "c.yaml", "--data", "--strict")
    weights = 65 * 2000 + 2001 * 10
    assert answer.status == 1
    assert answer.out.startswith(
        f"c.yaml:4:3: warning DL201: {weights:,} weights are trained on 720 rows, 208 for each\n"
    )
    assert f"model:  (64,) -> (10,), {weights:,} parameters\n" in answer.out


@pytest.mark.slow
def test_training_shows_and_keeps_them(call: Any, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(WARNED)
    answer = call("train", "c.yaml")
    assert answer.status == 0
    assert answer.out.startswith(
        f"{HEADLINE}\nnote: dlrun check c.yaml --data gives the reasons and what to write instead\n"
    )
    [run] = (tmp_path / "runs").glob("2*")
    data = json.loads((run / "data.json").read_text())
    assert [finding["code"] for finding in data["findings"]] == ["DL016"]
    assert data["findings"][0]["set"] == "--set optimizer.adam.learning_rate=0.001"
    assert HEADLINE in (run / "log.txt").read_text()
    # Beside the score they are named again, with a command that says the same of the run.
    command = f"dlrun check runs/{run.name}/resolved.yaml --data"
    assert answer.line("findings") == f"1 open: DL016 (details: {command})"
    assert "warning DL016" in call(*command.split()[1:]).out


def hidden(count: int) -> str:
    """A config with that many small hidden layers."""
    return SOUND.replace("  layers:\n", "  layers:\n" + SMALL * count)


SMALL = "    - Dense: {units: 4, activation: relu}\n"


def test_what_is_found_in_many_places_is_shown_once_and_counted(call: Any, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(hidden(200))
    answer = call("check", "c.yaml")
    [full] = [line for line in answer.out.splitlines() if "warning DL010" in line]
    assert full.startswith("c.yaml:5:22: ")
    also = "199 more like it: c.yaml:6:22, c.yaml:7:22, c.yaml:8:22 and 196 more"
    assert f"    also:  {also}; `--json` shows all\n" in answer.out
    assert "c.yaml: 200 warnings" in answer.out
    assert len(answer.out.splitlines()) < 10
    assert len(json.loads(call("check", "c.yaml", "--json").out)["findings"]) == 200


def test_few_findings_are_all_shown(call: Any, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(hidden(3))
    answer = call("check", "c.yaml")
    assert answer.out.count("warning DL010") == 3
    assert "also:" not in answer.out


def test_one_line_says_where_else_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(hidden(4))
    [finding] = config_findings(load_config("c.yaml")).brief()
    also = "3 more like it: c.yaml:6:22, c.yaml:7:22 and c.yaml:8:22"
    assert finding.headline.endswith(f"before 10 classes (and {also})")


def shown(tmp_path: Path, **options: Any) -> tuple[str, str]:
    """A finding, and what a console shows of it."""
    (tmp_path / "c.yaml").write_text(WARNED)
    [finding] = config_findings(load_config(tmp_path / "c.yaml")).shown
    console = Console(file=io.StringIO(), **options)
    print_finding(console, finding)
    assert isinstance(console.file, io.StringIO)
    return str(finding), console.file.getvalue()


def test_in_a_file_every_line_is_whole(tmp_path: Path) -> None:
    finding, text = shown(tmp_path, width=40)
    assert text == finding + "\n"


def test_on_a_narrow_terminal_reasons_break_between_words(tmp_path: Path) -> None:
    finding, text = shown(tmp_path, width=60, force_terminal=True, color_system=None)
    assert text.split() == finding.split()
    reasons = text[text.index("    why:") :].splitlines()
    assert len(reasons) > 2
    assert all(len(line) <= 60 for line in reasons)
    assert reasons[1].startswith(" " * 11)


def test_on_a_terminal_severity_has_a_colour(tmp_path: Path) -> None:
    _, text = shown(tmp_path, force_terminal=True, color_system="standard", width=200)
    assert "\x1b[1;33mwarning DL016\x1b[0m:" in text


def test_texts_that_are_cut_or_empty_are_told_with_figures(call: Any, tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(40)]
    lines = ["message,label"]
    for row in range(200):
        kept = words[row % 30 : row % 30 + 9] if row % 10 else []
        lines.append(f"{' '.join(kept) or '?!'},{row % 2}")
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "m.yaml").write_text(
        "dataset: {source: csv, path: m.csv, target: label}\n"
        "preprocess: [{text: {vocabulary: 50, length: 4}}]\n"
        "architecture:\n"
        "  layers:\n"
        "    - Embedding: {input_dim: 50, output_dim: 2}\n"
        "    - Flatten\n"
        "    - Dense: {units: 1, activation: sigmoid}\n"
        "loss: binary_crossentropy\n"
        "optimizer: adam\n"
        "metrics: [accuracy]\n"
        "evaluation: {validation: {first: 40}}\n"
    )
    told = call("check", "m.yaml", "--data").out
    # 160 training rows, every tenth of them without a word.
    begin = "m.yaml:2:1: note DL202: training rows, text: column 'message'"
    assert f"{begin} holds no word in 16 of 160 rows" in told
    assert (
        f"{begin} is longer than 4 words in 144 of 160 rows (half of them hold at most 9); these "
        "lost their beginning"
    ) in told
