"""One run: its name, its files, how it is found again."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlrun.errors import RunError
from dlrun.store import run_directory
from dlrun.store.names import NAME_LENGTH, slug
from dlrun.store.run_directory import RunDirectory

NOON = datetime(2026, 11, 21, 10, 15, 30)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # Other processes start in that folder too, and find this very package.
    monkeypatch.setenv("PYTHONPATH", str(Path(run_directory.__file__).parents[2]))
    return Path("runs")


@pytest.fixture
def run(runs: Path) -> RunDirectory:
    return RunDirectory.create(runs, "boston", NOON)


def started(runs: Path, name: str, now: datetime = NOON) -> RunDirectory:
    run = RunDirectory.create(runs, name, now)
    run.start({})
    return run


# Names.


def test_name_has_time_name_and_a_random_ending(runs: Path) -> None:
    run = RunDirectory.create(runs, "Boston Häuser / 4 folds!", NOON)
    assert re.fullmatch(r"20261121-101530-Boston-Hauser-4-folds-[0-9a-f]{4}", run.name)
    assert run.path.is_dir()
    assert run.path.is_absolute()


@given(st.text())
def test_slug_is_a_safe_file_name(name: str) -> None:
    made = slug(name)
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", made)
    assert len(made) <= NAME_LENGTH
    assert slug(made) == made


@given(st.text(string.ascii_letters + string.digits, min_size=1, max_size=NAME_LENGTH))
def test_slug_keeps_a_name_that_is_safe_already(name: str) -> None:
    assert slug(name) == name


def test_two_runs_of_the_same_second_never_share_a_directory(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endings = iter(["aaaa", "aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr(run_directory.secrets, "token_hex", lambda _: next(endings))
    first, second = RunDirectory.create(runs, "x", NOON), RunDirectory.create(runs, "x", NOON)
    assert (first.name[-4:], second.name[-4:]) == ("aaaa", "bbbb")


def test_processes_that_start_together_get_directories_of_their_own(runs: Path) -> None:
    # Two hex digits instead of four, so that they do collide.
    program = (
        "import secrets; from datetime import datetime; from pathlib import Path\n"
        "from dlrun.store.run_directory import RunDirectory\n"
        "secrets.token_hex = lambda n, token=secrets.token_hex: token(1)\n"
        "for i in range(40):\n"
        "    run = RunDirectory.create(Path('runs'), 'x', datetime(2026, 11, 21))\n"
        "    run.write_config(b'mine')\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(list(runs.iterdir())) == 80


def test_a_folder_that_cannot_be_made_is_named_with_a_way_out(runs: Path) -> None:
    runs.write_text("a file")
    with pytest.raises(
        RunError, match=r"cannot make a run in runs: .*; choose another folder with --runs-dir"
    ):
        RunDirectory.create(runs, "x")


# Finding a run again.


def test_a_run_opens_by_path_by_name_and_by_the_beginning_of_its_name(runs: Path) -> None:
    run = started(runs, "boston")
    started(runs, "digits", NOON.replace(hour=11))
    for given_text in (run.path, f"runs/{run.name}", run.name, "20261121-10", "runs/20261121-10"):
        assert RunDirectory.open(given_text).path == run.path


def test_a_beginning_that_several_runs_share_lists_them(runs: Path) -> None:
    names = sorted((started(runs, "x").name for _ in range(7)), reverse=True)
    with pytest.raises(RunError) as caught:
        RunDirectory.open("20261121")
    assert str(caught.value) == (
        "7 runs in runs begin with '20261121'; give more of the name:"
        + "".join(f"\n    {name}" for name in names[:5])
        + "\n    and 2 more"
    )


def test_an_experiment_names_its_only_run(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(runs, "photos")
    other = started(runs, "photos-final")
    monkeypatch.chdir(tmp_path)
    # Data often lies in a folder that is called as the experiment is.
    (tmp_path / "photos").mkdir()
    assert RunDirectory.open("photos", runs).path.name == run.name
    assert RunDirectory.open("photos-final", runs).path.name == other.name
    again = started(runs, "photos-final")
    with pytest.raises(RunError) as caught:
        RunDirectory.open("photos-final", runs)
    assert str(caught.value).startswith(f"2 runs in {runs} are of the experiment 'photos-final'")
    assert again.name in str(caught.value)


def test_messages_for_what_is_no_run(runs: Path, tmp_path: Path) -> None:
    def message(text: str, runs_dir: Path = runs) -> str:
        with pytest.raises(RunError) as caught:
            RunDirectory.open(text, runs_dir)
        return str(caught.value)

    assert message("boston") == "no run 'boston', and no run in runs"
    run = started(runs, "boston")
    run.fold(0).write_result({})
    (tmp_path / "empty").mkdir()
    (tmp_path / "config.yaml").touch()
    assert message("bost") == f"no run 'bost'; did you mean:\n    {run.name}"
    assert message("mnist") == f"no run 'mnist'; the newest in runs is {run.name}"
    near = run.name.replace("boston", "bostom")
    assert message(near) == f"no run '{near}'; did you mean:\n    {run.name}"
    assert message("empty") == "empty is not a run directory: it has no run.json"
    assert message("config.yaml") == "config.yaml is a file; expected a run directory"
    assert message("runs") == (
        f"runs is not a run directory: it has no run.json; the newest run in it is runs/{run.name}"
    )
    assert message(f"runs/{run.name}/folds/00") == (
        f"runs/{run.name}/folds/00 is not a run directory: it has no run.json; "
        f"it is part of the run runs/{run.name}"
    )


# Status.


def test_status_from_start_to_end(run: RunDirectory) -> None:
    run.start({"seed": 3, "command": ["dlrun", "train"]})
    assert run.status == "running"
    before = run.read_run()
    assert (before["ended"], before["seconds"]) == (None, None)
    run.finish("failed", error="loss is NaN")
    assert run.status == "failed"
    facts = run.read_run()
    assert (facts["seed"], facts["command"]) == (3, ["dlrun", "train"])
    assert facts["error"] == "loss is NaN"
    assert facts["started"] == before["started"]
    lasted = datetime.fromisoformat(facts["ended"]) - datetime.fromisoformat(facts["started"])
    assert facts["seconds"] == lasted.total_seconds() >= 0


def test_a_run_starts_once_and_ends_once(run: RunDirectory) -> None:
    with pytest.raises(RunError, match=r"run\.json is missing"):
        run.finish("finished")
    run.start({})
    with pytest.raises(RunError, match="never overwritten"):
        run.start({})
    run.finish("interrupted")
    with pytest.raises(RunError, match="is interrupted already"):
        run.finish("finished")
    assert run.status == "interrupted"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say")
def test_a_run_whose_process_was_killed_is_told_from_one_that_runs(run: RunDirectory) -> None:
    program = (
        "import os, signal; from pathlib import Path\n"
        "from dlrun.store.run_directory import RunDirectory\n"
        f"RunDirectory(Path({str(run.path)!r})).start({{}})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert run.read_run()["status"] == "running"
    assert run.status == "died"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_a_process_number_that_was_given_away_again_does_not_count(run: RunDirectory) -> None:
    run.start({})
    assert run.status == "running"
    facts = run.read_run()
    facts["process"]["birth"] = "another-time"
    run.run.unlink()
    run_directory.write_json(run.run, facts)
    assert run.status == "died"


def test_a_run_on_another_machine_is_taken_at_its_word(run: RunDirectory) -> None:
    run.start({})
    facts = run.read_run()
    facts["process"] |= {"host": "elsewhere", "pid": 2**22 + 1}
    run.run.unlink()
    run_directory.write_json(run.run, facts)
    assert run.status == "running"


# Files.


def test_everything_comes_back_as_it_was_written(run: RunDirectory) -> None:
    given_bytes = b"name: x\r\n# \xc3\xbc \xff\n"
    run.write_config(given_bytes)
    run.write_resolved("name: x\n")
    run.write_data({"rows": np.int64(506)})
    run.write_splits({"test": np.array([3, 1], np.int32), "fold00_train": np.array([], np.int64)})
    run.write_result({"score": float("nan"), "best_epoch": 3})
    run.write_predictions({"rows": np.arange(2), "predictions": np.ones((2, 1), np.float32)})
    run.log("first")
    run.log("second")

    assert run.read_config() == given_bytes == (run.path / "config.yaml").read_bytes()
    assert run.read_resolved() == "name: x\n"
    assert run.read_data() == {"rows": 506}
    splits = run.read_splits()
    np.testing.assert_array_equal(splits["test"], np.array([3, 1], np.int64), strict=True)
    np.testing.assert_array_equal(splits["fold00_train"], np.array([], np.int64), strict=True)
    assert run.read_result() == {"score": None, "best_epoch": 3}
    predictions = run.read_predictions()["predictions"]
    np.testing.assert_array_equal(predictions, np.ones((2, 1), np.float32), strict=True)
    assert (run.path / "log.txt").read_text() == "first\nsecond\n"


def test_written_files_stay(run: RunDirectory) -> None:
    run.write_config(b"1")
    run.write_result({"epochs": 1})
    with pytest.raises(RunError, match=r"config\.yaml exists and is never overwritten"):
        run.write_config(b"2")
    with pytest.raises(RunError, match=r"result\.json exists and is never overwritten"):
        run.write_result({"epochs": 2})
    assert (run.read_config(), run.read_result()) == (b"1", {"epochs": 1})
    run.write_result({"epochs": 3}, replace=True)
    assert run.read_result() == {"epochs": 3}


def test_splits_are_whole_numbers(run: RunDirectory) -> None:
    with pytest.raises(TypeError, match="split 'test' is not a list of row numbers"):
        run.write_splits({"test": np.array([0.5])})


def test_what_is_missing_is_named(run: RunDirectory) -> None:
    for read in (run.read_config, run.read_data, run.read_splits, run.read_preprocess):
        with pytest.raises(
            RunError, match=rf"^runs/{run.name}/[a-z]+\.(yaml|json|npz) is missing$"
        ):
            read()


def test_model_and_curves_are_saved_under_their_own_suffix(run: RunDirectory) -> None:
    run.save_model(lambda path: path.write_text(path.suffix))
    run.fold(1).save_curves(lambda path: path.write_text(path.suffix))
    assert (run.path / "model.keras").read_text() == ".keras"
    assert (run.path / "folds/01/curves.png").read_text() == ".png"
    assert (run.path / "folds/01/curves.svg").read_text() == ".svg"


def test_folds_have_the_same_interface_below_the_run(run: RunDirectory) -> None:
    assert run.folds() == []
    for index in (0, 10, 2, 100):
        run.fold(index).write_result({"index": index})
        run.fold(index).append_metrics(index, 1, 0.1, {"loss": 0.5})
    folders = sorted(path.name for path in (run.path / "folds").iterdir())
    assert folders == ["00", "02", "10", "100"]
    assert [fold.index for fold in run.folds()] == [0, 2, 10, 100]
    assert run.folds()[1].read_result() == {"index": 2}
    assert run.folds()[1].history()["loss"] == [0.5]


def test_a_run_that_was_deleted_while_it_trains_does_not_come_back(run: RunDirectory) -> None:
    run.path.rmdir()
    with pytest.raises(RunError, match="No such file or directory"):
        run.fold(0).write_result({})
    assert not run.path.exists()


# Preprocessing.

finite_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
arrays_by_name = st.dictionaries(
    st.from_regex(r"\A[0-9]{1,2}_[a-z ü/]{1,8}\Z"),
    npst.arrays(
        st.one_of(
            npst.floating_dtypes(endianness="="),
            npst.integer_dtypes(endianness="="),
            npst.boolean_dtypes(),
            npst.unicode_string_dtypes(endianness="="),
        ),
        npst.array_shapes(min_dims=0, min_side=0, max_side=4),
    ),
    max_size=3,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.dictionaries(st.text(), finite_json, max_size=4), max_size=3), arrays_by_name)
def test_preprocessing_state_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, state: list[dict[str, Any]], arrays: dict[str, Any]
) -> None:
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    run.write_preprocess(state, arrays)
    read_state, read_arrays = run.read_preprocess()
    assert repr(read_state) == repr(state)
    assert list(read_arrays) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read_arrays[name], array, strict=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: "a"}, np.zeros(3)])
def test_preprocessing_state_that_json_would_change_is_refused(
    run: RunDirectory, value: Any
) -> None:
    with pytest.raises(ValueError, match="JSON"):
        run.write_preprocess([{"mean": value}])
    assert list(run.path.iterdir()) == []


# Looks at the test data.


def test_evaluations_are_numbered_and_kept(run: RunDirectory) -> None:
    assert run.evaluation_numbers() == []
    first = run.add_evaluation({"mae": 2.1})
    run.add_evaluation_arrays(first, {"predictions": np.ones(3)})
    second = run.add_evaluation({"mae": 2.2})
    assert [path.name for path in (first, second)] == ["001.json", "002.json"]
    facts, arrays = run.read_evaluation(1)
    assert (facts, arrays["predictions"].tolist()) == ({"mae": 2.1}, [1, 1, 1])
    assert run.read_evaluation(2) == ({"mae": 2.2}, {})
    first.unlink()
    assert run.add_evaluation({}).name == "003.json"


def test_evaluations_of_two_processes_never_share_a_number(run: RunDirectory) -> None:
    program = (
        "import sys, numpy; from pathlib import Path\n"
        "from dlrun.store.run_directory import RunDirectory\n"
        f"run = RunDirectory(Path({str(run.path)!r}))\n"
        "who = int(sys.argv[1])\n"
        "for i in range(20):\n"
        "    path = run.add_evaluation({'by': who})\n"
        "    run.add_evaluation_arrays(path, {'by': numpy.array(who)})\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, who]) for who in "12"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert run.evaluation_numbers() == list(range(1, 41))
    found = [run.read_evaluation(number) for number in run.evaluation_numbers()]
    assert sorted(facts["by"] for facts, _ in found) == [1] * 20 + [2] * 20
    assert all(facts["by"] == arrays["by"] for facts, arrays in found)


def test_files_of_callbacks_are_cut_back_to_where_they_were(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "digits")
    assert run.callback_sizes() == {}
    folder = run.make_callbacks_folder()
    (folder / "log.csv").write_text("epoch,loss\n0,1.0\n")
    (folder / "best.keras").write_bytes(b"model")
    sizes = run.callback_sizes()
    with (folder / "log.csv").open("a") as file:
        file.write("1,0.5\n")
    (folder / "best.keras").write_bytes(b"a later model")
    (folder / "later").write_text("x")
    run.cut_callbacks(sizes)
    assert sorted(run.callback_sizes()) == ["best.keras", "log.csv"]
    assert (folder / "log.csv").read_text() == "epoch,loss\n0,1.0\n"
    assert (folder / "best.keras").read_bytes() == b"a later model"
