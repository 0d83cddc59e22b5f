"""`dlrun init` on the tables that people have: what it writes runs as it is."""

from __future__ import annotations

import random
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from dlrun.config.load import load_config
from dlrun.errors import DataError, UsageError
from dlrun.workflows.init import init
from dlrun.workflows.loading import load_rows

N = 60


def table(**targets: Any) -> pd.DataFrame:
    """Two features and a target, given as the values that take turns."""
    draw = random.Random(0)
    columns: dict[str, Any] = {
        "size": [round(draw.random(), 3) for _ in range(N)],
        "kind": [draw.choice("abc") for _ in range(N)],
    }
    for name, values in targets.items():
        columns[name] = [values[row % len(values)] for row in range(N)]
    return pd.DataFrame(columns)


MESSAGES = [f"this is message number {row} about a thing" for row in range(N)]
HOUSES = table(y=[1.5, 2, 7]).rename(columns={"size": "size (m2, net)"})
DATES = pd.date_range("2024-01-01", periods=7)

TABLES: dict[str, tuple[Any, str, str]] = {
    # file, how it is written: the task, and a line that the config must hold
    "one_two.csv": (table(y=[1, 2]), "binary", "- targets: label_index"),
    "one_to_three.csv": (table(y=[1, 2, 3]), "multiclass", "- targets: label_index"),
    "from_zero.csv": (table(y=[0, 1, 2]), "multiclass", "units: 3, activation: softmax"),
    "ten.csv": (table(y=range(10)), "multiclass", "units: 10, activation: softmax"),
    "counts.csv": (table(y=range(11)), "regression", "loss: mse"),
    "years.csv": (table(y=[1990, 2001, 2024]), "regression", "loss: mse"),
    "prices.csv": (table(y=[1.5, 2, 7]), "regression", "- targets: standardize"),
    "yes_no.csv": (table(y=["yes", "no"]), "binary", "units: 1, activation: sigmoid"),
    "flags.parquet": (table(y=[True, False]), "binary", "units: 1, activation: sigmoid"),
    "words.csv": (table(y=["no", "maybe", "yes"]), "multiclass", "units: 3"),
    "empty column.csv": (table(gap=[None], y=[0, 1]), "binary", "drop: [gap]"),
    "iso.csv": (table(day=DATES.strftime("%Y-%m-%d"), y=[0, 1]), "binary", "drop: [day]"),
    "slashes.csv": (table(day=DATES.strftime("%d/%m/%Y"), y=[0, 1]), "binary", "drop: [day]"),
    "times.csv": (table(y=[0, 1], at=DATES.astype(str) + " 10:30:00"), "binary", "drop: [at]"),
    "dates.parquet": (table(day=DATES, y=[0, 1]), "binary", "drop: [day]"),
    "days.parquet": (table(day=DATES.date, y=[0, 1]), "binary", "drop: [day]"),
    "lists.parquet": (table(two=[[1, 2], [3]], y=[0, 1]), "binary", "drop: [two]"),
    "missing.csv": (table(n=[1.5, None, 2], t=["a", None], y=[0, 1]), "binary", "impute: median"),
    "commas.csv": (HOUSES, "regression", "decimal: ','"),
    "it's.csv": (table(y=[0, 1]), "binary", "it's.csv"),
    "messages.csv": (
        table(y=["ham", "spam"], message=MESSAGES),
        "binary",
        "- text: {columns: [message], vocabulary: 2000, output: tf_idf}",
    ),
}
SEPARATED = {"commas": ";", "semicolons": ";", "tabs": "\t", "bars": "|"}


def write(folder: Path, name: str, frame: pd.DataFrame) -> Path:
    file = folder / name
    if file.suffix == ".parquet":
        frame.to_parquet(file, index=False)
    else:
        decimal = "," if file.stem == "commas" else "."
        frame.to_csv(file, index=False, sep=SEPARATED.get(file.stem, ","), decimal=decimal)
    return file


@pytest.mark.parametrize("name", [*TABLES, "semicolons.csv", "tabs.csv", "bars.csv"])
def test_what_init_writes_for_a_table_passes_check(call: Any, tmp_path: Path, name: str) -> None:
    fallback = (table(y=[1, 2]), "binary", "separator: ")
    frame, task, line = TABLES.get(name, fallback)
    write(tmp_path, name, frame)
    target = ("--target", "y")
    told = call("init", "--data", name, *target)
    assert told.status == 0, told.err
    assert told.line("target").startswith(f"y ({task};")
    file = tmp_path / f"{name.split('.')[0]}.yaml"
    text = file.read_text(encoding="utf-8")
    assert line in text
    assert yaml.safe_load(text)["dataset"].get("separator", ",") == SEPARATED.get(file.stem, ",")
    # The printed command and those in the file are words for a shell.
    assert shlex.split(told.line("next")) == ["dlrun", "train", file.name]
    commands = [row.strip("# ") for row in text.splitlines() if row.startswith("#   dlrun")]
    assert [shlex.split(command)[2] for command in commands] == [file.name] * 3
    checked = call("check", file.name, "--data")
    assert checked.status == 0, checked.err
    assert "label_index" not in checked.out


@pytest.mark.parametrize(
    ("values", "task", "told"),
    [
        ([0, 1, 2], "binary", "--task binary needs a target of 2 values; 'y' has 3"),
        ([0.5, 1, 2], "multiclass", "--task multiclass needs classes; 'y' holds fractions"),
        (["a", "b"], "regression", "--task regression needs a target of numbers; 'y' holds text"),
        (
            ["yes", "no"],
            "regression",
            "--task regression needs a target of numbers; 'y' holds true and false",
        ),
    ],
)
def test_a_task_that_the_target_cannot_have(
    tmp_path: Path, values: list[Any], task: Any, told: str
) -> None:
    file = write(tmp_path, "t.csv", table(y=values))
    with pytest.raises(UsageError) as error:
        init(file, task=task, target="y", output=tmp_path / "t.yaml")
    assert str(error.value) == told
    assert not (tmp_path / "t.yaml").exists()


def test_the_user_knows_better_what_whole_numbers_are(tmp_path: Path) -> None:
    file = write(tmp_path, "t.csv", table(y=[1990, 2000, 2010]))
    written = init(file, task="multiclass", target="y", output=tmp_path / "t.yaml")
    assert "targets: label_index" in written.path.read_text()


def test_a_date_is_no_target(tmp_path: Path) -> None:
    file = write(tmp_path, "t.csv", table(day=DATES.strftime("%Y-%m-%d")))
    assert init(file, output=tmp_path / "t.yaml").facts.target == "kind"
    with pytest.raises(DataError, match="column 'day' holds only dates"):
        init(file, target="day", output=tmp_path / "u.yaml")


def test_a_config_that_does_not_run_is_not_written(tmp_path: Path) -> None:
    file = write(tmp_path, "t.csv", table(y=["a", "b", None]))
    output = tmp_path / "t.yaml"
    with pytest.raises(DataError) as error:
        init(file, target="y", output=output)
    told = str(error.value)
    assert told.startswith(f"{file}: no config is written, as it would not run: ")
    assert f"{file}:4: the target 'y' is missing here and in 19 more" in told
    assert not output.exists()


def test_rows_are_split_in_the_order_of_a_date(call: Any, tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=N)
    frame = table(day=days.strftime("%d.%m.%Y"), y=[0, 1]).sample(frac=1, random_state=0)
    write(tmp_path, "sales.csv", frame)
    told = call("init", "--data", "sales.csv", "--target", "y")
    assert told.line("time") == "day (rows are split in its order)"
    assert "left out" not in told.out
    written = yaml.safe_load((tmp_path / "sales.yaml").read_text())
    assert written["evaluation"]["time"] == "day"
    rows = load_rows(load_config(tmp_path / "sales.yaml")).samples
    # The test rows are the last twelve days.
    assert rows.extras["day"].max() == days[47].to_datetime64()
    # One who takes the line out again is told what the column is.
    changes = ("evaluation.time=null", "preprocess=[]", "dataset.drop=[kind]")
    without = [word for change in changes for word in ("--set", change)]
    told = call("check", "sales.yaml", "--data", *without)
    assert "column 'day' holds dates; say `time: day` under `evaluation`" in told.out + told.err


def test_dates_that_may_mean_anything_are_left_out_by_name(call: Any, tmp_path: Path) -> None:
    days = pd.date_range("1960-01-01", periods=N).strftime("%Y-%m-%d")
    write(tmp_path, "people.csv", table(born=days, seen=days, y=[0, 1]))
    told = call("init", "--data", "people.csv", "--target", "y")
    assert told.line("left") == "out born, seen (dates)"
    splits = "(`time: born` under evaluation splits the rows in its order)"
    assert told.line("dates") == f"born, seen {splits}"
    assert "time" not in yaml.safe_load((tmp_path / "people.yaml").read_text())["evaluation"]


def test_numbers_with_thousands_in_another_encoding(call: Any, tmp_path: Path) -> None:
    prices = [1234.5, 337556.43, 999.0, 1250000.25]
    texts = ["1.234,5", "337.556,43", "999", "1.250.000,25"]
    lines = [f"{'Köln' if row % 3 else 'Bonn'};{row % 5};{texts[row % 4]}" for row in range(N)]
    text = "\n".join(["Ort;Größe;Preis", *lines])
    (tmp_path / "prices.csv").write_text(text, encoding="latin-1")
    told = call("init", "--data", "prices.csv")
    assert told.line("target").startswith("Preis (regression;")
    assert told.line("numbers") == "'.' between thousands, ',' before decimals"
    assert told.line("encoding").startswith("cp1252")
    rows = load_rows(load_config(tmp_path / "prices.yaml")).samples
    expected = [prices[row % 4] for row in rows.rows]
    assert rows.targets["Preis"].tolist() == expected
    assert set(rows.features["Ort"]) == {"Köln", "Bonn"}


def test_a_folder_of_parquet(call: Any, tmp_path: Path) -> None:
    frame = table(y=[0, 1])
    (tmp_path / "parts").mkdir()
    for part in (0, 1):
        frame[part * 30 : part * 30 + 30].to_parquet(tmp_path / "parts" / f"{part}.parquet")
    told = call("init", "--data", "parts")
    assert told.line("target").startswith("y (binary;")
    assert len(load_rows(load_config(tmp_path / "parts.yaml")).samples) == 48


def test_sentences_are_no_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"kind": ["ham", "spam"] * (N // 2), "message": MESSAGES})
    frame.to_csv("mails.csv", index=False)
    assert init("mails.csv").task == "binary"
    config = load_config(Path("mails.yaml"))
    assert config.dataset.target == "kind"  # type: ignore[attr-defined] # of a table's source
    assert [step.member_name() for step in config.preprocess] == ["text"]


def test_texts_that_are_repeated_are_read_word_by_word(call: Any, tmp_path: Path) -> None:
    """Subjects of messages, 70 in 300 rows, are neither names of rows nor categories; what is left
    out is left out for the reason that is true of it."""
    draw = random.Random(0)
    subjects = [f"please help with my order {number}" for number in range(70)]
    towns = [f"town{number}" for number in range(55)]
    streets = [f"street{number}" for number in range(120)]
    frame = pd.DataFrame(
        {
            "ticket_id": range(300),
            "subject": [draw.choice(subjects) for _ in range(300)],
            "town": [draw.choice(towns) for _ in range(300)],
            "street": [draw.choice(streets) for _ in range(300)],
            "code": [f"c{row}" for row in range(300)],
            "urgent": [draw.choice(["yes", "no"]) for _ in range(300)],
        }
    )
    frame.to_csv(tmp_path / "tickets.csv", index=False)
    called = call("init", "--data", "tickets.csv", "--json")
    facts = called.json["facts"]
    assert facts["sentences"] == ["subject"]
    assert facts["categorical"] == ["town"]
    assert facts["dropped"] == {
        "ticket_id": "numbers the rows",
        "street": f"{frame.street.nunique()} categories, few rows of each",
        "code": "a different text in most rows",
    }
    config = (tmp_path / "tickets.yaml").read_text()
    assert "- text: {columns: [subject]" in config
    assert "street: " in config.split("left out: ")[1].splitlines()[0]
    checked = call("check", "tickets.yaml", "--data")
    # The `subject` of a message is no group either.
    assert "looks like a group" not in checked.out


def test_a_row_that_is_too_short(tmp_path: Path) -> None:
    file = tmp_path / "ragged.csv"
    file.write_text("a,b,c\n1,2,3\n4,5\n")
    with pytest.raises(DataError, match=r"ragged.csv:3: expected 3 fields, found 2"):
        init(file, output=tmp_path / "ragged.yaml")
    assert not (tmp_path / "ragged.yaml").exists()


def test_a_target_that_never_changes(tmp_path: Path) -> None:
    file = write(tmp_path, "t.csv", table(y=[3]))
    with pytest.raises(DataError, match=r"the target 'y' has the same value \(3\) in all 60 rows"):
        init(file, target="y", output=tmp_path / "t.yaml")
    assert not (tmp_path / "t.yaml").exists()


@pytest.mark.parametrize("parts", [[""], ["train"], ["train", "validation", "test"]])
def test_a_folder_of_texts(call: Any, tmp_path: Path, parts: list[str]) -> None:
    for part in parts:
        for row, text in enumerate(MESSAGES):
            folder = tmp_path / "mails" / part / ("ham", "spam")[row % 2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{row}.txt").write_text(f"{part} {text}")
    told = call("init", "mails")
    assert told.status == 0, told.err
    assert told.line("texts") == "60 of 2 classes: ham, spam"
    checked = call("check", "mails.yaml", "--data")
    assert checked.status == 0, checked.err
    assert "-> (1,)" in checked.out
    held_out = load_config(tmp_path / "mails.yaml").evaluation.protocol.validation  # type: ignore[attr-defined] # of a hold-out
    assert (held_out.path is not None) == ("validation" in parts)
